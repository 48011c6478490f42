/* merge.h — a slot that was run in shares, judged and told of as if it had been run whole.
 * Model:   each share wrote its rows and a record. Merging adds the records up, judges the sum by what no share can be judged
 *          by alone (whether anything answered, min_rows, max_bad, unique_values_eq), writes the slot's own record, which
 *          names all files, and tells who is to be told. As after a run, what an earlier run of the slot left and the shares do
 *          not have is removed. A share that failed or left no record is a failure in it: the slot is partial then.
 *          Where the sum is refused, the record says so first and names the shares' runs; then their files are removed, share
 *          by share under its lock, unless it has been run again by then. So whoever is killed in between leaves a slot that
 *          failed, and merging again goes on with it. Quarantine stays. A share that was refused counts again once it is run again.
 * Owns:    nothing beyond the call; the record is the caller's.
 * Units:   microseconds UTC.
 * Errors:  LP_GATE (the rows are refused), LP_REMOTE (no share wrote anything, or nothing answered), LP_LOCKED (the slot is
 *          being run), LP_DATA (a record that cannot be read; a slot that was run whole since: then nothing is written),
 *          LP_CANCELLED, LP_LIMIT, those of the store, LP_NOMEM.
 * Threads: one thread (JSON).
 */
#ifndef LP_PIPELINE_MERGE_H
#define LP_PIPELINE_MERGE_H

#include "pipeline/run.h"

/* Of o it takes slot, aws, say, and shards: how many there are. */
enum lp_code lp_merge(struct lp_pipeline *p, const struct lp_run_options *o, struct lp_record *rec,
                      struct lp_err *err) LP_CHECKED;

#endif
