#include "query/athena.h"

#include "base/clock.h"
#include "base/number.h"
#include "cli/load.h"
#include "cli/tables_show.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEFAULT_LAKE "lake"
#define MOST_FILES   ((size_t)31)

/* What the command line asks for. */
struct question {
    const char *sql; /* NULL: none */
    struct lp_pipeline files[MOST_FILES];
    size_t file_count;
    const char *place; /* the lake's address */
    struct lp_tables tables;
    struct lp_where where;
    struct lp_aws *aws;
    struct lp_store *store;
    struct lp_query *engine;
    enum lp_answer_form form;
};

static void question_release(struct question *q)
{
    lp_query_free(q->engine);
    lp_store_free(q->store);
    lp_aws_free(q->aws);
    lp_tables_release(&q->tables);
    lp_where_release(&q->where);
    for (size_t i = 0; i < q->file_count; i++) lp_pipeline_release(&q->files[i]);
    free(q);
}

/* SQL is what does not look like the name of a pipeline file. */
static bool is_file_name(const char *word)
{
    size_t len = strlen(word);
    if (strpbrk(word, "\n;")) return false;
    return (len > 5 && !strcmp(word + len - 5, ".yaml")) || (len > 4 && !strcmp(word + len - 4, ".yml"));
}

static enum lp_code same_lake(struct question *q, const struct lp_pipeline *p, struct lp_err *err)
{
    if (!q->place) q->place = p->sink.root;
    if (!strcmp(q->place, p->sink.root)) return LP_OK;
    return lp_fail(err, LP_USAGE,
                   "%.200s writes to %.200s and the files before it to %.200s; one question asks one lake", p->path,
                   p->sink.root, q->place);
}

static const struct lp_err *fail_two(const char *word, struct lp_err *err)
{
    (void)!lp_fail(err, LP_USAGE, "\"%.60s\": query takes one text of SQL; pipeline files end in .yaml or .yml", word);
    return err;
}

/* Where a shell's variable was meant to hold the question, silence would hide that it does not. */
static const struct lp_err *fail_empty(struct lp_err *err)
{
    (void)!lp_fail(err, LP_USAGE, "the question is empty; write SQL, or leave it out to see the tables");
    return err;
}

/* The exit status. */
static int load_files(struct lp_cli *c, struct question *q)
{
    struct lp_err err;
    for (size_t i = 0; i < c->word_count && q->file_count < MOST_FILES; i++) {
        if (!is_file_name(c->words[i])) {
            if (!c->words[i][strspn(c->words[i], " \t\r\n;")]) return lp_cli_fail(c, fail_empty(&err));
            if (!q->sql) q->sql = c->words[i];
            else return lp_cli_fail(c, fail_two(c->words[i], &err));
            continue;
        }
        int status = lp_cli_load_file(c, c->words[i], &q->files[q->file_count++]);
        if (status) return status;
        if (same_lake(q, &q->files[q->file_count - 1], &err)) return lp_cli_fail(c, &err);
    }
    return 0;
}

static enum lp_code choose_place(const struct lp_cli *c, struct question *q, struct lp_err *err)
{
    struct stat st;
    if (c->to && !q->file_count) q->place = c->to;
    if (q->place) return LP_OK;
    q->place = DEFAULT_LAKE;
    if (stat(DEFAULT_LAKE, &st) == 0 && S_ISDIR(st.st_mode)) return LP_OK;
    return lp_fail(err, LP_USAGE, "there is no folder lake here; name the lake: query --to PLACE, or a pipeline file");
}

static void choose_form(const struct lp_cli *c, struct question *q)
{
    const char *format = c->format ? c->format : c->out.terminal ? "table" : "csv";
    q->form = !strcmp(format, "table") ? LP_ANSWER_TABLE : !strcmp(format, "json") ? LP_ANSWER_JSON : LP_ANSWER_CSV;
}

static enum lp_code read_tables(struct lp_cli *c, struct question *q, struct lp_err *err)
{
    static const struct lp_s3_options none = {0};
    if (!q->aws) LP_TRY(lp_aws_new(&c->aws, &q->aws, err));
    LP_TRY(lp_store_open(q->place, q->file_count ? &q->files[0].sink.s3 : &none, q->aws, &q->store, err));
    LP_TRY(lp_tables_read(&q->tables, q->store, err));
    for (size_t i = 0; i < q->file_count; i++) {
        const struct lp_pipeline *p = &q->files[i];
        LP_TRY(lp_tables_add(&q->tables, &p->sink, p->name, p->description, &p->columns, err));
    }
    if (q->tables.count) return LP_OK;
    return lp_fail(err, LP_NOTFOUND, "%.600s holds no tables; run a pipeline first, or name its lake with --to",
                   q->place);
}

/* $XDG_STATE_HOME/lambda-pipeline, or what takes its place below HOME. */
static const char *put_folder(const char *variable, const char *below_home, struct lp_buf *out)
{
    const char *given = getenv(variable), *home = getenv("HOME");
    if (given && *given == '/') lp_buf_printf(out, "%s/lambda-pipeline", given);
    else if (home && *home == '/') lp_buf_printf(out, "%s/%s/lambda-pipeline", home, below_home);
    return out->len && !out->failed ? lp_buf_text(out) : NULL;
}

