/* plan_aws.h — plan --aws: a pipeline's schedule as EventBridge is told it, and the commands that tell it.
 * Model:   EventBridge Scheduler, which knows time zones, and the classic rule, which knows UTC; where the rule cannot say
 *          the same exactly, the reason. What it prints is what the template writes.
 * Owns:    nothing.
 * Errors:  LP_USAGE: no schedule; LP_CONFIG: EventBridge has no words for it, or the zone cannot be read.
 * Threads: one thread.
 */
#ifndef LP_CLI_PLAN_AWS_H
#define LP_CLI_PLAN_AWS_H

#include "cli/cli.h"
#include "pipeline/definition.h"

enum lp_code lp_plan_put_aws(const struct lp_cli *c, const struct lp_pipeline *p, struct lp_buf *out, struct lp_err *err) LP_CHECKED;

#endif
