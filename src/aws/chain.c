/* The order of the providers, and the one that is nearest: the environment. */
#include "aws/credentials.h"

#include "base/clock.h"

#include <stdio.h>

static enum lp_code from_environment(struct lp_aws_credentials *out, bool *found, struct lp_err *err)
{
    const char *key = lp_aws_variable("AWS_ACCESS_KEY_ID"), *secret = lp_aws_variable("AWS_SECRET_ACCESS_KEY");
    const char *expires = lp_aws_variable("AWS_CREDENTIAL_EXPIRATION");
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

enum lp_code lp_aws_chain_find(const struct lp_aws_settings *s, struct lp_aws_credentials *out, struct lp_err *err)
{
    bool found = false;
    *out = (struct lp_aws_credentials){0};
    if (!s->profile_asked) LP_TRY(from_environment(out, &found, err));
    if (found) return LP_OK;
    return lp_fail(err, LP_AUTH,
                   "no AWS credentials were found; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile "
                   "(AWS_PROFILE)");
}
