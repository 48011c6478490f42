/* function.h — what the commands that are a function share: the pipeline loaded, the log written, the local URL served.
 * Model:   cmd_lambda.c is the function where Lambda is, cmd_invoke.c where it is not.
 * Owns:    the function belongs to the caller.
 * Errors:  exit statuses; what went wrong was told.
 * Threads: one thread.
 */
#ifndef LP_CLI_FUNCTION_H
#define LP_CLI_FUNCTION_H

#include "cli/cli.h"
#include "lambda/function.h"

/* A log's writer: one write per line to the descriptor that `who` points to. */
void lp_cli_write_line(void *who, const char *line, size_t len);
/* Serves the function of this handler or file at Lambda's local URL, or makes the one call of --event. */
int lp_cli_serve_locally(struct lp_cli *c, const char *handler);

#endif
