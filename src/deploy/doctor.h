/* doctor.h — can this pipeline run here, with these keys? Asked of AWS itself, without changing anything.
 * Model:   what a pipeline needs is a list of permissions (deploy/permissions.h) and a few things of this machine. Each is
 *          tried in a way that leaves nothing: an object is read that is not there, an upload is begun and given up, a
 *          message is sent that no topic takes. What cannot be tried so is asked of IAM, where IAM may be asked.
 *          What is found is told, never returned as an error: a diagnosis always comes to its end.
 * Owns:    all texts lie in the diagnosis's arena or are the pipeline's.
 * Units:   microseconds.
 * Errors:  LP_NOMEM, LP_LIMIT, LP_CANCELLED.
 * Threads: one thread.
 */
#ifndef LP_DEPLOY_DOCTOR_H
#define LP_DEPLOY_DOCTOR_H

#include "aws/aws.h"
#include "deploy/permissions.h"

enum lp_verdict {
    LP_VERDICT_FINE,
    LP_VERDICT_MISSING,
    LP_VERDICT_UNKNOWN /* could not be tried */
};

struct lp_finding {
    enum lp_verdict verdict;
    const char *name;                       /* "s3:PutObject", "OPENWEATHER_API_KEY" */
    const char *text;                       /* what it is for; where it is not fine: what is wrong, and what to do */
    const struct lp_permission *permission; /* with the resources that were refused; NULL: not a permission */
    bool forbidden;                         /* a statement that allows it would not help */
};

#define LP_DOCTOR_SERVICES 8

struct lp_diagnosis {
    struct lp_arena arena;
    const char *pipeline;
    struct lp_permissions needs;
    const char *problem; /* that nothing on AWS works with; NULL: none */
    struct lp_aws_identity keys;
    const char *arn; /* whose keys they are; NULL: STS did not say */
    struct lp_account account;
    struct {
        const char *service, *url;
    } endpoints[LP_DOCTOR_SERVICES];
    size_t endpoint_count;
    struct lp_finding *list; /* what is here, then AWS */
    size_t count, cap;
};

enum lp_code lp_doctor_examine(const struct lp_pipeline *p, struct lp_aws *aws, struct lp_diagnosis *d,
                               struct lp_err *err) LP_CHECKED;
void lp_diagnosis_release(struct lp_diagnosis *d);

struct lp_tally {
    size_t permissions, fine, missing, unknown; /* of the permissions */
    size_t others_missing;
};
struct lp_tally lp_diagnosis_tally(const struct lp_diagnosis *d);
bool lp_diagnosis_is_well(const struct lp_diagnosis *d);
/* "weather can run on AWS: 9 of 9 permissions are there" */
void lp_diagnosis_put_headline(const struct lp_diagnosis *d, struct lp_buf *out);
/* The policy of what is missing, or of what could not be tried; false, and nothing, when there is none of that. */
bool lp_diagnosis_put_policy(const struct lp_diagnosis *d, enum lp_verdict of, struct lp_buf *out);

#endif
