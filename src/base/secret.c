#include "base/secret.h"

#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#define MAX_SECRETS      32 /* that stay */
#define MAX_PASSING      48 /* keys that expire: many times as many as are in use at a time */
#define MAX_SECRET_BYTES 16384
#define FORMS_PER_SECRET 4 /* itself, and its base64 at each of three offsets */

struct form {
    char *bytes;
    size_t len;
    bool base64; /* then - and _ stand for + and / as well */
};

struct secret {
    struct form forms[FORMS_PER_SECRET];
    size_t form_count;
    bool passing;
};

static struct secret secrets[MAX_SECRETS + MAX_PASSING]; /* in the order they came */
static size_t secret_count;
static bool may_begin[256]; /* a byte that a form, or an escape of its first character, begins with */

static enum lp_code add_form(struct secret *s, const char *bytes, size_t len, bool base64, struct lp_err *err)
{
    char *copy = malloc(len + 1);
    if (!copy) return lp_nomem(err);
    memcpy(copy, bytes, len);
    copy[len] = '\0';
    s->forms[s->form_count++] = (struct form){copy, len, base64};
    may_begin[(unsigned char)*bytes] = may_begin['%'] = may_begin['\\'] = true;
    if (*bytes == ' ' || base64) may_begin['+'] = may_begin['-'] = may_begin['/'] = may_begin['_'] = true;
    return LP_OK;
}

/* The part of the base64 text that depends on the secret alone, when it begins `shift` bytes into a group of three. */
static enum lp_code add_base64_form(struct secret *s, const char *value, size_t len, size_t shift, struct lp_err *err)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
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
    enum lp_code code = n >= LP_SECRET_MIN_BYTES ? add_form(s, text, n, true, err) : LP_OK;
    explicit_bzero(text, sizeof text);
    return code;
}

static void drop(size_t index)
{
    struct secret *s = &secrets[index];
    for (size_t i = 0; i < s->form_count; i++) {
        explicit_bzero(s->forms[i].bytes, s->forms[i].len);
        free(s->forms[i].bytes);
    }
    secret_count--;
    memmove(s, s + 1, (secret_count - index) * sizeof *s);
    secrets[secret_count] = (struct secret){0};
}

/* may_begin keeps what a secret that was dropped has set: it then only looks closer than it had to. */
static enum lp_code add(const char *value, size_t len, bool passing, struct lp_err *err)
{
    struct secret *s = &secrets[secret_count++];
    *s = (struct secret){.passing = passing};
    enum lp_code code = add_form(s, value, len, false, err);
    for (size_t shift = 0; !code && shift < 3; shift++) code = add_base64_form(s, value, len, shift, err);
    if (code) drop(secret_count - 1);
    return code;
}

/* A secret that is there already: what stays, stays; what passes becomes the newest. */
static bool is_known(const char *value, size_t len, bool passing)
{
    for (size_t i = 0; i < secret_count; i++) {
        struct secret s = secrets[i];
        if (s.forms[0].len != len || memcmp(s.forms[0].bytes, value, len) != 0) continue;
        memmove(&secrets[i], &secrets[i + 1], (secret_count - i - 1) * sizeof s);
        s.passing &= passing;
        secrets[secret_count - 1] = s;
        return true;
    }
    return false;
}

static size_t count_of(bool passing)
{
    size_t count = 0;
    for (size_t i = 0; i < secret_count; i++) count += secrets[i].passing == passing;
    return count;
}

enum lp_code lp_secret_add(const char *value, size_t len, struct lp_err *err)
{
    if (len < LP_SECRET_MIN_BYTES) return LP_OK;
    if (len > MAX_SECRET_BYTES) return lp_fail(err, LP_LIMIT, "a secret is longer than %d bytes", MAX_SECRET_BYTES);
    if (is_known(value, len, false)) return LP_OK;
    if (count_of(false) == MAX_SECRETS) return lp_fail(err, LP_LIMIT, "more than %d secrets", MAX_SECRETS);
    return add(value, len, false, err);
}

enum lp_code lp_secret_add_passing(const char *value, size_t len, struct lp_err *err)
{
    if (len < LP_SECRET_MIN_BYTES) return LP_OK;
    if (len > MAX_SECRET_BYTES) return lp_fail(err, LP_LIMIT, "a secret is longer than %d bytes", MAX_SECRET_BYTES);
    if (is_known(value, len, true)) return LP_OK;
    if (count_of(true) == MAX_PASSING) {
        size_t oldest = 0;
        while (!secrets[oldest].passing) oldest++;
        drop(oldest);
    }
    return add(value, len, true, err);
}

