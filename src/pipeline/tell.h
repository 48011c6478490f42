/* tell.h — who is to be told of a run is told.
 * Model:   the record and those before it become a notice, and its outcomes come back into the record.
 * Owns:    nothing beyond the call.
 * Units:   –
 * Errors:  none: what goes wrong is an outcome, with its reason (rec->telling).
 * Threads: one thread.
 */
#ifndef LP_PIPELINE_TELL_H
#define LP_PIPELINE_TELL_H

#include "pipeline/history.h"
#include "pipeline/run.h"

/* Whether what came before this run is needed to know what to tell of it; code is what the run came to. */
bool lp_run_wants_history(const struct lp_pipeline *p, enum lp_code code);

/* A run that a signal stopped, or that found its slot locked, is told to nobody: the one was meant, of the other the run
 * that holds the lock will tell. */
void lp_run_tell(const struct lp_pipeline *p, const struct lp_run_options *o, const struct lp_judge *judge,
                 const struct lp_output *output, const struct lp_history *history, enum lp_code code,
                 const struct lp_err *why, struct lp_record *rec);
/* One more outcome, of something that belongs to no address. */
void lp_run_note_telling(struct lp_record *rec, const char *what, const struct lp_err *err);

#endif
