/* run.h — one run of a pipeline for one slot.
 * Model:   plan, fetch, extract, check, write, register, record, notify. The lake is as before or complete; *rec tells
 *          what happened either way, and is kept in the lake as well: before anybody is told, and with the outcome of that
 *          once more. Who is told, or not, changes nothing of what the run came to.
 * Owns:    nothing beyond the call; the record is the caller's.
 * Units:   microseconds UTC.
 * Errors:  LP_GATE (rows refused), LP_REMOTE (no item answered, or on_status: stop), LP_AUTH, LP_LOCKED (another run of
 *          the slot), LP_CANCELLED, LP_IO, LP_LIMIT, LP_NOMEM, LP_CONFIG (a secret that is not there).
 * Threads: one run per thread and process (secrets and JSON reading are process-wide).
 */
#ifndef LP_PIPELINE_RUN_H
#define LP_PIPELINE_RUN_H

#include "pipeline/definition.h"
#include "pipeline/record.h"

struct lp_run_options {
    int64_t slot_us;
    uint64_t shard, shards; /* shard from 0 */
    const char *replay_folder, *record_folder;
    struct lp_aws *aws; /* the session of all calls to AWS; NULL where none is made */
    struct lp_http **http; /* connections to the source, kept from one run of the pipeline to the next; NULL: none are */
    struct lp_fetch_watch watch;
    bool count_items; /* so that progress knows the whole */
    bool unless_done; /* LP_LOCKED where the slot's record says that it was written, all or in part */
    /* Sees each batch after it was judged; may be NULL. */
    void (*see_rows)(void *who, const struct lp_batch *b);
    void *who;
    /* Hears what standard error is to be told (notify: { to: stderr }); may be NULL. */
    void (*say)(void *who_says, const struct lp_notice *n, const struct lp_message *message);
    void *who_says;
};

enum lp_code lp_run(struct lp_pipeline *p, const struct lp_run_options *o, struct lp_record *rec,
                    struct lp_err *err) LP_CHECKED;

/* How a slot was retried. */
enum lp_retry_kind { LP_RETRY_NOTHING, LP_RETRY_ITEMS, LP_RETRY_WHOLE };
struct lp_retry {
    enum lp_retry_kind kind;
    char reason[400];    /* why whole */
    uint64_t items;      /* that had failed */
    struct lp_buf found; /* with LP_RETRY_NOTHING the record as it is; the caller's to release */
};
/* The items that failed in the slot's last run are asked again and their rows put among those that stand, so that the slot is as
 * if one run had brought them all. Where that cannot be (pipeline/again.h) the whole slot is run. When it fails before anything
 * was published the slot and its record stay as they were. LP_NOTFOUND: the slot has no record; LP_USAGE: it was run in shards. */
enum lp_code lp_retry(struct lp_pipeline *p, const struct lp_run_options *o, struct lp_record *rec, struct lp_retry *how,
                      struct lp_err *err) LP_CHECKED;

/* The same as lp_run without a lake: at most n items are fetched, judged and shown. */
enum lp_code lp_preview(struct lp_pipeline *p, const struct lp_run_options *o, uint64_t n, struct lp_record *rec,
                        struct lp_err *err) LP_CHECKED;

/* slot, run_id and pipeline as variables; texts are kept in `texts`. */
void lp_run_bind(const struct lp_pipeline *p, int64_t slot_us, const char *run_id, struct lp_bindings *b,
                 char slot_text[40]);

#endif
