/* One pipeline in the template: its role, its log, the function, when it runs, and the alarms that watch it. */
#include "base/json.h"
#include "deploy/template_parts.h"

#define MINUTE_MS    60000
#define TIMEOUT_MOST 900
#define MOST_RETRIES 2 /* that Lambda makes of one event */

int lp_template_timeout_s(const struct lp_pipeline *p)
{
    int64_t ms = p->function.timeout_ms ? p->function.timeout_ms : p->source.retry.deadline_ms + MINUTE_MS;
    int64_t s = (ms + 999) / 1000;
    return (int)(s > TIMEOUT_MOST ? TIMEOUT_MOST : s);
}

static enum lp_code put_role(struct lp_template_making *m, size_t i, struct lp_err *err)
{
    lp_buf_printf(
        m->out,
        "  # What %s may do, and nothing else: each action for the names that the pipeline itself uses.\n"
        "  %sRole:\n"
        "    Type: AWS::IAM::Role\n"
        "    Properties:\n"
        "      AssumeRolePolicyDocument:\n"
        "        Version: \"2012-10-17\"\n"
        "        Statement:\n"
        "          - {Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: \"sts:AssumeRole\"}\n"
        "      Policies:\n"
        "        - PolicyName: run\n"
        "          PolicyDocument:\n"
        "            Version: \"2012-10-17\"\n"
        "            Statement:\n",
        m->stack->list[i].pipeline->name, m->ids[i]);
    LP_TRY(lp_template_put_statements(m, i, err));
    lp_buf_putc(m->out, '\n');
    return LP_OK;
}

static void put_log(struct lp_template_making *m, size_t i)
{
    lp_buf_printf(
        m->out,
        "  # The log is the stack's, so that it ends after a month; one that Lambda makes by itself is kept for ever.\n"
        "  %sLog:\n"
        "    Type: AWS::Logs::LogGroup\n"
        "    DeletionPolicy: Delete\n"
        "    UpdateReplacePolicy: Delete\n"
        "    Properties:\n"
        "      LogGroupName: !Sub \"/aws/lambda/%s-${Stage}\"\n"
        "      RetentionInDays: 30\n\n",
        m->ids[i], m->stack->list[i].pipeline->name);
}

static void put_environment(struct lp_template_making *m, size_t i)
{
    const struct lp_stack_environment *e = m->stack->list[i].environment;
    if (!e->count) return;
    lp_buf_puts(
        m->out,
        "      # What the pipeline file reads of its environment. A name that ends in _FROM says where a secret is\n"
        "      # kept; its value stands nowhere in the stack.\n"
        "      Environment:\n        Variables:\n");
    for (size_t k = 0; k < e->count; k++) {
        lp_buf_printf(m->out, "          %s: ", e->list[k].name);
        lp_template_put_value(m->out, e->list[k].value);
        lp_buf_putc(m->out, '\n');
    }
}

/* Scheduler puts the instant in itself; a retry carries the same one, and so replaces what the first try wrote. */
void lp_template_put_schedule(struct lp_template_making *m, size_t i)
{
    const struct lp_pipeline *p = m->stack->list[i].pipeline;
    LP_AUTO(lp_buf) expression = {0};
    if (!p->schedule.expression) return;
    lp_schedule_put_aws(&p->schedule, &expression);
    if (expression.failed) m->out->failed = expression.failed;
    lp_buf_puts(m->out, "      Events:\n        Schedule:\n          Type: ScheduleV2\n          Properties:\n");
    lp_buf_printf(m->out, "            Name: !Sub \"%s-${Stage}\"\n            ScheduleExpression: ", p->name);
    lp_json_put_text(m->out, lp_buf_text(&expression), expression.len);
    lp_buf_puts(m->out, "\n            ScheduleExpressionTimezone: ");
    lp_json_put_text(m->out, p->schedule.timezone, strlen(p->schedule.timezone));
    lp_buf_puts(m->out, "\n            State: !Ref ScheduleState\n"
                        "            FlexibleTimeWindow: {Mode: \"OFF\"}\n"
                        "            Input: '{\"scheduled\":\"<aws.scheduler.scheduled-time>\"}'\n"
                        "            RetryPolicy: {MaximumRetryAttempts: 3, MaximumEventAgeInSeconds: 3600}\n"
                        "            DeadLetterConfig: {Arn: !GetAtt Failed.Arn}\n");
}

