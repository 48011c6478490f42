#include "base/clock.h"
#include "base/number.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/shard.h"

#include <stdio.h>
#include <stdlib.h>

const struct lp_command lp_commands[] = {
    {"check", "FILE…", "tell every fault in pipeline files, with its place",
     "Reads each file and what it names, and tells everything that is wrong at once. Nothing is fetched.", LP_CMD_CHECK,
     0, LP_CLI_WORDS, lp_cmd_check},
    {"plan", "FILE", "show the requests and files of a run, without making it",
     "Shows what a run would ask, with secrets masked, and what it would write. Nothing is fetched or written.",
     LP_CMD_PLAN, 1, 1, lp_cmd_plan},
    {"preview", "FILE", "fetch a few items and show their rows, each with its verdict",
     "Fetches the first items, converts and checks their rows, and shows them. Nothing is written.", LP_CMD_PREVIEW, 1,
     1, lp_cmd_preview},
    {"run", "FILE", "fetch, convert, check and keep: the main job",
     "Runs the pipeline for one slot. The same slot again replaces what it wrote before; a run that is stopped or fails "
     "leaves the lake as it was. --shard auto/N, in an Indexed Job of Kubernetes or an array job of AWS Batch, takes the shard of "
     "the job's own index (JOB_COMPLETION_INDEX, AWS_BATCH_JOB_ARRAY_INDEX, which count from 0); `merge` is for afterwards.",
     LP_CMD_RUN, 1, 1, lp_cmd_run},
    {"query", "[SQL] [FILE…]", "ask the lake in SQL",
     "Asks the tables of a lake: the one of the pipeline files, of --to, or ./lake. DuckDB's shell answers: as a table on a "
     "terminal (of a long answer its beginning and end), else as CSV, whole. Without SQL it is an interactive shell on a "
     "terminal, else a list of the tables. Timestamps are UTC; an empty field in CSV is NULL, \"\" the empty text.",
     LP_CMD_QUERY, 0, 32, lp_cmd_query},
    {"doctor", "FILE", "say whether a pipeline could run here: keys, permissions, what it needs of this machine",
     "Says which AWS credentials, region and endpoints would be used, and tries each permission that the pipeline needs "
     "without leaving anything behind; what is missing is printed as a policy for IAM, ready to paste. A pipeline that needs "
     "nothing from AWS is told so.",
     LP_CMD_DOCTOR, 1, 1, lp_cmd_doctor},
    {"schedule", "FILE|EXPRESSION", "show when a pipeline, or an expression, is due next",
     "Lists the next instants of a pipeline's schedule, or of an expression in quotes: cron(…), rate(…) and at(…) as EventBridge "
     "has them, unix(\"0 18 * * *\") for plain cron. A local time that clocks skip is skipped; one that they repeat counts once, "
     "the first time. What EventBridge would refuse is refused, with the place.",
     LP_CMD_SCHEDULE, 1, 1, lp_cmd_schedule},
    {"backfill", "FILE", "run every slot of a time that has passed, except those that are ok already",
     "Runs the pipeline for each slot of its schedule from --from to --to, both included, one after another or --at-once N. A day "
     "is a whole day of the schedule's time zone, so that --from 2026-10-01 --to 2026-10-31 is October; a time is UTC unless it has an "
     "offset. Slots whose record says ok are passed over, unless --force; so the same command goes on where it was stopped, and "
     "runs again what failed. Here --to is a time: the lake is --lake. Each run is a process of its own and keeps the limits of "
     "source.limit by itself: with --at-once 4 the source is asked four times as much. Nobody is notified. The source must answer for the "
     "past: the request holds {slot…}, or the file says source.history: true.",
     LP_CMD_BACKFILL, 1, 1, lp_cmd_backfill},
    {"runs", "FILE", "show how the runs of a pipeline went",
     "Lists what the records in the lake say of a pipeline's slots, the newest first: how each ended, when it ran and how long it "
     "took, rows and failures. Slots between them that the schedule names and that have no record are listed as "
     "missed; the first line tells how many are missed since the last run, where that was on time.",
     LP_CMD_RUNS, 1, 1, lp_cmd_runs},
    {"serve", "FILE…|FOLDER…", "run pipelines at their slots, unattended, and show them on a page",
     "Runs each pipeline when its schedule says so, in a process of its own, until it is stopped. Folders are those of pipeline files "
     "(*.yaml); what is added, changed or taken away is noticed. What was run is known from the run records alone, so that "
     "it may be stopped, killed and started at will: what was missed meanwhile is run as `schedule.catch_up` says. Of several "
     "over the same lake one fires, another takes over within a minute when that one is gone. Standard error has the log. SIGHUP "
     "reads all files again; SIGTERM lets runs end, for a minute.",
     LP_CMD_SERVE, 1, LP_CLI_WORDS, lp_cmd_serve},
    {"retry", "FILE", "ask again for the items of a slot that failed, and put their rows among the others",
     "Asks only for the items that the slot's record says failed (--slot), and leaves the slot as if one run had brought them all: the "
     "rows that stand stay, the new ones come where they belong, checks and gates count all of them. Where the record does not tell "
     "enough for that, the whole slot is run again, with a word about it. Of a slot that was run in shards each is retried by itself.",
     LP_CMD_RETRY, 1, 1, lp_cmd_retry},
    {"merge", "FILE", "make the records of a slot's shards the one record of the slot",
     "Where a slot was run in shards (--shard I/N, each wherever it likes), adds their records up, judges the sum by min_rows, "
     "max_bad and unique_values_eq, writes the slot's own record and tells who is to be told: the shards do none of this. What is "
     "refused is removed again, but for the quarantine. A shard that left no record is a failure in the slot's. Ends like run.",
     LP_CMD_MERGE, 1, 1, lp_cmd_merge},
    {"template", "FILE…", "write the CloudFormation template that runs pipelines on AWS",
     "Prints one template for all the files: bucket, topic, queue, and for each pipeline a function with its role, log, "
     "schedule and alarms, each with a comment on what it is for. ${NAME} as sink.to, as an element of notify.to or as "
     "sink.catalog.database is the stack's own; secrets from the environment become names in Parameter Store. Other ${NAME} "
     "are read now and written down.",
     LP_CMD_TEMPLATE, 1, 32, lp_cmd_template},
    {"invoke", "FILE", "try a pipeline as a function: serve Lambda's local URL, or make one call",
     "Serves POST /2015-03-31/functions/function/invocations on this machine, as AWS's emulator does, one caller after another, "
     "until it is stopped. With --event it makes one call and prints the answer. Standard error has the log.",
     LP_CMD_INVOKE, 1, 1, lp_cmd_invoke},
    {"lambda", "[HANDLER|FILE]", "be an AWS Lambda function: the runtime of a container image",
     "Serves events of AWS Lambda: weather is weather.yaml in LAMBDA_TASK_ROOT, else in the working folder. An event may say "
     "slot and shard; nothing, null and {} mean now; a scheduled event of EventBridge means its time. The answer is the run "
     "record, or an error with the record in it. Started by Lambda the program does this without being told the command. Where there is no "
     "Lambda (AWS_LAMBDA_RUNTIME_API) it serves the local URL like invoke, and the name of another command instead of HANDLER is that "
     "command, so that an image that begins with this one can do everything: docker run IMAGE serve FOLDER.",
     LP_CMD_LAMBDA, 0, 1, lp_cmd_lambda},
    {"help", "[COMMAND|TOPIC]", "explain a command; topics: pipeline-file, man, bash, zsh, fish",
     "Without a word, lists the commands. `help pipeline-file` is the reference of the file; `help man`, `help bash`, `help "
     "zsh` and `help fish` print the man page and shell completions.",
     LP_CMD_HELP, 0, 1, lp_cmd_help},
};
const size_t lp_command_count = LP_COUNT(lp_commands);

