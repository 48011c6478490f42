/* A pipeline run in shares: a state machine that calls the function once for each, then once for the whole. */
#include "deploy/template_parts.h"

#define AT_ONCE 10

/* Calls that Lambda could not take, or could not make, are made again; a run that failed is not: its own tries are over. */
static void put_retry(struct lp_buf *out, const char *indent)
{
    lp_buf_printf(out,
                  "%sRetry:\n"
                  "%s  - ErrorEquals: [Lambda.TooManyRequestsException, Lambda.ServiceException, "
                  "Lambda.AWSLambdaException, Lambda.SdkClientException]\n"
                  "%s    IntervalSeconds: 2\n"
                  "%s    MaxAttempts: 6\n"
                  "%s    BackoffRate: 2\n",
                  indent, indent, indent, indent, indent);
}

/* Which slot is meant: nothing is guessed, so that a misspelt word does not mean now. */
static void put_time(struct lp_buf *out)
{
    lp_buf_puts(
        out,
        "      Definition:\n"
        "        StartAt: Input\n"
        "        States:\n"
        "          # Started on time it is told `scheduled`; by hand a `slot`, or nothing ({}), which means now.\n"
        "          Input:\n"
        "            Type: Pass\n"
        "            Parameters: {given.$: $, text.$: States.JsonToString($)}\n"
        "            Next: Which\n"
        "          Which:\n"
        "            Type: Choice\n"
        "            Choices:\n"
        "              - {Variable: $.given.scheduled, IsPresent: true, Next: Scheduled}\n"
        "              - {Variable: $.given.slot, IsPresent: true, Next: Slot}\n"
        "              - {Variable: $.text, StringEquals: \"{}\", Next: Now}\n"
        "            Default: Unclear\n"
        "          Scheduled: {Type: Pass, Parameters: {scheduled.$: $.given.scheduled}, Next: Shares}\n"
        "          Slot: {Type: Pass, Parameters: {scheduled.$: $.given.slot}, Next: Shares}\n"
        "          # The minute in which it was started, as a call of the function with {} means.\n"
        "          Now:\n"
        "            Type: Pass\n"
        "            Parameters:\n"
        "              scheduled.$: >-\n"
        "                States.Format('{}:{}:00Z', States.ArrayGetItem(States.StringSplit($$.Execution.StartTime, ':'), 0),\n"
        "                States.ArrayGetItem(States.StringSplit($$.Execution.StartTime, ':'), 1))\n"
        "            Next: Shares\n"
        "          Unclear:\n"
        "            Type: Fail\n"
        "            Error: Function.EventInvalid\n"
        "            Cause: 'The input is neither {} nor does it say scheduled or slot; write {\"slot\": "
        "\"2026-11-22T18:00:00Z\"}'\n");
}

static void put_states(struct lp_buf *out, unsigned long long shards, int timeout_s)
{
    put_time(out);
    lp_buf_printf(
        out,
        "          Shares:\n"
        "            Type: Pass\n"
        "            Parameters:\n"
        "              scheduled.$: $.scheduled\n"
        "              shares.$: States.ArrayRange(1, %llu, 1)\n"
        "            Next: Run\n"
        "          # Each share is a call of the function, %d at once. One that fails ends neither the others nor the\n"
        "          # whole: the record of the slot says what is missing. Their answers are dropped (OutputPath), as\n"
        "          # together they would be more than a state can hold; each lies in the lake.\n"
        "          Run:\n"
        "            Type: Map\n"
        "            ItemsPath: $.shares\n"
        "            ItemSelector:\n"
        "              scheduled.$: $.scheduled\n"
        "              shard.$: States.Format('{}/%llu', $$.Map.Item.Value)\n"
        "            MaxConcurrency: %d\n"
        "            ToleratedFailurePercentage: 100\n"
        "            ResultPath: null\n"
        "            ItemProcessor:\n"
        "              ProcessorConfig: {Mode: DISTRIBUTED, ExecutionType: STANDARD}\n"
        "              StartAt: Share\n"
        "              States:\n"
        "                Share:\n"
        "                  Type: Task\n"
        "                  Resource: \"${Function}\"\n"
        "                  OutputPath: null\n"
        "                  TimeoutSeconds: %d\n",
        shards, AT_ONCE, shards, AT_ONCE, timeout_s + 60);
    put_retry(out, "                  ");
    lp_buf_printf(
        out,
        "                  End: true\n"
        "            Next: Merge\n"
        "          # The records of the shares become the one of the slot, which is judged as a whole, and told of once. It\n"
        "          # fails as a run would; the record is what the machine ends with.\n"
        "          Merge:\n"
        "            Type: Task\n"
        "            Resource: \"${Function}\"\n"
        "            Parameters:\n"
        "              scheduled.$: $.scheduled\n"
        "              merge: %llu\n"
        "            TimeoutSeconds: %d\n",
        shards, timeout_s + 60);
    put_retry(out, "            ");
    lp_buf_puts(out, "            End: true\n");
}

