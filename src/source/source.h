/* source.h — the `source` section: what is asked, of whom, how often, and what counts as an answer.
 * Model:   a GET request with variables, sent once per item. Items come from `each`: lists, a file, or both (then every
 *          combination); without `each` there is one item. Rows are made from each reply (`rows`, `zip`).
 * Owns:    everything lies in the arena of the definition; the secret's value is in the process-wide list of secrets
 *          and here, wiped by lp_source_release.
 * Units:   milliseconds and bytes.
 * Errors:  faults with place; lp_source_load_secret: LP_CONFIG with the same kind of sentence, and what aws.h says.
 * Threads: read only once bound.
 */
#ifndef LP_SOURCE_SOURCE_H
#define LP_SOURCE_SOURCE_H

#include "aws/aws.h"
#include "config/field.h"
#include "net/http.h"
#include "net/rate.h"
#include "net/retry.h"
#include "table/path.h"

enum lp_auth_kind { LP_AUTH_NONE, LP_AUTH_QUERY, LP_AUTH_HEADER, LP_AUTH_BEARER, LP_AUTH_BASIC };
struct lp_auth {
    enum lp_auth_kind kind;
    const char *name;   /* of the query parameter or header; the user of basic */
    const char *secret; /* as written: env:NAME, file:PATH, ssm:NAME, secretsmanager:NAME */
    const struct lp_node *node;
    char *value; /* once loaded; owned, wiped */
};

/* One variable of `each` and its values. */
struct lp_each_list {
    const char *name;
    struct lp_slice *values;
    size_t count;
};
struct lp_each {
    struct lp_each_list *lists;
    size_t list_count;
    const char *file; /* NULL: none; its variables come before those of the lists */
    bool jsonl;
    const char **file_names;
    size_t file_name_count;
    const struct lp_node *node;
};

enum lp_status_action { LP_STATUS_SKIP, LP_STATUS_STOP, LP_STATUS_RETRY };
struct lp_status_rule {
    int low, high;
    enum lp_status_action action;
};
struct lp_status_rules {
    struct lp_status_rule *list;
    size_t count;
};

struct lp_expectation {
    struct lp_path path;
    const char *name, *text;
};
struct lp_expectations {
    struct lp_expectation *list;
    size_t count;
};

struct lp_row_path {
    const char *text; /* NULL: not given */
    struct lp_path path;
    const struct lp_node *node;
};

struct lp_source_limit {
    struct lp_rate_spec rate;
    int64_t at_once, connect_ms, total_ms, body_bytes;
};
struct lp_source_retry {
    int64_t attempts, deadline_ms, base_ms, cap_ms;
};

struct lp_source {
    struct lp_template get;
    struct lp_pairs query, headers;
    struct lp_auth auth;
    struct lp_each each;
    struct lp_source_limit limit;
    struct lp_source_retry retry;
    struct lp_status_rules on_status;
    struct lp_expectations expect;
    struct lp_row_path rows, zip;
    bool history;
};

extern const struct lp_fields lp_source_fields;

/* After reading: names the variables that items bring, then finds those that templates name. */
void lp_source_variables(struct lp_reading *r, const struct lp_source *s, struct lp_variables *v);
void lp_source_bind(struct lp_reading *r, struct lp_source *s, const struct lp_variables *v);
/* Reads the secret from where it is kept and has it masked from now on. */
enum lp_code lp_source_load_secret(struct lp_source *s, struct lp_aws *aws, const char *folder,
                                   struct lp_err *err) LP_CHECKED;
void lp_source_release(struct lp_source *s);
/* Can it be asked for a slot long past? Its request says the slot, or the file says that it can. */
bool lp_source_has_history(const struct lp_source *s);
/* What a status is to be, by on_status; false when no rule speaks of it. */
bool lp_source_status(const struct lp_source *s, int status, enum lp_status_action *action);

#endif
