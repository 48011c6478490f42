#define OPENSSL_SUPPRESS_DEPRECATED /* sign.h says why SHA256_ is called directly */
#include "aws/sign.h"

#include "base/clock.h"
#include "base/text.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>

#define CANONICAL_BYTES ((size_t)256 * 1024)
#define QUERY_PARTS_MAX 256
/* RFC 9110 5.6.2 */
#define NAME_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.!#$%&'*+^`|~"

struct digest {
    unsigned char bytes[SHA256_DIGEST_LENGTH];
};

/* ---- hashes ---- */

static void put_hex(struct digest d, char out[LP_SHA256_HEX_BYTES])
{
    for (size_t i = 0; i < sizeof d.bytes; i++) {
        out[2 * i] = "0123456789abcdef"[d.bytes[i] >> 4];
        out[2 * i + 1] = "0123456789abcdef"[d.bytes[i] & 15];
    }
    out[LP_SHA256_HEX_BYTES - 1] = '\0';
}

void lp_sha256_hex(const void *bytes, size_t len, char out[LP_SHA256_HEX_BYTES])
{
    struct digest d;
    SHA256_CTX c;
    SHA256_Init(&c);
    SHA256_Update(&c, bytes, len);
    SHA256_Final(d.bytes, &c);
    put_hex(d, out);
}

/* RFC 2104. */
static struct digest hmac(const void *key, size_t key_len, const void *bytes, size_t len)
{
    unsigned char inner[SHA256_CBLOCK] = {0}, outer[SHA256_CBLOCK];
    struct digest d;
    SHA256_CTX c;
    if (key_len > sizeof inner) {
        SHA256_Init(&c);
        SHA256_Update(&c, key, key_len);
        SHA256_Final(inner, &c);
    } else {
        memcpy(inner, key, key_len);
    }
    for (size_t i = 0; i < sizeof inner; i++) {
        outer[i] = inner[i] ^ 0x5c;
        inner[i] ^= 0x36;
    }
    SHA256_Init(&c);
    SHA256_Update(&c, inner, sizeof inner);
    SHA256_Update(&c, bytes, len);
    SHA256_Final(d.bytes, &c);
    SHA256_Init(&c);
    SHA256_Update(&c, outer, sizeof outer);
    SHA256_Update(&c, d.bytes, sizeof d.bytes);
    SHA256_Final(d.bytes, &c);
    explicit_bzero(inner, sizeof inner);
    explicit_bzero(outer, sizeof outer);
    explicit_bzero(&c, sizeof c);
    return d;
}

static struct digest hmac_text(struct digest key, const char *text)
{
    return hmac(key.bytes, sizeof key.bytes, text, strlen(text));
}

void lp_sign_time(int64_t us, char out[LP_SIGN_TIME_BYTES])
{
    if (lp_time_format(us, "%Y%m%dT%H%M%SZ", out, LP_SIGN_TIME_BYTES)) return;
    memcpy(out, "00000000T000000Z", LP_SIGN_TIME_BYTES); /* a clock outside four-digit years: refused there, not here */
}

/* ---- the path ---- */

static void put_normal_path(struct lp_buf *out, const char *path)
{
    size_t begin = out->len;
    for (const char *at = path; *at;) {
        size_t n = strcspn(at, "/");
        if (n == 2 && !strncmp(at, "..", 2)) {
            while (out->len > begin && out->data[out->len - 1] != '/') out->len--;
            if (out->len > begin) out->len--;
        } else if (n && !(n == 1 && *at == '.')) {
            lp_buf_putc(out, '/');
            lp_buf_put(out, at, n);
        }
        at += n;
        at += *at == '/';
    }
    if (out->len == begin || path[strlen(path) - 1] == '/') lp_buf_putc(out, '/');
}

static void put_path(struct lp_buf *out, const struct lp_sign_request *q)
{
    const char *path = q->path && *q->path ? q->path : "/";
    if (q->path_rule == LP_SIGN_PATH_AS_SENT) {
        lp_buf_puts(out, path);
    } else if (q->path_rule == LP_SIGN_PATH_ENCODED) {
        lp_percent_encode(out, path, strlen(path), "/");
    } else {
        LP_AUTO(lp_buf) normal = {.max_bytes = CANONICAL_BYTES};
        put_normal_path(&normal, path);
        lp_percent_encode(out, lp_buf_text(&normal), normal.len, "/");
        if (normal.failed) out->failed = normal.failed;
    }
    lp_buf_putc(out, '\n');
}

/* ---- the query ---- */

struct part {
    struct lp_slice name, value;
};

