#include "cli/load.h"
#include "cli/progress.h"
#include "cli/rows.h"
#include "pipeline/run.h"

#include <stdio.h>

#define SHOWN_ROWS 50

static int report(struct lp_cli *c, enum lp_code code, const struct lp_record *rec, const struct lp_rows *rows,
                  const struct lp_err *err)
{
    LP_AUTO(lp_buf) text = {0};
    lp_rows_put(rows, &text);
    if (rec->rows.read) {
        lp_buf_printf(&text, "%llu of ", (unsigned long long)rec->rows.quarantined);
        lp_put_count(&text, rec->rows.read, "row", "rows");
        lp_buf_puts(&text, " would be quarantined; nothing was written\n");
    }
    for (size_t i = 0; i < rec->failure_count; i++)
        fprintf(stderr, "%s%s%s %s   %s\n", c->err.red, c->err.bad, c->err.plain, rec->failures[i].label,
                rec->failures[i].error);
    int status = lp_cli_print(c, &text, rec->status == LP_RUN_PARTIAL ? 3 : 0);
    return code ? lp_cli_fail(c, err) : status;
}

int lp_cmd_preview(struct lp_cli *c)
{
    struct lp_pipeline p;
    struct lp_record rec = {0};
    struct lp_rows rows = {0};
    struct lp_progress progress;
    struct lp_err err = {0};
    struct lp_aws *aws = NULL;
    int status = lp_cli_load(c, &p);
    if (!status && lp_aws_new(&c->aws, &aws, &err)) status = lp_cli_fail(c, &err);
    if (!status && !lp_rows_init(&rows, &p.columns, SHOWN_ROWS, true, &c->out)) status = lp_cli_fail_memory(c);
    if (!status) {
        lp_progress_init(&progress, c, "items");
        struct lp_run_options o = {.slot_us = c->slot_us,
                                   .replay_folder = c->replay,
                                   .record_folder = c->record,
                                   .aws = aws,
                                   .watch = lp_progress_watch(&progress),
                                   .see_rows = lp_rows_see,
                                   .who = &rows};
        enum lp_code code = lp_preview(&p, &o, (uint64_t)c->rows, &rec, &err);
        lp_progress_clear(&progress);
        status = report(c, code, &rec, &rows, &err);
    }
    lp_aws_free(aws);
    lp_rows_release(&rows);
    lp_record_release(&rec);
    lp_pipeline_release(&p);
    return status;
}
