/* page_rows.h — rows of a pipeline's last slots, read back from its lake for showing.
 * Model:   slot by slot, the newest first, as cells of text in the order of the pipeline's columns. CSV files are read here,
 *          Parquet by DuckDB's shell. What is too large, gone, or not reached within the time is counted, not waited for.
 * Owns:    nothing; cells are borrowed until see returns.
 * Units:   microseconds (slots UTC, until_us of lp_clock_monotonic_us); bytes.
 * Errors:  what could not be read at all: the lake's, DuckDB's (LP_NOTFOUND: it is not installed), LP_NOMEM.
 * Threads: one thread, in a child.
 */
#ifndef LP_PAGE_PAGE_ROWS_H
#define LP_PAGE_PAGE_ROWS_H

#include "lake/store.h"
#include "pipeline/definition.h"

#define LP_PAGE_SLOTS      60
#define LP_PAGE_FILES      200
#define LP_PAGE_FILE_BYTES ((size_t)2 << 20)

struct lp_page_rows {
    const struct lp_pipeline *pipeline;
    struct lp_store *store;
    const int64_t *slots; /* the newest first */
    size_t count;
    int64_t until_us;
    /* Cells are as many as columns; one whose `at` is NULL is missing or empty. False: no more rows are wanted. */
    bool (*see)(void *who, size_t slot, const struct lp_slice *cells);
    void *who;
    /* told afterwards */
    size_t files, too_large, gone, late; /* files read, and not; slots not reached */
};

enum lp_code lp_page_rows_read(struct lp_page_rows *r, struct lp_err *err) LP_CHECKED;
/* Where the slot's data, or its quarantine, lies if the whole run goes to one partition. */
void lp_page_put_key(const struct lp_pipeline *p, int64_t slot_us, bool quarantine, struct lp_buf *out);

#endif
