/* page_data.h — what a pipeline has collected: one number over time, and the latest rows.
 * Model:   read from the last slots' files (page_rows.h). A line for each item where there are few, else the lowest, average
 *          and highest of all. Over the rows' own time where a slot has several of them, else over the slots.
 * Owns:    nothing; appended to the caller's buffer.
 * Units:   microseconds UTC.
 * Errors:  none: what cannot be read is said on the page.
 * Threads: one thread, in a child.
 */
#ifndef LP_PAGE_PAGE_DATA_H
#define LP_PAGE_PAGE_DATA_H

#include "pipeline/past.h"
#include "page/page.h"

void lp_page_put_data(const struct lp_page_request *q, const struct lp_pipeline *p, struct lp_store *store,
                      const struct lp_past *past, struct lp_buf *out);

#endif
