/* record.h — what a run did, for machines and for whoever asks later.
 * Model:   one JSON object per run, at _runs/<pipeline>/<slot>.json; a run that failed has one too.
 * Owns:    its lists and texts.
 * Units:   microseconds UTC (started, finished), milliseconds (duration, waited), rows, bytes.
 * Errors:  LP_NOMEM.
 * Threads: one thread.
 */
#ifndef LP_PIPELINE_RECORD_H
#define LP_PIPELINE_RECORD_H

#include "lake/output.h"
#include "notify/tell.h"
#include "quality/quality.h"
#include "source/fetch.h"

#define LP_RECORD_FAILURES      1000 /* listed; all are counted */
#define LP_RECORD_FAILURE_BYTES ((size_t)8 << 20)

enum lp_run_status { LP_RUN_OK, LP_RUN_PARTIAL, LP_RUN_FAILED };

struct lp_record_failure {
    char *item;  /* JSON object, or NULL when the run as a whole failed */
    char *label; /* for people */
    char *error;
    bool placed; /* the rows that stood before it are known: in its file, and in quarantine */
    uint64_t rows_before, quarantined_before;
};
struct lp_record_file {
    char *url;
    uint64_t rows, bytes;
};

struct lp_record {
    const char *pipeline;
    char run_id[64];
    bool retries, retried_whole; /* the failed items of an earlier run were asked again, or all of them */
    char retry_of[64];           /* that run; "": it is not known */
    enum lp_run_status status;
    int64_t slot_us, started_us, finished_us, duration_ms;
    struct lp_fetch_stats requests;
    struct {
        uint64_t read, written, quarantined;
    } rows;
    uint64_t checks_passed, checks_failed, warnings; /* not written: for the closing words */
    char *share;            /* of a share: which it is, and what the whole is judged by (quality/tally.h), as JSON; else NULL */
    uint64_t shards;        /* of a merge: how many shares make up the slot; 0: it was run whole, or this is a share */
    uint64_t shards_failed; /* of them those that failed or left nothing; not written */
    char *refused; /* runs of shares that were refused when they were merged, one per line: their rows are gone */
    struct lp_record_file *files;
    size_t file_count;
    char *kept_keys; /* one per line: data files of the slot that stand although this run failed */
    struct lp_record_failure *failures;
    size_t failure_count;
    char *record_url;          /* not written; NULL when there is none */
    bool was_written;          /* not written: the slot had been run already, and was left alone (unless_done) */
    struct lp_telling telling; /* who was told of it, and how that went */
};

/* Says in the record of a share which one it is, and what it was judged by. */
enum lp_code lp_record_set_share(struct lp_record *r, const struct lp_layout *l, const struct lp_judge *j,
                                 struct lp_err *err) LP_CHECKED;
enum lp_code lp_record_add_failure(struct lp_record *r, const char *item_json, const char *label, const char *error,
                                   struct lp_err *err) LP_CHECKED;
enum lp_code lp_record_set_files(struct lp_record *r, const struct lp_output *o, struct lp_err *err) LP_CHECKED;
void lp_record_put_json(const struct lp_record *r, struct lp_buf *out);
enum lp_code lp_record_publish(struct lp_record *r, struct lp_store *store, const struct lp_layout *l,
                               struct lp_err *err) LP_CHECKED;
/* Names what is about to be published, and drops that once a record names it: a run that is killed in between leaves no
 * file that nobody knows of. */
enum lp_code lp_record_put_intent(struct lp_store *store, const struct lp_layout *l, const struct lp_output *o,
                                  const char *earlier_keys, struct lp_err *err) LP_CHECKED;
enum lp_code lp_record_drop_intent(struct lp_store *store, const struct lp_layout *l, struct lp_err *err) LP_CHECKED;
/* What the slot's last record names, and what a run was about to publish that is not in any record. With `orderly` the
 * last run of the slot is known to have ended in order: then only what it names is there. */
enum lp_code lp_record_read_earlier(struct lp_store *store, const struct lp_layout *l, bool orderly,
                                    struct lp_earlier *out, struct lp_err *err) LP_CHECKED;
/* Where that record is of shares (out->shards): what their own records name, which may have been run again, or not been
 * read to the end by who merged them. */
enum lp_code lp_record_read_shares(struct lp_store *store, const struct lp_layout *l, struct lp_earlier *out,
                                   struct lp_err *err) LP_CHECKED;
/* The key of a data file whose URL some record names, with a newline behind it; nothing when it is none of the table's. */
void lp_record_put_key(const struct lp_layout *l, const char *url, struct lp_buf *keys);
void lp_record_release(struct lp_record *r);
const char *lp_run_status_name(enum lp_run_status s);

#endif
