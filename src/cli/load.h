/* load.h — the pipeline file a command was given, or its faults told.
 * Model:   loads, and on faults writes them to standard error: with the line and a caret.
 * Owns:    the pipeline belongs to the caller.
 * Errors:  the exit status; 0 when the pipeline is there.
 * Threads: one thread.
 */
#ifndef LP_CLI_LOAD_H
#define LP_CLI_LOAD_H

#include "cli/cli.h"
#include "pipeline/definition.h"

int lp_cli_load(struct lp_cli *c, struct lp_pipeline *p); /* the first word */
int lp_cli_load_file(struct lp_cli *c, const char *path, struct lp_pipeline *p);
int lp_cli_load_for(struct lp_cli *c, const char *path, struct lp_environment *e, struct lp_pipeline *p);
/* "5 requests, 8 at once": a count with its noun. */
void lp_put_count(struct lp_buf *out, uint64_t n, const char *one, const char *many);

#endif
