/* notify.h — the `notify` section: who is told of a run, and when.
 * Model:   events and addresses. This version tells on standard error alone, where every run reports anyway.
 * Owns:    texts lie in the arena of the definition.
 * Errors:  faults with place; addresses this version cannot tell are faults.
 * Threads: read only once read.
 */
#ifndef LP_NOTIFY_NOTIFY_H
#define LP_NOTIFY_NOTIFY_H

#include "config/field.h"

enum lp_notify_event { LP_ON_SUCCESS = 1, LP_ON_FAILURE = 2, LP_ON_PARTIAL = 4, LP_ON_RECOVERY = 8 };

#define LP_NOTIFY_MAX 16

struct lp_addresses {
    const char *list[LP_NOTIFY_MAX];
    size_t count;
};

struct lp_notify {
    unsigned when; /* of enum lp_notify_event */
    struct lp_addresses to;
};

extern const struct lp_fields lp_notify_fields;

/* "success, failure" */
void lp_notify_put_events(const struct lp_notify *n, struct lp_buf *out);

#endif
