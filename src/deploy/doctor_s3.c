/* The bucket, and each thing the program does in it, tried without leaving anything. */
#include "base/cancel.h"
#include "base/xml.h"
#include "deploy/examination.h"
#include "lake/store_s3.h"

#include <stdlib.h>

#define NO_UPLOAD "lambda-pipeline-doctor"

struct bucket {
    struct lp_examination *x;
    struct lp_s3_store *store; /* of the whole bucket */
    struct lp_err *err;
};

/* One call, judged for a resource of the action; the reply stays for the caller. action NULL: not judged. */
static enum lp_code ask(struct bucket *b, struct lp_s3_request *q, const char *action, size_t resource,
                        struct lp_aws_reply *reply, enum lp_code *answer)
{
    struct lp_err local = {0};
    q->aws.total_ms = LP_DOCTOR_CALL_MS;
    *answer = lp_s3_call(b->store, q, reply, &local);
    lp_s3_request_release(q);
    struct lp_trial *t = action ? lp_trial_of(b->x, action, NULL) : NULL;
    enum lp_code code = lp_trial_judge(b->x, t, action ? action : "s3", resource, *answer, reply, &local);
    return code ? lp_fail(b->err, code, "%s", local.text) : LP_OK;
}

static bool stopped(const struct bucket *b)
{
    return b->x->d->problem || b->x->silence;
}

/* The key that stands for a pattern of an object's ARN: what the pattern is for, under a name that no run uses. */
static enum lp_code put_key(const struct bucket *b, const char *arn, struct lp_buf *key)
{
    const char *at = strstr(arn, ":::"), *from = at ? strchr(at, '/') : NULL;
    lp_buf_clear(key);
    for (at = from ? from + 1 : arn; *at; at++) {
        bool literal = !strncmp(at, "${", 2) && at[2] && at[3] == '}';
        if (literal) lp_buf_putc(key, at[2]);
        else if (*at == '*') lp_buf_puts(key, ".doctor");
        else lp_buf_putc(key, *at);
        if (literal) at += 3;
    }
    return lp_buf_code(key, "an object's name", b->err);
}

static const struct lp_permission *need_of(const struct bucket *b, const char *action)
{
    struct lp_trial *t = lp_trial_of(b->x, action, NULL);
    return t ? &b->x->d->needs.list[t - b->x->trials] : NULL;
}

/* ---- is it there, and where? ---- */

static enum lp_code note_region(struct bucket *b, const struct lp_aws_reply *reply)
{
    struct lp_diagnosis *d = b->x->d;
    struct lp_slice region;
    const char *asked = b->store->options.region ? b->store->options.region : d->account.region;
    const char *text = "is there";
    if (lp_aws_reply_header(reply, "x-amz-bucket-region", &region) && region.len < 64) {
        text = lp_examination_text(b->x, "is there, in %.*s", (int)region.len, region.at);
        if (!lp_slice_is(region, asked))
            text = lp_examination_text(
                b->x, "%s, not in %s: each run asks at the wrong place first; write sink.s3.region: %.*s", text, asked,
                (int)region.len, region.at);
    }
    return lp_finding_add(b->x, LP_VERDICT_FINE, lp_examination_text(b->x, "s3://%s", b->store->bucket), text, b->err);
}

static enum lp_code find_bucket(struct bucket *b)
{
    struct lp_s3_request q;
    struct lp_aws_reply reply = {0};
    enum lp_code answer;
    lp_s3_request_init(&q, b->store, "HEAD", NULL);
    enum lp_code code = ask(b, &q, NULL, 0, &reply, &answer);
    if (!code && !stopped(b)) {
        if (reply.status == 404)
            b->x->d->problem =
                lp_examination_text(b->x, "there is no bucket %s; create it (aws s3 mb s3://%s), or mend sink.to",
                                    b->store->bucket, b->store->bucket);
        else if (reply.status == 301 || reply.status == 307 || reply.status == 400)
            b->x->d->problem = lp_examination_text(
                b->x, "the bucket %s is in another region and S3 does not say in which; write sink.s3.region",
                b->store->bucket);
        else code = note_region(b, &reply);
    }
    lp_aws_reply_release(&reply);
    return code;
}

/* ---- listings ---- */

