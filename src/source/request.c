#include "source/request.h"

#include "base/secret.h"
#include "source/url.h"

#include <stdlib.h>

#define MAX_URL_BYTES ((size_t)64 * 1024)

/* In a path or address as written only what may never stand in one is encoded. */
static void escape_literal(struct lp_buf *out, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)bytes[i];
        if (c <= ' ' || c >= 0x7F || strchr("\"<>\\^`{|}", c)) lp_percent_encode(out, bytes + i, 1, "");
        else lp_buf_putc(out, (char)c);
    }
}

static void escape_value(struct lp_buf *out, const char *bytes, size_t len)
{
    lp_percent_encode(out, bytes, len, "");
}

/* Commas and colons are allowed in a query and are easier to read as they are. */
static void escape_query(struct lp_buf *out, const char *bytes, size_t len)
{
    lp_percent_encode(out, bytes, len, ",:");
}

static void put_separator(struct lp_buf *url)
{
    lp_buf_putc(url, memchr(lp_buf_text(url), '?', url->len) ? '&' : '?');
}

static void put_url(const struct lp_source *s, const struct lp_bindings *b, const char *secret, bool shown,
                    struct lp_buf *out)
{
    lp_template_put(&s->get, b, escape_literal, escape_value, out);
    const char *fragment = memchr(lp_buf_text(out), '#', out->len);
    if (fragment) out->data[out->len = (size_t)(fragment - out->data)] = '\0';
    for (size_t i = 0; i < s->query.count; i++) {
        put_separator(out);
        escape_query(out, s->query.list[i].name, strlen(s->query.list[i].name));
        lp_buf_putc(out, '=');
        lp_template_put(&s->query.list[i].value, b, escape_query, escape_query, out);
    }
    if (s->auth.kind != LP_AUTH_QUERY) return;
    put_separator(out);
    escape_query(out, s->auth.name, strlen(s->auth.name));
    lp_buf_putc(out, '=');
    if (shown) lp_buf_puts(out, LP_SECRET_MASK);
    else escape_value(out, secret, strlen(secret));
}

static enum lp_code put_header(struct lp_request *q, size_t *offsets, const char *name, struct lp_err *err)
{
    if (q->header_count == LP_REQUEST_MAX_HEADERS)
        return lp_fail(err, LP_LIMIT, "more than %d headers", LP_REQUEST_MAX_HEADERS);
    offsets[q->header_count++] = q->header_text.len;
    lp_buf_puts(&q->header_text, name);
    lp_buf_puts(&q->header_text, ": ");
    return LP_OK;
}

static enum lp_code put_headers(struct lp_request *q, const struct lp_source *s, const struct lp_bindings *b,
                                struct lp_err *err)
{
    size_t offsets[LP_REQUEST_MAX_HEADERS];
    for (size_t i = 0; i < s->headers.count; i++) {
        LP_TRY(put_header(q, offsets, s->headers.list[i].name, err));
        size_t start = q->header_text.len;
        lp_template_put(&s->headers.list[i].value, b, NULL, NULL, &q->header_text);
        if (strpbrk(lp_buf_text(&q->header_text) + start, "\r\n"))
            return lp_fail(err, LP_DATA, "a value with a line break cannot stand in the header %s",
                           s->headers.list[i].name);
        lp_buf_putc(&q->header_text, '\0');
    }
    if (s->auth.kind == LP_AUTH_HEADER || s->auth.kind == LP_AUTH_BEARER) {
        LP_TRY(put_header(q, offsets, s->auth.kind == LP_AUTH_HEADER ? s->auth.name : "Authorization", err));
        if (s->auth.kind == LP_AUTH_BEARER) lp_buf_puts(&q->header_text, "Bearer ");
        lp_buf_puts(&q->header_text, s->auth.value);
        lp_buf_putc(&q->header_text, '\0');
    }
    for (size_t i = 0; i < q->header_count; i++) q->headers[i] = lp_buf_text(&q->header_text) + offsets[i];
    return lp_buf_code(&q->header_text, "the headers", err);
}

enum lp_code lp_request_build(struct lp_request *q, const struct lp_source *s, const struct lp_bindings *b,
                              struct lp_err *err)
{
    q->url.max_bytes = q->header_text.max_bytes = MAX_URL_BYTES;
    lp_buf_clear(&q->url);
    lp_buf_clear(&q->header_text);
    q->header_count = 0;
    put_url(s, b, s->auth.value ? s->auth.value : "", false, &q->url);
    LP_TRY(lp_buf_code(&q->url, "the address", err));
    LP_TRY(lp_url_check(lp_buf_text(&q->url), err));
    return put_headers(q, s, b, err);
}

enum lp_code lp_request_shown_url(const struct lp_source *s, const struct lp_bindings *b, struct lp_buf *out,
                                  struct lp_err *err)
{
    LP_AUTO(lp_buf) url = {.max_bytes = MAX_URL_BYTES};
    put_url(s, b, "", true, &url);
    lp_secret_mask(lp_buf_text(&url), url.len, out);
    LP_TRY(lp_buf_code(&url, "the address", err));
    return lp_buf_code(out, "the address", err);
}

void lp_request_release(struct lp_request *q)
{
    if (!q) return;
    if (q->url.data) explicit_bzero(q->url.data, q->url.cap);
    if (q->header_text.data) explicit_bzero(q->header_text.data, q->header_text.cap);
    lp_buf_release(&q->url);
    lp_buf_release(&q->header_text);
}