static enum lp_code set_slot(struct lp_cli *c, const char *text, struct lp_err *err)
{
    c->slot_given = true;
    c->slot_due = !strcmp(text, "due");
    if (c->slot_due) return LP_OK;
    bool good = lp_time_parse_slot(text, &c->slot_us);
    if (good && c->slot_us % 1000000)
        return lp_fail(err, LP_USAGE, "--slot %.60s: a slot is a whole second; leave the fraction out", text);
    if (good) return LP_OK;
    return lp_fail(err, LP_USAGE, "--slot %.60s is not a time; write it like 2026-11-22T18:00:00Z, or due for the last one of the schedule", text);
}

static enum lp_code set_to(struct lp_cli *c, const char *text, struct lp_err *err)
{
    c->to = text;
    return *text ? LP_OK : lp_fail(err, LP_USAGE, "--to is empty; name a directory, or a time for backfill");
}

static enum lp_code set_from(struct lp_cli *c, const char *text, struct lp_err *err)
{
    (void)err;
    c->from = text;
    return LP_OK;
}

static enum lp_code set_lake(struct lp_cli *c, const char *text, struct lp_err *err)
{
    c->lake = text;
    return *text ? LP_OK : lp_fail(err, LP_USAGE, "--lake is empty; name a directory");
}

