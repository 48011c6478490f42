/* s3.h — DuckDB over a lake in S3 by its own httpfs extension.
 * Model:   the extension is looked for beside DuckDB's shell, then where its user installed it, and tried; DuckDB itself
 *          checks its signature. The keys are those of our own chain.
 * Owns:    texts go to the caller's buffer; they hold the keys, in SQL.
 * Errors:  LP_NOTFOUND when no extension can be loaded; those of aws.h.
 * Threads: one thread per session.
 */
#ifndef LP_QUERY_S3_H
#define LP_QUERY_S3_H

#include "aws/aws.h"
#include "lake/store.h"

/* "LOAD '…';" */
enum lp_code lp_httpfs_find(const char *duckdb, struct lp_buf *load, struct lp_err *err) LP_CHECKED;
/* CREATE SECRET for everything below the store's address. */
enum lp_code lp_httpfs_put_secret(struct lp_store *s3, struct lp_buf *out, struct lp_err *err) LP_CHECKED;

#endif
