/* cli.h — the command line: its commands, its options, and what each command is handed.
 * Model:   one table of commands and one of options; parsing, --help, the man page and shell completion come from them.
 * Owns:    texts are the argv's.
 * Units:   the slot in microseconds UTC.
 * Errors:  LP_USAGE with a sentence that says what would be right.
 * Threads: one thread.
 */
#ifndef LP_CLI_CLI_H
#define LP_CLI_CLI_H

#include "aws/aws.h"
#include "base/buf.h"
#include "base/error.h"
#include "cli/style.h"

#include <stdint.h>

#define LP_CLI_WORDS 1024

struct lp_cli {
    const struct lp_command *command;
    const char *words[LP_CLI_WORDS]; /* what stands beside the options */
    size_t word_count;
    int64_t slot_us; /* now, cut to the minute, unless given */
    bool slot_given, slot_due; /* due: the last one of the file's schedule, known once that is read */
    const char *to, *replay, *record; /* to: of backfill a time, see until */
    const char *from, *until, *lake;  /* backfill */
    int64_t at_once; /* 0: not given */
    struct lp_aws_options aws;
    const char *wheres[8]; /* --where */
    size_t where_count;
    const char *workgroup, *output; /* Athena's */
    const char *format; /* table, csv, json; NULL: as fits where it goes */
    uint64_t shard, shards; /* shard from 0 */
    int64_t rows;
    int64_t next, after_us; /* schedule: how many instants, from when on */
    const char *timezone;   /* NULL: the file's, else UTC */
    const char *host, *event; /* of the local invocation URL; NULL: not given */
    int64_t port;
    bool port_given;
    int64_t last;           /* runs: of how many */
    bool calendar;          /* schedule */
    bool as_aws;            /* plan --aws */
    bool athena, failed, force, json, policy, quiet, verbose, schema, help, version;
    const char *color;        /* auto, always, never */
    struct lp_style out, err; /* how to write to standard output and standard error */
};

enum {
    LP_CMD_CHECK = 1,
    LP_CMD_PLAN = 2,
    LP_CMD_PREVIEW = 4,
    LP_CMD_RUN = 8,
    LP_CMD_HELP = 16,
    LP_CMD_QUERY = 32,
    LP_CMD_DOCTOR = 64,
    LP_CMD_LAMBDA = 128,
    LP_CMD_INVOKE = 256,
    LP_CMD_TEMPLATE = 512,
    LP_CMD_MERGE = 1024,
    LP_CMD_SCHEDULE = 2048,
    LP_CMD_RUNS = 4096,
    LP_CMD_RETRY = 8192,
    LP_CMD_BACKFILL = 16384,
    LP_CMD_SERVE = 32768,
    LP_CMD_FILE = LP_CMD_CHECK | LP_CMD_PLAN | LP_CMD_PREVIEW | LP_CMD_RUN | LP_CMD_DOCTOR | LP_CMD_MERGE,
    LP_CMD_FUNCTION = LP_CMD_LAMBDA | LP_CMD_INVOKE,
    LP_CMD_AWS = LP_CMD_PREVIEW | LP_CMD_RUN | LP_CMD_QUERY | LP_CMD_DOCTOR | LP_CMD_MERGE | LP_CMD_FUNCTION | LP_CMD_BACKFILL | LP_CMD_RUNS | LP_CMD_RETRY |
                 LP_CMD_SERVE, /* may call AWS */
    LP_CMD_ALL = LP_CMD_FILE | LP_CMD_QUERY | LP_CMD_FUNCTION | LP_CMD_TEMPLATE | LP_CMD_SCHEDULE | LP_CMD_BACKFILL | LP_CMD_RUNS | LP_CMD_RETRY |
                 LP_CMD_SERVE | LP_CMD_HELP
};

struct lp_command {
    const char *name, *words, *summary, *details;
    unsigned bit;
    size_t least_words, most_words;
    int (*run)(struct lp_cli *c); /* returns the exit status */
};
struct lp_option {
    const char *name;
    char letter;          /* 0: none */
    const char *argument; /* NULL: a switch */
    const char *help;
    unsigned commands; /* of LP_CMD_ */
    enum lp_code (*set)(struct lp_cli *c, const char *argument, struct lp_err *err);
};

extern const struct lp_command lp_commands[];
extern const size_t lp_command_count;
extern const struct lp_option lp_options[];
extern const size_t lp_option_count;

enum lp_code lp_cli_parse(struct lp_cli *c, int argc, char **argv, struct lp_err *err) LP_CHECKED;

int lp_cmd_check(struct lp_cli *c);
int lp_cmd_plan(struct lp_cli *c);
int lp_cmd_preview(struct lp_cli *c);
int lp_cmd_run(struct lp_cli *c);
int lp_cmd_query(struct lp_cli *c);
int lp_cmd_backfill(struct lp_cli *c);
int lp_cmd_doctor(struct lp_cli *c);
int lp_cmd_invoke(struct lp_cli *c);
int lp_cmd_lambda(struct lp_cli *c);
int lp_cmd_merge(struct lp_cli *c);
int lp_cmd_retry(struct lp_cli *c);
int lp_cmd_runs(struct lp_cli *c);
int lp_cmd_serve(struct lp_cli *c);
int lp_cmd_schedule(struct lp_cli *c);
int lp_cmd_template(struct lp_cli *c);
int lp_cmd_help(struct lp_cli *c);

/* help.c */
void lp_help_put_overview(struct lp_buf *out);
void lp_help_put_command(const struct lp_command *command, struct lp_buf *out);
bool lp_help_put_topic(const char *topic, struct lp_buf *out);

/* Writes all of the buffer to standard output; a failure is told on standard error. Returns the exit status. */
int lp_cli_print(struct lp_cli *c, const struct lp_buf *text, int status);
/* "lambda-pipeline: what went wrong" on standard error; returns the exit status of the code. */
int lp_cli_fail(struct lp_cli *c, const struct lp_err *err);
int lp_cli_fail_memory(struct lp_cli *c);

#endif
