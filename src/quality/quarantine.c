#include "quality/quarantine.h"

#include "base/secret.h"

static void put_failures(struct lp_json_writer *w, const struct lp_failure *f)
{
    lp_json_open(w, "failures", '[');
    for (; f; f = f->next) {
        lp_json_open(w, NULL, '{');
        lp_json_text(w, "column", f->column);
        lp_json_text(w, "check", f->check);
        lp_json_key(w, "failure_case", 12);
        lp_buf_puts(w->out, f->failure_case);
        lp_json_close(w, '}');
    }
    lp_json_close(w, ']');
}

void lp_quarantine_put(const struct lp_batch *b, size_t row, const char *item_json, struct lp_buf *out)
{
    LP_AUTO(lp_buf) line = {0};
    struct lp_json_writer w = {.out = &line};
    lp_json_open(&w, NULL, '{');
    lp_json_key(&w, "item", 4);
    lp_buf_puts(&line, item_json);
    w.more = true;
    put_failures(&w, b->failures[row]);
    lp_json_open(&w, "row", '{');
    for (size_t i = 0; i < b->columns->count; i++) {
        const char *name = b->columns->list[i].name;
        lp_json_key(&w, name, strlen(name));
        lp_batch_put_cell_json(b, i, row, &line);
        w.more = true;
    }
    lp_json_close(&w, '}');
    lp_json_key(&w, "source", 6);
    if (b->source[row]) lp_json_put_value(&line, b->source[row]);
    else lp_buf_puts(&line, "null");
    w.more = true;
    lp_json_close(&w, '}');
    lp_buf_putc(&line, '\n');
    /* A secret that arrived with JSON escapes is only now to be seen. */
    lp_secret_mask(lp_buf_text(&line), line.len, out);
    if (line.failed) out->failed = line.failed;
}
