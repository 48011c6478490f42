/* supervisor.h — what the service tells systemd: that it is ready, reloads, stops, and is alive.
 * Model:   one datagram each to the socket that NOTIFY_SOCKET names; without one nothing is said. Where a watchdog is asked for
 *          (WATCHDOG_USEC), it is told twice as often as it wants.
 * Owns:    its socket.
 * Units:   microseconds of lp_clock_monotonic_us.
 * Errors:  none: a service manager that does not listen changes nothing.
 * Threads: one thread.
 * Source:  sd_notify(3), systemd.service(5).
 */
#ifndef LP_SERVE_SUPERVISOR_H
#define LP_SERVE_SUPERVISOR_H

#include <stdint.h>

struct lp_supervisor {
    int fd; /* -1: there is none */
    int64_t period_us; /* 0: no watchdog */
    int64_t next_us;   /* when it is to be told next; INT64_MAX: never */
};

/* Also takes the variables out of the environment: they are not for the children. */
void lp_supervisor_open(struct lp_supervisor *s);
void lp_supervisor_ready(const struct lp_supervisor *s);
void lp_supervisor_status(const struct lp_supervisor *s, const char *status);
void lp_supervisor_reloading(const struct lp_supervisor *s);
void lp_supervisor_stopping(const struct lp_supervisor *s);
/* Tells the watchdog when it is time to. */
void lp_supervisor_turn(struct lp_supervisor *s);
void lp_supervisor_release(struct lp_supervisor *s);

#endif
