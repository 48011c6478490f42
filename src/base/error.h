/* error.h — how every function of this program says that something went wrong.
 * Model:   a code, chosen by what the caller should do, and one sentence for a person. The lowest level writes the
 *          cause; levels above only put context before it (lp_wrap) and never replace the code.
 * Owns:    struct lp_err belongs to the caller, usually on its stack; it may be NULL wherever it is taken.
 * Units:   the text is UTF-8, cut at LP_ERR_TEXT_BYTES; secrets are masked as it is written.
 * Errors:  none of its own.
 * Threads: no shared state.
 */
#ifndef LP_BASE_ERROR_H
#define LP_BASE_ERROR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#define LP_ERR_TEXT_BYTES 1024

enum lp_code {
    LP_OK = 0,
    LP_USAGE,     /* the command line is wrong */
    LP_CONFIG,    /* the pipeline file is wrong */
    LP_DATA,      /* what came in cannot be used */
    LP_GATE,      /* a quality gate refused the rows */
    LP_NOTFOUND,  /* it is not there */
    LP_AUTH,      /* not allowed */
    LP_BUSY,      /* a retry may help */
    LP_LOCKED,    /* another run of the same slot is at work */
    LP_IO,        /* disk, pipe, file system */
    LP_REMOTE,    /* the other side answered, and not as it should */
    LP_LIMIT,     /* a limit of ours was reached */
    LP_CANCELLED, /* a signal or the caller asked to stop */
    LP_NOMEM,
    LP_BUG,
    LP_CODE_COUNT
};

struct lp_err {
    enum lp_code code;
    char text[LP_ERR_TEXT_BYTES];
};

/* What each code means for a caller: its name, the exit status of the program, whether trying again may help. */
struct lp_code_info {
    const char *name;
    int exit_status;
    bool retryable;
};
const struct lp_code_info *lp_code_info(enum lp_code code);

#define LP_PRINTF(text_at, args_at) __attribute__((format(printf, text_at, args_at)))
#define LP_CHECKED                  __attribute__((warn_unused_result))

/* Fills *err (when there is one) and returns code. */
enum lp_code lp_fail(struct lp_err *err, enum lp_code code, const char *format, ...) LP_PRINTF(3, 4);
enum lp_code lp_fail_v(struct lp_err *err, enum lp_code code, const char *format, va_list args) LP_PRINTF(3, 0);
/* The same with ": <what errno says>" behind it; ENOMEM becomes LP_NOMEM, all else LP_IO. */
enum lp_code lp_fail_errno(struct lp_err *err, const char *format, ...) LP_PRINTF(2, 3);
/* Puts context before the text that is there; returns err's code. */
enum lp_code lp_wrap(struct lp_err *err, enum lp_code code, const char *format, ...) LP_PRINTF(3, 4);
enum lp_code lp_nomem(struct lp_err *err);

#define LP_TRY(call)                                    \
    do {                                                \
        enum lp_code lp_try_code_ = (call);             \
        if (lp_try_code_ != LP_OK) return lp_try_code_; \
    } while (0)

/* LP_AUTO(lp_thing) x = {0}; releases x with lp_thing_release when the scope is left. */
#define LP_AUTO(type) __attribute__((cleanup(type##_release))) struct type

#define LP_COUNT(array) (sizeof(array) / sizeof *(array))

#endif
