#include "base/text.h"
#include "cli/cli.h"
#include "pipeline/definition.h"

static const char purpose[] =
    "scheduled data pipelines: call an HTTP JSON API, convert and check what it says, keep it in a lake";

static const struct {
    int status;
    unsigned commands;
    const char *meaning;
} statuses[] = {
    {0, LP_CMD_ALL, "all went well"},
    {1, LP_CMD_RUN | LP_CMD_RETRY, "the run failed; the lake is as before"},
    {1, LP_CMD_DOCTOR, "something is missing"},
    {1, LP_CMD_FILE & ~LP_CMD_RUN & ~LP_CMD_DOCTOR,
     "it failed: nothing was answered, or what was to be said could not be written"},
    {1, LP_CMD_RUNS, "the lake cannot be read"},
    {1, LP_CMD_BACKFILL, "no slot worked, or the lake cannot be read"},
    {1, LP_CMD_QUERY, "the question failed, or there is nothing to answer it"},
    {2, LP_CMD_FILE | LP_CMD_QUERY | LP_CMD_BACKFILL | LP_CMD_RUNS | LP_CMD_RETRY, "the command line or the pipeline file is wrong"},
    {1, LP_CMD_INVOKE, "the run of --event failed, or the URL cannot be served"},
    {1, LP_CMD_LAMBDA, "it cannot serve: there is no such pipeline, or the runtime API does not answer"},
    {2, LP_CMD_INVOKE, "the command line, the pipeline file or the event is wrong"},
    {2, LP_CMD_LAMBDA, "the command line or the pipeline file is wrong"},
    {3, LP_CMD_RUN | LP_CMD_RETRY | LP_CMD_INVOKE, "partial: rows were written, some items failed"},
    {3, LP_CMD_PREVIEW, "some items failed"},
    {3, LP_CMD_BACKFILL, "some slots are partial or failed, or were not tried"},
    {4, LP_CMD_RUN | LP_CMD_RETRY | LP_CMD_INVOKE, "a quality gate refused the rows; nothing was published but the reasons"},
    {5, LP_CMD_RUN | LP_CMD_RETRY | LP_CMD_INVOKE, "another run of the same slot is at work"},
};

static const struct {
    const char *name, *meaning;
} variables[] = {
    {"HTTPS_PROXY, NO_PROXY", "the proxy for requests, and the hosts asked without it"},
    {"CURL_CA_BUNDLE, SSL_CERT_FILE, SSL_CERT_DIR", "the certificates that servers are checked against"},
    {"NO_COLOR", "no colours, when it is set"},
};

/* Padded by what is seen: "…" is one cell and three bytes. */
static void put_command_line(const struct lp_command *c, struct lp_buf *out)
{
    size_t cells = lp_text_columns(c->words, strlen(c->words));
    lp_buf_printf(out, "  %-8s %s%*s %s\n", c->name, c->words, (int)(cells < 16 ? 16 - cells : 0), "", c->summary);
}

void lp_help_put_overview(struct lp_buf *out)
{
    lp_buf_printf(out, "lambda-pipeline — %s\n\n  lambda-pipeline COMMAND [OPTIONS] [FILE]\n\n", purpose);
    for (size_t i = 0; i < lp_command_count; i++)
        put_command_line(&lp_commands[i], out);
    lp_buf_puts(
        out,
        "\nlambda-pipeline help COMMAND explains one, with its options.\nhelp pipeline-file is the reference of the pipeline file.\n");
}

/* "-n, --items N" */
static void put_option_name(const struct lp_option *o, struct lp_buf *out)
{
    if (o->letter) lp_buf_printf(out, "-%c, ", o->letter);
    lp_buf_printf(out, "--%s%s%s", o->name, o->argument ? " " : "", o->argument ? o->argument : "");
}

/* Words of text, broken at 78 columns. */
static void put_wrapped(const char *text, size_t indent, struct lp_buf *out)
{
    size_t column = 0;
    while (*text) {
        size_t len = strcspn(text, " ");
        if (!column || column + 1 + len > 78) {
            lp_buf_printf(out, "%s%*s", column ? "\n" : "", (int)indent, "");
            column = indent;
        } else {
            lp_buf_putc(out, ' ');
            column++;
        }
        lp_buf_put(out, text, len);
        column += len;
        text += len + (text[len] == ' ');
    }
    lp_buf_putc(out, '\n');
}

void lp_help_put_command(const struct lp_command *command, struct lp_buf *out)
{
    lp_buf_printf(out, "lambda-pipeline %s %s — %s\n\n", command->name, command->words, command->summary);
    put_wrapped(command->details, 0, out);
    lp_buf_puts(out, "\nOptions\n");
    for (size_t i = 0; i < lp_option_count; i++) {
        if (!(lp_options[i].commands & command->bit)) continue;
        size_t start = out->len;
        lp_buf_puts(out, "  ");
        put_option_name(&lp_options[i], out);
        size_t used = out->len - start;
        lp_buf_printf(out, "%*s%s\n", used < 20 ? (int)(20 - used) : 2, "", lp_options[i].help);
    }
    if (command->bit == LP_CMD_HELP) return;
    lp_buf_puts(out, "\nExit status\n");
    for (size_t i = 0; i < LP_COUNT(statuses); i++)
        if (statuses[i].commands & command->bit)
            lp_buf_printf(out, "  %d  %s\n", statuses[i].status, statuses[i].meaning);
}

