/* tally.h — what a judge came to, as JSON, so that rows that were judged in several places can be judged together.
 * Model:   {"broken": [{"rule": …, "rows": …}], "unseen": [{"rule": …, "values": […]}], "warnings": …}: rules that rows broke,
 *          and the values that unique_values_eq did not meet. Rules go by their text: those of another pipeline file are
 *          passed over. What `unique` saw is not told: that would be the rows themselves.
 * Owns:    nothing.
 * Units:   rows.
 * Errors:  a full buffer; LP_NOMEM.
 * Threads: one thread (JSON).
 */
#ifndef LP_QUALITY_TALLY_H
#define LP_QUALITY_TALLY_H

#include "base/json.h"
#include "quality/quality.h"

void lp_tally_put(const struct lp_judge *j, struct lp_json_writer *w); /* the members */
/* Adds what another judge of the same rules came to; NULL: it was not told, and no value is missed in it. */
enum lp_code lp_tally_add(struct lp_judge *j, const json_t *tally, struct lp_err *err) LP_CHECKED;

#endif
