/* serve.h — the service: pipelines run at their slots, unattended, for years.
 * Model:   one thread that sleeps until something is due, ends, changes or asks; it never waits for a disk or a network. What
 *          can take long happens in children of it: each run (fire.h), the records of the past (look.h), the lock that says
 *          which of several services fires (keeper.h), pages that show a lake (web.h). What was run is known from the records
 *          in the lake alone; nothing else is kept.
 * Owns:    everything while lp_serve lasts; the options are borrowed.
 * Units:   milliseconds in names; instants in microseconds UTC.
 * Errors:  LP_CONFIG (nothing that could be served), LP_USAGE (host, port), LP_IO (no socket, no timer), LP_NOMEM at the start.
 *          Later nothing ends the service but a signal: what goes wrong is said once, shown, and tried again.
 * Threads: one thread; signals are blocked and read as they come.
 */
#ifndef LP_SERVE_SERVE_H
#define LP_SERVE_SERVE_H

#include "aws/aws.h"

enum lp_serve_level { LP_SERVE_INFO, LP_SERVE_GOOD /* a slot was run */, LP_SERVE_WARN, LP_SERVE_ERROR };

/* A line of the log. */
struct lp_serve_line {
    enum lp_serve_level level;
    const char *pipeline; /* NULL: the service itself */
    int64_t slot_us;      /* INT64_MIN: of no slot */
    const char *text;     /* one line; parts of it may come from strangers */
};

struct lp_serve_options {
    const char *const *paths; /* files, and folders of them */
    size_t path_count;
    const char *to, *replay; /* as of `run`; NULL */
    struct lp_aws_options aws;
    const char *host;
    uint16_t port;
    bool page;       /* listen at all */
    size_t at_once;  /* runs side by side, at most */
    int64_t stop_ms; /* how long runs may go on once the service is asked to stop */
    void (*say)(void *who, const struct lp_serve_line *line);
    void *who;
};

enum lp_code lp_serve(const struct lp_serve_options *o, struct lp_err *err) LP_CHECKED;

#endif
