/* A bucket as a store: every key is an object below the prefix. Objects appear when their one PUT, or the completion of
 * their parts, is answered; so commit is where a key becomes visible, as in a directory. */
#include "base/clock.h"
#include "lake/store_s3.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void lp_s3_put_url(const struct lp_s3_store *s, const char *key, struct lp_buf *out)
{
    lp_buf_printf(out, "s3://%s/%s%s", s->bucket, s->prefix, key);
}

static void put_url(const struct lp_store *s, const char *key, struct lp_buf *out)
{
    lp_s3_put_url((const struct lp_s3_store *)s, key, out);
}

/* ---- one request ---- */

void lp_s3_request_init(struct lp_s3_request *q, const struct lp_s3_store *s, const char *method, const char *key)
{
    *q = (struct lp_s3_request){.aws = {.service = "s3", .region = s->options.region, .bucket = s->bucket, .method = method}};
    lp_buf_putc(&q->path, '/');
    if (key) {
        lp_percent_encode(&q->path, s->prefix, strlen(s->prefix), "/");
        lp_percent_encode(&q->path, key, strlen(key), "/");
    }
    if (s->options.expected_bucket_owner)
        lp_s3_add_header(q, "x-amz-expected-bucket-owner: %s", s->options.expected_bucket_owner);
}

void lp_s3_request_release(struct lp_s3_request *q)
{
    for (size_t i = 0; i < q->aws.header_count; i++) free(q->headers[i]);
    lp_buf_release(&q->path);
    lp_buf_release(&q->query);
    *q = (struct lp_s3_request){0};
}

void lp_s3_add_header(struct lp_s3_request *q, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (q->aws.header_count == LP_S3_HEADERS || vasprintf(&q->headers[q->aws.header_count], format, args) < 0)
        q->failed = true;
    else q->aws.header_count++;
    va_end(args);
}

void lp_s3_add_query(struct lp_s3_request *q, const char *name, const char *value)
{
    if (q->query.len) lp_buf_putc(&q->query, '&');
    lp_buf_printf(&q->query, "%s=", name);
    if (value) lp_percent_encode(&q->query, value, strlen(value), "");
}

static const char *type_of(const char *key)
{
    static const struct {
        const char *ending, *type;
    } types[] = {{".csv", "text/csv; charset=utf-8"},
                 {".json", "application/json"},
                 {".jsonl", "application/x-ndjson"},
                 {".parquet", "application/vnd.apache.parquet"}};
    size_t len = strlen(key);
    for (size_t i = 0; i < LP_COUNT(types); i++) {
        size_t n = strlen(types[i].ending);
        if (len >= n && !strcmp(key + len - n, types[i].ending)) return types[i].type;
    }
    return "application/octet-stream";
}

void lp_s3_add_object_headers(struct lp_s3_request *q, const struct lp_s3_store *s, const char *key)
{
    static const char *const encryptions[] = {NULL, "AES256", "aws:kms", "aws:kms:dsse"};
    lp_s3_add_header(q, "content-type: %s", type_of(key));
    if (s->options.encryption != LP_S3_NO_ENCRYPTION)
        lp_s3_add_header(q, "x-amz-server-side-encryption: %s", encryptions[s->options.encryption]);
    if (s->options.kms_key) lp_s3_add_header(q, "x-amz-server-side-encryption-aws-kms-key-id: %s", s->options.kms_key);
}

void lp_s3_put_checksum(uint32_t crc, char out[9])
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint64_t bits = (uint64_t)crc << 4; /* 36 of them */
    memcpy(out, "......==", 9);
    for (size_t i = 0; i < 6; i++) out[i] = alphabet[bits >> (30 - 6 * i) & 63];
}

void lp_s3_add_checksum(struct lp_s3_request *q, uint32_t crc)
{
    char text[9];
    lp_s3_put_checksum(crc, text);
    lp_s3_add_header(q, "x-amz-checksum-crc32: %s", text);
}

enum lp_code lp_s3_explain(const struct lp_s3_store *s, const struct lp_aws_reply *reply, enum lp_code code,
                           struct lp_err *err)
{
    static const char ask_doctor[] = "`lambda-pipeline doctor FILE` names the statement that is missing";
    const char *name = reply->error_code;
    struct lp_err local;
    if (!code || !err) return code;
    local = *err;
    /* LP_NOTFOUND is for a key; without its bucket there is nothing to go on with. */
    if (!strcmp(name, "NoSuchBucket"))
        return lp_fail(err, LP_REMOTE, "%s; create it (aws s3 mb s3://%s), or mend sink.to", local.text, s->bucket);
    if (!strcmp(name, "AccessDenied") || !strcmp(name, "403"))
        return lp_fail(err, code, "%s; %s", local.text, ask_doctor);
    if (!strncmp(name, "KMS.", 4)) return lp_fail(err, code, "%s; mend sink.s3.kms_key", local.text);
    if (code == LP_BUSY) return lp_fail(err, code, "%s; run the slot again later", local.text);
    return code;
}

