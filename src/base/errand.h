/* errand.h — a function run in a child of this process, where waiting for a disk or a bucket holds nobody up.
 * Model:   the child is a copy of this process at the moment of the start. It closes all descriptors but its pipe, 1 and 2,
 *          takes no signal specially, is a process group of its own, so that Ctrl-C is its parent's
 *          to pass on, runs the function, sends its answer whole and ends itself by SIGKILL: no exit, so that
 *          nothing of the parent's is run or flushed twice. Whether it did its work is seen by the answer, not by how it
 *          ended. It does not outlive the thread that started it. Nothing here waits: poll lp_errand_fd, then turn.
 * Owns:    an errand is its caller's until lp_errand_free, which ends the child if it is still at work. A child that cannot
 *          end yet (a disk that does not answer) is kept in struct lp_errands and reaped later, by its own pid.
 * Units:   bytes, milliseconds; lp_errand_until_us in microseconds of lp_clock_monotonic_us.
 * Errors:  what the function returned; LP_BUSY when its time is over or too many earlier children do not end; LP_LIMIT when it
 *          says too much; LP_IO when it ended early; LP_NOMEM.
 * Threads: one thread. The function must not use what is bound to descriptors of the parent (sessions, multi handles,
 *          epoll): it opens its own.
 */
#ifndef LP_BASE_ERRAND_H
#define LP_BASE_ERRAND_H

#include "base/buf.h"

#include <stdint.h>
#include <sys/types.h>

#define LP_ERRANDS_LEFT 32

struct lp_errands { /* {0} before the first */
    pid_t left[LP_ERRANDS_LEFT]; /* ended for us, not yet for the system */
    size_t left_count;
};

#define LP_ERRAND_FOREVER_MS (INT64_C(100) * 365 * 86400000) /* for one that lasts as long as the service */

struct lp_errand_limits {
    size_t max_bytes; /* of its answer */
    int64_t most_ms;
};

enum lp_errand_state { LP_ERRAND_RUNNING, LP_ERRAND_DONE, LP_ERRAND_FAILED };

struct lp_errand;

/* In the child. Its answer goes into *out, which has the cap of the limits. */
typedef enum lp_code (*lp_errand_fn)(void *arg, struct lp_buf *out, struct lp_err *err);

enum lp_code lp_errand_start(struct lp_errands *all, lp_errand_fn fn, void *arg, const struct lp_errand_limits *limits,
                             struct lp_errand **out, struct lp_err *err) LP_CHECKED;
int lp_errand_fd(const struct lp_errand *e);           /* for POLLIN */
int64_t lp_errand_until_us(const struct lp_errand *e); /* turn no later than then */
/* No later than then it has failed, if that is sooner. */
void lp_errand_end_by(struct lp_errand *e, int64_t until_us);
/* Takes what has come. *err says why when it has failed. */
enum lp_errand_state lp_errand_turn(struct lp_errand *e, struct lp_err *err);
/* The answer of one that is done; may be moved away. */
struct lp_buf *lp_errand_answer(struct lp_errand *e);
/* In the child: says how things stand while it goes on. */
void lp_errand_note(const char *text);
/* The last note that came; NULL: none since this was asked. Borrowed until the next turn. */
const char *lp_errand_heard(struct lp_errand *e);
void lp_errand_signal(const struct lp_errand *e, int number);
void lp_errand_free(struct lp_errand **e); /* *e may be NULL */
/* Those that have come to their end since; lp_errand_start does it too. */
void lp_errands_reap(struct lp_errands *all);

#endif
