/* The files that AWS's tools share, whatever is in them. */
#include "fuzz.h"

#include "aws/profile.h"
#include "base/secret.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    if (!len) return 0;
    struct lp_profiles p = {0};
    struct lp_err err = {0};
    enum lp_code code = lp_profiles_parse(&p, (const char *)bytes + 1, len - 1, *bytes & 1, "file", &err);
    LP_HOLDS(code == LP_OK || code == LP_CONFIG || code == LP_LIMIT);
    LP_HOLDS(!code || *err.text);
    for (const struct lp_profile_section *s = p.sections; s; s = s->next) {
        LP_HOLDS(lp_profiles_section(&p, s->kind, s->name) == s && *s->name);
        for (const struct lp_profile_property *q = s->properties; q; q = q->next) {
            const char *value = lp_profile_value(s, q->key);
            LP_HOLDS(value ? !strcmp(value, q->value) : !*q->value);
            for (const struct lp_profile_property *below = q->below; below; below = below->next)
                LP_HOLDS(!*below->value || lp_profile_below(s, q->key, below->key));
        }
    }
    lp_profiles_release(&p);
    lp_secret_forget();
    return 0;
}