static enum lp_code try_list(struct bucket *b)
{
    struct lp_s3_request q;
    struct lp_aws_reply reply = {0};
    enum lp_code answer;
    LP_AUTO(lp_buf) key = {0};
    LP_TRY(put_key(b, need_of(b, "s3:GetObject")->resources[0], &key));
    lp_s3_request_init(&q, b->store, "GET", NULL);
    lp_s3_add_query(&q, "list-type", "2");
    lp_s3_add_query(&q, "max-keys", "0");
    lp_s3_add_query(&q, "prefix", lp_buf_text(&key));
    enum lp_code code = ask(b, &q, "s3:ListBucket", 0, &reply, &answer);
    lp_aws_reply_release(&reply);
    return code;
}

static enum lp_code try_list_uploads(struct bucket *b)
{
    struct lp_s3_request q;
    struct lp_aws_reply reply = {0};
    enum lp_code answer;
    lp_s3_request_init(&q, b->store, "GET", NULL);
    lp_s3_add_query(&q, "uploads", NULL);
    lp_s3_add_query(&q, "max-uploads", "1");
    enum lp_code code = ask(b, &q, "s3:ListBucketMultipartUploads", 0, &reply, &answer);
    lp_aws_reply_release(&reply);
    return code;
}

/* ---- objects ---- */

/* Where listing is refused, reading what is not there is refused as well, whether or not reading is allowed. */
static enum lp_code try_get(struct bucket *b, const char *key, size_t resource)
{
    struct lp_s3_request q;
    struct lp_aws_reply reply = {0};
    enum lp_code answer, code;
    struct lp_trial *list = lp_trial_of(b->x, "s3:ListBucket", NULL), *t = lp_trial_of(b->x, "s3:GetObject", NULL);
    lp_s3_request_init(&q, b->store, "GET", key);
    lp_s3_add_header(&q, "range: bytes=0-0");
    if (list->verdict == LP_VERDICT_FINE) {
        code = ask(b, &q, "s3:GetObject", resource, &reply, &answer);
    } else {
        code = ask(b, &q, NULL, resource, &reply, &answer);
        if (strstr(reply.message, "perform: s3:GetObject")) lp_trial_set_refused(t, resource);
        else if (answer == LP_AUTH) lp_trial_set_unknown(t, "cannot be told before s3:ListBucket is there");
        else if (!code && !stopped(b)) lp_trial_set_fine(t);
    }
    lp_aws_reply_release(&reply);
    return code;
}

static enum lp_code abort_upload(struct bucket *b, const char *key, size_t resource, const char *id)
{
    struct lp_s3_request q;
    struct lp_aws_reply reply = {0};
    enum lp_code answer;
    lp_s3_request_init(&q, b->store, "DELETE", key);
    lp_s3_add_query(&q, "uploadId", id);
    lp_cancel_wind_up();
    enum lp_code code = ask(b, &q, "s3:AbortMultipartUpload", resource, &reply, &answer);
    lp_cancel_heed();
    lp_aws_reply_release(&reply);
    return code;
}

/* There is no such upload. */
static enum lp_code try_abort(struct bucket *b, const char *key, size_t resource)
{
    return abort_upload(b, key, resource, NO_UPLOAD);
}

/* Putting parts together decrypts, and so does the first of them. */
static enum lp_code try_key(struct bucket *b, const char *key, const char *id)
{
    static const char byte[] = "x";
    struct lp_s3_request q;
    struct lp_aws_reply reply = {0};
    enum lp_code answer;
    struct lp_trial *encrypts = lp_trial_of(b->x, "kms:GenerateDataKey", NULL);
    const struct lp_permission *decrypts = need_of(b, "kms:Decrypt");
    if (!encrypts || decrypts->own_key) return LP_OK;
    lp_trial_set_fine(encrypts);
    lp_s3_request_init(&q, b->store, "PUT", key);
    lp_s3_add_query(&q, "partNumber", "1");
    lp_s3_add_query(&q, "uploadId", id);
    q.aws.body = byte;
    q.aws.body_len = 1;
    enum lp_code code = ask(b, &q, "kms:Decrypt", LP_ALL_RESOURCES, &reply, &answer);
    lp_aws_reply_release(&reply);
    return code;
}

static enum lp_code note_bad_key(struct bucket *b, const struct lp_aws_reply *reply)
{
    const char *text = lp_examination_text(b->x, "%s: %s; mend sink.s3.kms_key", reply->error_code, reply->message);
    for (size_t i = 0; i < b->x->d->count; i++)
        if (!strcmp(b->x->d->list[i].name, "sink.s3.kms_key")) return LP_OK;
    return lp_finding_add(b->x, LP_VERDICT_MISSING, "sink.s3.kms_key", text, b->err);
}

