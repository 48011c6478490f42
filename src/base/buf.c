#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>

#define DEFAULT_MAX_BYTES ((size_t)64 << 20)

void lp_buf_init(struct lp_buf *b, size_t max_bytes)
{
    *b = (struct lp_buf){.max_bytes = max_bytes};
}

void lp_buf_release(struct lp_buf *b)
{
    if (!b) return;
    free(b->data);
    *b = (struct lp_buf){.max_bytes = b->max_bytes};
}

void lp_buf_clear(struct lp_buf *b)
{
    b->len = 0;
    b->failed = LP_OK;
    if (b->data) b->data[0] = '\0';
}

static bool grow(struct lp_buf *b, size_t n)
{
    size_t max = b->max_bytes ? b->max_bytes : DEFAULT_MAX_BYTES;
    if (b->failed) return false;
    if (n > max || b->len > max - n) {
        b->failed = LP_LIMIT;
        return false;
    }
    size_t want = b->len + n + 1, cap = b->cap ? b->cap : 256;
    while (cap < want) cap *= 2;
    char *data = realloc(b->data, cap);
    if (!data) {
        b->failed = LP_NOMEM;
        return false;
    }
    data[b->len] = '\0';
    b->data = data;
    b->cap = cap;
    return true;
}

bool lp_buf_reserve(struct lp_buf *b, size_t n)
{
    if (b->failed) return false;
    if (b->cap > b->len && n < b->cap - b->len) {
        size_t max = b->max_bytes ? b->max_bytes : DEFAULT_MAX_BYTES;
        if (n <= max && b->len <= max - n) return true;
    }
    return grow(b, n);
}

void lp_buf_put(struct lp_buf *b, const void *bytes, size_t n)
{
    if (!n || !lp_buf_reserve(b, n)) return;
    memcpy(b->data + b->len, bytes, n);
    b->len += n;
    b->data[b->len] = '\0';
}

void lp_buf_puts(struct lp_buf *b, const char *text)
{
    lp_buf_put(b, text, strlen(text));
}

void lp_buf_putc(struct lp_buf *b, char c)
{
    lp_buf_put(b, &c, 1);
}

void lp_buf_vprintf(struct lp_buf *b, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (len <= 0 || !lp_buf_reserve(b, (size_t)len)) return;
    vsnprintf(b->data + b->len, (size_t)len + 1, format, args);
    b->len += (size_t)len;
}

void lp_buf_printf(struct lp_buf *b, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    lp_buf_vprintf(b, format, args);
    va_end(args);
}

const char *lp_buf_text(const struct lp_buf *b)
{
    return b->data ? b->data : "";
}

enum lp_code lp_buf_code(const struct lp_buf *b, const char *what, struct lp_err *err)
{
    if (!b->failed) return LP_OK;
    if (b->failed == LP_NOMEM) return lp_nomem(err);
    return lp_fail(err, LP_LIMIT, "%s: longer than %zu bytes", what, b->max_bytes ? b->max_bytes : DEFAULT_MAX_BYTES);
}
