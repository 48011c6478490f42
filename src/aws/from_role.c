/* Keys of a role, from STS: with another profile's keys (role_arn), or with a token of the platform (web identity). */
#include "aws/provider.h"
#include "aws/session.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/number.h"
#include "base/secret.h"
#include "base/xml.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#define BODY_BYTES     ((size_t)64 * 1024)
#define TOKEN_BYTES    ((size_t)16 * 1024)
#define PROMPT_WAIT_MS 60000
#define CHAIN_MAX      16 /* roles behind one another */

static void put_form(struct lp_buf *b, const char *name, const char *value)
{
    if (!value) return;
    lp_buf_printf(b, "&%s=", name);
    size_t begin = b->len;
    lp_percent_encode(b, value, strlen(value), " ");
    for (size_t i = begin; i < b->len; i++)
        if (b->data[i] == ' ') b->data[i] = '+';
}

static const char *get(const struct lp_aws_finder *f, const char *key)
{
    return lp_profiles_get(&f->s->files, f->profile, key);
}

/* ---- STS ---- */

struct sts_keys {
    char key[200], secret[200], expires[40];
    struct lp_buf token;
};

static enum lp_code take_element(void *who, const char *path, const char *text, size_t len, struct lp_err *err)
{
    struct sts_keys *k = who;
    const char *at = strstr(path, "/Credentials/");
    (void)err;
    if (!at) return LP_OK;
    at += 13;
    if (!strcmp(at, "AccessKeyId")) snprintf(k->key, sizeof k->key, "%s", text);
    if (!strcmp(at, "SecretAccessKey")) snprintf(k->secret, sizeof k->secret, "%s", text);
    if (!strcmp(at, "Expiration")) snprintf(k->expires, sizeof k->expires, "%s", text);
    if (!strcmp(at, "SessionToken")) lp_buf_put(&k->token, text, len);
    return LP_OK;
}

static enum lp_code read_sts(const struct lp_aws_reply *r, struct lp_aws_credentials *out, struct lp_err *err)
{
    struct sts_keys k = {.token.max_bytes = TOKEN_BYTES};
    enum lp_code code = lp_xml_read(lp_buf_text(&r->body), r->body.len, take_element, &k, err);
    if (!code) code = lp_buf_code(&k.token, "a session token", err);
    if (!code &&
        (!*k.key || !*k.secret || !k.token.len || !lp_time_parse_iso(k.expires, strlen(k.expires), &out->expires_us)))
        code = lp_fail(err, LP_AUTH, "the answer of STS holds no keys");
    if (!code) code = lp_aws_credentials_set(out, k.key, k.secret, lp_buf_text(&k.token), err);
    lp_aws_wipe(&k.token);
    explicit_bzero(&k, sizeof k);
    return code;
}

/* source NULL: not signed. */
static enum lp_code ask_sts(const struct lp_aws_settings *s, const struct lp_aws_credentials *source,
                            const struct lp_buf *body, struct lp_aws_credentials *out, struct lp_err *err)
{
    struct lp_aws *sts;
    struct lp_aws_reply reply;
    LP_TRY(lp_buf_code(body, "a request to STS", err));
    LP_TRY(lp_aws_new_with(s, source, &sts, err));
    const struct lp_aws_request q = {.service = "sts",
                                     .region = s->region ? s->region : "us-east-1",
                                     .body = body->data,
                                     .body_len = body->len,
                                     .anonymous = !source};
    enum lp_code code = lp_aws_call(sts, &q, &reply, err);
    if (!code) code = read_sts(&reply, out, err);
    lp_aws_wipe(&reply.body);
    lp_aws_reply_release(&reply);
    lp_aws_free(sts);
    return code;
}

/* The code of the device that mfa_serial names, asked on the terminal, where there is somebody to answer. */
static enum lp_code ask_for_code(const struct lp_aws_finder *f, const char *serial, char code[16], struct lp_err *err)
{
    char prompt[300];
    size_t len = 0;
    int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    if (tty < 0)
        return lp_fail(
            err, LP_AUTH,
            "the profile \"%s\" asks for the code of %s (mfa_serial), and there is no terminal to type it on; "
            "use a profile without mfa_serial for what runs by itself",
            f->profile, serial);
    int n = snprintf(prompt, sizeof prompt, "MFA code for %.200s: ", serial);
    bool asked = write(tty, prompt, (size_t)n) == n;
    while (asked && len < 15 && poll(&(struct pollfd){.fd = tty, .events = POLLIN}, 1, PROMPT_WAIT_MS) == 1 &&
           read(tty, code + len, 1) == 1 && code[len] != '\n')
        len++;
    close(tty);
    code[len] = '\0';
    if (len >= 6 && strspn(code, "0123456789") == len) return LP_OK;
    return lp_fail(err, LP_AUTH, "no code of %s was typed; it has six digits", serial);
}

