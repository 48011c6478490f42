#include "base/error.h"

#include "base/secret.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define WHOLE_BYTES (4 * (size_t)LP_ERR_TEXT_BYTES) /* what is looked at before it is cut */

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

/* Masked before it is cut: half a secret is not known for one any more. */
static void finish(struct lp_err *err, enum lp_code code, char *whole, size_t bytes)
{
    err->code = code;
    trim_broken_tail(whole, bytes);
    lp_secret_mask_text(whole, bytes);
    memcpy(err->text, whole, sizeof err->text - 1);
    err->text[sizeof err->text - 1] = '\0';
    trim_broken_tail(err->text, sizeof err->text);
}

enum lp_code lp_fail_v(struct lp_err *err, enum lp_code code, const char *format, va_list args)
{
    if (!err) return code;
    char whole[WHOLE_BYTES];
    vsnprintf(whole, sizeof whole, format, args);
    finish(err, code, whole, sizeof whole);
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
    char whole[WHOLE_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(whole, sizeof whole, format, args);
    va_end(args);
    size_t len = strlen(whole);
    snprintf(whole + len, sizeof whole - len, ": %s", strerror(number));
    finish(err, code, whole, sizeof whole);
    return code;
}

enum lp_code lp_wrap(struct lp_err *err, enum lp_code code, const char *format, ...)
{
    if (!err) return code;
    char whole[WHOLE_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(whole, sizeof whole, format, args);
    va_end(args);
    size_t len = strlen(whole);
    snprintf(whole + len, sizeof whole - len, ": %s", err->text);
    finish(err, code, whole, sizeof whole);
    return code;
}

enum lp_code lp_nomem(struct lp_err *err)
{
    return lp_fail(err, LP_NOMEM, "out of memory");
}
