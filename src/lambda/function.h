/* function.h — one pipeline as a function: an event in, the run record or an error out.
 * Model:   loaded once, called as often as events come. A call runs the pipeline for the event's slot within the time that
 *          is left, says in the log what came of it, and gives the answer that Lambda's callers get: the record of a run
 *          that wrote rows (status ok or partial), else an error object with the record in it.
 * Owns:    the pipeline, the session to AWS and the connections, which are all that is kept between calls; keys and secrets
 *          are read anew by each. An outcome owns its body and its cause.
 * Units:   microseconds; bytes.
 * Errors:  of loading: LP_CONFIG, LP_NOTFOUND, LP_USAGE, LP_IO, LP_NOMEM, with all that is wrong in *why. A call has an
 *          outcome, never an error of its own.
 * Threads: one thread, one call at a time.
 */
#ifndef LP_LAMBDA_FUNCTION_H
#define LP_LAMBDA_FUNCTION_H

#include "aws/aws.h"
#include "lambda/log.h"
#include "net/http.h"
#include "pipeline/definition.h"

#define LP_ANSWER_BYTES ((size_t)6 << 20) /* what Lambda takes as an answer */
/* What a state machine takes of shares and of their merging (256 KiB; of an error 32 KiB), with room for what it adds. */
#define LP_STATE_BYTES       ((size_t)240 << 10)
#define LP_STATE_ERROR_BYTES ((size_t)30 << 10)

struct lp_function {
    struct lp_pipeline pipeline;
    struct lp_aws *aws;
    struct lp_http *http; /* to the source */
    struct lp_log *log;
    const char *replay_folder; /* replies from there instead of the network; NULL: none */
    bool metrics;              /* a line of CloudWatch's embedded metric format for each call */
    bool warm;                 /* called before */
};

/* The file of a handler, appended. A handler's name is that of NAME.yaml in LAMBDA_TASK_ROOT, else in the working folder; a
 * word that ends in .yaml or .yml is such a file itself. NULL or "": the only pipeline that lies there. An error names those
 * that do. */
enum lp_code lp_function_find(const char *handler, struct lp_buf *path, struct lp_err *err) LP_CHECKED;
/* Makes a function of a pipeline that was loaded into it. */
enum lp_code lp_function_open(struct lp_function *f, const struct lp_aws_options *aws, struct lp_log *log,
                              struct lp_err *err) LP_CHECKED;
/* All of it. *why gets everything that is wrong, *type what Lambda is told as the error's type. */
enum lp_code lp_function_load(struct lp_function *f, const char *handler, const struct lp_aws_options *aws,
                              struct lp_log *log, struct lp_buf *why, const char **type, struct lp_err *err) LP_CHECKED;
/* Whatever came of making it. */
void lp_function_release(struct lp_function *f);

struct lp_call {
    const char *event;
    size_t event_len;
    bool event_cut; /* there was more than anybody reads, so what is here says nothing */
    const char *request_id;
    int64_t deadline_us; /* wall clock; 0: there is none */
};

struct lp_outcome {
    const char *text; /* JSON; at most LP_ANSWER_BYTES; in body, or constant where memory is out */
    size_t text_len;
    struct lp_buf body;
    const char *error_type; /* "Function.RunFailed"; NULL: it worked */
    struct lp_buf cause;    /* of an error, the header of cause.h; empty where memory is out */
    enum lp_code code;
    bool partial;
};
void lp_outcome_release(struct lp_outcome *o);

void lp_function_call(struct lp_function *f, const struct lp_call *call, struct lp_outcome *out);

/* An error as Lambda's callers get it, appended: {"errorMessage":…,"errorType":…,"stackTrace":[]}; record NULL: none. */
void lp_error_put_json(const char *type, const char *message, const char *request_id, const char *record,
                       struct lp_buf *out);

#endif
