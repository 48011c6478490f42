/* The statements of a function's role, each with what it is for. */
#include "deploy/template_parts.h"

static void put_values(struct lp_buf *out, const char *indent, const char *const *texts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        lp_buf_printf(out, "%s- ", indent);
        lp_template_put_value(out, texts[i]);
        lp_buf_putc(out, '\n');
    }
}

static bool leads(const struct lp_permissions *p, size_t i)
{
    for (size_t b = 0; b < i; b++)
        if (lp_permission_alike(&p->list[b], &p->list[i])) return false;
    return true;
}

static void put_statement(struct lp_buf *out, const struct lp_permissions *p, size_t first)
{
    const struct lp_permission *x = &p->list[first];
    lp_buf_puts(out, "              - Effect: Allow\n                Action:\n");
    for (size_t i = first; i < p->count; i++)
        if (lp_permission_alike(&p->list[i], x))
            lp_buf_printf(out, "                  - %s # %s\n", p->list[i].action, p->list[i].why);
    lp_buf_puts(out, "                Resource:\n");
    put_values(out, "                  ", x->resources, x->resource_count);
    if (!x->condition.operator) return;
    lp_buf_printf(out, "                Condition:\n                  %s:\n                    \"%s\":\n",
                  x->condition.operator, x->condition.key);
    put_values(out, "                      ", x->condition.values, x->condition.value_count);
}

/* A database that is the stack's is there before the first run. */
static void drop_what_the_stack_does(const struct lp_pipeline *p, struct lp_permissions *needs)
{
    char name[LP_GLUE_NAME_BYTES];
    size_t kept = 0;
    if (!lp_template_own_database(p, name)) return;
    for (size_t k = 0; k < needs->count; k++)
        if (strcmp(needs->list[k].action, "glue:CreateDatabase") != 0) needs->list[kept++] = needs->list[k];
    needs->count = kept;
}

enum lp_code lp_template_put_statements(struct lp_template_making *m, size_t i, struct lp_err *err)
{
    struct lp_permissions needs;
    const char *name = m->stack->list[i].pipeline->name;
    LP_TRY(lp_permissions_of(m->stack->list[i].pipeline, &m->arena, &needs, err));
    drop_what_the_stack_does(m->stack->list[i].pipeline, &needs);
    for (size_t k = 0; k < needs.count; k++)
        if (leads(&needs, k)) put_statement(m->out, &needs, k);
    lp_buf_puts(m->out, "              - Effect: Allow\n                Action:\n"
                        "                  - sqs:SendMessage # keeps what failed in spite of all retries\n"
                        "                Resource:\n                  - !GetAtt Failed.Arn\n");
    lp_buf_printf(m->out,
                  "              - Effect: Allow\n                Action:\n"
                  "                  - logs:CreateLogStream # begins a log\n"
                  "                  - logs:PutLogEvents # writes to it\n"
                  "                Resource:\n"
                  "                  - !Sub \"arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group:"
                  "/aws/lambda/%s-${Stage}:*\"\n",
                  name);
    return LP_OK;
}