/* ---- the man page ---- */

static void put_roff(const char *text, struct lp_buf *out)
{
    for (; *text; text++) {
        if (*text == '-' || *text == '\\') lp_buf_putc(out, '\\');
        if (*text == '`') continue;
        lp_buf_putc(out, *text);
    }
}

static void put_man_entry(const char *term, const char *text, struct lp_buf *out)
{
    lp_buf_puts(out, ".TP\n.B ");
    put_roff(term, out);
    lp_buf_putc(out, '\n');
    put_roff(text, out);
    lp_buf_putc(out, '\n');
}

static void put_man_options(struct lp_buf *out)
{
    lp_buf_puts(out, ".SH OPTIONS\n");
    for (size_t i = 0; i < lp_option_count; i++) {
        LP_AUTO(lp_buf) name = {0}, text = {0};
        put_option_name(&lp_options[i], &name);
        lp_buf_puts(&text, lp_options[i].help);
        if (lp_options[i].commands != LP_CMD_ALL) {
            lp_buf_puts(&text, " (");
            bool more = false;
            for (size_t j = 0; j < lp_command_count; j++) {
                if (!(lp_options[i].commands & lp_commands[j].bit)) continue;
                lp_buf_printf(&text, "%s%s", more ? ", " : "", lp_commands[j].name);
                more = true;
            }
            lp_buf_puts(&text, ")");
        }
        put_man_entry(lp_buf_text(&name), lp_buf_text(&text), out);
    }
}

static void put_man(struct lp_buf *out)
{
    lp_buf_puts(out, ".TH LAMBDA\\-PIPELINE 1 \"\" \"lambda\\-pipeline " LP_VERSION
                     "\" \"User Commands\"\n.SH NAME\nlambda\\-pipeline \\- ");
    put_roff(purpose, out);
    lp_buf_puts(out,
                "\n.SH SYNOPSIS\n.B lambda\\-pipeline\n.I COMMAND\n[\\fIOPTIONS\\fR] [\\fIFILE\\fR]\n.SH COMMANDS\n");
    for (size_t i = 0; i < lp_command_count; i++) {
        LP_AUTO(lp_buf) term = {0};
        lp_buf_printf(&term, "%s %s", lp_commands[i].name, lp_commands[i].words);
        put_man_entry(lp_buf_text(&term), lp_commands[i].details, out);
    }
    put_man_options(out);
    lp_buf_puts(out, ".SH EXIT STATUS\n");
    for (size_t i = 0; i < LP_COUNT(statuses); i++) {
        char number[12] = {(char)('0' + statuses[i].status), '\0'};
        if (!(statuses[i].commands & LP_CMD_RUN)) continue;
        put_man_entry(number, statuses[i].meaning, out);
    }
    lp_buf_puts(out, ".SH ENVIRONMENT\n");
    for (size_t i = 0; i < LP_COUNT(variables); i++) put_man_entry(variables[i].name, variables[i].meaning, out);
    lp_buf_puts(out,
                ".SH FILES\nThe pipeline file is described by\n.BR \"lambda\\-pipeline help pipeline\\-file\" .\n");
}

/* ---- completion ---- */

static void put_bash(struct lp_buf *out)
{
    lp_buf_puts(
        out,
        "_lambda_pipeline() {\n    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} command= word\n"
        "    for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n        case $word in -*) ;; *) command=$word; break ;; esac\n"
        "    done\n    COMPREPLY=()\n    case $prev in\n        --replay|--record|--to|--lake) COMPREPLY=($(compgen -d -- \"$cur\")); return ;;\n"
        "        --color) COMPREPLY=($(compgen -W 'auto always never' -- \"$cur\")); return ;;\n    esac\n    case $command in\n");
    for (size_t i = 0; i < lp_command_count; i++) {
        lp_buf_printf(out, "        %s)\n            if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W '",
                      lp_commands[i].name);
        bool more = false;
        for (size_t j = 0; j < lp_option_count; j++) {
            if (!(lp_options[j].commands & lp_commands[i].bit)) continue;
            lp_buf_printf(out, "%s--%s", more ? " " : "", lp_options[j].name);
            more = true;
        }
        lp_buf_puts(out, "' -- \"$cur\"))\n");
        if (lp_commands[i].bit == LP_CMD_HELP) {
            lp_buf_puts(out, "            else COMPREPLY=($(compgen -W '");
            for (size_t j = 0; j < lp_command_count; j++) lp_buf_printf(out, "%s ", lp_commands[j].name);
            lp_buf_puts(out, "pipeline-file man bash zsh fish' -- \"$cur\")); fi ;;\n");
        } else {
            lp_buf_puts(
                out,
                "            else mapfile -t COMPREPLY < <(compgen -f -X '!*.yaml' -- \"$cur\"; compgen -f -X '!*.yml' -- \"$cur\"; compgen -d -- \"$cur\"); fi ;;\n");
        }
    }
    lp_buf_puts(out, "        *) COMPREPLY=($(compgen -W '");
    for (size_t i = 0; i < lp_command_count; i++) lp_buf_printf(out, "%s ", lp_commands[i].name);
    lp_buf_puts(
        out,
        "--help --version' -- \"$cur\")) ;;\n    esac\n}\ncomplete -o filenames -F _lambda_pipeline lambda-pipeline\n");
}

