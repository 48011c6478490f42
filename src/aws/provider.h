/* provider.h — where keys may come from: one function per provider, for the files of this room alone.
 * Model:   a provider looks whether it applies (the profile has its keys, its variable is set, its server answers) and then
 *          brings keys or fails; *found false and LP_OK: it does not apply.
 * Owns:    keys go into *out, which the caller releases in every case.
 * Units:   milliseconds, in the names.
 * Errors:  LP_AUTH (refused, incomplete, to be renewed by hand), LP_CONFIG (a profile or variable that is wrong), LP_BUSY,
 *          LP_CANCELLED, LP_NOMEM; each sentence says which profile or variable it is about.
 * Threads: as credentials.h.
 * Source:  botocore's credentials.py, utils.py and tokens.py.
 */
#ifndef LP_AWS_PROVIDER_H
#define LP_AWS_PROVIDER_H

#include "aws/credentials.h"
#include "net/http.h"

struct lp_aws_finder {
    const struct lp_aws_settings *s;
    const char *profile;
    bool environment;                     /* variables count beside the profile */
    const struct lp_aws_finder *for_role; /* the profile whose role wants these keys; NULL: none */
};

typedef enum lp_code lp_aws_provider_fn(const struct lp_aws_finder *f, struct lp_aws_credentials *out, bool *found,
                                        struct lp_err *err);
lp_aws_provider_fn lp_aws_from_environment, lp_aws_from_role, lp_aws_from_web_identity, lp_aws_from_sso,
    lp_aws_from_credentials_file, lp_aws_from_login, lp_aws_from_process, lp_aws_from_config_file,
    lp_aws_from_container, lp_aws_from_imds;

/* The providers of a profile whose keys another profile's role is assumed with. */
enum lp_code lp_aws_from_source_profile(const struct lp_aws_finder *f, struct lp_aws_credentials *out, bool *found,
                                        struct lp_err *err) LP_CHECKED;

/* The region of the machine this runs on, out of its metadata; *found false when there is none. */
enum lp_code lp_aws_imds_region(const struct lp_aws_settings *s, char region[64], bool *found,
                                struct lp_err *err) LP_CHECKED;

/* ---- what providers share ---- */

/* A request to a server that hands out keys: unsigned, answered soon or not at all. */
struct lp_aws_question {
    const char *method, *url;
    const char *headers[4];
    size_t header_count;
    int64_t timeout_ms, pause_ms; /* of one attempt; between two */
    unsigned attempts;            /* while no 200 comes */
};
struct lp_aws_answer {
    enum lp_http_outcome outcome;
    int status;
    struct lp_buf body; /* wiped by lp_aws_answer_release */
    char error[LP_HTTP_ERROR_BYTES];
};
enum lp_code lp_aws_question_ask(const struct lp_aws_settings *s, const struct lp_aws_question *q,
                                 struct lp_aws_answer *out, struct lp_err *err) LP_CHECKED;
void lp_aws_answer_release(struct lp_aws_answer *a);

/* JSON with keys in it: names of its members, the token's last; an expiry in ISO 8601 or absent. */
struct lp_aws_key_names {
    const char *access_key, *secret_key, *token, *expires;
};
enum lp_code lp_aws_keys_from_json(const struct lp_buf *text, const struct lp_aws_key_names *names, const char *what,
                                   struct lp_aws_credentials *out, struct lp_err *err) LP_CHECKED;
void lp_aws_wipe(struct lp_buf *b);

#endif
