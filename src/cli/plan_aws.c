#include "cli/plan_aws.h"

#include "base/clock.h"
#include "schedule/expression.h"

static void put_title(const struct lp_cli *c, const char *title, const char *more, struct lp_buf *out)
{
    lp_buf_printf(out, "\n%s%s%s%s\n", c->out.accent, title, c->out.plain, more);
}

static void put_scheduler(const struct lp_cli *c, const struct lp_pipeline *p, const char *expression, struct lp_buf *out)
{
    put_title(c, "EventBridge Scheduler", "", out);
    lp_buf_printf(out,
                  "  ScheduleExpression          %s\n"
                  "  ScheduleExpressionTimezone  %s\n"
                  "  State                       ENABLED\n"
                  "  Input                       {\"scheduled\":\"<aws.scheduler.scheduled-time>\"}\n\n",
                  expression, p->schedule.timezone);
    lp_buf_printf(out,
                  "aws scheduler create-schedule --name %s \\\n"
                  "    --schedule-expression '%s' --schedule-expression-timezone %s \\\n"
                  "    --state ENABLED --flexible-time-window Mode=OFF \\\n"
                  "    --target '{\"Arn\":\"'\"$FUNCTION_ARN\"'\",\"RoleArn\":\"'\"$ROLE_ARN\"'\",\n"
                  "               \"Input\":\"{\\\"scheduled\\\":\\\"<aws.scheduler.scheduled-time>\\\"}\",\n"
                  "               \"RetryPolicy\":{\"MaximumRetryAttempts\":3,\"MaximumEventAgeInSeconds\":3600}}'\n",
                  p->name, expression, p->schedule.timezone);
}

static void put_rule(const struct lp_cli *c, const struct lp_pipeline *p, const struct lp_expression *e, const struct lp_zone *z,
                     struct lp_buf *out)
{
    LP_AUTO(lp_buf) rule = {0};
    const char *why = lp_expression_put_rule(e, p->schedule.expression, z, lp_clock_now_us(), &rule);
    put_title(c, "Classic rule", ", which knows UTC alone", out);
    if (why) {
        lp_buf_printf(out, "  none: %s\n", why);
        return;
    }
    lp_buf_printf(out,
                  "  ScheduleExpression          %s\n"
                  "  State                       ENABLED\n\n",
                  lp_buf_text(&rule));
    lp_buf_printf(out,
                  "RULE_ARN=$(aws events put-rule --name %s --schedule-expression '%s' \\\n"
                  "    --state ENABLED --query RuleArn --output text)\n"
                  "aws lambda add-permission --function-name \"$FUNCTION_ARN\" --statement-id %s-on-time \\\n"
                  "    --action lambda:InvokeFunction --principal events.amazonaws.com --source-arn \"$RULE_ARN\"\n"
                  "aws events put-targets --rule %s --targets \"Id\"=%s,\"Arn\"=\"$FUNCTION_ARN\"\n",
                  p->name, lp_buf_text(&rule), p->name, p->name, p->name);
}

enum lp_code lp_plan_put_aws(const struct lp_cli *c, const struct lp_pipeline *p, struct lp_buf *out, struct lp_err *err)
{
    struct lp_expression e;
    LP_AUTO(lp_zone) zone = {0};
    LP_AUTO(lp_buf) expression = {0};
    size_t column, width;
    if (!p->schedule.expression)
        return lp_fail(err, LP_USAGE, "%s has no schedule; add   schedule: { expression: \"cron(0 18 * * ? *)\" }", p->path);
    LP_TRY(lp_expression_parse(&e, p->schedule.expression, &column, &width, err));
    LP_TRY(lp_zone_open(&zone, p->schedule.timezone, err));
    if (!lp_expression_put_aws(&e, p->schedule.expression, &expression))
        return lp_fail(err, LP_CONFIG,
                       "%s: %.200s names days of the month and days of the week, and EventBridge can be told only one of them; "
                       "write cron(…) with ? for the other",
                       p->path, p->schedule.expression);
    lp_buf_printf(out, "%s%s%s, ", c->out.bold, p->name, c->out.plain);
    lp_expression_put_words(&e, p->schedule.timezone, out);
    lp_buf_puts(out, "\nFUNCTION_ARN is the function or its alias, ROLE_ARN a role that Scheduler takes on to invoke it.\n");
    put_scheduler(c, p, lp_buf_text(&expression), out);
    put_rule(c, p, &e, &zone, out);
    return lp_buf_code(&expression, "the expression", err);
}
