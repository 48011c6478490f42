/* duckdb_program.h — where DuckDB's shell is, and what it may use of this machine.
 * Model:   beside this program: as the build fetched it, or as it was installed; else `duckdb` on PATH, from 1.2 on.
 * Owns:    texts go to the caller's buffer.
 * Units:   MiB, in the name.
 * Errors:  LP_NOTFOUND with what to do.
 * Threads: one thread.
 */
#ifndef LP_QUERY_DUCKDB_PROGRAM_H
#define LP_QUERY_DUCKDB_PROGRAM_H

#include "base/buf.h"

#include <stdint.h>

enum lp_code lp_duckdb_find(struct lp_buf *program, struct lp_err *err) LP_CHECKED;
/* Half of what this process may use, so that the rest of the machine goes on. */
uint64_t lp_duckdb_memory_mib(void);
uint64_t lp_duckdb_threads(void);

#endif
