/* Secrets kept at AWS. */
#include "aws/session.h"

void lp_aws_secrets_free(struct lp_aws *aws)
{
    aws->secrets = NULL;
}

enum lp_code lp_aws_secret(struct lp_aws *aws, const char *place, const char **value, struct lp_err *err)
{
    (void)aws;
    *value = NULL;
    return lp_fail(err, LP_CONFIG, "%s: not read yet", place);
}
