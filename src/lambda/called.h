/* called.h — by which names a caller of Lambda may mean a function.
 * Model:   what stands in the invocation URL for the function: NAME, ACCOUNT:function:NAME or
 *          arn:aws:lambda:REGION:ACCOUNT:function:NAME, each with :ALIAS, :VERSION or :$LATEST behind it or not. Partition,
 *          region and account are only looked at for their form: there is one function here, and it is meant.
 * Owns:    nothing; slices lie in the caller's text.
 * Units:   –
 * Errors:  none.
 * Threads: any.
 * Source:  AWS's Lambda API, Invoke: FunctionName, Qualifier.
 */
#ifndef LP_LAMBDA_CALLED_H
#define LP_LAMBDA_CALLED_H

#include "base/text.h"

/* *qualifier: what stands behind the name; at NULL: nothing does, length 0: a colon alone. */
bool lp_called_is(struct lp_slice called, const char *name, struct lp_slice *qualifier);
bool lp_called_qualifier_is_valid(struct lp_slice qualifier);

#endif