/* An upload in parts is begun, as runs begin theirs, and given up: nobody ever sees it. */
static enum lp_code try_put(struct bucket *b, const char *key, size_t resource)
{
    struct lp_s3_request q;
    struct lp_aws_reply reply = {0};
    enum lp_code answer;
    char *id = NULL;
    if (lp_trial_of(b->x, "s3:AbortMultipartUpload", NULL)->verdict != LP_VERDICT_FINE) {
        lp_trial_set_unknown(lp_trial_of(b->x, "s3:PutObject", NULL),
                             "not tried, since it could not be taken back without s3:AbortMultipartUpload");
        return LP_OK;
    }
    lp_s3_request_init(&q, b->store, "POST", key);
    lp_s3_add_query(&q, "uploads", NULL);
    lp_s3_add_object_headers(&q, b->store, key);
    enum lp_code code = ask(b, &q, "s3:PutObject", resource, &reply, &answer);
    if (!code && !strncmp(reply.error_code, "KMS.", 4)) code = note_bad_key(b, &reply);
    if (!code && !answer) code = lp_xml_find(lp_buf_text(&reply.body), reply.body.len, "UploadId", &id, b->err);
    if (!code && id && resource == 0) code = try_key(b, key, id);
    if (id) {
        enum lp_code aborted = abort_upload(b, key, resource, id);
        if (!code) code = aborted;
    }
    free(id);
    lp_aws_reply_release(&reply);
    return code;
}

/* Where the server honours the condition, not even a mark of the deletion stays; there is no such object anyway. */
static enum lp_code try_delete(struct bucket *b, const char *key, size_t resource)
{
    struct lp_s3_request q;
    struct lp_aws_reply reply = {0};
    enum lp_code answer;
    lp_s3_request_init(&q, b->store, "DELETE", key);
    lp_s3_add_header(&q, "if-match: \"00000000000000000000000000000000\"");
    enum lp_code code = ask(b, &q, "s3:DeleteObject", resource, &reply, &answer);
    lp_aws_reply_release(&reply);
    return code;
}

/* Each of the action's resources. */
static enum lp_code try_each(struct bucket *b, const char *action,
                             enum lp_code (*try)(struct bucket *b, const char *key, size_t resource))
{
    const struct lp_permission *need = need_of(b, action);
    LP_AUTO(lp_buf) key = {0};
    for (size_t i = 0; i < need->resource_count && !stopped(b); i++) {
        LP_TRY(put_key(b, need->resources[i], &key));
        LP_TRY(try(b, lp_buf_text(&key), i));
    }
    return LP_OK;
}

/* S3 refuses everything in a bucket that belongs to somebody else than is expected. */
static void note_owner(struct bucket *b)
{
    struct lp_trial *t = lp_trial_of(b->x, "s3:ListBucket", NULL);
    const char *owner = b->store->options.expected_bucket_owner;
    if (owner && t->verdict == LP_VERDICT_MISSING)
        t->text =
            lp_examination_text(b->x, "or the bucket does not belong to %s (sink.s3.expected_bucket_owner)", owner);
}

static enum lp_code try_all(struct bucket *b)
{
    LP_TRY(find_bucket(b));
    if (!stopped(b)) LP_TRY(try_list(b));
    if (!stopped(b)) LP_TRY(try_list_uploads(b));
    LP_TRY(try_each(b, "s3:GetObject", try_get));
    LP_TRY(try_each(b, "s3:AbortMultipartUpload", try_abort));
    LP_TRY(try_each(b, "s3:PutObject", try_put));
    LP_TRY(try_each(b, "s3:DeleteObject", try_delete));
    note_owner(b);
    return lp_examination_note_silence(b->x, "s3", b->err);
}

enum lp_code lp_examine_s3(struct lp_examination *x, struct lp_err *err)
{
    const struct lp_sink *s = &x->p->sink;
    struct lp_store *store;
    char root[80];
    if (!lp_trial_of(x, "s3:ListBucket", NULL)) return LP_OK;
    snprintf(root, sizeof root, "s3://%.*s", (int)strcspn(s->root + 5, "/"), s->root + 5);
    LP_TRY(lp_store_s3_new(root, &s->s3, x->aws, &store, err));
    struct bucket b = {x, (struct lp_s3_store *)store, err};
    enum lp_code code = try_all(&b);
    lp_store_free(store);
    return code;
}
