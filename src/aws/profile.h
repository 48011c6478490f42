/* profile.h — the two files that AWS's tools share: ~/.aws/config and ~/.aws/credentials.
 * Model:   sections of properties; a property whose value is empty may have properties of its own below it, one level.
 *          Config has [default], [profile NAME], [sso-session NAME], [services NAME]; credentials has [NAME]. Sections
 *          of one name are one, the later property wins; what the credentials file says comes before what config says.
 * Owns:    its texts, until lp_profiles_release; those that are secret are masked from the moment they are read.
 * Units:   bytes; a file has at most LP_PROFILE_FILE_BYTES.
 * Errors:  LP_CONFIG with file and line, LP_IO, LP_NOMEM. A file that is not there is an empty one.
 * Threads: read only once read.
 * Source:  aws-c-sdkutils and botocore's configloader.py.
 */
#ifndef LP_AWS_PROFILE_H
#define LP_AWS_PROFILE_H

#include "base/arena.h"

#define LP_PROFILE_FILE_BYTES ((size_t)1 << 20)

enum lp_profile_kind {
    LP_PROFILE_CONFIG,      /* a profile in config */
    LP_PROFILE_CREDENTIALS, /* a profile in credentials */
    LP_PROFILE_SSO_SESSION,
    LP_PROFILE_SERVICES
};

struct lp_profile_property {
    struct lp_profile_property *next, *below;
    const char *key;   /* in lower case */
    const char *value; /* with the lines that go on, each after '\n' */
};

struct lp_profile_section {
    struct lp_profile_section *next;
    enum lp_profile_kind kind;
    const char *name;
    bool prefixed; /* [profile default] is stronger than [default] */
    struct lp_profile_property *properties;
};

struct lp_profiles {
    struct lp_arena arena;
    const char *config_path, *credentials_path; /* as people know them, for errors */
    struct lp_profile_section *sections;
};

/* Reads both: AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE, else below HOME. */
enum lp_code lp_profiles_read(struct lp_profiles *p, struct lp_err *err) LP_CHECKED;
/* The same from text in hand; `path` is for errors alone. */
enum lp_code lp_profiles_parse(struct lp_profiles *p, const char *text, size_t len, bool credentials, const char *path,
                               struct lp_err *err) LP_CHECKED;
void lp_profiles_release(struct lp_profiles *p);

bool lp_profiles_have(const struct lp_profiles *p, const char *profile);
/* A profile's property, out of credentials first; NULL when it is in neither, or empty. */
const char *lp_profiles_get(const struct lp_profiles *p, const char *profile, const char *key);
const struct lp_profile_section *lp_profiles_section(const struct lp_profiles *p, enum lp_profile_kind kind,
                                                     const char *name);
/* NULL when the section is NULL, or has no such property, or an empty one. */
const char *lp_profile_value(const struct lp_profile_section *s, const char *key);
/* The property below another: services' "glue =" and its indented "endpoint_url = …". */
const char *lp_profile_below(const struct lp_profile_section *s, const char *key, const char *below);

/* '~' and "~/…" become the home folder; appended to out. */
struct lp_buf;
void lp_profile_put_path(struct lp_buf *out, const char *path);

#endif
