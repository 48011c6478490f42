/* cancel.h — somebody asked the program to stop, or the time that it was given is over.
 * Model:   one flag, set by SIGINT, SIGTERM or SIGHUP, and one deadline beside it, read by every loop that can last.
 *          Whoever notices a signal unwinds with LP_CANCELLED; main then ends by the same signal, so that the caller sees
 *          the truth. Whoever notices that the time is over unwinds with LP_LIMIT: that is a failure as others are.
 * Owns:    the signal handlers.
 * Units:   microseconds of lp_clock_monotonic_us.
 * Errors:  none.
 * Threads: signals at any time; the deadline belongs to one thread.
 */
#ifndef LP_BASE_CANCEL_H
#define LP_BASE_CANCEL_H

#include "base/error.h"

#include <stdint.h>

void lp_cancel_install(void);
/* 0, or the signal that asked. */
int lp_cancel_signal(void);
/* From soft_us on work is to end, from hard_us on its tidying up as well; 0 and 0: there is no such time. Also forgets
 * that it was wound up. */
void lp_cancel_at(int64_t soft_us, int64_t hard_us);
/* What follows must be done to its end (a record, locks): neither the first signal nor those that have come cut it off, be
 * it before or after this; another one does. Of the deadline the hard one counts from here on; where there is one
 * a signal brings it near. */
void lp_cancel_wind_up(void);
/* Signals cut off again what follows, those too that have come; the hard deadline goes on to count. */
void lp_cancel_heed(void);
/* LP_OK, LP_CANCELLED after a signal, or LP_LIMIT when the time is over. */
enum lp_code lp_cancel_check(struct lp_err *err) LP_CHECKED;
/* What lp_cancel_check says once the time is over, with more behind it; for those who see beforehand that it will not do. */
enum lp_code lp_cancel_over(struct lp_err *err, const char *more) LP_CHECKED;
/* Has anybody been told so since lp_cancel_at? */
bool lp_cancel_was_over(void);
/* How much of a wait (in microseconds, below 0: without a limit) the time that is left allows. */
int64_t lp_cancel_bound(int64_t wait_us);
/* Ends the process by the signal that asked; returns when none did. */
void lp_cancel_end_process(void);

#endif
