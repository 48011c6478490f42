/* layout.h — the names of all a run leaves behind. They depend on pipeline, partition and slot, never on the clock.
 * Model:   <table>/<partition>/<slot>[-IofN].csv or .parquet, _quarantine/<table>/<partition>/<slot>[-IofN].jsonl,
 *          _runs/<pipeline>/<slot>[-IofN].json, _catalog/<database>/<table>.json. A table that is one file is that file.
 * Owns:    nothing; keys are appended to the caller's buffer.
 * Units:   the slot in microseconds.
 * Errors:  none but a full buffer.
 * Threads: no shared state.
 */
#ifndef LP_LAKE_LAYOUT_H
#define LP_LAKE_LAYOUT_H

#include "lake/sink.h"
#include "table/rowfile.h"

struct lp_layout {
    const struct lp_sink *sink;
    const char *pipeline;
    int64_t slot_us;
    uint64_t shard, shards; /* shard from 0; shards 0 or 1: whole */
};

/* "dt=2012-10-01/", of what the run and its item decide; column partitions take the row's value. batch may be NULL when
 * there are none. */
void lp_layout_put_partition(const struct lp_layout *l, const struct lp_bindings *b, const struct lp_batch *batch,
                             size_t row, struct lp_buf *out);
/* A partition's value as the name of a folder has it. */
void lp_layout_put_value(struct lp_buf *out, const char *bytes, size_t len);
void lp_layout_put_data_key(const struct lp_layout *l, const char *partition, struct lp_buf *out);
void lp_layout_put_quarantine_key(const struct lp_layout *l, const char *partition, struct lp_buf *out);
void lp_layout_put_record_key(const struct lp_layout *l, struct lp_buf *out);
void lp_layout_put_lock_key(const struct lp_layout *l, struct lp_buf *out);
void lp_layout_put_intent_key(const struct lp_layout *l, struct lp_buf *out); /* what a run is about to publish */
void lp_layout_put_catalog_key(const struct lp_layout *l, struct lp_buf *out);

#endif