static enum lp_code set_at_once(struct lp_cli *c, const char *text, struct lp_err *err)
{
    if (lp_int64_parse(text, strlen(text), &c->at_once) && c->at_once >= 1 && c->at_once <= 64) return LP_OK;
    return lp_fail(err, LP_USAGE, "--at-once %.40s is not a number of runs from 1 to 64", text);
}

static enum lp_code set_shard(struct lp_cli *c, const char *text, struct lp_err *err)
{
    return lp_cli_shard(text, &c->shard, &c->shards, err);
}

static enum lp_code set_shards(struct lp_cli *c, const char *text, struct lp_err *err)
{
    int64_t n;
    if (!lp_int64_parse(text, strlen(text), &n) || n < 2 || n > 1000)
        return lp_fail(err, LP_USAGE, "--shards %.40s is not a number of shares from 2 to 1,000", text);
    c->shards = (uint64_t)n;
    return LP_OK;
}

static enum lp_code set_replay(struct lp_cli *c, const char *text, struct lp_err *err)
{
    (void)err;
    c->replay = text;
    return LP_OK;
}

static enum lp_code set_record(struct lp_cli *c, const char *text, struct lp_err *err)
{
    (void)err;
    c->record = text;
    return LP_OK;
}

static enum lp_code set_profile(struct lp_cli *c, const char *text, struct lp_err *err)
{
    c->aws.profile = text;
    return *text ? LP_OK : lp_fail(err, LP_USAGE, "--profile is empty; name a section of ~/.aws/config");
}

static enum lp_code set_region(struct lp_cli *c, const char *text, struct lp_err *err)
{
    c->aws.region = text;
    if (*text && strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(text)) return LP_OK;
    return lp_fail(err, LP_USAGE, "--region %.40s is no region; write it like us-west-2", text);
}

static enum lp_code set_endpoint_url(struct lp_cli *c, const char *text, struct lp_err *err)
{
    c->aws.endpoint_url = text;
    if (!strncmp(text, "https://", 8) || !strncmp(text, "http://", 7)) return LP_OK;
    return lp_fail(err, LP_USAGE, "--endpoint-url %.100s is no address; write it like https://s3.example.com", text);
}

static enum lp_code set_rows(struct lp_cli *c, const char *text, struct lp_err *err)
{
    if (lp_int64_parse(text, strlen(text), &c->rows) && c->rows >= 1 && c->rows <= 10000) return LP_OK;
    return lp_fail(err, LP_USAGE, "-n %.40s is not a number of items from 1 to 10,000", text);
}

