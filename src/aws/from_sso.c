/* Keys of IAM Identity Center: with the token that `aws sso login` left behind, which is renewed where it can be. */
#define OPENSSL_SUPPRESS_DEPRECATED /* sign.h says why a hash is called directly */
#include "aws/provider.h"
#include "aws/session.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/secret.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <sys/stat.h>

#define CACHE_BYTES ((size_t)256 * 1024)
#define TREE_BYTES  ((size_t)4 << 20)
#define RENEW_US    INT64_C(900000000) /* a token with less than this left is renewed */

struct sso {
    const struct lp_aws_finder *f;
    const char *account, *role, *region, *start_url;
    const char *session; /* NULL: the old form, all in the profile */
    struct lp_buf path;  /* of the token's file */
    struct lp_arena arena;
    json_t *token; /* what the file holds */
};

/* A value of the profile or of its session; the two must not differ. */
static enum lp_code get(const struct sso *o, const struct lp_profile_section *session, const char *key,
                        const char **value, struct lp_err *err)
{
    const char *here = lp_profiles_get(&o->f->s->files, o->f->profile, key), *there = lp_profile_value(session, key);
    *value = there ? there : here;
    if (here && there && strcmp(here, there) != 0)
        return lp_fail(err, LP_CONFIG,
                       "%s is \"%s\" in the profile \"%s\" and \"%s\" in [sso-session %s]; write one of them", key,
                       here, o->f->profile, there, o->session);
    if (*value) return LP_OK;
    return lp_fail(err, LP_CONFIG,
                   "the profile \"%s\" uses IAM Identity Center and has no %s; write it, or run "
                   "`aws configure sso`",
                   o->f->profile, key);
}

static enum lp_code read_settings(struct sso *o, struct lp_err *err)
{
    const struct lp_profiles *files = &o->f->s->files;
    const struct lp_profile_section *session = NULL;
    o->session = lp_profiles_get(files, o->f->profile, "sso_session");
    if (o->session && !(session = lp_profiles_section(files, LP_PROFILE_SSO_SESSION, o->session)))
        return lp_fail(err, LP_CONFIG, "the profile \"%s\" names sso_session = %s, and %s has no [sso-session %s]",
                       o->f->profile, o->session, files->config_path, o->session);
    LP_TRY(get(o, session, "sso_account_id", &o->account, err));
    LP_TRY(get(o, session, "sso_role_name", &o->role, err));
    LP_TRY(get(o, session, "sso_start_url", &o->start_url, err));
    return get(o, session, "sso_region", &o->region, err);
}

/* ---- the token's file ---- */

static enum lp_code name_file(struct sso *o, struct lp_err *err)
{
    unsigned char digest[SHA_DIGEST_LENGTH];
    const char *named = o->session ? o->session : o->start_url;
    SHA_CTX c;
    SHA1_Init(&c);
    SHA1_Update(&c, named, strlen(named));
    SHA1_Final(digest, &c);
    lp_profile_put_path(&o->path, "~/.aws/sso/cache/");
    for (size_t i = 0; i < sizeof digest; i++) lp_buf_printf(&o->path, "%02x", digest[i]);
    lp_buf_puts(&o->path, ".json");
    return lp_buf_code(&o->path, "a path", err);
}

static const char *member(const struct sso *o, const char *name)
{
    const char *text = json_string_value(json_object_get(o->token, name));
    return text && *text ? text : NULL;
}

static enum lp_code log_in(const struct sso *o, struct lp_err *err, const char *why)
{
    return lp_fail(err, LP_AUTH, "%s; run: aws sso login --profile %s", why, o->f->profile);
}

static enum lp_code hide(const struct sso *o, struct lp_err *err)
{
    static const char *const names[] = {"accessToken", "refreshToken", "clientSecret"};
    for (size_t i = 0; i < LP_COUNT(names); i++) {
        const char *text = member(o, names[i]);
        if (text) LP_TRY(lp_secret_add_passing(text, strlen(text), err));
    }
    return LP_OK;
}

static enum lp_code read_file(struct sso *o, struct lp_err *err)
{
    struct lp_buf text = {.max_bytes = CACHE_BYTES};
    enum lp_code code = lp_file_read(o->path.data, &text, err);
    if (code == LP_NOTFOUND) code = log_in(o, err, "nobody is logged in to IAM Identity Center here");
    else if (!code &&
             (lp_json_parse(&o->arena, lp_buf_text(&text), text.len, &o->token, err) || !member(o, "accessToken")))
        code = log_in(o, err, "the token of IAM Identity Center cannot be read");
    if (!code) code = hide(o, err);
    lp_aws_wipe(&text);
    return code;
}

