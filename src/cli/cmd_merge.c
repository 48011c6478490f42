#include "base/clock.h"
#include "cli/load.h"
#include "pipeline/merge.h"

static void put_words(struct lp_cli *c, const struct lp_record *rec, struct lp_buf *out)
{
    const struct lp_style *s = &c->out;
    bool ok = rec->status == LP_RUN_OK;
    lp_buf_printf(out, "%s%s%s ", ok ? s->green : s->red, ok ? s->ok : s->bad, s->plain);
    lp_put_count(out, rec->rows.written, "row", "rows");
    lp_buf_puts(out, " in ");
    lp_put_count(out, rec->file_count, "file", "files");
    lp_buf_printf(out, " of %llu shards %s %s\n", (unsigned long long)c->shards, s->arrow, rec->record_url);
    for (size_t i = 0; i < rec->failure_count && i < 10; i++)
        lp_buf_printf(out, "  %s%s%s %s%s%s\n", s->red, s->bad, s->plain,
                      rec->failures[i].label ? rec->failures[i].label : "", rec->failures[i].label ? "   " : "",
                      rec->failures[i].error);
}

static int merge(struct lp_cli *c, const struct lp_pipeline *p, struct lp_aws *aws)
{
    struct lp_record rec = {0};
    struct lp_err err;
    LP_AUTO(lp_buf) text = {0};
    int status;
    if (lp_merge(p, c->slot_us, c->shards, aws, &rec, &err)) {
        status = lp_cli_fail(c, &err);
    } else {
        bool partial = rec.status == LP_RUN_PARTIAL;
        if (c->json) lp_record_put_json(&rec, &text);
        else if (partial || !c->quiet) put_words(c, &rec, &text);
        status = lp_cli_print(c, &text, partial ? 3 : 0);
    }
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
