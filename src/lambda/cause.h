/* cause.h — why a call failed, as X-Ray wants to hear it beside an error.
 * Model:   one header line, in ASCII, of JSON: the working folder and one exception without a stack. A message of which
 *          more than LP_CAUSE_BYTES would have to be sent ends in "…"; the error's body has it whole.
 * Owns:    nothing; the line is appended.
 * Units:   bytes.
 * Errors:  none but those of the buffer. An error goes out without its cause rather than not at all.
 * Threads: one thread.
 */
#ifndef LP_LAMBDA_CAUSE_H
#define LP_LAMBDA_CAUSE_H

#include "base/buf.h"

#define LP_CAUSE_BYTES ((size_t)4096) /* of the message, as it is sent */

void lp_cause_put_header(const char *type, const char *message, struct lp_buf *out);

#endif
