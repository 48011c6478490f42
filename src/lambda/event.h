/* event.h — what an invocation asks for: a slot, and perhaps a share of the items.
 * Model:   nothing, null and {} mean now, cut to the minute. {"slot": "2026-11-22T18:00:00Z", "shard": "3/16"} names either
 *          or both; "scheduled" is slot's name in what EventBridge Scheduler is told to send. "attempt", "execution" and
 *          "schedule" may stand beside it, and alone are an error. {"slot": …, "merge": 16} is no run: the records of 16
 *          shards become the slot's. An event that an EventBridge rule or schedule sends on its own ("detail-type":
 *          "Scheduled Event") is known whole: its time is the slot. All else is an error, a key given twice too, so that a
 *          misspelt word never means now. A slot more than five minutes ahead is an error: its data cannot be there yet.
 * Owns:    nothing.
 * Units:   microseconds UTC; shard from 0, shards 0: the whole.
 * Errors:  LP_DATA with a sentence that names the key, LP_NOMEM.
 * Threads: one thread (JSON).
 */
#ifndef LP_LAMBDA_EVENT_H
#define LP_LAMBDA_EVENT_H

#include "base/error.h"

#include <stdint.h>

#define LP_EVENT_BYTES    ((size_t)1 << 20) /* what an asynchronous caller may send; ours has a hundred */
#define LP_EVENT_AHEAD_US INT64_C(300000000)

struct lp_event {
    int64_t slot_us;
    uint64_t shard, shards;
    uint64_t merge; /* of how many shards the records are to be merged; 0: this is a run */
};

/* Without the white space before it; len 0: there is nothing. */
void lp_event_trim(const char **text, size_t *len);
enum lp_code lp_event_read(const char *text, size_t len, int64_t now_us, struct lp_event *out,
                           struct lp_err *err) LP_CHECKED;

#endif
