/* tables_show.h — the tables of a lake for people, or as JSON.
 * Model:   per table its columns, types, units and meanings, how many rows it has, and the newest slot that wrote to it.
 * Owns:    nothing.
 * Errors:  the store's, the engine's.
 * Threads: one thread.
 */
#ifndef LP_CLI_TABLES_SHOW_H
#define LP_CLI_TABLES_SHOW_H

#include "cli/cli.h"
#include "query/query.h"

/* engine is DuckDB's; it counts the rows. */
enum lp_code lp_tables_show(struct lp_cli *c, const struct lp_tables *t, struct lp_store *store,
                            struct lp_query *engine, struct lp_err *err) LP_CHECKED;

#endif
