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

int lp_cmd_run(struct lp_cli *c)
{
    struct lp_pipeline p;
    struct lp_record rec = {0};
    struct lp_rows rows = {0};
    struct lp_heard heard = {0};
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
        enum lp_code code = lp_run(&p, &o, &rec, &err);
        lp_progress_clear(&progress);
        status = lp_report(c, &heard, code, &rec, &rows, lp_buf_text(&noun), &err);
    }
    lp_aws_free(aws);
    lp_rows_release(&rows);
    lp_record_release(&rec);
    lp_pipeline_release(&p);
    return status;
}
