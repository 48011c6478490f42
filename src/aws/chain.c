/* The order of the providers, and those that are nearest: the environment and the two files. */
#include "aws/provider.h"

#include "base/clock.h"

#include <stdio.h>

enum lp_code lp_aws_from_environment(const struct lp_aws_finder *f, struct lp_aws_credentials *out, bool *found,
                                     struct lp_err *err)
{
    const char *key = lp_aws_variable("AWS_ACCESS_KEY_ID"), *secret = lp_aws_variable("AWS_SECRET_ACCESS_KEY");
    const char *expires = lp_aws_variable("AWS_CREDENTIAL_EXPIRATION");
    (void)f;
    *found = key != NULL;
    if (!key) return LP_OK;
    if (!secret)
        return lp_fail(err, LP_AUTH, "AWS_ACCESS_KEY_ID is set, AWS_SECRET_ACCESS_KEY is not; set both or none");
    if (expires && !lp_time_parse_iso(expires, strlen(expires), &out->expires_us))
        return lp_fail(err, LP_AUTH, "AWS_CREDENTIAL_EXPIRATION is \"%s\"; write a time like 2026-11-22T18:00:00Z",
                       expires);
    snprintf(out->source, sizeof out->source, "the environment (AWS_ACCESS_KEY_ID)");
    return lp_aws_credentials_set(out, key, secret, lp_aws_variable("AWS_SESSION_TOKEN"), err);
}

static enum lp_code from_file(const struct lp_aws_finder *f, enum lp_profile_kind kind, const char *path,
                              struct lp_aws_credentials *out, bool *found, struct lp_err *err)
{
    const struct lp_profile_section *s = lp_profiles_section(&f->s->files, kind, f->profile);
    const char *key = lp_profile_value(s, "aws_access_key_id"), *secret = lp_profile_value(s, "aws_secret_access_key");
    const char *token = lp_profile_value(s, "aws_session_token");
    if (!token) token = lp_profile_value(s, "aws_security_token");
    *found = key != NULL;
    if (!key) return LP_OK;
    if (!secret)
        return lp_fail(err, LP_AUTH,
                       "the profile \"%s\" in %s has aws_access_key_id and no aws_secret_access_key; "
                       "write both or none",
                       f->profile, path);
    snprintf(out->source, sizeof out->source, "profile %.80s in %.80s", f->profile, path);
    return lp_aws_credentials_set(out, key, secret, token, err);
}

enum lp_code lp_aws_from_credentials_file(const struct lp_aws_finder *f, struct lp_aws_credentials *out, bool *found,
                                          struct lp_err *err)
{
    return from_file(f, LP_PROFILE_CREDENTIALS, f->s->files.credentials_path, out, found, err);
}

enum lp_code lp_aws_from_config_file(const struct lp_aws_finder *f, struct lp_aws_credentials *out, bool *found,
                                     struct lp_err *err)
{
    return from_file(f, LP_PROFILE_CONFIG, f->s->files.config_path, out, found, err);
}

/* `aws login` proves each request with a key of its own, which only AWS's tools do. */
enum lp_code lp_aws_from_login(const struct lp_aws_finder *f, struct lp_aws_credentials *out, bool *found,
                               struct lp_err *err)
{
    (void)out;
    *found = lp_profiles_get(&f->s->files, f->profile, "login_session") != NULL;
    if (!*found) return LP_OK;
    return lp_fail(
        err, LP_AUTH,
        "the profile \"%s\" gets its keys from `aws login`, which only AWS's own tools can ask; make another "
        "profile with the line: credential_process = aws configure export-credentials --profile %s --format "
        "process",
        f->profile, f->profile);
}

static enum lp_code first_of(lp_aws_provider_fn *const *providers, size_t count, const struct lp_aws_finder *f,
                             struct lp_aws_credentials *out, bool *found, struct lp_err *err)
{
    for (size_t i = 0; i < count; i++) {
        enum lp_code code = providers[i](f, out, found, err);
        if (code || *found) return code;
    }
    return LP_OK;
}

enum lp_code lp_aws_from_source_profile(const struct lp_aws_finder *f, struct lp_aws_credentials *out, bool *found,
                                        struct lp_err *err)
{
    static lp_aws_provider_fn *const providers[] = {lp_aws_from_web_identity,     lp_aws_from_sso,
                                                    lp_aws_from_credentials_file, lp_aws_from_login,
                                                    lp_aws_from_process,          lp_aws_from_config_file};
    return first_of(providers, LP_COUNT(providers), f, out, found, err);
}

enum lp_code lp_aws_chain_find(const struct lp_aws_settings *s, struct lp_aws_credentials *out, struct lp_err *err)
{
    static lp_aws_provider_fn *const providers[] = {
        lp_aws_from_environment,      lp_aws_from_role,  lp_aws_from_web_identity, lp_aws_from_sso,
        lp_aws_from_credentials_file, lp_aws_from_login, lp_aws_from_process,      lp_aws_from_config_file,
        lp_aws_from_container,        lp_aws_from_imds};
    const struct lp_aws_finder f = {.s = s, .profile = s->profile, .environment = !s->profile_asked};
    size_t first = s->profile_asked ? 1 : 0;
    bool found = false;
    *out = (struct lp_aws_credentials){0};
    LP_TRY(first_of(providers + first, LP_COUNT(providers) - first, &f, out, &found, err));
    if (found) return LP_OK;
    return lp_fail(err, LP_AUTH,
                   "no AWS credentials were found: not in the environment, nor for the profile \"%s\", nor from the "
                   "machine; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile (AWS_PROFILE)",
                   s->profile);
}
