/* record_read.h — a run record that somebody wrote earlier, read back.
 * Model:   the JSON object as it lies in the store; what is missing in it or of another type counts as 0 or nothing.
 * Owns:    the record lies in the caller's arena.
 * Units:   microseconds UTC.
 * Errors:  LP_NOTFOUND (there is none), LP_DATA (it is no JSON object; the sentence does not name it), LP_LIMIT (larger than a
 *          record can be), those of the store, LP_NOMEM.
 * Threads: one thread (JSON).
 */
#ifndef LP_PIPELINE_RECORD_READ_H
#define LP_PIPELINE_RECORD_READ_H

#include "base/json.h"
#include "lake/store.h"
#include "pipeline/record.h"

enum lp_code lp_record_load(struct lp_store *store, const char *key, struct lp_arena *arena, const json_t **out,
                            struct lp_err *err) LP_CHECKED;
bool lp_record_status(const json_t *record, enum lp_run_status *out); /* false: it says none that we know */
uint64_t lp_record_count(const json_t *map, const char *key);
int64_t lp_record_time(const json_t *record, const char *key); /* 0: none */
/* A failure's item as a run names it: "Portland, metric". */
void lp_record_put_label(const json_t *item, struct lp_buf *out);

#endif
