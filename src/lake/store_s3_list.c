/* Listings of a bucket: what is there, and which uploads were never finished. */
#include "base/xml.h"
#include "lake/store_s3.h"

#include <stdlib.h>
#include <string.h>

#define PAGES_MAX 10000 /* of a thousand keys */

struct page {
    const struct lp_s3_store *store;
    struct lp_listing *out; /* of a list of objects */
    struct lp_buf key, version;
    uint64_t bytes;
    char *next; /* the token of the page behind this one */
    bool more, encoded;
};

/* Names are asked for in the encoding of a form, since XML cannot hold them all; not every server knows that, and only the
 * reply says whether they are. */
static enum lp_code names_are_encoded(const struct lp_aws_reply *reply, bool *encoded, struct lp_err *err)
{
    char *type;
    enum lp_code code = lp_xml_find(lp_buf_text(&reply->body), reply->body.len, "EncodingType", &type, err);
    *encoded = !code && !strcmp(type, "url");
    if (!code) free(type);
    return code == LP_NOTFOUND ? LP_OK : code;
}

static void put_name(struct lp_buf *out, const char *text, size_t len, bool encoded)
{
    if (encoded) lp_percent_decode(out, text, len, true);
    else lp_buf_put(out, text, len);
}

static enum lp_code take_object(struct page *p, struct lp_err *err)
{
    size_t prefix = strlen(p->store->prefix);
    LP_TRY(lp_buf_code(&p->key, "an object's name", err));
    LP_TRY(lp_buf_code(&p->version, "an object's version", err));
    const char *key = lp_buf_text(&p->key);
    bool folder = !p->key.len || key[p->key.len - 1] == '/', ours = !strncmp(key, p->store->prefix, prefix);
    if (folder || !ours || lp_store_key_is_hidden(key + prefix)) return LP_OK;
    return lp_listing_add(p->out, key + prefix, p->key.len - prefix, p->bytes, lp_buf_text(&p->version), err);
}

static enum lp_code take_element(void *who, const char *path, const char *text, size_t len, struct lp_err *err)
{
    struct page *p = who;
    const char *name = strchr(path, '/');
    if (!name) return LP_OK;
    if (!strcmp(name, "/Contents/Key")) {
        lp_buf_clear(&p->key);
        put_name(&p->key, text, len, p->encoded);
    } else if (!strcmp(name, "/Contents/ETag")) {
        lp_buf_clear(&p->version);
        lp_buf_put(&p->version, text, len);
    } else if (!strcmp(name, "/Contents/Size")) {
        p->bytes = strtoull(text, NULL, 10);
    } else if (!strcmp(name, "/Contents")) {
        return take_object(p, err);
    } else if (!strcmp(name, "/IsTruncated")) {
        p->more = len == 4 && !memcmp(text, "true", 4);
    } else if (!strcmp(name, "/NextContinuationToken")) {
        free(p->next);
        p->next = strndup(text, len);
        if (!p->next) return lp_nomem(err);
    }
    return LP_OK;
}

static enum lp_code ask_page(struct lp_s3_store *s, const char *prefix, const char *after, const char *token,
                             struct page *p, struct lp_err *err)
{
    struct lp_s3_request q;
    struct lp_aws_reply reply = {0};
    LP_AUTO(lp_buf) full = {0};
    lp_s3_request_init(&q, s, "GET", NULL);
    lp_s3_add_query(&q, "list-type", "2");
    lp_s3_add_query(&q, "encoding-type", "url");
    lp_buf_printf(&full, "%s%s", s->prefix, prefix);
    lp_s3_add_query(&q, "prefix", lp_buf_text(&full));
    if (token) {
        lp_s3_add_query(&q, "continuation-token", token);
    } else if (*after) {
        lp_buf_clear(&full);
        lp_buf_printf(&full, "%s%s", s->prefix, after);
        lp_s3_add_query(&q, "start-after", lp_buf_text(&full));
    }
    enum lp_code code = lp_buf_code(&full, "a prefix", err);
    if (!code) code = lp_s3_call(s, &q, &reply, err);
    if (!code) code = names_are_encoded(&reply, &p->encoded, err);
    if (!code) code = lp_xml_read(lp_buf_text(&reply.body), reply.body.len, take_element, p, err);
    lp_aws_reply_release(&reply);
    lp_s3_request_release(&q);
    return code;
}

