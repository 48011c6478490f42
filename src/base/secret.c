#include "base/secret.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#define MAX_SECRETS 32
#define MAX_SECRET_BYTES 4096
#define FORMS_PER_SECRET 8

/* One spelling of one secret. */
struct form {
    char *bytes;
    size_t len;
};

static struct form forms[MAX_SECRETS * FORMS_PER_SECRET];
static size_t form_count, secret_count;

static enum lp_code add_form(const char *bytes, size_t len, struct lp_err *err)
{
    for (size_t i = 0; i < form_count; i++)
        if (forms[i].len == len && memcmp(forms[i].bytes, bytes, len) == 0) return LP_OK;
    char *copy = malloc(len + 1);
    if (!copy) return lp_nomem(err);
    memcpy(copy, bytes, len);
    copy[len] = '\0';
    /* Longest first, so that an encoded form is not torn by a raw one inside it. */
    size_t at = form_count++;
    for (; at > 0 && forms[at - 1].len < len; at--) forms[at] = forms[at - 1];
    forms[at] = (struct form){copy, len};
    return LP_OK;
}

static bool unreserved(unsigned char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || strchr("-_.~", c);
}

static enum lp_code add_percent_form(const char *value, size_t len, const char *hex, bool plus, struct lp_err *err)
{
    char text[MAX_SECRET_BYTES * 3 + 1];
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)value[i];
        if (c && unreserved(c)) {
            text[n++] = (char)c;
        } else if (plus && c == ' ') {
            text[n++] = '+';
        } else {
            text[n++] = '%';
            text[n++] = hex[c >> 4];
            text[n++] = hex[c & 15];
        }
    }
    enum lp_code code = add_form(text, n, err);
    explicit_bzero(text, sizeof text);
    return code;
}

/* The part of the base64 text that depends on the secret alone, when it begins `shift` bytes into a group of three. */
static enum lp_code add_base64_form(const char *value, size_t len, size_t shift, bool url, struct lp_err *err)
{
    const char *alphabet = url ? "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
                               : "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char text[MAX_SECRET_BYTES / 3 * 4 + 8];
    size_t first_bit = shift * 8, last_bit = (shift + len) * 8, n = 0;
    for (size_t group = (first_bit + 5) / 6; (group + 1) * 6 <= last_bit; group++) {
        unsigned value6 = 0;
        for (size_t bit = group * 6; bit < group * 6 + 6; bit++) {
            size_t from = bit - first_bit;
            value6 = value6 << 1 | ((unsigned)(unsigned char)value[from / 8] >> (7 - from % 8) & 1u);
        }
        text[n++] = alphabet[value6];
    }
    enum lp_code code = n >= LP_SECRET_MIN_BYTES ? add_form(text, n, err) : LP_OK;
    explicit_bzero(text, sizeof text);
    return code;
}

enum lp_code lp_secret_add(const char *value, size_t len, struct lp_err *err)
{
    if (len < LP_SECRET_MIN_BYTES) return LP_OK;
    if (len > MAX_SECRET_BYTES) return lp_fail(err, LP_LIMIT, "a secret is longer than %d bytes", MAX_SECRET_BYTES);
    for (size_t i = 0; i < form_count; i++)
        if (forms[i].len == len && memcmp(forms[i].bytes, value, len) == 0) return LP_OK;
    if (secret_count == MAX_SECRETS) return lp_fail(err, LP_LIMIT, "more than %d secrets", MAX_SECRETS);
    secret_count++;
    LP_TRY(add_form(value, len, err));
    LP_TRY(add_percent_form(value, len, "0123456789ABCDEF", false, err));
    LP_TRY(add_percent_form(value, len, "0123456789abcdef", false, err));
    LP_TRY(add_percent_form(value, len, "0123456789ABCDEF", true, err));
    for (size_t shift = 0; shift < 3; shift++) LP_TRY(add_base64_form(value, len, shift, false, err));
    return add_base64_form(value, len, 0, true, err);
}

bool lp_secret_any(void)
{
    return form_count > 0;
}

/* The earliest form at or after `at`, the longest of those that begin there; NULL when there is none. */
static const struct form *find(const char *bytes, size_t len, size_t at, size_t *where)
{
    const struct form *found = NULL;
    *where = len;
    for (size_t i = 0; i < form_count; i++) {
        const char *hit = at < *where ? memmem(bytes + at, len - at, forms[i].bytes, forms[i].len) : NULL;
        if (hit && (size_t)(hit - bytes) < *where) {
            *where = (size_t)(hit - bytes);
            found = &forms[i];
        }
    }
    return found;
}

bool lp_secret_found(const char *bytes, size_t len)
{
    size_t where;
    return form_count && find(bytes, len, 0, &where);
}

void lp_secret_mask(const char *bytes, size_t len, struct lp_buf *out)
{
    size_t at = 0, where;
    const struct form *form;
    while (form_count && (form = find(bytes, len, at, &where))) {
        lp_buf_put(out, bytes + at, where - at);
        lp_buf_puts(out, LP_SECRET_MASK);
        at = where + form->len;
    }
    lp_buf_put(out, bytes + at, len - at);
}

void lp_secret_mask_text(char *text, size_t text_bytes)
{
    size_t len = strnlen(text, text_bytes);
    if (!lp_secret_found(text, len)) return;
    LP_AUTO(lp_buf) masked = {0};
    lp_secret_mask(text, len, &masked);
    /* Without memory to mask with, nothing is better than the secret. */
    snprintf(text, text_bytes, "%s", masked.failed ? LP_SECRET_MASK : lp_buf_text(&masked));
}

void lp_secret_forget(void)
{
    for (size_t i = 0; i < form_count; i++) {
        explicit_bzero(forms[i].bytes, forms[i].len);
        free(forms[i].bytes);
    }
    form_count = secret_count = 0;
}

void lp_secret_guard_process(void)
{
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
#ifndef __SANITIZE_ADDRESS__ /* its leak checker traces the process */
    prctl(PR_SET_DUMPABLE, 0L, 0L, 0L, 0L);
#endif
}
