/* watch.h — have pipeline files changed?
 * Model:   inotify on the folders that hold them. Editors write a file in several steps, so a change is told once nothing has
 *          happened for LP_WATCH_SETTLE_MS. A folder that is not there is looked for again now and then.
 * Owns:    its descriptor.
 * Units:   microseconds of lp_clock_monotonic_us.
 * Errors:  LP_IO when there is no inotify to be had; then nothing is watched, and SIGHUP still reloads.
 * Threads: one thread.
 */
#ifndef LP_SERVE_WATCH_H
#define LP_SERVE_WATCH_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

#define LP_WATCH_SETTLE_MS 300
#define LP_WATCH_AGAIN_MS  20000

struct lp_watch {
    int fd;           /* for POLLIN; -1: nothing is watched */
    const char *const *paths; /* borrowed */
    size_t path_count;
    int64_t due_us;   /* when to tell of a change; INT64_MAX: there is none */
};

enum lp_code lp_watch_open(struct lp_watch *w, struct lp_err *err) LP_CHECKED;
/* Files and folders, anew after each reading: what was replaced has to be found again. `missing`: something is not there. */
void lp_watch_set(struct lp_watch *w, const char *const *paths, size_t count, bool missing);
/* True once per change. */
bool lp_watch_turn(struct lp_watch *w);
void lp_watch_release(struct lp_watch *w);

#endif