/* Older tools wrote "UTC" for Z. A time that cannot be read is over. */
static int64_t time_of(const struct sso *o, const char *name)
{
    const char *text = member(o, name);
    size_t n = text ? strlen(text) : 0;
    int64_t us = 0;
    if (n > 3 && !strcmp(text + n - 3, "UTC")) n -= 3;
    return n && lp_time_parse_iso(text, n, &us) ? us : 0;
}

static enum lp_code write_file(struct sso *o, struct lp_err *err)
{
    struct lp_newfile file = {.fd = -1};
    struct lp_buf text = {.max_bytes = CACHE_BYTES};
    lp_json_put_value(&text, o->token);
    enum lp_code code = lp_buf_code(&text, "a token", err);
    if (!code) code = lp_newfile_begin(&file, o->path.data, NULL, err);
    if (!code && fchmod(file.fd, S_IRUSR | S_IWUSR)) code = lp_fail_errno(err, "%s", o->path.data);
    if (!code) code = lp_newfile_write(&file, text.data, text.len, err);
    if (!code) code = lp_newfile_commit(&file, err);
    if (file.pending.data) explicit_bzero(file.pending.data, file.pending.cap);
    lp_newfile_release(&file);
    lp_aws_wipe(&text);
    return code;
}

/* ---- renewing it ---- */

static void set(struct sso *o, const char *name, const char *value)
{
    json_object_set_new(o->token, name, json_string(value));
}

static enum lp_code take_token(struct sso *o, const struct lp_buf *body, struct lp_err *err)
{
    json_t *fresh;
    char expires[LP_TIME_TEXT_BYTES];
    enum lp_code code = lp_json_parse(&o->arena, lp_buf_text(body), body->len, &fresh, err);
    if (code) return lp_wrap(err, code, "IAM Identity Center's answer");
    const char *access = json_string_value(json_object_get(fresh, "accessToken"));
    const char *refresh = json_string_value(json_object_get(fresh, "refreshToken"));
    int64_t seconds = json_integer_value(json_object_get(fresh, "expiresIn"));
    if (!access || !*access || seconds <= 0 || seconds > 400 * 86400)
        return lp_fail(err, LP_AUTH, "IAM Identity Center answers without a token");
    lp_time_format_iso((lp_clock_now_us() / 1000000 + seconds) * 1000000, expires);
    lp_json_build_in(&o->arena);
    set(o, "accessToken", access);
    set(o, "expiresAt", expires);
    if (refresh && *refresh) set(o, "refreshToken", refresh);
    lp_json_build_in(NULL);
    if (!member(o, "accessToken") || !member(o, "expiresAt")) return lp_arena_code(&o->arena, err);
    return hide(o, err);
}

static enum lp_code renew(struct sso *o, struct lp_aws *aws, struct lp_err *err)
{
    struct lp_buf body = {.max_bytes = CACHE_BYTES};
    struct lp_aws_reply reply;
    struct lp_json_writer w = {.out = &body};
    lp_buf_reserve(&body, 16384); /* so that it does not move */
    lp_json_open(&w, NULL, '{');
    lp_json_text(&w, "clientId", member(o, "clientId"));
    lp_json_text(&w, "clientSecret", member(o, "clientSecret"));
    lp_json_text(&w, "grantType", "refresh_token");
    lp_json_text(&w, "refreshToken", member(o, "refreshToken"));
    lp_json_close(&w, '}');
    LP_TRY(lp_buf_code(&body, "a request for a token", err));
    const struct lp_aws_request q = {.service = "oidc",
                                     .region = o->region,
                                     .path = "/token",
                                     .body = body.data,
                                     .body_len = body.len,
                                     .anonymous = true};
    enum lp_code code = lp_aws_call(aws, &q, &reply, err);
    if (!code) code = take_token(o, &reply.body, err);
    lp_aws_wipe(&body);
    lp_aws_wipe(&reply.body);
    lp_aws_reply_release(&reply);
    return code;
}

/* A token that is still good is used where it cannot be renewed; a file that cannot be written costs nothing but one
 * more renewal next time. */
