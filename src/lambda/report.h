/* report.h — what came of a call, in the log, as metrics, and as the answer.
 * Model:   a record whose pipeline is NULL is that of a call that ran nothing, as its event could not be understood.
 * Owns:    the answer goes into the outcome's body.
 * Units:   bytes, milliseconds.
 * Errors:  none; without memory the answer is an error that says so.
 * Threads: one thread.
 */
#ifndef LP_LAMBDA_REPORT_H
#define LP_LAMBDA_REPORT_H

#include "lambda/function.h"
#include "pipeline/run.h"

void lp_report_log(const struct lp_function *f, const struct lp_record *rec, const struct lp_outcome *o,
                   const struct lp_err *err);

/* One line of CloudWatch's embedded metric format, namespace lambda-pipeline, dimensions FunctionName and Pipeline: Duration
 * (milliseconds), RowsWritten, RowsQuarantined, FilesWritten, Retries, FailedItems, FailedRuns, ColdStarts. A slot counts once,
 * when its shares are merged; of a share there is ColdStarts alone. */
void lp_report_metrics(const struct lp_function *f, const struct lp_record *rec, const struct lp_outcome *o,
                       bool of_share);

/* The record of a run, or an error with the record in it; one that is too large for an answer (body.max_bytes) is told without
 * most of its lists, and says "shortened": true. */
void lp_report_answer(const struct lp_record *rec, const char *request_id, struct lp_outcome *o,
                      const struct lp_err *err);

#endif
