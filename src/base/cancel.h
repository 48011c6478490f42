/* cancel.h — somebody asked the program to stop.
 * Model:   one flag, set by SIGINT, SIGTERM or SIGHUP, read by every loop that can last. Whoever notices unwinds with
 *          LP_CANCELLED; main then ends by the same signal, so that the caller sees the truth.
 * Owns:    the signal handlers.
 * Errors:  none.
 * Threads: safe.
 */
#ifndef LP_BASE_CANCEL_H
#define LP_BASE_CANCEL_H

#include "base/error.h"

void lp_cancel_install(void);
/* 0, or the signal that asked. */
int lp_cancel_signal(void);
/* What must still be done after the first signal (a record, locks) is not cut off by it: until another one comes
 * lp_cancel_check is LP_OK again. */
void lp_cancel_wind_up(void);
/* LP_OK or LP_CANCELLED. */
enum lp_code lp_cancel_check(struct lp_err *err) LP_CHECKED;
/* Ends the process by the signal that asked; returns when none did. */
void lp_cancel_end_process(void);

#endif