static void put_rights(struct lp_buf *out, const char *name, const char *id)
{
    lp_buf_printf(
        out,
        "      Policies:\n"
        "        - Version: \"2012-10-17\"\n"
        "          Statement:\n"
        "            - Effect: Allow\n"
        "              Action: lambda:InvokeFunction # calls the function\n"
        "              Resource: !Ref %sFunction.Alias\n"
        "            - Effect: Allow\n"
        "              Action: states:StartExecution # runs the shares, each as an execution of its own\n"
        "              Resource: !Sub \"arn:${AWS::Partition}:states:${AWS::Region}:${AWS::AccountId}:stateMachine:"
        "%s-${Stage}\"\n"
        "            - Effect: Allow\n"
        "              Action: [states:DescribeExecution, states:StopExecution] # follows and ends them\n"
        "              Resource: !Sub \"arn:${AWS::Partition}:states:${AWS::Region}:${AWS::AccountId}:execution:"
        "%s-${Stage}/*\"\n",
        id, name, name);
}

void lp_template_put_machine(struct lp_template_making *m, size_t i)
{
    const struct lp_pipeline *p = m->stack->list[i].pipeline;
    lp_buf_printf(m->out,
                  "  # Runs %s in %llu shares of its items: what runs on time is this machine, not the function.\n"
                  "  %sMachine:\n"
                  "    Type: AWS::Serverless::StateMachine\n"
                  "    Properties:\n"
                  "      Name: !Sub \"%s-${Stage}\"\n"
                  "      DefinitionSubstitutions: {Function: !Ref %sFunction.Alias}\n",
                  p->name, (unsigned long long)m->stack->shards, m->ids[i], p->name, m->ids[i]);
    put_rights(m->out, p->name, m->ids[i]);
    put_states(m->out, (unsigned long long)m->stack->shards, lp_template_timeout_s(p));
    lp_template_put_schedule(m, i);
    lp_buf_printf(m->out,
                  "\n  # A run in shares could not be brought to its end.\n"
                  "  %sUnfinished:\n"
                  "    Type: AWS::CloudWatch::Alarm\n"
                  "    Properties:\n"
                  "      AlarmName: !Sub \"%s-${Stage}-unfinished\"\n"
                  "      AlarmDescription: \"A run in shares failed as a whole\"\n"
                  "      Namespace: AWS/States\n"
                  "      MetricName: ExecutionsFailed\n"
                  "      Dimensions: [{Name: StateMachineArn, Value: !Ref %sMachine}]\n"
                  "      Statistic: Sum\n"
                  "      Period: 300\n"
                  "      EvaluationPeriods: 1\n"
                  "      Threshold: 1\n"
                  "      ComparisonOperator: GreaterThanOrEqualToThreshold\n"
                  "      TreatMissingData: notBreaching\n"
                  "      AlarmActions: [!Ref Topic]\n\n",
                  m->ids[i], p->name, m->ids[i]);
}