enum lp_code lp_s3_list(struct lp_store *store, const char *prefix, const char *after, struct lp_listing *out,
                        struct lp_err *err)
{
    struct lp_s3_store *s = (struct lp_s3_store *)store;
    struct page p = {.store = s, .out = out};
    enum lp_code code = LP_OK;
    char *token = NULL;
    p.more = true;
    for (size_t pages = 0; p.more && !code; pages++) {
        p.more = false;
        p.next = NULL;
        code = pages == PAGES_MAX ? lp_fail(err, LP_LIMIT, "%s: more than %d keys", prefix, PAGES_MAX * 1000)
                                  : ask_page(s, prefix, after, token, &p, err);
        free(token);
        token = p.next;
        p.more = p.more && token;
    }
    free(token);
    lp_buf_release(&p.key);
    lp_buf_release(&p.version);
    lp_listing_sort(out); /* S3's order is the same, but not every other server's */
    return code;
}

/* ---- unfinished uploads ---- */

struct sweep {
    struct lp_s3_store *store;
    const char *key; /* with the store's prefix */
    struct lp_buf found;
    char *id;
    bool encoded;
};

static enum lp_code end_upload(struct lp_s3_store *s, const char *key, const char *id, struct lp_err *err)
{
    struct lp_s3_request q;
    struct lp_aws_reply reply = {0};
    lp_s3_request_init(&q, s, "DELETE", key);
    lp_s3_add_query(&q, "uploadId", id);
    enum lp_code code = lp_s3_call(s, &q, &reply, err);
    lp_aws_reply_release(&reply);
    lp_s3_request_release(&q);
    return code == LP_NOTFOUND ? LP_OK : code;
}

static enum lp_code take_upload(void *who, const char *path, const char *text, size_t len, struct lp_err *err)
{
    struct sweep *w = who;
    const char *name = strchr(path, '/');
    if (!name) return LP_OK;
    if (!strcmp(name, "/Upload/Key")) {
        lp_buf_clear(&w->found);
        put_name(&w->found, text, len, w->encoded);
    } else if (!strcmp(name, "/Upload/UploadId")) {
        free(w->id);
        w->id = strndup(text, len);
        if (!w->id) return lp_nomem(err);
    } else if (!strcmp(name, "/Upload") && w->id && !strcmp(lp_buf_text(&w->found), w->key)) {
        return end_upload(w->store, w->key + strlen(w->store->prefix), w->id, err);
    }
    return LP_OK;
}

enum lp_code lp_s3_sweep(struct lp_s3_store *s, const char *key, struct lp_err *err)
{
    struct lp_s3_request q;
    struct lp_aws_reply reply = {0};
    LP_AUTO(lp_buf) full = {0};
    lp_buf_printf(&full, "%s%s", s->prefix, key);
    struct sweep w = {.store = s, .key = lp_buf_text(&full)};
    lp_s3_request_init(&q, s, "GET", NULL);
    lp_s3_add_query(&q, "uploads", NULL);
    lp_s3_add_query(&q, "encoding-type", "url");
    lp_s3_add_query(&q, "prefix", w.key);
    enum lp_code code = lp_buf_code(&full, "an object's name", err);
    if (!code) code = lp_s3_call(s, &q, &reply, err);
    if (!code) code = names_are_encoded(&reply, &w.encoded, err);
    if (!code) code = lp_xml_read(lp_buf_text(&reply.body), reply.body.len, take_upload, &w, err);
    lp_aws_reply_release(&reply);
    lp_s3_request_release(&q);
    lp_buf_release(&w.found);
    free(w.id);
    return code;
}