static enum lp_code set_workgroup(struct lp_cli *c, const char *text, struct lp_err *err)
{
    c->workgroup = text;
    return *text ? LP_OK : lp_fail(err, LP_USAGE, "--workgroup is empty; name one of Athena's");
}

static enum lp_code set_output(struct lp_cli *c, const char *text, struct lp_err *err)
{
    c->output = text;
    if (!strncmp(text, "s3://", 5) && text[5] && text[5] != '/') return LP_OK;
    return lp_fail(err, LP_USAGE, "--output %.100s is no place in S3; write s3://bucket/prefix/", text);
}

static enum lp_code set_port(struct lp_cli *c, const char *text, struct lp_err *err)
{
    c->port_given = true;
    if (lp_int64_parse(text, strlen(text), &c->port) && c->port >= 0 && c->port <= 65535) return LP_OK;
    return lp_fail(err, LP_USAGE, "--port %.40s is no port; write a number up to 65535, or 0 for any that is free", text);
}

static enum lp_code set_host(struct lp_cli *c, const char *text, struct lp_err *err)
{
    (void)err;
    c->host = text;
    return LP_OK;
}

static enum lp_code set_event(struct lp_cli *c, const char *text, struct lp_err *err)
{
    (void)err;
    c->event = text;
    return LP_OK;
}

static enum lp_code set_next(struct lp_cli *c, const char *text, struct lp_err *err)
{
    if (lp_int64_parse(text, strlen(text), &c->next) && c->next >= 1 && c->next <= 10000) return LP_OK;
    return lp_fail(err, LP_USAGE, "--next %.40s is not a number of instants from 1 to 10,000", text);
}

static enum lp_code set_last(struct lp_cli *c, const char *text, struct lp_err *err)
{
    if (lp_int64_parse(text, strlen(text), &c->last) && c->last >= 1 && c->last <= 10000) return LP_OK;
    return lp_fail(err, LP_USAGE, "--last %.40s is not a number of runs from 1 to 10,000", text);
}

static enum lp_code set_after(struct lp_cli *c, const char *text, struct lp_err *err)
{
    if (lp_time_parse_slot(text, &c->after_us)) return LP_OK;
    return lp_fail(err, LP_USAGE, "--after %.60s is not a time; write it like 2026-11-22T18:00:00Z", text);
}

static enum lp_code set_timezone(struct lp_cli *c, const char *text, struct lp_err *err)
{
    c->timezone = text;
    return *text ? LP_OK : lp_fail(err, LP_USAGE, "--timezone is empty; write it like America/New_York");
}

static enum lp_code set_where(struct lp_cli *c, const char *text, struct lp_err *err)
{
    if (c->where_count == LP_COUNT(c->wheres)) return lp_fail(err, LP_USAGE, "--where %.60s: there are too many", text);
    c->wheres[c->where_count++] = text;
    return LP_OK;
}

static enum lp_code set_format(struct lp_cli *c, const char *text, struct lp_err *err)
{
    c->format = text;
    if (!strcmp(text, "table") || !strcmp(text, "csv") || !strcmp(text, "json")) return LP_OK;
    return lp_fail(err, LP_USAGE, "--format %.40s is not known; it is table, csv or json", text);
}

static enum lp_code set_color(struct lp_cli *c, const char *text, struct lp_err *err)
{
    c->color = text;
    if (!strcmp(text, "auto") || !strcmp(text, "always") || !strcmp(text, "never")) return LP_OK;
    return lp_fail(err, LP_USAGE, "--color %.40s is not known; it is auto, always or never", text);
}

#define SWITCH(name)                                                                       \
    static enum lp_code set_##name(struct lp_cli *c, const char *text, struct lp_err *err) \
    {                                                                                      \
        (void)text, (void)err;                                                             \
        c->name = true;                                                                    \
        return LP_OK;                                                                      \
    }
