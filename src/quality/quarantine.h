/* quarantine.h — a bad row, kept with all that is needed to see why and to mend it.
 * Model:   one JSON object per line: {"item": {…}, "failures": [{"column", "check", "failure_case"}], "row": {…},
 *          "source": …}: the item asked for, each failure case, the row as converted, the piece of the reply.
 * Owns:    nothing; the line is appended.
 * Errors:  none but a full buffer.
 * Threads: no shared state.
 */
#ifndef LP_QUALITY_QUARANTINE_H
#define LP_QUALITY_QUARANTINE_H

#include "table/batch.h"

void lp_quarantine_put(const struct lp_batch *b, size_t row, const char *item_json, struct lp_buf *out);

#endif
