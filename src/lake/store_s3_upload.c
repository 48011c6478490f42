/* An upload to S3. Up to LP_S3_SINGLE_BYTES are kept and sent with one PUT at commit; past that parts go out side by side
 * while more is written, and commit completes them. What is written meanwhile is unseen either way. */
#include "base/number.h"
#include "base/xml.h"
#include "lake/store_s3.h"

#include <libdeflate.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define PARTS_IN_FLIGHT 4
#define PARTS_MAX       10000

/* Several parts may lie in one block. */
struct block {
    char *bytes;
    size_t references;
};

struct flight {
    struct lp_aws_call *call;
    struct lp_s3_request request;
    struct block *block;
    size_t part; /* index */
};

struct part {
    char *etag;
    uint32_t crc;
    size_t bytes;
};

struct s3_upload {
    struct lp_upload upload;
    struct lp_s3_store *store;
    char *key;
    struct block *block; /* being filled; NULL when nothing waits */
    size_t filled, room; /* filled: with what is parked, whose place in the block is free */
    struct lp_s3_parked parked;
    char *upload_id; /* once there are parts */
    bool repeated;   /* an answer to beginning it was lost: there may be another upload, which we do not know */
    struct part *parts;
    size_t part_count, part_cap;
    struct flight flights[PARTS_IN_FLIGHT];
    size_t first_flight, flight_count;
    struct lp_err failure; /* the first, which sticks */
};

static enum lp_code fail_with(struct s3_upload *u, enum lp_code code, const struct lp_err *why, struct lp_err *err)
{
    if (code && !u->failure.code) u->failure = *why;
    if (code && err) *err = u->failure;
    return code;
}

static enum lp_code failed_before(const struct s3_upload *u, struct lp_err *err)
{
    if (u->failure.code && err) *err = u->failure;
    return u->failure.code;
}

static void drop_block(struct block *b)
{
    if (!b || --b->references) return;
    free(b->bytes);
    free(b);
}

/* The memory is the system's until it is written to. */
static struct block *new_block(size_t bytes)
{
    struct block *b = malloc(sizeof *b);
    char *room = malloc(bytes);
    if (b && room) {
        *b = (struct block){room, 1};
        return b;
    }
    free(b);
    free(room);
    return NULL;
}

/* ---- parts ---- */

static enum lp_code start_multipart(struct s3_upload *u, struct lp_err *err)
{
    struct lp_s3_request q;
    struct lp_aws_reply reply = {0};
    lp_s3_request_init(&q, u->store, "POST", u->key);
    lp_s3_add_query(&q, "uploads", NULL);
    lp_s3_add_object_headers(&q, u->store, u->key);
    lp_s3_add_header(&q, "x-amz-checksum-algorithm: CRC32");
    lp_s3_add_header(&q, "x-amz-checksum-type: FULL_OBJECT");
    q.aws.counted = true;
    enum lp_code code = lp_s3_call(u->store, &q, &reply, err);
    u->repeated = reply.attempts > 1;
    if (!code) code = lp_xml_find(lp_buf_text(&reply.body), reply.body.len, "UploadId", &u->upload_id, err);
    if (code == LP_NOTFOUND) code = lp_fail(err, LP_REMOTE, "%s: S3 began an upload and gave no UploadId for it", u->key);
    lp_aws_reply_release(&reply);
    lp_s3_request_release(&q);
    return code;
}

static enum lp_code land_part(struct s3_upload *u, struct lp_err *err)
{
    struct flight *f = &u->flights[u->first_flight];
    struct lp_aws_reply reply = {0};
    struct lp_slice etag;
    enum lp_code code = lp_aws_finish(u->store->aws, &f->call, &reply, err);
    if (code) code = lp_s3_explain(u->store, &reply, code, err);
    else if (!lp_aws_reply_header(&reply, "etag", &etag))
        code = lp_fail(err, LP_REMOTE, "%s: S3 took a part and gave no ETag for it", u->key);
    else if (memchr(etag.at, '<', etag.len) || memchr(etag.at, '&', etag.len)) /* it goes into the list of parts */
        code = lp_fail(err, LP_REMOTE, "%s: S3 took a part and gave it an ETag that is none", u->key);
    else if (!(u->parts[f->part].etag = strndup(etag.at, etag.len))) code = lp_nomem(err);
    lp_aws_reply_release(&reply);
    lp_s3_request_release(&f->request);
    drop_block(f->block);
    f->block = NULL;
    u->first_flight = (u->first_flight + 1) % PARTS_IN_FLIGHT;
    u->flight_count--;
    return code;
}

