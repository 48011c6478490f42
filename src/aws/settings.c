#include "aws/settings.h"

#include "base/number.h"

#include <stdlib.h>

#define TEXT_BYTES ((size_t)1 << 20)

const char *lp_aws_variable(const char *name)
{
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

const char *lp_aws_setting(const struct lp_aws_settings *s, const char *variable, const char *key)
{
    const char *value = variable ? lp_aws_variable(variable) : NULL;
    return value || !key ? value : lp_profiles_get(&s->files, s->profile, key);
}

static bool is_true(const char *text)
{
    return text && lp_text_equal_ignoring_case(text, "true");
}

static enum lp_code read_retries(struct lp_aws_settings *s, struct lp_err *err)
{
    static const char *const modes[] = {"legacy", "standard", "adaptive"};
    const char *attempts = lp_aws_setting(s, "AWS_MAX_ATTEMPTS", "max_attempts");
    const char *mode = lp_aws_setting(s, "AWS_RETRY_MODE", "retry_mode");
    int64_t count = 3;
    if (attempts && (!lp_int64_parse(attempts, strlen(attempts), &count) || count < 1 || count > 1000))
        return lp_fail(err, LP_CONFIG,
                       "AWS_MAX_ATTEMPTS (or max_attempts in the profile) is \"%s\"; write a number from 1 to 1000",
                       attempts);
    bool known = !mode;
    for (size_t i = 0; mode && i < LP_COUNT(modes); i++) known |= lp_text_equal_ignoring_case(mode, modes[i]);
    if (!known)
        return lp_fail(err, LP_CONFIG, "AWS_RETRY_MODE (or retry_mode in the profile) is \"%s\"; write standard", mode);
    s->max_attempts = (unsigned)count;
    s->new_retries = is_true(lp_aws_variable("AWS_NEW_RETRIES_2026"));
    return LP_OK;
}

static const char *keep(struct lp_aws_settings *s, const char *text, bool *failed)
{
    const char *copy = text ? lp_arena_strdup(&s->texts, text) : NULL;
    *failed |= text && !copy;
    return copy;
}

/* The profile's name comes first: all that follows looks into it. */
static enum lp_code choose_profile(struct lp_aws_settings *s, const struct lp_aws_options *o, struct lp_err *err)
{
    bool failed = false;
    const char *name = s->profile_asked ? o->profile : lp_aws_variable("AWS_PROFILE");
    if (!name) name = lp_aws_variable("AWS_DEFAULT_PROFILE");
    s->profile = keep(s, name ? name : "default", &failed);
    if (failed) return lp_arena_code(&s->texts, err);
    LP_TRY(lp_profiles_read(&s->files, err));
    if (!name || lp_profiles_have(&s->files, name)) return LP_OK;
    return lp_fail(err, LP_CONFIG, "the profile \"%s\" (%s) is neither in %s nor in %s", name,
                   s->profile_asked ? "--profile" : "AWS_PROFILE", s->files.config_path, s->files.credentials_path);
}

enum lp_code lp_aws_settings_read(struct lp_aws_settings *s, const struct lp_aws_options *o, struct lp_err *err)
{
    bool failed = false;
    *s = (struct lp_aws_settings){.profile_asked = o->profile && *o->profile};
    lp_arena_init(&s->texts, TEXT_BYTES);
    LP_TRY(choose_profile(s, o, err));
    const char *region = o->region && *o->region ? o->region : lp_aws_variable("AWS_REGION");
    if (!region) region = lp_aws_setting(s, "AWS_DEFAULT_REGION", "region");
    s->region = keep(s, region, &failed);
    s->endpoint_flag = keep(s, o->endpoint_url && *o->endpoint_url ? o->endpoint_url : NULL, &failed);
    s->ca_bundle = keep(s, lp_aws_setting(s, "AWS_CA_BUNDLE", "ca_bundle"), &failed);
    s->fips = is_true(lp_aws_setting(s, "AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint"));
    s->dual_stack = is_true(lp_aws_setting(s, "AWS_USE_DUALSTACK_ENDPOINT", "use_dualstack_endpoint"));
    s->ignore_endpoints =
        is_true(lp_aws_setting(s, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "ignore_configured_endpoint_urls"));
    if (failed) return lp_arena_code(&s->texts, err);
    return read_retries(s, err);
}

void lp_aws_settings_release(struct lp_aws_settings *s)
{
    lp_profiles_release(&s->files);
    lp_arena_release(&s->texts);
    *s = (struct lp_aws_settings){0};
}