static enum lp_code freshen(struct sso *o, struct lp_aws *aws, struct lp_err *err)
{
    int64_t now = lp_clock_now_us(), left = time_of(o, "expiresAt") - now;
    bool renewable = o->session && member(o, "refreshToken") && member(o, "clientId") && member(o, "clientSecret") &&
                     time_of(o, "registrationExpiresAt") > now;
    struct lp_err problem;
    if (left > (renewable ? RENEW_US : 0)) return LP_OK;
    if (!renewable) return log_in(o, err, "the login to IAM Identity Center is over");
    enum lp_code code = renew(o, aws, &problem);
    if (!code) {
        (void)!write_file(o, NULL);
        return LP_OK;
    }
    if (code == LP_CANCELLED || code == LP_NOMEM) return lp_fail(err, code, "%s", problem.text);
    if (left > 0) return LP_OK;
    return lp_fail(err, code,
                   "the login to IAM Identity Center is over and cannot be renewed: %s; run: aws sso login "
                   "--profile %s",
                   problem.text, o->f->profile);
}

/* ---- keys for it ---- */

static enum lp_code take_keys(struct sso *o, const struct lp_buf *body, struct lp_aws_credentials *out,
                              struct lp_err *err)
{
    json_t *root;
    enum lp_code code = lp_json_parse(&o->arena, lp_buf_text(body), body->len, &root, err);
    if (code) return lp_wrap(err, code, "IAM Identity Center's answer");
    const json_t *keys = json_object_get(root, "roleCredentials");
    const char *key = json_string_value(json_object_get(keys, "accessKeyId"));
    const char *secret = json_string_value(json_object_get(keys, "secretAccessKey"));
    int64_t expires_ms = json_integer_value(json_object_get(keys, "expiration"));
    if (!key || !*key || !secret || !*secret || expires_ms <= 0 || expires_ms > INT64_MAX / 1000)
        return lp_fail(err, LP_AUTH, "IAM Identity Center answers without keys");
    out->expires_us = expires_ms * 1000;
    return lp_aws_credentials_set(out, key, secret, json_string_value(json_object_get(keys, "sessionToken")), err);
}

static enum lp_code ask_for_keys(struct sso *o, struct lp_aws *aws, struct lp_aws_credentials *out, struct lp_err *err)
{
    LP_AUTO(lp_buf) query = {0};
    struct lp_buf header = {.max_bytes = CACHE_BYTES};
    struct lp_aws_reply reply;
    const char *token = member(o, "accessToken");
    lp_buf_puts(&query, "role_name=");
    lp_percent_encode(&query, o->role, strlen(o->role), "");
    lp_buf_puts(&query, "&account_id=");
    lp_percent_encode(&query, o->account, strlen(o->account), "");
    lp_buf_reserve(&header, strlen(token) + 40);
    lp_buf_printf(&header, "x-amz-sso_bearer_token: %s", token);
    LP_TRY(lp_buf_code(&query, "a request for keys", err));
    LP_TRY(lp_buf_code(&header, "a request for keys", err));
    const char *headers[] = {header.data};
    const struct lp_aws_request q = {.service = "portal.sso",
                                     .region = o->region,
                                     .method = "GET",
                                     .path = "/federation/credentials",
                                     .query = query.data,
                                     .headers = headers,
                                     .header_count = 1,
                                     .anonymous = true};
    enum lp_code code = lp_aws_call(aws, &q, &reply, err);
    if (!code) code = take_keys(o, &reply.body, out, err);
    else if (reply.status == 401) code = log_in(o, err, "the login to IAM Identity Center does not count any more");
    lp_aws_wipe(&header);
    lp_aws_wipe(&reply.body);
    lp_aws_reply_release(&reply);
    return code;
}

static enum lp_code find(struct sso *o, struct lp_aws_credentials *out, struct lp_err *err)
{
    struct lp_aws *aws;
    lp_arena_init(&o->arena, TREE_BYTES);
    LP_TRY(read_settings(o, err));
    LP_TRY(name_file(o, err));
    LP_TRY(read_file(o, err));
    LP_TRY(lp_aws_new_with(o->f->s, NULL, &aws, err));
    enum lp_code code = freshen(o, aws, err);
    if (!code) code = ask_for_keys(o, aws, out, err);
    lp_aws_free(aws);
    return code;
}

enum lp_code lp_aws_from_sso(const struct lp_aws_finder *f, struct lp_aws_credentials *out, bool *found,
                             struct lp_err *err)
{
    struct sso o = {.f = f};
    *found = lp_profiles_get(&f->s->files, f->profile, "sso_account_id") ||
             lp_profiles_get(&f->s->files, f->profile, "sso_role_name");
    if (!*found) return LP_OK;
    enum lp_code code = find(&o, out, err);
    snprintf(out->source, sizeof out->source, "IAM Identity Center (profile %.100s)", f->profile);
    lp_buf_release(&o.path);
    lp_arena_release(&o.arena);
    return code ? lp_wrap(err, code, "the profile \"%s\"", f->profile) : LP_OK;
}