static void put_function(struct lp_template_making *m, size_t i)
{
    const struct lp_pipeline *p = m->stack->list[i].pipeline;
    lp_buf_puts(m->out, "  # ");
    if (p->description) lp_text_put_visible(m->out, p->description, strlen(p->description));
    else lp_buf_puts(m->out, p->name);
    lp_buf_printf(
        m->out,
        ". The handler's name is the pipeline's.\n"
        "  # Each deployment publishes a version, and the alias `live` goes to it: what runs on time is the alias.\n"
        "  %sFunction:\n"
        "    Type: AWS::Serverless::Function\n"
        "    Properties:\n"
        "      FunctionName: !Sub \"%s-${Stage}\"\n"
        "      Description: ",
        m->ids[i], p->name);
    const char *says = p->description && strlen(p->description) <= 256 ? p->description : p->name;
    lp_json_put_text(m->out, says, strlen(says));
    lp_buf_printf(
        m->out,
        "\n      PackageType: Image\n"
        "      ImageUri: !Ref ImageUri\n"
        "      ImageConfig: {Command: [\"%s\"]}\n"
        "      Architectures: [!Ref Architecture]\n"
        "      MemorySize: %lld\n"
        "      Timeout: %d\n"
        "      Role: !GetAtt %sRole.Arn\n"
        "      AutoPublishAlias: live\n"
        "      AutoPublishAliasAllProperties: true\n"
        "      LoggingConfig: {LogFormat: JSON, ApplicationLogLevel: INFO, SystemLogLevel: WARN, LogGroup: !Ref "
        "%sLog}\n",
        p->name, (long long)p->function.memory_mb, lp_template_timeout_s(p), m->ids[i], m->ids[i]);
    put_environment(m, i);
    /* schedule.retries, as far as Lambda goes. */
    static const char *const tries[] = {"0 times", "once", "twice"};
    int retries = p->schedule.retries < MOST_RETRIES ? (int)p->schedule.retries : MOST_RETRIES;
    lp_buf_printf(m->out,
                  "      # A run that failed is tried again, %s; then its event and its error go to the queue.\n"
                  "      EventInvokeConfig:\n"
                  "        MaximumRetryAttempts: %d\n"
                  "        MaximumEventAgeInSeconds: 3600\n"
                  "        DestinationConfig: {OnFailure: {Type: SQS, Destination: !GetAtt Failed.Arn}}\n",
                  tries[retries], retries);
    if (m->stack->shards <= 1) lp_template_put_schedule(m, i);
    lp_buf_putc(m->out, '\n');
}

static void put_error_alarm(struct lp_template_making *m, size_t i)
{
    lp_buf_printf(m->out,
                  "  # A run of %s failed, was too slow, or could not start.\n"
                  "  %sErrors:\n"
                  "    Type: AWS::CloudWatch::Alarm\n"
                  "    Properties:\n"
                  "      AlarmName: !Sub \"%s-${Stage}-errors\"\n"
                  "      AlarmDescription: \"A run failed; its log is /aws/lambda/ and the function's name\"\n"
                  "      Namespace: AWS/Lambda\n"
                  "      MetricName: Errors\n"
                  "      Dimensions: [{Name: FunctionName, Value: !Ref %sFunction}]\n"
                  "      Statistic: Sum\n"
                  "      Period: 300\n"
                  "      EvaluationPeriods: 1\n"
                  "      Threshold: 1\n"
                  "      ComparisonOperator: GreaterThanOrEqualToThreshold\n"
                  "      TreatMissingData: notBreaching\n"
                  "      AlarmActions: [!Ref Topic]\n\n",
                  m->stack->list[i].pipeline->name, m->ids[i], m->stack->list[i].pipeline->name, m->ids[i]);
}

/* An hour more than the schedule leaves between two runs, so that a run that takes its time is no alarm. */
static void put_stale_alarm(struct lp_template_making *m, size_t i)
{
    const struct lp_pipeline *p = m->stack->list[i].pipeline;
    int hours = p->schedule.expression ? lp_schedule_gap_hours(p->schedule.expression) + 1 : 1;
    if (hours == 1) return;
    lp_buf_printf(
        m->out,
        "  # No rows for %d hours: %s did not run, or found nothing. RowsWritten is a metric of the function's own.\n"
        "  %sStale:\n"
        "    Type: AWS::CloudWatch::Alarm\n"
        "    Properties:\n"
        "      AlarmName: !Sub \"%s-${Stage}-stale\"\n"
        "      AlarmDescription: \"No rows were written for %d hours\"\n"
        "      ActionsEnabled: !If [Fires, true, false]\n"
        "      Namespace: lambda-pipeline\n"
        "      MetricName: RowsWritten\n"
        "      Dimensions: [{Name: FunctionName, Value: !Ref %sFunction}, {Name: Pipeline, Value: \"%s\"}]\n"
        "      Statistic: Sum\n"
        "      Period: 3600\n"
        "      EvaluationPeriods: %d\n"
        "      Threshold: 1\n"
        "      ComparisonOperator: LessThanThreshold\n"
        "      TreatMissingData: breaching\n"
        "      AlarmActions: [!Ref Topic]\n"
        "      OKActions: [!Ref Topic]\n\n",
        hours, p->name, m->ids[i], p->name, hours, m->ids[i], p->name, hours);
}

enum lp_code lp_template_put_function(struct lp_template_making *m, size_t i, struct lp_err *err)
{
    const struct lp_pipeline *p = m->stack->list[i].pipeline;
    lp_buf_printf(m->out, "  # ---- %s ----\n\n", p->name);
    LP_TRY(put_role(m, i, err));
    put_log(m, i);
    put_function(m, i);
    if (m->stack->shards > 1) lp_template_put_machine(m, i);
    put_error_alarm(m, i);
    put_stale_alarm(m, i);
    return LP_OK;
}
