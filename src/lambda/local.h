/* local.h — Lambda's invocation URL on this machine: POST /2015-03-31/functions/function/invocations.
 * Model:   what Lambda's own front does for its callers: one event per request, the answer in the response, errors in the
 *          shapes that AWS's SDKs know. The function is called "function", or by its pipeline's name, in any form that
 *          called.h knows. Callers are served one after another, in the order in which their events came whole.
 *          X-Amz-Invocation-Type may be RequestResponse, Event (answered at once, run afterwards) or DryRun;
 *          X-Amz-Log-Type: Tail gives the end of the log as well.
 * Owns:    its socket and connections, for the length of the call.
 * Units:   bytes, microseconds.
 * Errors:  LP_IO (the port cannot be had), LP_USAGE (the address is none), LP_CANCELLED once a signal asked to stop,
 *          LP_NOMEM.
 * Threads: one thread.
 * Source:  AWS's Lambda API, 2015-03-31.
 */
#ifndef LP_LAMBDA_LOCAL_H
#define LP_LAMBDA_LOCAL_H

#include "lambda/function.h"

#define LP_LOCAL_PATH "/2015-03-31/functions/function/invocations"

struct lp_local_options {
    const char *host; /* an address of this machine, or localhost */
    uint16_t port;    /* 0: any that is free */
    /* Hears where it listens, before the first request. */
    void (*ready)(void *who, const char *url);
    void *who;
};

/* How long a call may last, as AWS's emulator is told it (AWS_LAMBDA_FUNCTION_TIMEOUT, seconds); 0: without a limit. */
enum lp_code lp_local_timeout(int64_t *us, struct lp_err *err) LP_CHECKED;
/* One call outside of any server, with an id of its own and that time limit. */
enum lp_code lp_local_call(struct lp_function *f, const char *event, size_t event_len, char id[LP_REQUEST_ID_BYTES],
                           struct lp_outcome *out, struct lp_err *err) LP_CHECKED;

enum lp_code lp_local_serve(struct lp_function *f, const struct lp_local_options *o, struct lp_err *err) LP_CHECKED;

#endif