SWITCH(athena)
SWITCH(failed)
SWITCH(calendar)
SWITCH(as_aws)
SWITCH(force)
SWITCH(json)
SWITCH(quiet)
SWITCH(verbose)
SWITCH(schema)
SWITCH(policy)
SWITCH(help)
SWITCH(version)

const struct lp_option lp_options[] = {
    {"slot", 0, "TIME", "the slot of the run: a time in ISO 8601, or due, the schedule's last one; else now, to the minute",
     LP_CMD_PLAN | LP_CMD_PREVIEW | LP_CMD_RUN | LP_CMD_MERGE, set_slot},
    {"slot", 0, "TIME", "the slot whose failed items are asked again: a time, or due, the schedule's last one", LP_CMD_RETRY, set_slot},
    {"to", 0, "PLACE", "the lake: instead of where the file says", LP_CMD_PLAN | LP_CMD_RUN | LP_CMD_QUERY | LP_CMD_DOCTOR | LP_CMD_INVOKE | LP_CMD_MERGE | LP_CMD_RUNS | LP_CMD_RETRY |
     LP_CMD_SERVE, set_to},
    {"from", 0, "TIME", "the first slot, or a day: all of it", LP_CMD_BACKFILL, set_from},
    {"to", 0, "TIME", "the last slot, or a day: all of it", LP_CMD_BACKFILL, set_to},
    {"lake", 0, "PLACE", "the lake: instead of where the file says", LP_CMD_BACKFILL, set_lake},
    {"at-once", 0, "N", "how many runs at the same time, up to 64; 1 when left out", LP_CMD_BACKFILL, set_at_once},
    {"at-once", 0, "N", "how many runs at the same time, up to 64; four for each processor when left out", LP_CMD_SERVE, set_at_once},
    {"force", 0, NULL, "run those slots again too that are ok", LP_CMD_BACKFILL, set_force},
    {"where", 0, "NAME=VALUE", "look only at these partitions; * stands for anything: --where 'dt=2012-10-*'",
     LP_CMD_QUERY, set_where},
    {"athena", 0, NULL, "ask Amazon Athena, over the tables in Glue, instead of DuckDB", LP_CMD_QUERY, set_athena},
    {"workgroup", 0, "NAME", "Athena's workgroup; primary when left out", LP_CMD_QUERY, set_workgroup},
    {"output", 0, "PLACE", "where Athena puts answers: s3://bucket/prefix/; the workgroup's place when left out", LP_CMD_QUERY,
     set_output},
    {"format", 0, "FORM", "the answer's form: table, csv or json", LP_CMD_QUERY, set_format},
    {"shard", 0, "I/N", "every N-th item from the I-th on, into files of its own; auto/N: the job's index says which",
     LP_CMD_PLAN | LP_CMD_RUN, set_shard},
    {"shard", 0, "I/N", "of a slot that was run in shards, which one", LP_CMD_RETRY, set_shard},
    {"shards", 0, "N", "of how many shards a slot is; the template then runs them side by side, by a state machine",
     LP_CMD_TEMPLATE | LP_CMD_MERGE, set_shards},
    {"replay", 0, "DIR", "answer requests from the replies recorded in DIR; no network",
     LP_CMD_PREVIEW | LP_CMD_RUN | LP_CMD_RETRY | LP_CMD_BACKFILL | LP_CMD_INVOKE | LP_CMD_SERVE, set_replay},
    {"record", 0, "DIR", "keep the replies in DIR, one file per item", LP_CMD_PREVIEW | LP_CMD_RUN | LP_CMD_RETRY, set_record},
    {"profile", 0, "NAME", "take AWS credentials and settings from this profile", LP_CMD_AWS, set_profile},
    {"region", 0, "REGION", "the AWS region; else the environment's or the profile's", LP_CMD_AWS, set_region},
    {"endpoint-url", 0, "URL", "where the AWS services are; for others that speak like them", LP_CMD_AWS,
     set_endpoint_url},
    {"items", 'n', "N", "how many items to fetch; 5 when left out", LP_CMD_PREVIEW, set_rows},
    {"port", 0, "N", "where the local URL is; 8080 when left out", LP_CMD_FUNCTION, set_port},
    {"port", 0, "N", "where the page is; 8080 when left out", LP_CMD_SERVE, set_port},
    {"host", 0, "ADDRESS", "the address it listens at; 127.0.0.1 when left out, 0.0.0.0 for all (in a container)",
     LP_CMD_FUNCTION | LP_CMD_SERVE, set_host},
    {"event", 0, "JSON|@FILE", "make one call with this event, print the answer, and end", LP_CMD_INVOKE, set_event},
    {"next", 0, "N", "how many instants to show; 5 when left out", LP_CMD_SCHEDULE, set_next},
    {"last", 0, "N", "how many runs to show; 20 when left out", LP_CMD_RUNS, set_last},
    {"failed", 0, NULL, "show only runs that did not end well: failed, partial, unreadable", LP_CMD_RUNS, set_failed},
    {"after", 0, "TIME", "those after this time; now when left out", LP_CMD_SCHEDULE, set_after},
    {"calendar", 0, NULL, "draw the coming five weeks, with the days on which it is due and how often", LP_CMD_SCHEDULE, set_calendar},
    {"timezone", 0, "ZONE", "the IANA time zone to read it in; the file's, else UTC, when left out", LP_CMD_SCHEDULE, set_timezone},
    {"schema", 0, NULL, "print the JSON Schema of pipeline files, for editors", LP_CMD_CHECK, set_schema},
    {"aws", 0, NULL, "show the schedule as EventBridge is told it, with the commands that tell it", LP_CMD_PLAN, set_as_aws},
    {"policy", 0, NULL, "print all that the pipeline needs as one policy for IAM, and nothing else", LP_CMD_DOCTOR, set_policy},
    {"json", 0, NULL, "print the result as JSON on standard output, and nothing else there",
     LP_CMD_CHECK | LP_CMD_RUN | LP_CMD_DOCTOR | LP_CMD_MERGE | LP_CMD_SCHEDULE | LP_CMD_BACKFILL | LP_CMD_RUNS | LP_CMD_RETRY, set_json},
    {"json", 0, NULL, "write the log as JSON, an object a line", LP_CMD_SERVE, set_json},
    {"quiet", 'q', NULL, "print nothing when all went well", LP_CMD_FILE | LP_CMD_QUERY | LP_CMD_TEMPLATE | LP_CMD_BACKFILL | LP_CMD_RETRY, set_quiet},
    {"quiet", 'q', NULL, "log only what goes wrong", LP_CMD_SERVE, set_quiet},
    {"verbose", 'v', NULL, "tell of every try", LP_CMD_PREVIEW | LP_CMD_RUN | LP_CMD_RETRY, set_verbose},
    {"color", 0, "WHEN", "colours: auto (on a terminal, unless NO_COLOR is set), always, never", LP_CMD_ALL, set_color},
    {"help", 'h', NULL, "explain the command", LP_CMD_ALL, set_help},
    {"version", 'V', NULL, "print the version", LP_CMD_ALL, set_version},
};
const size_t lp_option_count = LP_COUNT(lp_options);