static enum lp_code add_part(struct s3_upload *u, uint32_t crc, size_t len, struct lp_err *err)
{
    if (u->part_count == PARTS_MAX)
        return lp_fail(err, LP_LIMIT, "%s: an object of more than %d parts of 8 MiB; partition by something finer", u->key,
                       PARTS_MAX);
    if (u->part_count == u->part_cap) {
        size_t cap = u->part_cap ? u->part_cap * 2 : 16;
        struct part *parts = reallocarray(u->parts, cap, sizeof *parts);
        if (!parts) return lp_nomem(err);
        u->parts = parts;
        u->part_cap = cap;
    }
    u->parts[u->part_count++] = (struct part){NULL, crc, len};
    return LP_OK;
}

/* Takes over a reference to the block. */
static enum lp_code send_part(struct s3_upload *u, struct block *b, const char *bytes, size_t len, struct lp_err *err)
{
    char number[LP_NUMBER_TEXT_BYTES];
    uint32_t crc = libdeflate_crc32(0, bytes, len);
    enum lp_code code = lp_s3_renew(u->store, err);
    if (!code && u->flight_count == PARTS_IN_FLIGHT) code = land_part(u, err);
    if (!code) code = add_part(u, crc, len, err);
    if (code) {
        drop_block(b);
        return code;
    }
    struct flight *f = &u->flights[(u->first_flight + u->flight_count) % PARTS_IN_FLIGHT];
    *f = (struct flight){.block = b, .part = u->part_count - 1};
    lp_s3_request_init(&f->request, u->store, "PUT", u->key);
    lp_int64_format((int64_t)u->part_count, number);
    lp_s3_add_query(&f->request, "partNumber", number);
    lp_s3_add_query(&f->request, "uploadId", u->upload_id);
    lp_s3_add_checksum(&f->request, crc);
    f->request.aws.body = bytes;
    f->request.aws.body_len = len;
    code = lp_s3_start(u->store, &f->request, &f->call, err);
    if (!code) {
        u->flight_count++;
        return lp_aws_turn(u->store->aws, err);
    }
    lp_s3_request_release(&f->request);
    drop_block(b);
    return code;
}

/* All that waits goes out as parts; the first time that begins the multipart upload. */
static enum lp_code send_waiting(struct s3_upload *u, struct lp_err *err)
{
    struct block *b = u->block;
    size_t len = u->filled;
    enum lp_code code = u->upload_id ? LP_OK : start_multipart(u, err);
    u->block = NULL;
    u->filled = u->room = 0;
    for (size_t at = 0; at < len && !code; at += LP_S3_PART_BYTES) {
        b->references++;
        code = send_part(u, b, b->bytes + at, len - at < LP_S3_PART_BYTES ? len - at : LP_S3_PART_BYTES, err);
    }
    drop_block(b);
    return code;
}

/* ---- what is written ---- */

/* A block for what comes; its beginning stays free for what is parked. */
static enum lp_code make_room(struct s3_upload *u, struct lp_err *err)
{
    if (u->block) return LP_OK;
    u->room = u->upload_id ? LP_S3_PART_BYTES : LP_S3_SINGLE_BYTES;
    u->block = new_block(u->room);
    if (!u->block) return lp_nomem(err);
    u->filled = u->parked.bytes;
    return LP_OK;
}

/* What was parked comes before what is in the block, where its place was left free. */
static enum lp_code unpark(struct s3_upload *u, struct lp_err *err)
{
    if (!u->parked.bytes) return LP_OK;
    LP_TRY(make_room(u, err));
    LP_TRY(lp_s3_spill_read(&u->store->spill, &u->parked, u->block->bytes, err));
    lp_s3_spill_drop(&u->store->spill, &u->parked);
    return LP_OK;
}

static enum lp_code take(struct s3_upload *u, const char *bytes, size_t len, struct lp_err *err)
{
    while (len) {
        LP_TRY(make_room(u, err));
        if (u->filled == u->room) {
            LP_TRY(unpark(u, err));
            LP_TRY(send_waiting(u, err));
            continue;
        }
        size_t n = u->room - u->filled < len ? u->room - u->filled : len;
        memcpy(u->block->bytes + u->filled, bytes, n);
        u->filled += n;
        bytes += n;
        len -= n;
    }
    return LP_OK;
}

