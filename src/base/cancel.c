#include "base/cancel.h"

#include <signal.h>
#include <string.h>

static volatile sig_atomic_t asked, heeded;

static void note(int number)
{
    asked = number;
    heeded = 0;
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

void lp_cancel_wind_up(void)
{
    heeded = 1;
}

enum lp_code lp_cancel_check(struct lp_err *err)
{
    if (!asked || heeded) return LP_OK;
    return lp_fail(err, LP_CANCELLED, "stopped by %s",
                   asked == SIGINT    ? "Ctrl-C"
                   : asked == SIGTERM ? "SIGTERM"
                                      : "SIGHUP");
}

void lp_cancel_end_process(void)
{
    int number = asked;
    if (!number) return;
    signal(number, SIG_DFL);
    raise(number);
}