/* The one of the command where a name has two meanings, else the first. */
static const struct lp_option *find_option(const struct lp_command *command, const char *word, size_t len)
{
    const struct lp_option *found = NULL;
    for (size_t i = 0; i < lp_option_count; i++) {
        const struct lp_option *o = &lp_options[i];
        bool by_letter = word[0] == '-' && word[1] != '-' && len == 2 && o->letter && word[1] == o->letter;
        bool by_name = len > 2 && word[1] == '-' && strlen(o->name) == len - 2 && !memcmp(word + 2, o->name, len - 2);
        if (!by_letter && !by_name) continue;
        if (!found || (command && o->commands & command->bit)) found = o;
    }
    return found;
}

/* Does the command know an option of this name? Given before the command, its other meaning may have been found. */
static bool is_known(const struct lp_command *command, const char *name)
{
    for (size_t i = 0; i < lp_option_count; i++)
        if (lp_options[i].commands & command->bit && !strcmp(lp_options[i].name, name)) return true;
    return false;
}

static enum lp_code unknown_option(const char *word, size_t len, struct lp_err *err)
{
    const char *names[LP_COUNT(lp_options)], *near;
    for (size_t i = 0; i < lp_option_count; i++) names[i] = lp_options[i].name;
    size_t skip = len > 2 ? 2 : 1;
    near = lp_text_nearest(word + skip, len - skip, names, lp_option_count);
    if (near)
        return lp_fail(err, LP_USAGE, "there is no option %.*s; did you mean --%s?", (int)(len > 60 ? 60 : len), word,
                       near);
    return lp_fail(err, LP_USAGE, "there is no option %.*s; lambda-pipeline --help lists them",
                   (int)(len > 60 ? 60 : len), word);
}

