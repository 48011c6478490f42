/* log.h — the lines that a function says, as Lambda wants them.
 * Model:   one line per event, written at once: JSON objects or text, by AWS_LAMBDA_LOG_FORMAT; none below
 *          AWS_LAMBDA_LOG_LEVEL. Every line names the request it belongs to. Nobody here prints: a callback does.
 * Owns:    the request's id is copied.
 * Units:   –
 * Errors:  none: a line that cannot be said is not missed. Without memory a short one says so.
 * Threads: one thread. Secrets are masked, control characters made visible.
 */
#ifndef LP_LAMBDA_LOG_H
#define LP_LAMBDA_LOG_H

#include "base/buf.h"

enum lp_log_level { LP_LOG_TRACE, LP_LOG_DEBUG, LP_LOG_INFO, LP_LOG_WARN, LP_LOG_ERROR, LP_LOG_FATAL };

#define LP_REQUEST_ID_BYTES 256

struct lp_log {
    /* Is handed a whole line with its end, to be written by one call; may be NULL. */
    void (*write)(void *who, const char *line, size_t len);
    void *who;
    bool json;
    enum lp_log_level least;
    char request_id[LP_REQUEST_ID_BYTES]; /* "": of no request */
};

/* Format and level by the environment, where it speaks of them. */
void lp_log_init(struct lp_log *log, void (*write)(void *who, const char *line, size_t len), void *who);
void lp_log_set_request(struct lp_log *log, const char *id);
bool lp_log_wants(const struct lp_log *log, enum lp_log_level level);
void lp_log_say(struct lp_log *log, enum lp_log_level level, const char *format, ...) LP_PRINTF(3, 4);
/* The same with further members of the JSON object, ready made: "slot":"…","rows":5; "" or NULL: none. */
void lp_log_put(struct lp_log *log, enum lp_log_level level, const char *members, const char *message);
/* A line as it is, masked: for metrics. */
void lp_log_raw(struct lp_log *log, const struct lp_buf *line);

#endif
