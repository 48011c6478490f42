/* credentials.h — keys, where they come from, and keeping them fresh.
 * Model:   lp_aws_chain_find goes through the providers in the order of AWS's SDKs; the first that applies wins, and one
 *          that applies but fails is an error. A keyring keeps what was found and asks again before it expires.
 * Owns:    struct lp_aws_credentials owns its texts, which are wiped when released. Secret ones are masked everywhere
 *          from the moment they are known.
 * Units:   microseconds since 1970.
 * Errors:  LP_AUTH (no keys, half of them, refused), LP_CONFIG (a profile that is wrong), LP_BUSY, LP_CANCELLED, LP_NOMEM.
 * Threads: one thread per keyring.
 * Source:  botocore's credentials.py.
 */
#ifndef LP_AWS_CREDENTIALS_H
#define LP_AWS_CREDENTIALS_H

#include "aws/settings.h"

struct lp_aws_credentials {
    char *access_key, *secret_key, *session_token; /* the last may be NULL */
    char source[200];                              /* "the environment (AWS_ACCESS_KEY_ID)" */
    int64_t expires_us;                            /* 0: they do not expire */
    bool outlives_expiry;                          /* still to be tried when they could not be renewed */
};
void lp_aws_credentials_release(struct lp_aws_credentials *c);
/* Takes copies and has the secret ones masked; token NULL or "": none. */
enum lp_code lp_aws_credentials_set(struct lp_aws_credentials *c, const char *access_key, const char *secret_key,
                                    const char *token, struct lp_err *err) LP_CHECKED;
enum lp_code lp_aws_credentials_copy(struct lp_aws_credentials *to, const struct lp_aws_credentials *from,
                                     struct lp_err *err) LP_CHECKED;

enum lp_code lp_aws_chain_find(const struct lp_aws_settings *s, struct lp_aws_credentials *out,
                               struct lp_err *err) LP_CHECKED;

struct lp_aws_keyring {
    struct lp_aws_credentials now;
    bool found, fixed; /* fixed: given, never asked for again */
    int64_t life_us;   /* what was left of them when they came */
    int64_t asked_us;  /* when the last attempt to renew failed; 0: it did not */
};
/* Keys that are good for a call at this moment; borrowed until the next call. */
enum lp_code lp_aws_keyring_get(struct lp_aws_keyring *k, const struct lp_aws_settings *s,
                                const struct lp_aws_credentials **out, struct lp_err *err) LP_CHECKED;
/* AWS says that they are over, whatever their time says: the next get asks again. False when that changes nothing. */
bool lp_aws_keyring_expire(struct lp_aws_keyring *k);
void lp_aws_keyring_release(struct lp_aws_keyring *k);

#endif