bool lp_secret_any(void)
{
    return secret_count > 0;
}

static bool hex_value(const char *at, size_t digits, unsigned *value)
{
    *value = 0;
    for (size_t i = 0; i < digits; i++) {
        char c = at[i];
        unsigned digit = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                         : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10)
                         : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A' + 10)
                                                : 16;
        if (digit == 16) return false;
        *value = *value << 4 | digit;
    }
    return true;
}

/* JSON's \uXXXX, or a pair of them, as UTF-8; the number of bytes it is written with, 0 when it is none. */
static size_t read_json_escape(const char *at, size_t len, char out[4], size_t *count)
{
    unsigned code, low;
    size_t used = 6;
    if (len < 6 || !hex_value(at + 2, 4, &code)) return 0;
    if (code >= 0xD800 && code < 0xDC00 && len >= 12 && at[6] == '\\' && at[7] == 'u' && hex_value(at + 8, 4, &low) &&
        low >= 0xDC00 && low < 0xE000) {
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
        used = 12;
    }
    *count = lp_utf8_put(code, out);
    return used;
}

/* One character of text however it is written; the number of bytes it is written with. */
static size_t read_escape(const char *at, size_t len, char out[4], size_t *count)
{
    unsigned value;
    *count = 1;
    out[0] = *at;
    if (*at == '%' && len >= 3 && hex_value(at + 1, 2, &value)) {
        out[0] = (char)value;
        return 3;
    }
    if (*at != '\\' || len < 2) return 1;
    if (at[1] == 'u') {
        size_t used = read_json_escape(at, len, out, count);
        return used ? used : 1;
    }
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    const char *name = at[1] ? strchr(names, at[1]) : NULL;
    if (!name) return 1;
    out[0] = values[name - names];
    return 2;
}

/* The number of bytes of text that spell the form, in whatever mixture of percent and JSON escapes; 0: they do not. */
static size_t match_escaped(const struct form *f, const char *text, size_t len)
{
    size_t at = 0;
    for (size_t i = 0; i < f->len;) {
        char c[4];
        size_t count, used = at < len ? read_escape(text + at, len - at, c, &count) : 0;
        if (!used) return 0;
        bool same = count <= f->len - i && !memcmp(c, f->bytes + i, count);
        bool stands_for =
            count == 1 && ((*c == '+' && f->bytes[i] == ' ') || (f->base64 && *c == '-' && f->bytes[i] == '+') ||
                           (f->base64 && *c == '_' && f->bytes[i] == '/'));
        if (!same && text[at] == f->bytes[i]) count = used = 1; /* a % or \ of its own */
        else if (!same && !stands_for) return 0;
        at += used;
        i += count;
    }
    return at;
}

/* The earliest spelling of a secret at or after `at`, and the longest of those that begin there; its length, or 0. */
static size_t find(const char *bytes, size_t len, size_t at, size_t *where)
{
    for (; at < len; at++) {
        if (!may_begin[(unsigned char)bytes[at]]) continue;
        size_t longest = 0;
        for (size_t i = 0; i < secret_count * FORMS_PER_SECRET; i++) {
            const struct form *f = &secrets[i / FORMS_PER_SECRET].forms[i % FORMS_PER_SECRET];
            if (!f->len) continue;
            bool raw = f->len <= len - at && !memcmp(bytes + at, f->bytes, f->len);
            size_t used = raw ? f->len : match_escaped(f, bytes + at, len - at);
            if (used > longest) longest = used;
        }
        *where = at;
        if (longest) return longest;
    }
    return 0;
}

bool lp_secret_found(const char *bytes, size_t len)
{
    size_t where;
    return secret_count && find(bytes, len, 0, &where);
}

void lp_secret_mask(const char *bytes, size_t len, struct lp_buf *out)
{
    size_t at = 0, where, used;
    while (secret_count && (used = find(bytes, len, at, &where))) {
        lp_buf_put(out, bytes + at, where - at);
        lp_buf_puts(out, LP_SECRET_MASK);
        at = where + used;
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
    while (secret_count) drop(secret_count - 1);
    memset(may_begin, 0, sizeof may_begin);
}

void lp_secret_guard_process(void)
{
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
#ifndef __SANITIZE_ADDRESS__ /* its leak checker traces the process */
    prctl(PR_SET_DUMPABLE, 0L, 0L, 0L, 0L);
#endif
}
