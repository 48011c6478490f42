/* past.h — what the records of a pipeline say of its slots: the history, for people and for who decides what is still to do.
 * Model:   one entry per record at _runs/<pipeline>/, in the order of slots; a slot that was run in shards has an entry for
 *          each shard, and one for the whole once they are merged. A record that cannot be read is an entry of its own kind, so
 *          that nothing is passed over in silence.
 * Owns:    the list and its texts lie in the arena of the struct; {0} is an empty one.
 * Units:   microseconds UTC (slot, started, finished), milliseconds (duration), rows.
 * Errors:  those of the store; LP_NOMEM.
 * Threads: one thread (JSON).
 */
#ifndef LP_PIPELINE_PAST_H
#define LP_PIPELINE_PAST_H

#include "lake/store.h"

#define LP_PAST_ERROR_BYTES 1024

enum lp_past_status { LP_PAST_UNREADABLE, LP_PAST_OK, LP_PAST_PARTIAL, LP_PAST_FAILED };

struct lp_past_run {
    const char *key; /* of the record */
    int64_t slot_us;
    uint64_t shard, shards; /* shard from 0; shards 0: the whole slot */
    enum lp_past_status status;
    int64_t started_us, finished_us, duration_ms;
    uint64_t requests, requests_ok, requests_failed, retries;
    uint64_t rows_read, rows_written, rows_quarantined;
    uint64_t failures;  /* listed in the record */
    /* The first failure, behind the name of its item, cut at LP_PAST_ERROR_BYTES; why the record cannot be read; "" when there is
     * none. It came from strangers: escape it. */
    const char *error;
};

struct lp_past {
    struct lp_arena arena;
    struct lp_past_run *list; /* the oldest first */
    size_t count;
    bool more; /* there are older records that were not looked at */
};

struct lp_past_wanted {
    int64_t from_us, until_us; /* slots from … (inclusive) until … (exclusive); INT64_MIN and INT64_MAX: all */
    size_t last;               /* the newest so many; 0: all */
    bool failed_only;          /* not ok: partial, failed, unreadable */
    bool whole_only;           /* without the entries of shards */
    bool names_only;           /* which slots have a record: nothing but key, slot and shard is filled in, nothing is read */
};

/* Records are read from the newest back, as few as will do. */
enum lp_code lp_past_read(struct lp_store *store, const char *pipeline, const struct lp_past_wanted *wanted,
                          struct lp_past *out, struct lp_err *err) LP_CHECKED;
void lp_past_release(struct lp_past *p);

/* "ok", "partial", "failed", "unreadable" */
const char *lp_past_status_name(enum lp_past_status s);

#endif
