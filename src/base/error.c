#include "base/error.h"

#include "base/secret.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct lp_code_info infos[LP_CODE_COUNT] = {
    [LP_OK] = {"ok", 0, false},
    [LP_USAGE] = {"usage", 2, false},
    [LP_CONFIG] = {"config", 2, false},
    [LP_DATA] = {"data", 1, false},
    [LP_GATE] = {"quality gate", 4, false},
    [LP_NOTFOUND] = {"not found", 1, false},
    [LP_AUTH] = {"not allowed", 1, false},
    [LP_BUSY] = {"busy", 1, true},
    [LP_LOCKED] = {"already running", 5, true},
    [LP_IO] = {"input/output", 1, false},
    [LP_REMOTE] = {"remote", 1, false},
    [LP_LIMIT] = {"limit", 1, false},
    [LP_CANCELLED] = {"cancelled", 1, false},
    [LP_NOMEM] = {"memory", 1, false},
    [LP_BUG] = {"bug", 1, false},
};

const struct lp_code_info *lp_code_info(enum lp_code code)
{
    return &infos[code < LP_CODE_COUNT ? code : LP_BUG];
}

/* vsnprintf may cut inside a character; what is left of it goes too. */
static void trim_broken_tail(char *text, size_t bytes)
{
    size_t len = strnlen(text, bytes);
    if (len + 1 < bytes) return;
    while (len > 0 && ((unsigned char)text[len - 1] & 0xC0) == 0x80) len--;
    if (len > 0 && ((unsigned char)text[len - 1] & 0x80)) len--;
    text[len] = '\0';
}

static void finish(struct lp_err *err, enum lp_code code)
{
    err->code = code;
    trim_broken_tail(err->text, sizeof err->text);
    lp_secret_mask_text(err->text, sizeof err->text);
}

enum lp_code lp_fail_v(struct lp_err *err, enum lp_code code, const char *format, va_list args)
{
    if (!err) return code;
    vsnprintf(err->text, sizeof err->text, format, args);
    finish(err, code);
    return code;
}

enum lp_code lp_fail(struct lp_err *err, enum lp_code code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    lp_fail_v(err, code, format, args);
    va_end(args);
    return code;
}

enum lp_code lp_fail_errno(struct lp_err *err, const char *format, ...)
{
    int number = errno;
    enum lp_code code = number == ENOMEM ? LP_NOMEM : LP_IO;
    if (!err) return code;
    va_list args;
    va_start(args, format);
    vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    size_t len = strlen(err->text);
    snprintf(err->text + len, sizeof err->text - len, ": %s", strerror(number));
    finish(err, code);
    return code;
}

enum lp_code lp_wrap(struct lp_err *err, enum lp_code code, const char *format, ...)
{
    if (!err) return code;
    char cause[LP_ERR_TEXT_BYTES];
    memcpy(cause, err->text, sizeof cause);
    va_list args;
    va_start(args, format);
    vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    size_t len = strlen(err->text);
    snprintf(err->text + len, sizeof err->text - len, ": %s", cause);
    finish(err, code);
    return code;
}

enum lp_code lp_nomem(struct lp_err *err)
{
    return lp_fail(err, LP_NOMEM, "out of memory");
}
