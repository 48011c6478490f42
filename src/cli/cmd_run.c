#include "base/clock.h"
#include "base/text.h"
#include "cli/load.h"
#include "cli/progress.h"
#include "cli/report.h"

#include <stdio.h>

#define SHOWN_ROWS 10

static void announce(const struct lp_cli *c, const struct lp_pipeline *p)
{
    if (c->quiet || c->json) return;
    fprintf(stderr, "%s%s%s %s %s%s%s\n", c->err.bold, p->name, c->err.plain, c->err.dot, p->path,
            c->replay ? (c->err.utf8 ? " · " : " - ") : "", c->replay ? "replaying recorded replies, no network" : "");
}

/* Rows that were there are replaced, which nobody may expect of a retry. */
static void tell_whole(const struct lp_cli *c, const struct lp_retry *how, const struct lp_record *rec)
{
    char slot[LP_TIME_TEXT_BYTES];
    LP_AUTO(lp_buf) reason = {0};
    if (how->kind != LP_RETRY_WHOLE || c->quiet) return;
    lp_time_format_iso(rec->slot_us, slot);
    lp_text_put_visible(&reason, how->reason, strlen(how->reason));
    fprintf(stderr, "%s%s%s %s, slot %s: the whole slot was run again, since %s\n", c->err.yellow, c->err.warn, c->err.plain,
            rec->pipeline, slot, lp_buf_text(&reason));
}

/* What came of the items that had failed; what is left of them is told as of a run. */
static int put_retried(struct lp_cli *c, const struct lp_retry *how, const struct lp_record *rec, int status)
{
    LP_AUTO(lp_buf) text = {0};
    if (how->kind != LP_RETRY_ITEMS || c->json || c->quiet) return status;
    lp_buf_puts(&text, "  retried ");
    lp_put_count(&text, how->items, "item that had failed", "items that had failed");
    lp_buf_printf(&text, ": %llu answered now\n", (unsigned long long)(how->items - rec->requests.failed));
    return lp_cli_print(c, &text, status);
}

static int tell_nothing(struct lp_cli *c, const struct lp_retry *how, const struct lp_record *rec)
{
    LP_AUTO(lp_buf) text = {0};
    char slot[LP_TIME_TEXT_BYTES];
    lp_time_format_iso(rec->slot_us, slot);
    if (c->json) lp_buf_printf(&text, "%s\n", lp_buf_text(&how->found));
    else if (!c->quiet)
        lp_buf_printf(&text, "%s%s%s %s, slot %s: nothing to retry; its last run went well\n", c->out.green, c->out.ok,
                      c->out.plain, rec->pipeline, slot);
    return lp_cli_print(c, &text, 0);
}

static int run(struct lp_cli *c, bool retry)
{
    struct lp_pipeline p;
    struct lp_record rec = {0};
    struct lp_rows rows = {0};
    struct lp_heard heard = {0};
    struct lp_retry how = {0};
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
                                   .say = lp_report_hear,
                                   .who_says = &heard};
        enum lp_code code = retry ? lp_retry(&p, &o, &rec, &how, &err) : lp_run(&p, &o, &rec, &err);
        lp_progress_clear(&progress);
        tell_whole(c, &how, &rec);
        if (retry && !code && how.kind == LP_RETRY_NOTHING) status = tell_nothing(c, &how, &rec);
        else status = lp_report(c, &heard, code, &rec, &rows, lp_buf_text(&noun), &err);
        if (!code) status = put_retried(c, &how, &rec, status);
    }
    lp_aws_free(aws);
    lp_rows_release(&rows);
    lp_buf_release(&how.found);
    lp_record_release(&rec);
    lp_pipeline_release(&p);
    return status;
}

int lp_cmd_run(struct lp_cli *c)
{
    return run(c, false);
}

int lp_cmd_retry(struct lp_cli *c)
{
    return run(c, true);
}