static void tell_fetched(void *who, uint64_t files, uint64_t bytes)
{
    const struct lp_cli *c = who;
    LP_AUTO(lp_buf) text = {0};
    char size[LP_NUMBER_TEXT_BYTES];
    if (c->quiet) return;
    lp_bytes_format(bytes, size);
    lp_put_count(&text, files, "file", "files");
    fprintf(stderr, "%sfetched %s, %s%s%s\n", c->err.grey, lp_buf_text(&text), size,
            c->where_count ? "" : "; with --where NAME=VALUE only the partitions you need", c->err.plain);
}

static enum lp_code answer(struct lp_cli *c, struct question *q, struct lp_err *err)
{
    LP_AUTO(lp_buf) history = {0}, cache = {0};
    struct lp_duckdb_options o = {.tables = &q->tables,
                                  .where = &q->where,
                                  .place = q->place,
                                  .history = put_folder("XDG_STATE_HOME", ".local/state", &history),
                                  .cache = put_folder("XDG_CACHE_HOME", ".cache", &cache),
                                  .tell_fetched = tell_fetched,
                                  .who = c};
    choose_form(c, q);
    for (size_t i = 0; i < c->where_count; i++) LP_TRY(lp_where_add(&q->where, c->wheres[i], err));
    LP_TRY(read_tables(c, q, err));
    o.store = q->store;
    LP_TRY(lp_query_duckdb_new(&o, &q->engine, err));
    if (q->sql) return q->engine->ops->ask(q->engine, q->sql, q->form, STDOUT_FILENO, err);
    if (c->out.terminal && isatty(STDIN_FILENO) && !c->format) return lp_query_duckdb_shell(q->engine, err);
    return lp_tables_show(c, &q->tables, q->store, q->engine, err);
}

/* ---- Athena ---- */

static void see_athena(void *who, const struct lp_athena_progress *p)
{
    const struct lp_cli *c = who;
    char scanned[LP_NUMBER_TEXT_BYTES], took[LP_TIME_TEXT_BYTES];
    const char *clear = c->err.terminal ? "\r\033[K" : "";
    if (c->quiet) return;
    lp_bytes_format(p->scanned_bytes, scanned);
    lp_duration_format(p->took_ms, took);
    if (!p->over && c->err.terminal) {
        fprintf(stderr, "%s%s%s %s %s scanned %s %s%s", clear, c->err.grey, p->state, c->err.dot, scanned, c->err.dot,
                took, c->err.plain);
    } else if (p->over && !strcmp(p->state, "SUCCEEDED")) {
        fprintf(stderr, "%s%sAthena scanned %s in %s, about %.5f USD%s\n", clear, c->err.grey, scanned, took,
                p->dollars, c->err.plain);
    } else {
        fputs(clear, stderr);
    }
}

/* What bare names mean: the database of the pipeline files, or the lake's only one. */
static enum lp_code choose_database(struct lp_cli *c, struct question *q, const char **database, struct lp_err *err)
{
    *database = q->file_count ? q->files[0].sink.catalog.database : NULL;
    if (*database || !c->to) return LP_OK;
    LP_TRY(read_tables(c, q, err));
    for (size_t i = 0; i < q->tables.count; i++)
        if (strcmp(q->tables.list[i].database, q->tables.list[0].database) != 0) return LP_OK;
    *database = q->tables.list[0].database;
    return LP_OK;
}

static enum lp_code ask_athena(struct lp_cli *c, struct question *q, struct lp_err *err)
{
    struct lp_athena_options o = {.workgroup = c->workgroup, .output = c->output, .see = see_athena, .who = c};
    if (!q->sql) return lp_fail(err, LP_USAGE, "--athena wants a question: query \"SQL\" --athena");
    choose_form(c, q);
    LP_TRY(lp_aws_new(&c->aws, &q->aws, err));
    o.aws = q->aws;
    q->place = c->to;
    LP_TRY(choose_database(c, q, &o.database, err));
    LP_TRY(lp_query_athena_new(&o, &q->engine, err));
    enum lp_code code = q->engine->ops->ask(q->engine, q->sql, q->form, STDOUT_FILENO, err);
    if (code && c->err.terminal && !c->quiet) fputs("\r\033[K", stderr);
    return code;
}

int lp_cmd_query(struct lp_cli *c)
{
    struct lp_err err = {0};
    struct question *q = calloc(1, sizeof *q);
    if (!q) return lp_cli_fail_memory(c);
    int status = load_files(c, q);
    if (!status) {
        enum lp_code code = c->athena ? ask_athena(c, q, &err) : choose_place(c, q, &err);
        if (!code && !c->athena) code = answer(c, q, &err);
        status = lp_code_info(code)->exit_status;
        if (code && *err.text) status = lp_cli_fail(c, &err);
    }
    question_release(q);
    return status;
}
