/* again.h — a slot's last run, taken up again: the items that failed, and the rows that stand.
 * Model:   read from the slot's record and files. Where they tell all that is needed, only the failed items are asked, and their
 *          rows are put where one whole run would have put them: the record says of each how many rows stood before it. Where
 *          they do not, the whole slot is to be run, for the reason that is given. A row that stands stays: of two with the same
 *          unique key it is the new one that is bad.
 * Owns:    texts, files and rows, until release. Pipeline, store and layout are borrowed.
 * Units:   rows; at most LP_AGAIN_BYTES of files are taken up.
 * Errors:  LP_NOTFOUND (the slot has no record), LP_USAGE (it was run in shards), those of the store, LP_NOMEM.
 * Threads: one thread (JSON).
 */
#ifndef LP_PIPELINE_AGAIN_H
#define LP_PIPELINE_AGAIN_H

#include "lake/output.h"
#include "pipeline/definition.h"
#include "pipeline/record_read.h"
#include "quality/quality.h"
#include "table/rowback.h"

#define LP_AGAIN_BYTES ((size_t)256 << 20)

struct lp_again_item {
    const char *item; /* JSON */
    uint64_t rows, quarantined; /* that stood before it, in its file and in quarantine */
};
struct lp_again_file {
    char *key, *partition;
    struct lp_buf bytes;
    uint64_t rows, taken;
    struct lp_rowback *back;
};

struct lp_again {
    const struct lp_pipeline *pipeline;
    struct lp_store *store;
    const struct lp_layout *layout;
    struct lp_arena arena;
    const json_t *record;
    char run_id[64]; /* of that run */
    bool nothing;    /* nothing failed */
    bool whole;      /* the whole slot is to be run */
    char reason[400];
    struct lp_fetch_stats before; /* of the items that were answered then */
    struct lp_again_item *items;
    size_t item_count, asked, answered;
    bool starved; /* an item could not be looked at for want of memory */
    struct lp_again_file *files;
    size_t file_count, file_bytes;
    struct lp_buf quarantine;
    size_t quarantine_at;
    uint64_t quarantine_lines, quarantine_taken;
    struct lp_batch batch;
};

/* The judge sees the rows that stand, those in quarantine too; with `whole` it is of no use any more. */
enum lp_code lp_again_read(struct lp_again *a, const struct lp_bindings *run, struct lp_judge *judge,
                           struct lp_err *err) LP_CHECKED;
/* For lp_fetch_options: is it among the failed? */
bool lp_again_wants(void *again, const struct lp_item *item);
/* Before the next failed item's rows are written: the rows that stood before it. */
enum lp_code lp_again_copy_before(struct lp_again *a, struct lp_output *o, const struct lp_bindings *b,
                                  struct lp_err *err) LP_CHECKED;
enum lp_code lp_again_copy_rest(struct lp_again *a, struct lp_output *o, struct lp_err *err) LP_CHECKED;
void lp_again_release(struct lp_again *a);

#endif
