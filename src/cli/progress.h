/* progress.h — how far a run is: a bar where standard error is a terminal, plain lines with --verbose, else nothing.
 * Model:   fed by the fetch's watch; redraws at most ten times a second; gone before anything else is written.
 * Owns:    nothing.
 * Units:   items; microseconds.
 * Errors:  none: a progress bar that cannot be drawn is not missed.
 * Threads: one thread.
 */
#ifndef LP_CLI_PROGRESS_H
#define LP_CLI_PROGRESS_H

#include "cli/cli.h"
#include "source/fetch.h"

struct lp_progress {
    const struct lp_style *style;
    const char *noun; /* "cities" */
    int64_t started_us, drawn_us;
    bool bar, lines, shown;
};

void lp_progress_init(struct lp_progress *p, const struct lp_cli *c, const char *noun);
struct lp_fetch_watch lp_progress_watch(struct lp_progress *p);
void lp_progress_clear(struct lp_progress *p);
/* The plural of a variable's name: city → cities. */
void lp_progress_put_noun(const struct lp_each *each, struct lp_buf *out);

#endif