static enum lp_code take_option(struct lp_cli *c, bool *given, const char *word, const char *next, bool *used_next,
                                struct lp_err *err)
{
    const char *equals = word[1] == '-' ? strchr(word, '=') : NULL;
    size_t len = equals ? (size_t)(equals - word) : strlen(word);
    const struct lp_option *o = find_option(c->command, word, len);
    if (!o) return unknown_option(word, len, err);
    given[o - lp_options] = true;
    if (!o->argument && equals) return lp_fail(err, LP_USAGE, "--%s takes no value", o->name);
    if (!o->argument) return o->set(c, NULL, err);
    if (!equals && !next) return lp_fail(err, LP_USAGE, "--%s wants a value: --%s %s", o->name, o->name, o->argument);
    *used_next = !equals;
    return o->set(c, equals ? equals + 1 : next, err);
}

static const struct lp_command *command_of(const char *name)
{
    for (size_t i = 0; i < lp_command_count; i++)
        if (!strcmp(name, lp_commands[i].name)) return &lp_commands[i];
    return NULL;
}

static bool started_by_lambda(void)
{
    const char *api = getenv("AWS_LAMBDA_RUNTIME_API");
    return api && *api;
}

/* Started by Lambda the program is its runtime, and what is no command is the handler's name. */
static bool take_handler(struct lp_cli *c, const char *word)
{
    if (!started_by_lambda()) return false;
    c->command = command_of("lambda");
    if (word) c->words[c->word_count++] = word;
    return true;
}

/* An image begins with `lambda` and options of it, whatever it is asked to do: a command behind these is the command. */
static bool take_command_of_image(struct lp_cli *c, bool *given, const char *word)
{
    const struct lp_command *other = command_of(word);
    if (c->command->bit != LP_CMD_LAMBDA || c->word_count || !other || started_by_lambda()) return false;
    c->command = other;
    memset(given, 0, lp_option_count * sizeof *given); /* other commands need not know them */
    return true;
}

static enum lp_code find_command(struct lp_cli *c, const char *word, struct lp_err *err)
{
    const char *names[LP_COUNT(lp_commands)], *near;
    for (size_t i = 0; i < lp_command_count; i++) names[i] = lp_commands[i].name;
    c->command = command_of(word);
    if (c->command || take_handler(c, word)) return LP_OK;
    near = lp_text_nearest(word, strlen(word), names, lp_command_count);
    if (near) return lp_fail(err, LP_USAGE, "there is no command %.60s; did you mean %s?", word, near);
    return lp_fail(err, LP_USAGE, "there is no command %.60s; lambda-pipeline --help lists them", word);
}

