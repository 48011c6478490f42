/* merge.h — the records of a slot's shards as the one record of the slot.
 * Model:   a slot that was run in shards has a record for each; this adds them up and writes the slot's own, which names all
 *          their files, so that whoever asks for the slot finds one answer, and a later run of the whole slot replaces them.
 *          Files stay where they are. A shard without a record, or with one that failed, is a failure in it: the slot is
 *          partial then, or failed when no shard wrote anything.
 * Owns:    nothing beyond the call; the record is the caller's.
 * Units:   microseconds UTC.
 * Errors:  LP_REMOTE (no shard went well; the record says so too), LP_LOCKED (the slot is being run), those of the store,
 *          LP_DATA (a record that cannot be read), LP_NOMEM.
 * Threads: one thread (JSON).
 */
#ifndef LP_PIPELINE_MERGE_H
#define LP_PIPELINE_MERGE_H

#include "pipeline/definition.h"
#include "pipeline/record.h"

enum lp_code lp_merge(const struct lp_pipeline *p, int64_t slot_us, uint64_t shards, struct lp_aws *aws,
                      struct lp_record *rec, struct lp_err *err) LP_CHECKED;

#endif
