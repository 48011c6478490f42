#include "cli/load.h"
#include "cli/progress.h"
#include "cli/report.h"
#include "pipeline/merge.h"

static int merge(struct lp_cli *c, struct lp_pipeline *p, struct lp_aws *aws)
{
    struct lp_record rec = {0};
    struct lp_heard heard = {0};
    struct lp_err err = {0};
    LP_AUTO(lp_buf) noun = {0};
    const struct lp_run_options o = {
        .slot_us = c->slot_us, .shards = c->shards, .aws = aws, .say = lp_report_hear, .who_says = &heard};
    lp_progress_put_noun(&p->source.each, &noun);
    enum lp_code code = lp_merge(p, &o, &rec, &err);
    int status = lp_report(c, &heard, code, &rec, NULL, lp_buf_text(&noun), &err);
    lp_record_release(&rec);
    return status;
}

int lp_cmd_merge(struct lp_cli *c)
{
    struct lp_pipeline p;
    struct lp_err err;
    struct lp_aws *aws = NULL;
    int status = lp_cli_load(c, &p);
    if (!status && lp_aws_new(&c->aws, &aws, &err)) status = lp_cli_fail(c, &err);
    if (!status) status = merge(c, &p, aws);
    lp_aws_free(aws);
    lp_pipeline_release(&p);
    return status;
}
