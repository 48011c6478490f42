#include "cli/report.h"

#include "base/clock.h"
#include "base/number.h"
#include "base/text.h"
#include "cli/load.h"

#include <stdio.h>

#define SHOWN_FAILURES 10

static void put_failures(const struct lp_style *s, const struct lp_record *rec, struct lp_buf *out)
{
    size_t items = 0, shards = 0;
    for (size_t i = 0; i < rec->failure_count; i++) {
        const struct lp_record_failure *f = &rec->failures[i];
        if (!f->label || (f->item ? items++ : shards++) >= SHOWN_FAILURES) continue;
        lp_buf_printf(out, "  %s%s%s ", s->red, s->bad, s->plain);
        if (f->item) lp_buf_printf(out, "%s   ", f->label); /* the error of a shard begins with its name */
        lp_text_put_visible(out, f->error, strlen(f->error));
        lp_buf_putc(out, '\n');
    }
    if (rec->requests.failed > SHOWN_FAILURES)
        lp_buf_printf(out, "  %s and %llu more\n", s->more,
                      (unsigned long long)(rec->requests.failed - SHOWN_FAILURES));
    if (shards > SHOWN_FAILURES)
        lp_buf_printf(out, "  %s and %zu more shards\n", s->more, shards - SHOWN_FAILURES);
}

static void put_files(const struct lp_style *s, const struct lp_record *rec, bool after_mark, struct lp_buf *out)
{
    char bytes[LP_NUMBER_TEXT_BYTES];
    if (rec->file_count == 1 && after_mark) {
        lp_buf_printf(out, " %s %s\n", s->arrow, rec->files[0].url);
        return;
    }
    if (after_mark) lp_buf_putc(out, '\n');
    for (size_t i = 0; i < rec->file_count && i < SHOWN_FAILURES; i++) {
        lp_bytes_format(rec->files[i].bytes, bytes);
        lp_buf_printf(out, "%s%s %s  ", after_mark ? "  " : "", s->arrow, rec->files[i].url);
        lp_put_count(out, rec->files[i].rows, "row", "rows");
        lp_buf_printf(out, ", %s\n", bytes);
    }
    if (rec->file_count > SHOWN_FAILURES)
        lp_buf_printf(out, "  %s and %zu more files\n", s->more, rec->file_count - SHOWN_FAILURES);
}

static void put_counts(const struct lp_style *s, const struct lp_record *rec, struct lp_buf *out)
{
    lp_buf_puts(out, "  checks: ");
    lp_put_count(out, rec->checks_passed, "passed", "passed");
    if (rec->checks_failed) lp_buf_printf(out, ", %llu failed", (unsigned long long)rec->checks_failed);
    if (rec->warnings) {
        lp_buf_puts(out, ", ");
        lp_put_count(out, rec->warnings, "warning", "warnings");
    }
    lp_buf_puts(out, ", ");
    lp_put_count(out, rec->rows.quarantined, "row", "rows");
    lp_buf_puts(out, " quarantined");
    if (rec->requests.retried) {
        char waited[LP_TIME_TEXT_BYTES];
        lp_duration_format(rec->requests.waited_ms, waited);
        lp_buf_printf(out, " %s ", s->dot);
        lp_put_count(out, rec->requests.retried, "retry", "retries");
        lp_buf_printf(out, ", %s waited", waited);
    }
    if (rec->record_url) lp_buf_printf(out, " %s record: %s", s->dot, rec->record_url);
    lp_buf_putc(out, '\n');
}

/* A run that wrote: its first rows, then what it did. */
static void put_report(struct lp_cli *c, const struct lp_record *rec, const struct lp_rows *rows, struct lp_buf *out)
{
    const struct lp_style *s = &c->out;
    char took[LP_TIME_TEXT_BYTES];
    if (rows) lp_rows_put(rows, out);
    lp_duration_format(rec->duration_ms, took);
    if (rec->status == LP_RUN_OK) {
        lp_buf_printf(out, "%s%s%s ", s->green, s->ok, s->plain);
        lp_put_count(out, rec->rows.written, "row", "rows");
        if (rec->shards) lp_buf_printf(out, " of %llu shards", (unsigned long long)rec->shards);
        lp_buf_printf(out, " in %s", took);
        put_files(s, rec, true, out);
    } else {
        put_files(s, rec, false, out);
    }
    put_counts(s, rec, out);
}

void lp_report_hear(void *who, const struct lp_notice *n, const struct lp_message *message)
{
    (void)message;
    *(struct lp_heard *)who =
        (struct lp_heard){n->event, n->history_known, n->failed_more, n->failed_in_row, n->worked_us};
}

static void put_failed_before(const struct lp_heard *h, struct lp_buf *out)
{
    lp_buf_puts(out, h->more ? "at least " : "");
    lp_put_count(out, h->failed_in_row, "failure", "failures");
    lp_buf_puts(out, " in a row");
}