static void put_session_name(struct lp_buf *b, const char *name)
{
    char made[60];
    snprintf(made, sizeof made, "lambda-pipeline-%lld", (long long)(lp_clock_now_us() / 1000000));
    put_form(b, "RoleSessionName", name ? name : made);
}

/* ---- role_arn ---- */

static bool has_role(const struct lp_aws_finder *f)
{
    return get(f, "role_arn") && !get(f, "web_identity_token_file");
}

static bool has_static_keys(const struct lp_aws_finder *f)
{
    return get(f, "aws_access_key_id") || get(f, "aws_secret_access_key");
}

/* A profile may name itself when keys lie in it; any other way back to where one came from has no end. */
static enum lp_code check_source(const struct lp_aws_finder *f, const char *source, struct lp_err *err)
{
    unsigned depth = 0;
    if (!lp_profiles_have(&f->s->files, source))
        return lp_fail(err, LP_CONFIG, "the profile \"%s\" names source_profile = %s, which is in neither file",
                       f->profile, source);
    for (const struct lp_aws_finder *above = f; above; above = above->for_role, depth++) {
        struct lp_aws_finder self = {.s = f->s, .profile = source};
        if (strcmp(above->profile, source) != 0) continue;
        if (above == f && has_static_keys(&self)) return LP_OK;
        return lp_fail(
            err, LP_CONFIG,
            "the profile \"%s\" leads back to \"%s\" through source_profile; let one of them have keys of its own",
            f->profile, source);
    }
    if (depth < CHAIN_MAX) return LP_OK;
    return lp_fail(err, LP_CONFIG, "more than %d profiles name one another as source_profile", CHAIN_MAX);
}

static enum lp_code from_source_profile(const struct lp_aws_finder *f, const char *source,
                                        struct lp_aws_credentials *keys, struct lp_err *err)
{
    bool found = false;
    LP_TRY(check_source(f, source, err));
    const struct lp_aws_finder next = {.s = f->s, .profile = source, .for_role = f};
    if (has_role(&next) && !has_static_keys(&next)) return lp_aws_from_role(&next, keys, &found, err);
    LP_TRY(lp_aws_from_source_profile(&next, keys, &found, err));
    if (found) return LP_OK;
    return lp_fail(err, LP_AUTH, "the profile \"%s\", source_profile of \"%s\", has no keys", source, f->profile);
}

static enum lp_code from_named_source(const struct lp_aws_finder *f, const char *name, struct lp_aws_credentials *keys,
                                      struct lp_err *err)
{
    static const struct {
        const char *name;
        lp_aws_provider_fn *find;
    } sources[] = {{"Environment", lp_aws_from_environment},
                   {"EcsContainer", lp_aws_from_container},
                   {"Ec2InstanceMetadata", lp_aws_from_imds}};
    for (size_t i = 0; i < LP_COUNT(sources); i++) {
        bool found = false;
        if (!lp_text_equal_ignoring_case(name, sources[i].name)) continue;
        LP_TRY(sources[i].find(f, keys, &found, err));
        if (found) return LP_OK;
        return lp_fail(err, LP_AUTH, "the profile \"%s\" names credential_source = %s, and there are no keys",
                       f->profile, name);
    }
    return lp_fail(
        err, LP_CONFIG,
        "the profile \"%s\" names credential_source = %s; write Environment, EcsContainer or Ec2InstanceMetadata",
        f->profile, name);
}

static enum lp_code put_role(const struct lp_aws_finder *f, struct lp_buf *body, struct lp_err *err)
{
    const char *duration = get(f, "duration_seconds"), *serial = get(f, "mfa_serial");
    int64_t seconds;
    lp_buf_puts(body, "Action=AssumeRole&Version=2011-06-15");
    put_form(body, "RoleArn", get(f, "role_arn"));
    put_session_name(body, get(f, "role_session_name"));
    put_form(body, "ExternalId", get(f, "external_id"));
    if (duration && lp_int64_parse(duration, strlen(duration), &seconds))
        lp_buf_printf(body, "&DurationSeconds=%lld", (long long)seconds);
    if (serial) {
        char code[16];
        LP_TRY(ask_for_code(f, serial, code, err));
        put_form(body, "SerialNumber", serial);
        put_form(body, "TokenCode", code);
    }
    return LP_OK;
}

