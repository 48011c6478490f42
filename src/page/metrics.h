/* metrics.h — what the service counts, as Prometheus reads it (text format 0.0.4).
 * Model:   one family after another, each with HELP and TYPE, one sample per pipeline; what is not known has no sample.
 * Owns:    nothing; appended to the caller's buffer.
 * Units:   seconds, rows; in the names.
 * Errors:  none but a full buffer.
 * Threads: no shared state.
 * Source:  Prometheus, "Exposition formats".
 */
#ifndef LP_PAGE_METRICS_H
#define LP_PAGE_METRICS_H

#include "base/buf.h"
#include "page/board.h"

void lp_metrics_put(const struct lp_board *b, struct lp_buf *out);

#endif
