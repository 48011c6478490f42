/* tell.h — everybody told, one after another, within a bounded time.
 * Model:   each address has at most 30 s and all of them 60 s: one that hangs leaves the others their share. That
 *          somebody cannot be told is an outcome, never an error: nothing of the run depends on it.
 * Owns:    outcomes are the caller's.
 * Units:   –
 * Errors:  LP_CANCELLED, when a signal asked to stop; who was not told by then has no outcome. LP_NOMEM, LP_LIMIT: no
 *          message could be made, and nobody was told.
 * Threads: one thread.
 */
#ifndef LP_NOTIFY_TELL_H
#define LP_NOTIFY_TELL_H

#include "notify/messenger.h"

struct lp_told {
    char to[300];    /* as others may see it */
    char error[600]; /* "" when told */
    enum lp_notify_event event;
    bool ok;
};
struct lp_telling {
    struct lp_told list[LP_NOTIFY_MAX + 1]; /* the last for what keeps all from being told */
    size_t count;
};

/* Is this event one that somebody is told of? */
bool lp_tell_wants(const struct lp_notify *notify, enum lp_notify_event event);
/* Standard error has no outcome: it is heard at once, and cannot fail. */
enum lp_code lp_tell(const struct lp_notify *notify, const struct lp_messenger_means *means, const struct lp_notice *n,
                     struct lp_telling *out, struct lp_err *err) LP_CHECKED;

#endif