/* What a run changes it changes while the slot is its own: an attempt that lasts longer could undo another run's. */
static int64_t time_left_ms(const struct lp_s3_store *s, const char *method)
{
    if (!s->lease_ends_us || !strcmp(method, "GET") || !strcmp(method, "HEAD")) return 0;
    int64_t left_ms = (s->lease_ends_us - lp_clock_monotonic_us()) / 1000;
    return left_ms > 0 ? left_ms : 1;
}

static enum lp_code seal(const struct lp_s3_store *s, struct lp_s3_request *q, struct lp_err *err)
{
    if (q->failed) return lp_nomem(err);
    LP_TRY(lp_buf_code(&q->path, "an object's name", err));
    LP_TRY(lp_buf_code(&q->query, "an object's name", err));
    q->aws.path = lp_buf_text(&q->path);
    q->aws.query = q->query.len ? lp_buf_text(&q->query) : NULL;
    q->aws.headers = (const char *const *)q->headers;
    q->aws.unsigned_payload = true;
    q->aws.within_ms = time_left_ms(s, q->aws.method);
    return LP_OK;
}

enum lp_code lp_s3_call(struct lp_s3_store *s, struct lp_s3_request *q, struct lp_aws_reply *reply, struct lp_err *err)
{
    struct lp_err local;
    if (!err) err = &local;
    *reply = (struct lp_aws_reply){0};
    LP_TRY(seal(s, q, err));
    return lp_s3_explain(s, reply, lp_aws_call(s->aws, &q->aws, reply, err), err);
}

enum lp_code lp_s3_start(struct lp_s3_store *s, struct lp_s3_request *q, struct lp_aws_call **out, struct lp_err *err)
{
    LP_TRY(seal(s, q, err));
    return lp_aws_start(s->aws, &q->aws, out, err);
}

/* ---- the contract ---- */

static enum lp_code read_object(struct lp_store *store, const char *key, struct lp_buf *out, struct lp_err *err)
{
    struct lp_s3_store *s = (struct lp_s3_store *)store;
    struct lp_s3_request q;
    struct lp_aws_reply reply = {0};
    LP_TRY(lp_store_check_key(key, err));
    lp_s3_request_init(&q, s, "GET", key);
    enum lp_code code = lp_s3_call(s, &q, &reply, err);
    if (!code) {
        lp_buf_put(out, reply.body.data, reply.body.len);
        code = lp_buf_code(out, key, err);
    }
    lp_aws_reply_release(&reply);
    lp_s3_request_release(&q);
    return code;
}

static enum lp_code remove_object(struct lp_store *store, const char *key, struct lp_err *err)
{
    struct lp_s3_store *s = (struct lp_s3_store *)store;
    struct lp_s3_request q;
    struct lp_aws_reply reply = {0};
    LP_TRY(lp_store_check_key(key, err));
    LP_TRY(lp_s3_renew(s, err));
    lp_s3_request_init(&q, s, "DELETE", key);
    enum lp_code code = lp_s3_call(s, &q, &reply, err);
    lp_aws_reply_release(&reply);
    lp_s3_request_release(&q);
    return code == LP_NOTFOUND ? LP_OK : code;
}

enum lp_code lp_s3_renew(struct lp_s3_store *s, struct lp_err *err)
{
    return s->lock ? s->lock->ops->renew(s->lock, err) : LP_OK;
}

static void free_store(struct lp_store *store)
{
    struct lp_s3_store *s = (struct lp_s3_store *)store;
    lp_s3_spill_release(&s->spill);
    free(s->bucket);
    free(s->prefix);
    free(s);
}

static const struct lp_store_ops ops = {"s3",       lp_s3_begin, read_object, remove_object,
                                        lp_s3_list, lp_s3_lock,  put_url,     free_store};

enum lp_code lp_store_s3_new(const char *root, const struct lp_s3_options *o, struct lp_aws *aws, struct lp_store **out,
                             struct lp_err *err)
{
    static const struct lp_s3_options none;
    const char *bucket = root + strlen("s3://"), *prefix = strchrnul(bucket, '/');
    struct lp_s3_store *s = calloc(1, sizeof *s);
    if (!s) return lp_nomem(err);
    *s = (struct lp_s3_store){.store.ops = &ops, .aws = aws, .options = o ? *o : none, .spill.fd = -1};
    s->bucket = strndup(bucket, (size_t)(prefix - bucket));
    size_t len = strlen(prefix);
    while (len && prefix[len - 1] == '/') len--;
    if (len <= 1) s->prefix = strdup("");
    else if (asprintf(&s->prefix, "%.*s/", (int)len - 1, prefix + 1) < 0) s->prefix = NULL;
    if (!s->bucket || !s->prefix) {
        free_store(&s->store);
        return lp_nomem(err);
    }
    *out = &s->store;
    return LP_OK;
}