static enum lp_code take_word(struct lp_cli *c, bool *given, const char *word, struct lp_err *err)
{
    if (!c->command) return find_command(c, word, err);
    if (take_command_of_image(c, given, word)) return LP_OK;
    if (c->word_count == LP_COUNT(c->words)) return lp_fail(err, LP_USAGE, "too many words, from %.60s on", word);
    c->words[c->word_count++] = word;
    return LP_OK;
}

static enum lp_code check_fit(struct lp_cli *c, const bool *given, struct lp_err *err)
{
    const struct lp_command *cmd = c->command;
    if (c->help || c->version) return LP_OK;
    if (!cmd && take_handler(c, NULL)) return LP_OK;
    if (!cmd) return lp_fail(err, LP_USAGE, "a command is missing; lambda-pipeline --help lists them");
    for (size_t i = 0; i < lp_option_count; i++)
        if (given[i] && !is_known(cmd, lp_options[i].name))
            return lp_fail(err, LP_USAGE, "%s has no option --%s; lambda-pipeline help %s lists them", cmd->name,
                           lp_options[i].name, cmd->name);
    size_t least = c->schema ? 0 : cmd->bit == LP_CMD_CHECK ? 1 : cmd->least_words;
    if (c->word_count < least)
        return lp_fail(err, LP_USAGE, "%s wants a pipeline file: lambda-pipeline %s %s", cmd->name, cmd->name,
                       cmd->words);
    if (cmd->bit == LP_CMD_RETRY && !c->slot_given)
        return lp_fail(err, LP_USAGE, "retry wants the slot: --slot TIME; lambda-pipeline runs FILE --failed lists them");
    if (cmd->bit == LP_CMD_MERGE && !c->shards)
        return lp_fail(err, LP_USAGE, "merge wants the number of shards: --shards N");
    if (cmd->bit == LP_CMD_BACKFILL && (!c->from || !c->to))
        return lp_fail(err, LP_USAGE, "backfill wants the time to fill: --from 2026-10-01 --to 2026-10-31");
    if (c->word_count > cmd->most_words && cmd->most_words > 1)
        return lp_fail(err, LP_USAGE, "%s takes at most %zu files, not %zu", cmd->name, cmd->most_words, c->word_count);
    if (c->word_count > cmd->most_words)
        return lp_fail(err, LP_USAGE, "%s takes one %s, not also %.60s", cmd->name,
                       cmd->bit == LP_CMD_HELP ? "word" : "file", c->words[cmd->most_words]);
    if (c->replay && c->record)
        return lp_fail(err, LP_USAGE,
                       "--replay and --record do not go together; replies in a folder are recorded already");
    if (!c->athena && (c->workgroup || c->output))
        return lp_fail(err, LP_USAGE, "--workgroup and --output are Athena's; add --athena");
    if (c->athena && c->where_count)
        return lp_fail(err, LP_USAGE, "--where and --athena do not go together; write the condition in SQL");
    if (c->quiet && c->verbose) return lp_fail(err, LP_USAGE, "--quiet and --verbose do not go together");
    return LP_OK;
}

enum lp_code lp_cli_parse(struct lp_cli *c, int argc, char **argv, struct lp_err *err)
{
    bool given[LP_COUNT(lp_options)] = {0};
    bool options_over = false;
    *c = (struct lp_cli){.color = "auto", .rows = 5, .next = 5, .last = 20};
    int64_t now = lp_clock_now_us();
    c->after_us = now;
    c->slot_us = now - now % 60000000;
    for (int i = 1; i < argc; i++) {
        bool used_next = false;
        if (options_over || argv[i][0] != '-' || !argv[i][1]) {
            LP_TRY(take_word(c, given, argv[i], err));
        } else if (!strcmp(argv[i], "--")) {
            options_over = true;
        } else {
            LP_TRY(take_option(c, given, argv[i], i + 1 < argc ? argv[i + 1] : NULL, &used_next, err));
            i += used_next;
        }
    }
    return check_fit(c, given, err);
}
