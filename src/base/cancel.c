#include "base/cancel.h"

#include "base/clock.h"

#include <signal.h>
#include <stdint.h>
#include <string.h>

#define GRACE_US 350000 /* Lambda kills half a second after SIGTERM; the answer wants some of it too */

static volatile sig_atomic_t asked, count; /* the last signal; how many there were */
static int outlived;                       /* so many of them do not cut off what is done */
static volatile int64_t asked_us;          /* when the last signal came */
static int64_t soft_limit_us, hard_limit_us;
static bool was_over;
static bool winding_up; /* the hard limit counts */

static void note(int number)
{
    asked = number;
    asked_us = lp_clock_monotonic_us();
    if (count < SIG_ATOMIC_MAX) count++;
}

void lp_cancel_install(void)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action;
    memset(&action, 0, sizeof action);
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < LP_COUNT(numbers); i++) {
        struct sigaction before;
        /* What the parent ignores (nohup) stays ignored. */
        if (sigaction(numbers[i], NULL, &before) == 0 && before.sa_handler == SIG_IGN) continue;
        action.sa_handler = note;
        sigaction(numbers[i], &action, NULL);
    }
    /* A closed pipe, a file past its limit: errors of the write, with a place, not a silent end. */
    action.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &action, NULL);
    sigaction(SIGXFSZ, &action, NULL);
}

int lp_cancel_signal(void)
{
    return asked;
}

void lp_cancel_at(int64_t soft_us, int64_t hard_us)
{
    soft_limit_us = soft_us;
    hard_limit_us = hard_us;
    outlived = 0;
    winding_up = was_over = false;
}

void lp_cancel_wind_up(void)
{
    outlived = count > 1 ? count : 1;
    winding_up = true;
}

void lp_cancel_heed(void)
{
    outlived = 0;
}

int64_t lp_cancel_bound(int64_t wait_us)
{
    if (!hard_limit_us) return wait_us;
    int64_t limit_us = winding_up ? hard_limit_us : soft_limit_us;
    if (winding_up && asked && asked_us + GRACE_US < limit_us) limit_us = asked_us + GRACE_US;
    int64_t left_us = limit_us - lp_clock_monotonic_us();
    if (left_us < 0) left_us = 0;
    return wait_us < 0 || left_us < wait_us ? left_us : wait_us;
}

enum lp_code lp_cancel_over(struct lp_err *err, const char *more)
{
    was_over = true;
    return lp_fail(err, LP_LIMIT, "the time of this invocation is over%s", more);
}

bool lp_cancel_was_over(void)
{
    return was_over;
}

enum lp_code lp_cancel_check(struct lp_err *err)
{
    if (count > outlived)
        return lp_fail(err, LP_CANCELLED, "stopped by %s",
                       asked == SIGINT    ? "Ctrl-C"
                       : asked == SIGTERM ? "SIGTERM"
                                          : "SIGHUP");
    return lp_cancel_bound(-1) ? LP_OK : lp_cancel_over(err, "");
}

void lp_cancel_end_process(void)
{
    int number = asked;
    if (!number) return;
    signal(number, SIG_DFL);
    raise(number);
}
