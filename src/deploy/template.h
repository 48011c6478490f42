/* template.h — the CloudFormation template of pipelines: all that has to be made on AWS for them to run there.
 * Model:   one stack for all files: a bucket, a topic, a queue for what failed, and for each pipeline a function with its
 *          role, its log, its schedule and its alarms. What differs between the stack's two stages, staging and production,
 *          is a parameter. The same files give the same bytes. It is YAML in the Serverless dialect, with comments that say
 *          to somebody new what each part is for.
 * Owns:    nothing; pipelines and environments are borrowed.
 * Units:   –
 * Errors:  LP_CONFIG for a pipeline that no stack can run, LP_USAGE, LP_NOMEM, LP_LIMIT.
 * Threads: one thread.
 * Source:  AWS's references of CloudFormation and of the Serverless transform.
 */
#ifndef LP_DEPLOY_TEMPLATE_H
#define LP_DEPLOY_TEMPLATE_H

#include "deploy/stack.h"

#define LP_TEMPLATE_BYTES      ((size_t)1 << 20) /* what CloudFormation takes */
#define LP_TEMPLATE_SHARDS_MAX 1000

struct lp_stack_function {
    const struct lp_pipeline *pipeline;
    const struct lp_stack_environment *environment; /* that it was loaded for */
};

struct lp_stack {
    const struct lp_stack_function *list;
    size_t count;
    uint64_t shards; /* 0 or 1: each run is one call */
};

enum lp_code lp_template_of(const struct lp_stack *s, struct lp_buf *out, struct lp_err *err) LP_CHECKED;

/* What the files say in such a way that both stages share it, or that no function can follow, and a template too large for one
 * call; a line for each, nothing when there is none. */
void lp_template_put_warnings(const struct lp_stack *s, size_t template_len, struct lp_buf *out);

#endif
