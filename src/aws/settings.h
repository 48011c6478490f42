/* settings.h — what the environment, the command line and the profile say about calls to AWS.
 * Model:   read once, before the first call; a setting is looked for in the environment first, then in the profile. An
 *          empty variable counts as none.
 * Owns:    its texts, until lp_aws_settings_release; those of the environment are copied.
 * Units:   none.
 * Errors:  LP_CONFIG naming the variable or the profile's key, LP_NOMEM.
 * Threads: one thread; the environment must not change meanwhile.
 */
#ifndef LP_AWS_SETTINGS_H
#define LP_AWS_SETTINGS_H

#include "aws/aws.h"
#include "aws/profile.h"
#include "base/arena.h"

struct lp_aws_settings {
    struct lp_arena texts;
    struct lp_profiles files;
    const char *profile;       /* never NULL: "default" */
    bool profile_asked;        /* --profile: keys in the environment do not count */
    const char *region;        /* NULL: nobody said one */
    const char *endpoint_flag; /* NULL: none */
    const char *ca_bundle;     /* NULL: none */
    bool fips, dual_stack, ignore_endpoints;
    unsigned max_attempts;
    bool new_retries;
};

enum lp_code lp_aws_settings_read(struct lp_aws_settings *s, const struct lp_aws_options *o,
                                  struct lp_err *err) LP_CHECKED;
void lp_aws_settings_release(struct lp_aws_settings *s);

/* The value, or NULL when it is neither in the environment nor in the profile; either name may be NULL. */
const char *lp_aws_setting(const struct lp_aws_settings *s, const char *variable, const char *key);
/* The variable's value, NULL when it is not set or empty. */
const char *lp_aws_variable(const char *name);

#endif
