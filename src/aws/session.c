#include "aws/session.h"

#include "aws/provider.h"

#include <stdio.h>
#include <stdlib.h>

#define BUCKETS_MAX     64
#define LONGEST_CALL_MS INT64_C(3600000)

struct lp_aws_bucket {
    struct lp_aws_bucket *next;
    char region[LP_AWS_REGION_BYTES];
    char name[];
};

static const char *const kept_headers[] = {
    "x-amz-",           "x-amzn-",          "content-length", "content-range", "content-md5", "location",
    "content-encoding", "content-language", "cache-control",  "accept-ranges", NULL};

static bool copy_text(const char *text, const char **out)
{
    *out = text ? strdup(text) : NULL;
    return *out || !text;
}

enum lp_code lp_aws_new(const struct lp_aws_options *o, struct lp_aws **out, struct lp_err *err)
{
    struct lp_aws *aws = *out = calloc(1, sizeof *aws);
    if (!aws) return lp_nomem(err);
    aws->options.at_once = o && o->at_once ? o->at_once : 8;
    if (!o || (copy_text(o->profile, &aws->options.profile) && copy_text(o->region, &aws->options.region) &&
               copy_text(o->endpoint_url, &aws->options.endpoint_url)))
        return LP_OK;
    lp_aws_free(aws);
    *out = NULL;
    return lp_nomem(err);
}

enum lp_code lp_aws_new_with(const struct lp_aws_settings *s, const struct lp_aws_credentials *keys,
                             struct lp_aws **out, struct lp_err *err)
{
    LP_TRY(lp_aws_new(&(struct lp_aws_options){.at_once = 1}, out, err));
    (*out)->settings = s;
    (*out)->keys.fixed = true;
    enum lp_code code = keys ? lp_aws_credentials_copy(&(*out)->keys.now, keys, err) : LP_OK;
    if (!code) return LP_OK;
    lp_aws_free(*out);
    *out = NULL;
    return code;
}

static void cancel_all(struct lp_aws *aws)
{
    while (aws->calls) {
        struct lp_aws_call *first = aws->calls;
        lp_aws_cancel(aws, &first);
    }
}

void lp_aws_free(struct lp_aws *aws)
{
    if (!aws) return;
    cancel_all(aws);
    lp_aws_secrets_free(aws);
    lp_http_free(aws->http);
    lp_aws_keyring_release(&aws->keys);
    lp_aws_settings_release(&aws->own);
    for (struct lp_aws_bucket *b = aws->buckets, *next; b; b = next) {
        next = b->next;
        free(b);
    }
    free(aws->ca_bundle);
    free((char *)aws->options.profile);
    free((char *)aws->options.region);
    free((char *)aws->options.endpoint_url);
    free(aws);
}

void lp_aws_renew(struct lp_aws *aws)
{
    cancel_all(aws);
    lp_aws_secrets_free(aws);
    if (aws->keys.fixed) return;
    lp_aws_keyring_release(&aws->keys);
    aws->settings = NULL;
    aws->open = false;
}

/* The transport, with the certificates that the settings name; one that trusts others is made anew. */
static enum lp_code open_http(struct lp_aws *aws, const struct lp_aws_settings *s, struct lp_err *err)
{
    const char *before = aws->ca_bundle, *now = s->ca_bundle;
    if (aws->http && (before == now || (before && now && !strcmp(before, now)))) return LP_OK;
    lp_http_free(aws->http);
    aws->http = NULL;
    free(aws->ca_bundle);
    aws->ca_bundle = now ? strdup(now) : NULL;
    if (now && !aws->ca_bundle) return lp_nomem(err);
    const struct lp_http_options o = {.total_ms = LONGEST_CALL_MS,
                                      .max_body_bytes = LP_AWS_BODY_BYTES,
                                      .at_once = aws->options.at_once,
                                      .user_agent = "lambda-pipeline/" LP_VERSION,
                                      .ca_bundle = aws->ca_bundle,
                                      .keep_also = kept_headers};
    return lp_http_new(&o, &aws->http, err);
}

enum lp_code lp_aws_open(struct lp_aws *aws, struct lp_err *err)
{
    if (aws->open) return LP_OK;
    if (!aws->settings) {
        lp_aws_settings_release(&aws->own); /* of an attempt that failed */
        LP_TRY(lp_aws_settings_read(&aws->own, &aws->options, err));
    }
    const struct lp_aws_settings *s = aws->settings ? aws->settings : &aws->own;
    LP_TRY(open_http(aws, s, err));
    aws->settings = s;
    lp_aws_budget_init(&aws->budget, s->max_attempts, s->new_retries);
    aws->open = true;
    return LP_OK;
}

