/* runtime.h — Lambda's runtime interface: ask for an event, run, answer, ask again.
 * Model:   plain HTTP to the address in AWS_LAMBDA_RUNTIME_API over one kept connection, requests strictly in turn. Asking
 *          for an event has no time limit: the process may be frozen within it. What is told too late (410), twice (403),
 *          or was too large (413) costs that answer alone; a service that fails (500), or cannot be understood or reached
 *          any more, ends the loop, and with it the process, which Lambda then starts anew.
 * Owns:    its connection, for the length of a call.
 * Units:   –
 * Errors:  lp_runtime_serve returns only with one: LP_CANCELLED after a signal, LP_REMOTE, LP_BUSY (not reached any more),
 *          LP_IO, LP_NOMEM.
 * Threads: one thread.
 * Source:  AWS's runtime API, version 2018-06-01, as it stood in 2026.
 */
#ifndef LP_LAMBDA_RUNTIME_H
#define LP_LAMBDA_RUNTIME_H

#include "lambda/function.h"

enum lp_code lp_runtime_serve(const char *api, struct lp_function *f, struct lp_err *err) LP_CHECKED;

/* Before the first event: why this function cannot serve any. The process is to end then. */
enum lp_code lp_runtime_refuse(const char *api, const char *type, const char *why, struct lp_err *err) LP_CHECKED;

#endif
