/* report.h — what the command line says of a run, or of shares that were merged.
 * Model:   failures and warnings go to standard error, the report to standard output; --json prints the record, --quiet
 *          leaves out what is not wrong.
 * Owns:    nothing.
 * Units:   microseconds UTC.
 * Errors:  standard output that cannot be written: the exit status says so.
 * Threads: one thread.
 */
#ifndef LP_CLI_REPORT_H
#define LP_CLI_REPORT_H

#include "cli/cli.h"
#include "cli/rows.h"
#include "pipeline/run.h"

/* notify: { to: stderr }: what is said there beside the report. */
struct lp_heard {
    unsigned event; /* 0: nothing */
    bool known, more;
    uint64_t failed_in_row;
    int64_t worked_us;
};
/* A say of pipeline/run.h; who is a struct lp_heard. */
void lp_report_hear(void *who, const struct lp_notice *n, const struct lp_message *message);

/* The exit status. rows NULL: none are shown; noun: what the items are ("cities"); err: why, when code says that it failed. */
int lp_report(struct lp_cli *c, const struct lp_heard *h, enum lp_code code, const struct lp_record *rec,
              const struct lp_rows *rows, const char *noun, const struct lp_err *err);

#endif