/* ---- where buckets are ---- */

const char *lp_aws_bucket_region(const struct lp_aws *aws, const char *bucket)
{
    for (const struct lp_aws_bucket *b = aws->buckets; b; b = b->next)
        if (!strcmp(b->name, bucket)) return b->region;
    return NULL;
}

enum lp_code lp_aws_bucket_learn(struct lp_aws *aws, const char *bucket, const char *region, struct lp_err *err)
{
    struct lp_aws_bucket **at = &aws->buckets;
    size_t count = 0;
    for (; *at && strcmp((*at)->name, bucket) != 0; at = &(*at)->next) count++;
    if (!*at) {
        if (count == BUCKETS_MAX)
            return lp_fail(err, LP_LIMIT, "more than %d buckets lie in other regions", BUCKETS_MAX);
        struct lp_aws_bucket *b = calloc(1, sizeof *b + strlen(bucket) + 1);
        if (!b) return lp_nomem(err);
        memcpy(b->name, bucket, strlen(bucket) + 1);
        *at = b;
    }
    snprintf((*at)->region, sizeof(*at)->region, "%s", region);
    return LP_OK;
}

/* ---- what may be asked about a session ---- */

enum lp_code lp_aws_region(struct lp_aws *aws, const char **region, struct lp_err *err)
{
    LP_TRY(lp_aws_open(aws, err));
    *region = aws->settings->region;
    if (!*region && !aws->asked_machine) {
        bool found;
        LP_TRY(lp_aws_imds_region(aws->settings, aws->machine_region, &found, err));
        aws->asked_machine = true;
        if (!found) aws->machine_region[0] = '\0';
    }
    if (!*region && *aws->machine_region) *region = aws->machine_region;
    if (*region) return LP_OK;
    return lp_fail(err, LP_CONFIG, "no AWS region is known; set AWS_REGION, or region in the profile \"%s\"",
                   aws->settings->profile);
}

enum lp_code lp_aws_put_endpoint(struct lp_aws *aws, const char *service, struct lp_buf *out, struct lp_err *err)
{
    struct lp_aws_place place = {0};
    const char *region;
    LP_TRY(lp_aws_region(aws, &region, err));
    enum lp_code code = lp_aws_place_find(aws->settings, service, region, NULL, &place, err);
    if (!code) lp_buf_puts(out, place.url.data);
    lp_aws_place_release(&place);
    LP_TRY(code);
    return lp_buf_code(out, "an address", err);
}

static enum lp_code get_keys(struct lp_aws *aws, const struct lp_aws_credentials **keys, struct lp_err *err)
{
    LP_TRY(lp_aws_open(aws, err));
    return lp_aws_keyring_get(&aws->keys, aws->settings, keys, err);
}

enum lp_code lp_aws_identify(struct lp_aws *aws, struct lp_aws_identity *out, struct lp_err *err)
{
    const struct lp_aws_credentials *keys;
    *out = (struct lp_aws_identity){0};
    LP_TRY(get_keys(aws, &keys, err));
    size_t n = strlen(keys->access_key);
    snprintf(out->access_key, sizeof out->access_key, "…%s", n > 8 ? keys->access_key + n - 4 : "");
    snprintf(out->source, sizeof out->source, "%s", keys->source);
    out->expires_us = keys->expires_us;
    return LP_OK;
}

enum lp_code lp_aws_keys_get(struct lp_aws *aws, struct lp_aws_keys *out, struct lp_err *err)
{
    const struct lp_aws_credentials *keys;
    *out = (struct lp_aws_keys){0};
    LP_TRY(get_keys(aws, &keys, err));
    out->access_key = strdup(keys->access_key);
    out->secret_key = strdup(keys->secret_key);
    out->session_token = keys->session_token ? strdup(keys->session_token) : NULL;
    if (out->access_key && out->secret_key && (out->session_token || !keys->session_token)) return LP_OK;
    lp_aws_keys_release(out);
    return lp_nomem(err);
}

void lp_aws_keys_release(struct lp_aws_keys *k)
{
    char *texts[] = {k->access_key, k->secret_key, k->session_token};
    for (size_t i = 0; i < LP_COUNT(texts); i++) {
        if (texts[i]) explicit_bzero(texts[i], strlen(texts[i]));
        free(texts[i]);
    }
    *k = (struct lp_aws_keys){0};
}