static int compare_slices(struct lp_slice a, struct lp_slice b)
{
    int order = memcmp(a.at, b.at, a.len < b.len ? a.len : b.len);
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

static int compare_parts(const void *a, const void *b)
{
    const struct part *x = a, *y = b;
    int order = compare_slices(x->name, y->name);
    return order ? order : compare_slices(x->value, y->value);
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* Decodes and encodes again, so that all spellings of a name or value become the one that is signed. */
static void put_recoded(struct lp_buf *out, struct lp_slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.at[i];
        int high = i + 2 < s.len && c == '%' ? hex_digit(s.at[i + 1]) : -1,
            low = high < 0 ? -1 : hex_digit(s.at[i + 2]);
        if (low >= 0) {
            c = (char)(high << 4 | low);
            i += 2;
        }
        lp_percent_encode(out, &c, 1, "");
    }
}

/* Room for all that will be written is made before, so that the slices stay where they are. */
static enum lp_code put_query(struct lp_buf *out, const char *query, struct lp_err *err)
{
    struct part parts[QUERY_PARTS_MAX];
    size_t count = 0;
    LP_AUTO(lp_buf) text = {.max_bytes = CANONICAL_BYTES};
    if (!lp_buf_reserve(&text, strlen(query) * 3)) return lp_buf_code(&text, "a request's query", err);
    for (const char *at = query; *at;) {
        size_t n = strcspn(at, "&");
        const char *equals = memchr(at, '=', n);
        size_t name_len = equals ? (size_t)(equals - at) : n, begin = text.len;
        if (n) {
            if (count == LP_COUNT(parts))
                return lp_fail(err, LP_LIMIT, "a request's query has more than %zu parts", LP_COUNT(parts));
            put_recoded(&text, (struct lp_slice){at, name_len});
            size_t middle = text.len;
            if (equals) put_recoded(&text, (struct lp_slice){equals + 1, n - name_len - 1});
            parts[count].name = (struct lp_slice){text.data + begin, middle - begin};
            parts[count++].value = (struct lp_slice){text.data + middle, text.len - middle};
        }
        at += n;
        at += *at == '&';
    }
    if (count > 1) qsort(parts, count, sizeof *parts, compare_parts);
    for (size_t i = 0; i < count; i++) {
        if (i) lp_buf_putc(out, '&');
        lp_buf_put(out, parts[i].name.at, parts[i].name.len);
        lp_buf_putc(out, '=');
        lp_buf_put(out, parts[i].value.at, parts[i].value.len);
    }
    lp_buf_putc(out, '\n');
    return LP_OK;
}

/* ---- headers ---- */

struct header {
    struct lp_slice name, value;
    size_t place;
};

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

/* What lies between may drop or change these. */
static bool never_signed(struct lp_slice name)
{
    static const char *const names[] = {"authorization",
                                        "connection",
                                        "expect",
                                        "keep-alive",
                                        "proxy-authenticate",
                                        "proxy-authorization",
                                        "te",
                                        "trailer",
                                        "transfer-encoding",
                                        "upgrade",
                                        "user-agent",
                                        "x-amzn-trace-id"};
    for (size_t i = 0; i < LP_COUNT(names); i++)
        if (strlen(names[i]) == name.len && !strncasecmp(names[i], name.at, name.len)) return true;
    return false;
}

static int compare_headers(const void *a, const void *b)
{
    const struct header *x = a, *y = b;
    size_t shorter = x->name.len < y->name.len ? x->name.len : y->name.len;
    int order = strncasecmp(x->name.at, y->name.at, shorter);
    if (order) return order;
    if (x->name.len != y->name.len) return x->name.len < y->name.len ? -1 : 1;
    return x->place < y->place ? -1 : 1;
}

static enum lp_code gather_headers(const struct lp_sign_request *q, struct header *headers, size_t *count,
                                   struct lp_err *err)
{
    *count = 0;
    if (q->header_count > LP_SIGN_HEADERS_MAX)
        return lp_fail(err, LP_CONFIG, "a request has more than %d headers", LP_SIGN_HEADERS_MAX);
    for (size_t i = 0; i < q->header_count; i++) {
        const char *line = q->headers[i], *colon = strchr(line, ':');
        if (!colon || colon == line || strspn(line, NAME_CHARACTERS) != (size_t)(colon - line) || strpbrk(line, "\r\n"))
            return lp_fail(err, LP_CONFIG, "a header is not of the form \"Name: value\"");
        struct lp_slice name = {line, (size_t)(colon - line)}, value = lp_slice_of(colon + 1);
        if (never_signed(name)) continue;
        while (value.len && is_space(*value.at)) value.at++, value.len--;
        while (value.len && is_space(value.at[value.len - 1])) value.len--;
        headers[*count] = (struct header){name, value, i};
        ++*count;
    }
    if (*count > 1) qsort(headers, *count, sizeof *headers, compare_headers);
    return LP_OK;
}

static bool same_name(const struct header *a, const struct header *b)
{
    return a->name.len == b->name.len && !strncasecmp(a->name.at, b->name.at, a->name.len);
}

static void put_lower(struct lp_buf *out, struct lp_slice s)
{
    for (size_t i = 0; i < s.len; i++)
        lp_buf_putc(out, (char)(s.at[i] >= 'A' && s.at[i] <= 'Z' ? s.at[i] | 32 : s.at[i]));
}

static void put_headers(struct lp_buf *out, const struct header *headers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        bool again = i && same_name(&headers[i - 1], &headers[i]);
        if (again) {
            lp_buf_putc(out, ',');
        } else {
            if (i) lp_buf_putc(out, '\n');
            put_lower(out, headers[i].name);
            lp_buf_putc(out, ':');
        }
        struct lp_slice v = headers[i].value;
        for (size_t k = 0; k < v.len; k++)
            if (!is_space(v.at[k])) lp_buf_putc(out, v.at[k]);
            else if (!is_space(v.at[k - 1])) lp_buf_putc(out, ' '); /* a value begins with no space */
    }
    lp_buf_puts(out, "\n\n");
}

