/* fetch.h — the replies to all items, in the items' order.
 * Model:   many requests are in flight at once and come back in any order; a window of entries holds what is ahead of
 *          the oldest open item, so that lp_fetch_next hands replies out in order and the same slot gives the same
 *          bytes. A failed try is made again by the source's rules. With a replay folder nothing goes out.
 * Owns:    entries, their replies (until the next lp_fetch_next), the transfers in flight.
 * Units:   milliseconds, microseconds (in names); memory depends on at_once and on the size of replies, never on the
 *          number of items: past LP_FETCH_HELD_BYTES of replies waiting for an older one, no new request starts.
 *          Where the time is bounded (base/cancel.h) items that are not answered in it fail, early enough that the others
 *          can still be published; that some were not even asked is LP_LIMIT.
 * Errors:  an item that fails is a reply with ok false. The run itself fails with LP_REMOTE or LP_AUTH (on_status:
 *          stop), LP_CANCELLED, LP_DATA (the file of items), LP_IO, LP_NOMEM.
 * Threads: one thread.
 */
#ifndef LP_SOURCE_FETCH_H
#define LP_SOURCE_FETCH_H

#include "base/json.h"
#include "source/each.h"
#include "source/request.h"

#define LP_FETCH_HELD_BYTES ((size_t)64 << 20)

struct lp_fetch_stats {
    uint64_t total, ok, failed; /* items */
    uint64_t retried;           /* tries after the first */
    int64_t waited_ms;          /* before such tries */
    uint64_t expected;          /* items in all, 0 when not counted */
    uint64_t waiting;           /* items that wait for another try now */
};

/* Who looks on. Any function may be NULL. */
struct lp_fetch_watch {
    void *who;
    void (*tick)(void *who, const struct lp_fetch_stats *stats); /* after each turn of the loop */
    void (*say)(void *who, const char *line);                    /* what happened to an item's try */
};

struct lp_fetch_options {
    int64_t slot_us;
    const struct lp_bindings *run;             /* slot, run_id, pipeline */
    const char *replay_folder, *record_folder; /* NULL: none */
    uint64_t shard, shards;
    uint64_t most_items; /* 0: all */
    uint64_t expected;   /* items in all, for the watch; 0: not counted */
    /* Which items are asked for, called once for each in their order; NULL: all. */
    bool (*wants)(void *who_wants, const struct lp_item *item);
    void *who_wants;
    struct lp_fetch_watch watch;
    /* Connections kept from one fetch of this source to the next: made when *http is NULL, the caller's to free afterwards;
     * NULL again where requests were cut off. http NULL: none are kept. */
    struct lp_http **http;
};

struct lp_reply {
    const struct lp_item *item;
    bool ok;
    json_t *root;      /* when ok */
    const char *error; /* when not */
    int status;
    struct lp_bindings bindings; /* of the run and this item */
};

struct lp_fetch;

enum lp_code lp_fetch_new(const struct lp_source *s, const struct lp_fetch_options *o, struct lp_fetch **out,
                          struct lp_err *err) LP_CHECKED;
/* The next item's reply; *more is false when all were handed out. */
enum lp_code lp_fetch_next(struct lp_fetch *f, struct lp_reply *reply, bool *more, struct lp_err *err) LP_CHECKED;
/* A reply that was ok turned out to be none (its rows are not there): counts as failed. */
void lp_fetch_disown(struct lp_fetch *f);
const struct lp_fetch_stats *lp_fetch_stats(const struct lp_fetch *f);
void lp_fetch_free(struct lp_fetch *f);

#endif
