/* permissions.h — what a pipeline has to be allowed to do on AWS, and nothing beyond.
 * Model:   one entry per action of IAM, with the resources it is for, derived from the pipeline file alone: a pipeline that
 *          keeps its rows in a directory and its secrets in the environment needs none. Resources are ARNs that may hold
 *          ${AWS::Partition}, ${AWS::Region} and ${AWS::AccountId}, as CloudFormation writes them, until
 *          lp_permissions_fill puts in what is known. A policy is the list as IAM reads it.
 * Owns:    everything lies in the caller's arena; texts may be the pipeline's own.
 * Units:   –
 * Errors:  LP_NOMEM, LP_LIMIT.
 * Threads: no shared state.
 * Source:  AWS's Service Authorization Reference.
 */
#ifndef LP_DEPLOY_PERMISSIONS_H
#define LP_DEPLOY_PERMISSIONS_H

#include "pipeline/definition.h"

#define LP_PERMISSION_RESOURCES 4

/* StringLike, s3:prefix, one of the values */
struct lp_condition {
    const char *operator; /* NULL: no condition */
    const char *key;
    const char *values[LP_PERMISSION_RESOURCES];
    size_t value_count;
};

struct lp_permission {
    const char *service; /* as in aws/aws.h: s3 glue sns ssm secretsmanager kms */
    const char *action;  /* s3:PutObject */
    const char *resources[LP_PERMISSION_RESOURCES];
    size_t resource_count;
    struct lp_condition condition;
    const char *why; /* "writes the rows" */
    const char *of;  /* the topic's ARN or the secret's place that it is for; NULL elsewhere */
    bool own_key;    /* only needed where somebody encrypted what `of` names with a key of their own */
};

struct lp_permissions {
    struct lp_permission *list;
    size_t count;
};

enum lp_code lp_permissions_of(const struct lp_pipeline *p, struct lp_arena *a, struct lp_permissions *out,
                               struct lp_err *err) LP_CHECKED;

struct lp_account { /* NULL: not known; the placeholder stays */
    const char *partition, *region, *number;
};
enum lp_code lp_permissions_fill(struct lp_permissions *list, const struct lp_account *account, struct lp_arena *a,
                                 struct lp_err *err) LP_CHECKED;

/* Can they stand in one statement: the same resources, the same condition? */
bool lp_permission_alike(const struct lp_permission *a, const struct lp_permission *b);

/* A policy document that allows them: those of the same resources and condition are one statement. Indented, for people to
 * paste; without a line break at its end. Placeholders that are left become "*". */
void lp_policy_put(const struct lp_permission *const *list, size_t count, struct lp_buf *out);

#endif