enum lp_code lp_aws_from_role(const struct lp_aws_finder *f, struct lp_aws_credentials *out, bool *found,
                              struct lp_err *err)
{
    struct lp_aws_credentials source = {0};
    LP_AUTO(lp_buf) body = {.max_bytes = BODY_BYTES};
    *found = has_role(f);
    if (!*found) return LP_OK;
    const char *profile = get(f, "source_profile"), *named = get(f, "credential_source");
    if (!profile == !named)
        return lp_fail(err, LP_CONFIG,
                       "the profile \"%s\" has role_arn and %s; write one of source_profile and "
                       "credential_source",
                       f->profile, profile ? "both" : "neither");
    enum lp_code code =
        profile ? from_source_profile(f, profile, &source, err) : from_named_source(f, named, &source, err);
    if (!code) code = put_role(f, &body, err);
    if (!code) code = ask_sts(f->s, &source, &body, out, err);
    lp_aws_credentials_release(&source);
    if (code) return lp_wrap(err, code, "the role %.200s of the profile \"%s\"", get(f, "role_arn"), f->profile);
    snprintf(out->source, sizeof out->source, "the role %.100s (profile %.60s)", get(f, "role_arn"), f->profile);
    return LP_OK;
}

/* ---- web identity ---- */

static const char *setting(const struct lp_aws_finder *f, const char *variable, const char *key)
{
    const char *value = f->environment ? lp_aws_variable(variable) : NULL;
    return value ? value : get(f, key);
}

static enum lp_code put_web_identity(const struct lp_aws_finder *f, const char *role, const char *path,
                                     struct lp_buf *body, struct lp_err *err)
{
    struct lp_buf token = {.max_bytes = TOKEN_BYTES};
    LP_AUTO(lp_buf) real_path = {0};
    lp_profile_put_path(&real_path, path);
    LP_TRY(lp_buf_code(&real_path, "a path", err));
    enum lp_code code = lp_file_read(real_path.data, &token, err);
    while (!code && token.len && strchr(" \t\r\n", token.data[token.len - 1])) token.data[--token.len] = '\0';
    if (!code) code = lp_secret_add_passing(lp_buf_text(&token), token.len, err);
    lp_buf_reserve(body, token.len * 3 + 1024);
    lp_buf_puts(body, "Action=AssumeRoleWithWebIdentity&Version=2011-06-15");
    put_form(body, "RoleArn", role);
    put_session_name(body, setting(f, "AWS_ROLE_SESSION_NAME", "role_session_name"));
    put_form(body, "WebIdentityToken", lp_buf_text(&token));
    lp_aws_wipe(&token);
    return code ? lp_wrap(err, code == LP_NOMEM ? code : LP_AUTH, "the web identity token") : LP_OK;
}

enum lp_code lp_aws_from_web_identity(const struct lp_aws_finder *f, struct lp_aws_credentials *out, bool *found,
                                      struct lp_err *err)
{
    const char *path = setting(f, "AWS_WEB_IDENTITY_TOKEN_FILE", "web_identity_token_file");
    const char *role = setting(f, "AWS_ROLE_ARN", "role_arn");
    struct lp_buf body = {.max_bytes = BODY_BYTES};
    *found = path != NULL;
    if (!path) return LP_OK;
    if (!role)
        return lp_fail(err, LP_CONFIG,
                       "AWS_WEB_IDENTITY_TOKEN_FILE (or web_identity_token_file in the profile \"%s\") is set, "
                       "AWS_ROLE_ARN (or role_arn) is not; set both or none",
                       f->profile);
    enum lp_code code = put_web_identity(f, role, path, &body, err);
    if (!code) code = ask_sts(f->s, NULL, &body, out, err);
    lp_aws_wipe(&body);
    if (code) return lp_wrap(err, code, "the role %s by web identity", role);
    snprintf(out->source, sizeof out->source, "the role %.150s by web identity", role);
    return LP_OK;
}