static void put_names(struct lp_buf *out, const struct header *headers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (i && same_name(&headers[i - 1], &headers[i])) continue;
        if (i) lp_buf_putc(out, ';');
        put_lower(out, headers[i].name);
    }
}

/* ---- all together ---- */

static void put_signature(const struct lp_sign_request *q, struct lp_signature *s)
{
    LP_AUTO(lp_buf) first = {0};
    char date[9] = "";
    snprintf(date, sizeof date, "%.8s", q->time);
    lp_buf_reserve(&first, strlen(q->secret_key) + 4); /* so that it never moves and leaves a copy behind */
    lp_buf_puts(&first, "AWS4");
    lp_buf_puts(&first, q->secret_key);
    struct digest key = hmac(lp_buf_text(&first), first.len, date, 8);
    key = hmac_text(key, q->region);
    key = hmac_text(key, q->service);
    key = hmac_text(key, "aws4_request");
    put_hex(hmac(key.bytes, sizeof key.bytes, lp_buf_text(&s->to_sign), s->to_sign.len), s->hex);
    if (first.data) explicit_bzero(first.data, first.cap);
    explicit_bzero(&key, sizeof key);
    if (first.failed) s->authorization.failed = first.failed;
}

enum lp_code lp_sign(const struct lp_sign_request *q, struct lp_signature *s, struct lp_err *err)
{
    struct header headers[LP_SIGN_HEADERS_MAX];
    char hash[LP_SHA256_HEX_BYTES];
    size_t count;
    *s = (struct lp_signature){.canonical.max_bytes = CANONICAL_BYTES,
                               .to_sign.max_bytes = CANONICAL_BYTES,
                               .authorization.max_bytes = CANONICAL_BYTES};
    if (strlen(q->time) != LP_SIGN_TIME_BYTES - 1)
        return lp_fail(err, LP_CONFIG, "the time of a signature is not of the form 20150830T123600Z");
    LP_TRY(gather_headers(q, headers, &count, err));
    struct lp_buf *c = &s->canonical;
    lp_buf_printf(c, "%s\n", q->method);
    put_path(c, q);
    LP_TRY(put_query(c, q->query ? q->query : "", err));
    put_headers(c, headers, count);
    put_names(c, headers, count);
    lp_buf_printf(c, "\n%s", q->payload_hash);
    LP_TRY(lp_buf_code(c, "a request's header", err));

    lp_sha256_hex(c->data, c->len, hash);
    lp_buf_printf(&s->to_sign, "AWS4-HMAC-SHA256\n%s\n%.8s/%s/%s/aws4_request\n%s", q->time, q->time, q->region,
                  q->service, hash);
    LP_TRY(lp_buf_code(&s->to_sign, "a request's signature", err));
    put_signature(q, s);
    lp_buf_printf(&s->authorization,
                  "AWS4-HMAC-SHA256 Credential=%s/%.8s/%s/%s/aws4_request, SignedHeaders=", q->access_key, q->time,
                  q->region, q->service);
    put_names(&s->authorization, headers, count);
    lp_buf_printf(&s->authorization, ", Signature=%s", s->hex);
    return lp_buf_code(&s->authorization, "a request's signature", err);
}

void lp_signature_release(struct lp_signature *s)
{
    lp_buf_release(&s->canonical);
    lp_buf_release(&s->to_sign);
    lp_buf_release(&s->authorization);
}
