#include "cli/rows.h"

#include "base/number.h"

#include <stdlib.h>

bool lp_rows_init(struct lp_rows *r, const struct lp_columns *columns, size_t most, bool verdicts,
                  const struct lp_style *style)
{
    *r = (struct lp_rows){
        .columns = columns, .most = most, .verdicts = verdicts, .style = style, .width = columns->count + verdicts};
    r->cells = calloc(most * r->width + 1, sizeof *r->cells);
    return r->cells;
}

void lp_rows_release(struct lp_rows *r)
{
    for (size_t i = 0; r->cells && i < r->count * r->width; i++) free(r->cells[i]);
    free(r->cells);
    *r = (struct lp_rows){0};
}

/* Shorter than in the file: two decimals, minutes instead of seconds, one line. */
static void put_for_people(const struct lp_batch *b, size_t column, size_t row, struct lp_buf *out)
{
    const struct lp_cells *c = &b->cells[column];
    enum lp_type type = b->columns->list[column].type;
    if (c->null[row]) return;
    if (type == LP_TYPE_DOUBLE) {
        char number[LP_NUMBER_TEXT_BYTES];
        lp_buf_put(out, number, lp_double_format_short(c->of.f64[row], number));
        return;
    }
    size_t start = out->len;
    lp_batch_put_cell_text(b, column, row, out);
    if (type == LP_TYPE_TIMESTAMP && out->len - start == 20) {
        out->data[start + 10] = ' ';
        if (!memcmp(out->data + start + 16, ":00Z", 4)) {
            memcpy(out->data + start + 16, "Z", 2);
            out->len = start + 17;
        }
    }
    for (size_t i = start; i < out->len; i++)
        if ((unsigned char)out->data[i] < 0x20) out->data[i] = ' ';
    LP_AUTO(lp_buf) visible = {0};
    lp_text_put_visible(&visible, out->data ? out->data + start : "", out->len - start);
    out->len = start;
    lp_buf_put(out, lp_buf_text(&visible), visible.len);
}

static void put_verdict(const struct lp_rows *r, const struct lp_failure *f, struct lp_buf *out)
{
    lp_buf_puts(out, f ? r->style->bad : r->style->ok);
    for (bool more = false; f; f = f->next, more = true)
        lp_buf_printf(out, "%s %s: %s", more ? "," : "", f->column, f->check);
}

void lp_rows_see(void *rows, const struct lp_batch *b)
{
    struct lp_rows *r = rows;
    for (size_t row = 0; row < b->row_count; row++) {
        if (b->failures[row] && !r->verdicts) continue;
        r->seen++;
        if (r->count == r->most) continue;
        bool whole = true;
        for (size_t i = 0; i < r->width; i++) {
            LP_AUTO(lp_buf) text = {0};
            if (i < b->columns->count) put_for_people(b, i, row, &text);
            else put_verdict(r, b->failures[row], &text);
            whole &= (r->cells[r->count * r->width + i] = strdup(lp_buf_text(&text))) != NULL;
        }
        if (whole) r->count++;
        for (size_t i = 0; !whole && i < r->width; i++) {
            free(r->cells[r->count * r->width + i]);
            r->cells[r->count * r->width + i] = NULL;
        }
    }
}

/* Zeros that every number of a column ends in are left out, so that 58.90 and 61.20 read 58.9 and 61.2. */
static void trim_decimals(const struct lp_rows *r, size_t column)
{
    for (int pass = 0; pass < 2; pass++) {
        for (size_t row = 0; row < r->count; row++) {
            const char *text = r->cells[row * r->width + column], *dot = strchr(text, '.');
            if (*text && (!dot || strchr(text, 'e') || text[strlen(text) - 1] != '0' || strlen(dot) < 3)) return;
        }
        for (size_t row = 0; row < r->count; row++) {
            char *text = r->cells[row * r->width + column];
            if (*text) text[strlen(text) - 1] = '\0';
        }
    }
}

void lp_rows_put(const struct lp_rows *r, struct lp_buf *out)
{
    struct lp_grid_column *columns = calloc(r->width, sizeof *columns);
    if (!columns || !r->count) {
        free(columns);
        return;
    }
    for (size_t i = 0; i < r->columns->count; i++) {
        const struct lp_column *c = &r->columns->list[i];
        bool number = c->type == LP_TYPE_BIGINT || c->type == LP_TYPE_DOUBLE;
        columns[i] = (struct lp_grid_column){c->name, c->unit ? lp_unit_symbol(c->unit) : NULL, number, false, false};
        if (c->type == LP_TYPE_DOUBLE) trim_decimals(r, i);
    }
    if (r->verdicts) columns[r->width - 1] = (struct lp_grid_column){"verdict", NULL, false, true, false};
    lp_grid_put(r->style, columns, r->width, r->cells, r->count, out);
    if (r->seen > r->count)
        lp_buf_printf(out, "%s%s and %llu more row%s%s\n", r->style->grey, r->style->more,
                      (unsigned long long)(r->seen - r->count), r->seen - r->count == 1 ? "" : "s", r->style->plain);
    free(columns);
}