static enum lp_code write_bytes(struct lp_upload *upload, const void *bytes, size_t len, struct lp_err *err)
{
    struct s3_upload *u = (struct s3_upload *)upload;
    struct lp_err local;
    LP_TRY(failed_before(u, err));
    return fail_with(u, take(u, bytes, len, &local), &local, err);
}

/* ---- parking ---- */

static enum lp_code spill(struct s3_upload *u, struct lp_err *err)
{
    size_t before = u->parked.bytes;
    LP_TRY(lp_s3_spill_add(&u->store->spill, &u->parked, u->block->bytes + before, u->filled - before, err));
    drop_block(u->block);
    u->block = NULL;
    u->filled = u->room = 0;
    return LP_OK;
}

static enum lp_code land_parts(struct s3_upload *u, struct lp_err *err)
{
    while (u->flight_count) LP_TRY(land_part(u, err));
    return LP_OK;
}

static enum lp_code park(struct lp_upload *upload, struct lp_err *err)
{
    struct s3_upload *u = (struct s3_upload *)upload;
    struct lp_err local;
    LP_TRY(failed_before(u, err));
    LP_TRY(fail_with(u, land_parts(u, &local), &local, err));
    return u->block ? fail_with(u, spill(u, &local), &local, err) : LP_OK;
}

/* ---- the end ---- */

static void release(struct s3_upload *u)
{
    for (; u->flight_count; u->flight_count--) {
        struct flight *f = &u->flights[u->first_flight];
        lp_aws_cancel(u->store->aws, &f->call);
        lp_s3_request_release(&f->request);
        drop_block(f->block);
        u->first_flight = (u->first_flight + 1) % PARTS_IN_FLIGHT;
    }
    for (size_t i = 0; i < u->part_count; i++) free(u->parts[i].etag);
    drop_block(u->block);
    free(u->parts);
    lp_s3_spill_drop(&u->store->spill, &u->parked);
    free(u->upload_id);
    free(u->key);
    free(u);
}

static void abort_upload(struct lp_upload *upload)
{
    struct s3_upload *u = (struct s3_upload *)upload;
    struct lp_s3_request q;
    struct lp_aws_reply reply = {0};
    struct lp_err ignored;
    for (size_t i = 0; i < u->flight_count; i++)
        lp_aws_cancel(u->store->aws, &u->flights[(u->first_flight + i) % PARTS_IN_FLIGHT].call);
    if (u->upload_id) {
        lp_s3_request_init(&q, u->store, "DELETE", u->key);
        lp_s3_add_query(&q, "uploadId", u->upload_id);
        (void)!lp_s3_call(u->store, &q, &reply, &ignored); /* else the bucket's rule for unfinished uploads does */
        lp_aws_reply_release(&reply);
        lp_s3_request_release(&q);
    }
    if (u->repeated) (void)!lp_s3_sweep(u->store, u->key, &ignored);
    release(u);
}

static enum lp_code put_single(struct s3_upload *u, struct lp_err *err)
{
    struct lp_s3_request q;
    struct lp_aws_reply reply = {0};
    const char *bytes = u->block ? u->block->bytes : "";
    lp_s3_request_init(&q, u->store, "PUT", u->key);
    lp_s3_add_object_headers(&q, u->store, u->key);
    lp_s3_add_checksum(&q, libdeflate_crc32(0, bytes, u->filled));
    q.aws.body = bytes;
    q.aws.body_len = u->filled;
    enum lp_code code = lp_s3_call(u->store, &q, &reply, err);
    lp_aws_reply_release(&reply);
    lp_s3_request_release(&q);
    return code;
}