/* A success that the report does not tell already, or the first one after failures. */
static void tell_ok(const struct lp_cli *c, const struct lp_heard *h, const struct lp_record *rec)
{
    LP_AUTO(lp_buf) text = {0};
    char slot[LP_TIME_TEXT_BYTES];
    if (!h->event || !(c->json || (h->event == LP_ON_RECOVERY && !c->quiet))) return;
    lp_time_format_iso(rec->slot_us, slot);
    lp_buf_printf(&text, "%s%s%s %s, slot %s: ", c->err.green, c->err.ok, c->err.plain, rec->pipeline, slot);
    if (h->event == LP_ON_RECOVERY) lp_buf_puts(&text, "works again, ");
    lp_put_count(&text, rec->rows.written, "row", "rows");
    lp_buf_puts(&text, " written");
    if (h->event == LP_ON_RECOVERY && h->failed_in_row) {
        lp_buf_puts(&text, " after ");
        put_failed_before(h, &text);
    }
    lp_buf_putc(&text, '\n');
    fputs(lp_buf_text(&text), stderr);
}

static void put_history(const struct lp_heard *h, struct lp_buf *out)
{
    char slot[LP_TIME_TEXT_BYTES];
    if (h->event != LP_ON_FAILURE || !h->known) return;
    lp_buf_puts(out, "  ");
    put_failed_before(h, out);
    if (h->worked_us == INT64_MIN) {
        lp_buf_puts(out, h->more ? "; last worked longer ago\n" : "; it has not worked yet\n");
        return;
    }
    lp_time_format_iso(h->worked_us, slot);
    lp_buf_printf(out, "; last worked for slot %s\n", slot);
}

/* Who could not be told: a warning, whatever the run came to. */
static void warn_untold(const struct lp_cli *c, const struct lp_record *rec)
{
    LP_AUTO(lp_buf) text = {0};
    for (size_t i = 0; i < rec->telling.count; i++) {
        const struct lp_told *t = &rec->telling.list[i];
        if (!t->ok)
            lp_buf_printf(&text, "%s%s%s notify: %s: %s\n", c->err.yellow, c->err.warn, c->err.plain, t->to, t->error);
    }
    fputs(lp_buf_text(&text), stderr);
}

static void tell_partial(const struct lp_cli *c, const struct lp_record *rec, const char *noun)
{
    LP_AUTO(lp_buf) text = {0};
    char slot[LP_TIME_TEXT_BYTES];
    lp_time_format_iso(rec->slot_us, slot);
    lp_buf_printf(&text, "%s%s%s %s, slot %s: %llu of %llu %s written", c->err.yellow, c->err.warn, c->err.plain,
                  rec->pipeline, slot, (unsigned long long)rec->requests.ok, (unsigned long long)rec->requests.total,
                  noun);
    if (rec->shards_failed)
        lp_buf_printf(&text, ", %llu of %llu shards failed", (unsigned long long)rec->shards_failed,
                      (unsigned long long)rec->shards);
    lp_buf_putc(&text, '\n');
    put_failures(&c->err, rec, &text);
    fputs(lp_buf_text(&text), stderr);
}

static void tell_failed(const struct lp_cli *c, const struct lp_heard *h, const struct lp_record *rec,
                        const struct lp_err *err)
{
    LP_AUTO(lp_buf) text = {0};
    char slot[LP_TIME_TEXT_BYTES];
    lp_time_format_iso(rec->slot_us, slot);
    lp_buf_printf(&text, "%s%s%s %s, slot %s: %s\n", c->err.red, c->err.bad, c->err.plain, rec->pipeline, slot,
                  err->text);
    put_failures(&c->err, rec, &text);
    put_history(h, &text);
    if (rec->rows.read) put_counts(&c->err, rec, &text);
    else if (rec->record_url) lp_buf_printf(&text, "  record: %s\n", rec->record_url);
    fputs(lp_buf_text(&text), stderr);
}

int lp_report(struct lp_cli *c, const struct lp_heard *h, enum lp_code code, const struct lp_record *rec,
              const struct lp_rows *rows, const char *noun, const struct lp_err *err)
{
    LP_AUTO(lp_buf) text = {0};
    int status = code ? lp_code_info(code)->exit_status : rec->status == LP_RUN_PARTIAL ? 3 : 0;
    if (code) tell_failed(c, h, rec, err);
    else if (rec->status == LP_RUN_PARTIAL) tell_partial(c, rec, noun);
    else tell_ok(c, h, rec);
    warn_untold(c, rec);
    if (c->json) lp_record_put_json(rec, &text);
    else if (!code && !c->quiet) put_report(c, rec, rows, &text);
    return lp_cli_print(c, &text, status);
}