/* In single quotes; a colon ends a field in zsh. */
static void put_quoted(const char *text, bool colons, struct lp_buf *out)
{
    for (; *text; text++) {
        if (*text == '\'') lp_buf_puts(out, "'\\'");
        if (colons && (*text == ':' || *text == '[' || *text == ']')) lp_buf_putc(out, '\\');
        lp_buf_putc(out, *text);
    }
}

static void put_zsh(struct lp_buf *out)
{
    lp_buf_puts(out, "#compdef lambda-pipeline\n_lambda_pipeline() {\n    local -a commands\n    commands=(\n");
    for (size_t i = 0; i < lp_command_count; i++) {
        lp_buf_printf(out, "        '%s:", lp_commands[i].name);
        put_quoted(lp_commands[i].summary, true, out);
        lp_buf_puts(out, "'\n");
    }
    lp_buf_puts(
        out, "    )\n    if (( CURRENT == 2 )); then _describe command commands; return; fi\n    case $words[2] in\n");
    for (size_t i = 0; i < lp_command_count; i++) {
        lp_buf_printf(out, "        %s) _arguments", lp_commands[i].name);
        for (size_t j = 0; j < lp_option_count; j++) {
            const struct lp_option *o = &lp_options[j];
            if (!(o->commands & lp_commands[i].bit)) continue;
            lp_buf_printf(out, " \\\n            '--%s[", o->name);
            put_quoted(o->help, true, out);
            bool folder = o->argument && (!strcmp(o->argument, "DIR") || !strcmp(o->argument, "PLACE"));
            lp_buf_printf(out, "]%s%s%s'", o->argument ? ":" : "", o->argument ? o->argument : "",
                          folder        ? ":_directories"
                          : o->argument ? ": "
                                        : "");
        }
        lp_buf_puts(out,
                    lp_commands[i].bit == LP_CMD_HELP
                        ? " \\\n            '2:topic:(check plan preview run query pipeline-file man bash zsh fish)' ;;\n"
                        : " \\\n            '2:pipeline file:_files -g \"*.y(a|)ml\"' ;;\n");
    }
    lp_buf_puts(out, "    esac\n}\n_lambda_pipeline \"$@\"\n");
}

static void put_fish(struct lp_buf *out)
{
    lp_buf_puts(out, "complete -c lambda-pipeline -f\n");
    for (size_t i = 0; i < lp_command_count; i++) {
        const struct lp_command *c = &lp_commands[i];
        lp_buf_printf(out, "complete -c lambda-pipeline -n __fish_use_subcommand -a %s -d '", c->name);
        put_quoted(c->summary, false, out);
        lp_buf_puts(out, "'\n");
        if (c->bit != LP_CMD_HELP)
            lp_buf_printf(
                out,
                "complete -c lambda-pipeline -n '__fish_seen_subcommand_from %s' -k -a '(__fish_complete_suffix .yaml .yml)'\n",
                c->name);
    }
    lp_buf_puts(
        out,
        "complete -c lambda-pipeline -n '__fish_seen_subcommand_from help' -a 'check plan preview run query pipeline-file man bash zsh fish'\n");
    for (size_t j = 0; j < lp_option_count; j++) {
        const struct lp_option *o = &lp_options[j];
        lp_buf_puts(out, "complete -c lambda-pipeline -n '__fish_seen_subcommand_from");
        for (size_t i = 0; i < lp_command_count; i++)
            if (o->commands & lp_commands[i].bit) lp_buf_printf(out, " %s", lp_commands[i].name);
        lp_buf_printf(out, "' -l %s", o->name);
        if (o->letter) lp_buf_printf(out, " -s %c", o->letter);
        if (o->argument)
            lp_buf_puts(out, !strcmp(o->argument, "DIR") || !strcmp(o->argument, "PLACE") ? " -r -F" : " -x");
        lp_buf_puts(out, " -d '");
        put_quoted(o->help, false, out);
        lp_buf_puts(out, "'\n");
    }
}

bool lp_help_put_topic(const char *topic, struct lp_buf *out)
{
    static const struct {
        const char *name;
        void (*put)(struct lp_buf *);
    } topics[] = {{"pipeline-file", lp_pipeline_put_reference},
                  {"man", put_man},
                  {"bash", put_bash},
                  {"zsh", put_zsh},
                  {"fish", put_fish}};
    for (size_t i = 0; i < LP_COUNT(topics); i++) {
        if (strcmp(topic, topics[i].name)) continue;
        topics[i].put(out);
        return true;
    }
    return false;
}
