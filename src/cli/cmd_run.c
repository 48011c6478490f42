#include "base/clock.h"
#include "base/number.h"
#include "cli/load.h"
#include "cli/progress.h"
#include "cli/rows.h"
#include "pipeline/run.h"

#include <stdio.h>

#define SHOWN_ROWS     10
#define SHOWN_FAILURES 10

static void announce(const struct lp_cli *c, const struct lp_pipeline *p)
{
    if (c->quiet || c->json) return;
    fprintf(stderr, "%s%s%s %s %s%s%s\n", c->err.bold, p->name, c->err.plain, c->err.dot, p->path,
            c->replay ? (c->err.utf8 ? " · " : " - ") : "", c->replay ? "replaying recorded replies, no network" : "");
}

static void put_failures(const struct lp_style *s, const struct lp_record *rec, struct lp_buf *out)
{
    size_t items = 0;
    for (size_t i = 0; i < rec->failure_count; i++) {
        const struct lp_record_failure *f = &rec->failures[i];
        if (!f->item || items++ >= SHOWN_FAILURES) continue;
        lp_buf_printf(out, "  %s%s%s %s   %s\n", s->red, s->bad, s->plain, f->label, f->error);
    }
    if (rec->requests.failed > SHOWN_FAILURES)
        lp_buf_printf(out, "  %s and %llu more\n", s->more,
                      (unsigned long long)(rec->requests.failed - SHOWN_FAILURES));
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
    lp_rows_put(rows, out);
    lp_duration_format(rec->duration_ms, took);
    if (rec->status == LP_RUN_OK) {
        lp_buf_printf(out, "%s%s%s ", s->green, s->ok, s->plain);
        lp_put_count(out, rec->rows.written, "row", "rows");
        lp_buf_printf(out, " in %s", took);
        put_files(s, rec, true, out);
    } else {
        put_files(s, rec, false, out);
    }
    put_counts(s, rec, out);
}

/* notify: { to: stderr }: what is said there beside the report. */
struct heard {
    unsigned event; /* 0: nothing */
    bool known, more;
    uint64_t failed_in_row;
    int64_t worked_us;
};

static void hear(void *who, const struct lp_notice *n, const struct lp_message *message)
{
    (void)message;
    *(struct heard *)who =
        (struct heard){n->event, n->history_known, n->failed_more, n->failed_in_row, n->worked_us};
}

static void put_failed_before(const struct heard *h, struct lp_buf *out)
{
    lp_buf_puts(out, h->more ? "at least " : "");
    lp_put_count(out, h->failed_in_row, "failure", "failures");
    lp_buf_puts(out, " in a row");
}

/* A success that the report does not tell already, or the first one after failures. */
static void tell_ok(const struct lp_cli *c, const struct heard *h, const struct lp_record *rec)
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

static void put_history(const struct heard *h, struct lp_buf *out)
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
    lp_buf_printf(&text, "%s%s%s %s, slot %s: %llu of %llu %s written\n", c->err.yellow, c->err.warn, c->err.plain,
                  rec->pipeline, slot, (unsigned long long)rec->requests.ok, (unsigned long long)rec->requests.total,
                  noun);
    put_failures(&c->err, rec, &text);
    fputs(lp_buf_text(&text), stderr);
}

static void tell_failed(const struct lp_cli *c, const struct heard *h, const struct lp_record *rec,
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

static int report(struct lp_cli *c, const struct heard *h, enum lp_code code, const struct lp_record *rec,
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

int lp_cmd_run(struct lp_cli *c)
{
    struct lp_pipeline p;
    struct lp_record rec = {0};
    struct lp_rows rows = {0};
    struct heard heard = {0};
    struct lp_progress progress;
    struct lp_err err = {0};
    struct lp_aws *aws = NULL;
    LP_AUTO(lp_buf) noun = {0};
    int status = lp_cli_load(c, &p);
    if (!status && lp_aws_new(&c->aws, &aws, &err)) status = lp_cli_fail(c, &err);
    if (!status && !lp_rows_init(&rows, &p.columns, SHOWN_ROWS, false, &c->out)) status = lp_cli_fail_memory(c);
    if (!status) {
        announce(c, &p);
        lp_progress_put_noun(&p.source.each, &noun);
        lp_progress_init(&progress, c, lp_buf_text(&noun));
        bool shows = !c->quiet && !c->json;
        struct lp_run_options o = {.slot_us = c->slot_us,
                                   .shard = c->shard,
                                   .shards = c->shards,
                                   .replay_folder = c->replay,
                                   .record_folder = c->record,
                                   .aws = aws,
                                   .watch = lp_progress_watch(&progress),
                                   .count_items = progress.bar,
                                   .see_rows = shows ? lp_rows_see : NULL,
                                   .who = &rows,
                                   .say = hear,
                                   .who_says = &heard};
        enum lp_code code = lp_run(&p, &o, &rec, &err);
        lp_progress_clear(&progress);
        status = report(c, &heard, code, &rec, &rows, lp_buf_text(&noun), &err);
    }
    lp_aws_free(aws);
    lp_rows_release(&rows);
    lp_record_release(&rec);
    lp_pipeline_release(&p);
    return status;
}
