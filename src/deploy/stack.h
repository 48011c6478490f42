/* stack.h — the environment that a stack gives its functions, and a pipeline file read as it will be read there.
 * Model:   what a file takes from the environment is the stack's to say, so names of the stack's own things stand in it as
 *          stand-ins until the template is written:
 *            ${NAME} at the beginning of sink.to      the stack's bucket
 *            ${NAME} as an element of notify.to       the stack's topic
 *            ${NAME} as sink.catalog.database         its default with the stage behind it
 *            env:NAME as a secret                     the parameter of Parameter Store that the stack's own parameter names
 *          All other ${NAME} are read now, and what they say is written down, but for those that Lambda sets itself.
 * Owns:    its arena; names and values lie there.
 * Units:   –
 * Errors:  LP_NOMEM, LP_LIMIT; what is wrong with the file is told when the pipeline is loaded.
 * Threads: one thread.
 */
#ifndef LP_DEPLOY_STACK_H
#define LP_DEPLOY_STACK_H

#include "pipeline/definition.h"

#define LP_STACK_BUCKET    "lambda-pipeline-bucket-of-the-stack"
#define LP_STACK_TOPIC     "arn:aws:sns:us-east-1:000000000000:lambda-pipeline-topic-of-the-stack"
#define LP_STACK_STAGE     "lambda_pipeline_stage_of_the_stack"
#define LP_STACK_PARAMETER "/lambda-pipeline-parameter-of-the-stack/" /* then the variable's name and a dot */

#define LP_SETTINGS_MAX 64

struct lp_setting {
    const char *name, *value;
    const char *secret; /* the variable whose parameter it names; NULL: no secret */
};

/* A secret that the pipeline file keeps in a file: at home it is there, in a function it is not. */
struct lp_secret_file {
    size_t line, column;
    const char *place; /* file:PATH; borrowed from the pipeline */
};

struct lp_stack_environment {
    struct lp_environment base;
    struct lp_arena arena;
    struct lp_setting roles[LP_SETTINGS_MAX]; /* what the stack would say of each */
    size_t role_count;
    struct lp_setting list[LP_SETTINGS_MAX]; /* what the file asked for */
    size_t count;
    const char *lambdas[LP_SETTINGS_MAX]; /* what it asked for that Lambda sets itself, and no stack may */
    size_t lambdas_count;
    struct lp_secret_file files[LP_SETTINGS_MAX];
    size_t file_count;
    bool starved, full;
};

enum lp_code lp_stack_environment_init(struct lp_stack_environment *e, const char *path, struct lp_err *err) LP_CHECKED;
/* What could not be kept while the file was read. */
enum lp_code lp_stack_environment_code(const struct lp_stack_environment *e, struct lp_err *err) LP_CHECKED;
void lp_stack_environment_release(struct lp_stack_environment *e);

#endif