static void put_parts(const struct s3_upload *u, struct lp_buf *out, uint32_t *whole)
{
    *whole = (uint32_t)crc32_z(0, NULL, 0);
    lp_buf_puts(out, "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
    for (size_t i = 0; i < u->part_count; i++) {
        const struct part *p = &u->parts[i];
        char text[9];
        lp_s3_put_checksum(p->crc, text);
        lp_buf_printf(out, "<Part><ETag>%s</ETag><PartNumber>%zu</PartNumber><ChecksumCRC32>%s</ChecksumCRC32></Part>",
                      p->etag, i + 1, text);
        *whole = (uint32_t)crc32_combine(*whole, p->crc, (z_off_t)p->bytes);
    }
    lp_buf_puts(out, "</CompleteMultipartUpload>");
}

/* Whatever was answered, or not: does the object hold what we sent? */
static bool is_complete(struct s3_upload *u, uint32_t whole)
{
    struct lp_s3_request q;
    struct lp_aws_reply reply = {0};
    struct lp_slice length, checksum;
    struct lp_err ignored;
    char bytes[LP_NUMBER_TEXT_BYTES], text[9];
    size_t total = 0;
    for (size_t i = 0; i < u->part_count; i++) total += u->parts[i].bytes;
    lp_int64_format((int64_t)total, bytes);
    lp_s3_put_checksum(whole, text);
    lp_s3_request_init(&q, u->store, "HEAD", u->key);
    lp_s3_add_header(&q, "x-amz-checksum-mode: ENABLED");
    bool same = !lp_s3_call(u->store, &q, &reply, &ignored) && lp_aws_reply_header(&reply, "content-length", &length) &&
                lp_slice_is(length, bytes) && lp_aws_reply_header(&reply, "x-amz-checksum-crc32", &checksum) &&
                lp_slice_is(checksum, text);
    lp_aws_reply_release(&reply);
    lp_s3_request_release(&q);
    return same;
}

/* 200 is sent before S3 has begun; only what follows tells how it went. */
static enum lp_code require_complete(const char *key, const struct lp_buf *body, struct lp_err *err)
{
    const char *at = lp_buf_text(body);
    char *etag;
    size_t space = strspn(at, " \t\r\n");
    enum lp_code code = lp_xml_find(at + space, body->len - space, "CompleteMultipartUploadResult/ETag", &etag, err);
    if (!code) free(etag);
    if (!code || code == LP_NOMEM) return code;
    return lp_fail(err, LP_BUSY, "%s: S3 answers 200 and does not say that the object is complete; run the slot again later",
                   key);
}

static enum lp_code complete(struct s3_upload *u, struct lp_err *err)
{
    struct lp_s3_request q;
    struct lp_aws_reply reply = {0};
    LP_AUTO(lp_buf) body = {0};
    uint32_t whole;
    if (u->filled) LP_TRY(send_waiting(u, err));
    LP_TRY(land_parts(u, err));
    put_parts(u, &body, &whole);
    LP_TRY(lp_buf_code(&body, "the list of parts", err));
    lp_s3_request_init(&q, u->store, "POST", u->key);
    lp_s3_add_query(&q, "uploadId", u->upload_id);
    lp_s3_add_header(&q, "content-type: application/xml");
    lp_s3_add_header(&q, "x-amz-checksum-type: FULL_OBJECT");
    lp_s3_add_checksum(&q, whole);
    q.aws.body = lp_buf_text(&body);
    q.aws.body_len = body.len;
    enum lp_code code = lp_s3_call(u->store, &q, &reply, err);
    if (!code) code = require_complete(u->key, &reply.body, err);
    bool asked = reply.attempts > 0;
    lp_aws_reply_release(&reply);
    lp_s3_request_release(&q);
    if (code) return asked && code != LP_CANCELLED && is_complete(u, whole) ? LP_OK : code;
    free(u->upload_id);
    u->upload_id = NULL; /* it is an object now */
    return LP_OK;
}

static enum lp_code commit(struct lp_upload *upload, struct lp_err *err)
{
    struct s3_upload *u = (struct s3_upload *)upload;
    enum lp_code code = failed_before(u, err);
    if (!code) code = lp_s3_renew(u->store, err);
    if (!code) code = unpark(u, err);
    if (!code) code = u->upload_id ? complete(u, err) : put_single(u, err);
    abort_upload(upload);
    return code;
}

static const struct lp_upload_ops upload_ops = {write_bytes, park, commit, abort_upload};

enum lp_code lp_s3_begin(struct lp_store *store, const char *key, struct lp_upload **out, struct lp_err *err)
{
    struct lp_s3_store *s = (struct lp_s3_store *)store;
    LP_TRY(lp_store_check_key(key, err));
    if (strlen(s->prefix) + strlen(key) > LP_STORE_KEY_BYTES)
        return lp_fail(err, LP_LIMIT, "%s%.80s…: S3 takes names of %d bytes at most", s->prefix, key, LP_STORE_KEY_BYTES);
    LP_TRY(lp_s3_renew(s, err));
    if (s->sweeps) LP_TRY(lp_s3_sweep(s, key, err));
    struct s3_upload *u = calloc(1, sizeof *u);
    if (!u) return lp_nomem(err);
    *u = (struct s3_upload){.upload.ops = &upload_ops, .store = s, .key = strdup(key)};
    if (!u->key) {
        free(u);
        return lp_nomem(err);
    }
    *out = &u->upload;
    return LP_OK;
}
