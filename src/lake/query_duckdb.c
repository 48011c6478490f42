/* SQL by DuckDB's shell: its tables set up from the catalogue, then locked. */
#include "lake/duckdb_program.h"
#include "lake/query_answer.h"
#include "lake/query_child.h"
#include "lake/query_script.h"

#include "base/cancel.h"
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#define MAX_SCRIPT_BYTES ((size_t)512 << 20)

struct duckdb {
    struct lp_query query;
    const struct lp_tables *tables;
    const char *history;
    struct lp_buf program, script;
    char *folder;          /* the lake's, without links in it */
    char spill[4096];      /* "" before it was made */
    char null_word[40];    /* what NULL is in CSV; nobody can guess it */
};

/* What one question's output passes through. */
struct answer {
    struct lp_answer form;
    struct lp_buf out;
    int fd;                 /* -1: it stays in `kept` */
    struct lp_buf *kept;
    bool closed;            /* nobody reads any more */
};

/* ---- which tables have files ---- */

static bool is_file_of(const struct lp_lake_table *t, const char *name)
{
    size_t len = strlen(name), ending = strlen(lp_lake_table_ending(t));
    return *name != '.' && len > ending && !strcmp(name + len - ending, lp_lake_table_ending(t));
}

/* Stops at the first one. `path` is as before afterwards. */
static bool has_file(const struct lp_lake_table *t, size_t depth, struct lp_buf *path)
{
    DIR *folder = opendir(lp_buf_text(path));
    size_t len = path->len;
    bool found = false;
    for (const struct dirent *e; folder && !found && (e = readdir(folder));) {
        if (depth == t->partition_count) {
            found = is_file_of(t, e->d_name);
            continue;
        }
        size_t name = strlen(t->partitions[depth]);
        if (strncmp(e->d_name, t->partitions[depth], name) != 0 || e->d_name[name] != '=') continue;
        lp_buf_printf(path, "/%s", e->d_name);
        found = !path->failed && has_file(t, depth + 1, path);
        path->data[path->len = len] = '\0';
    }
    if (folder) closedir(folder);
    return found;
}

static void look_at(const struct duckdb *d, const struct lp_lake_table *t, struct lp_script_table *state)
{
    LP_AUTO(lp_buf) path = {.max_bytes = 65536};
    const struct lp_lake_column *last = &t->columns[t->column_count - 1];
    lp_buf_printf(&path, "%s/%s", d->folder, t->location);
    state->has_files = t->one_file ? access(lp_buf_text(&path), F_OK) == 0 : !path.failed && has_file(t, 0, &path);
    /* What a table gained later stands last and may be NULL. */
    state->may_be_narrow = !t->one_file && last->nullable;
}

/* ---- the script ---- */

static enum lp_code make_spill_folder(struct duckdb *d, struct lp_err *err)
{
    const char *parent = getenv("TMPDIR");
    if (*d->spill) return LP_OK;
    if (!parent || *parent != '/') parent = "/tmp";
    snprintf(d->spill, sizeof d->spill, "%.4000s/lambda-pipeline-query-XXXXXX", parent);
    if (mkdtemp(d->spill)) return LP_OK;
    *d->spill = '\0';
    return lp_fail_errno(err, "no folder for temporary files can be made in %s", parent);
}

static enum lp_code write_script(struct duckdb *d, bool interactive, struct lp_err *err)
{
    struct lp_script_table *states = calloc(d->tables->count + 1, sizeof *states);
    if (!states) return lp_nomem(err);
    enum lp_code code = make_spill_folder(d, err);
    for (size_t i = 0; i < d->tables->count; i++) look_at(d, &d->tables->list[i], &states[i]);
    struct lp_script s = {.tables = d->tables,
                          .states = states,
                          .base = "",
                          .allowed = d->folder,
                          .spill_folder = d->spill,
                          .memory_mib = lp_duckdb_memory_mib(),
                          .threads = lp_duckdb_threads(),
                          .interactive = interactive};
    lp_buf_clear(&d->script);
    lp_script_put(&s, &d->script);
    if (!code) code = lp_buf_code(&d->script, "the tables of the lake", err);
    free(states);
    return code;
}

/* ---- asking ---- */

static enum lp_code flush(struct answer *a, struct lp_err *err)
{
    const char *bytes = lp_buf_text(&a->out);
    size_t len = a->out.len;
    LP_TRY(lp_buf_code(&a->out, "the answer", err));
    if (a->fd < 0) lp_buf_put(a->kept, bytes, len);
    while (a->fd >= 0 && len) {
        ssize_t n = write(a->fd, bytes, len);
        if (n < 0 && errno == EINTR) {
            LP_TRY(lp_cancel_check(err));
            continue;
        }
        if (n < 0) {
            a->closed = errno == EPIPE;
            return lp_fail_errno(err, "standard output: cannot be written");
        }
        bytes += n;
        len -= (size_t)n;
    }
    lp_buf_clear(&a->out);
    return a->fd < 0 ? lp_buf_code(a->kept, "the answer", err) : LP_OK;
}

static enum lp_code take(void *who, const char *bytes, size_t len, struct lp_err *err)
{
    struct answer *a = who;
    lp_answer_put(&a->form, bytes, len, &a->out);
    return flush(a, err);
}

/* The answer to SQL, through `a` unless it is a table: that goes to the terminal as the shell draws it. */
static enum lp_code run(struct duckdb *d, const char *sql, struct answer *a, struct lp_err *err)
{
    const char *arguments[16] = {"-no-init", "-batch", "-bail", "-cmd", "%0"};
    size_t count = 5;
    if (a->form.form == LP_ANSWER_CSV) {
        arguments[count++] = "-csv";
        arguments[count++] = "-nullvalue";
        arguments[count++] = d->null_word;
    } else if (a->form.form == LP_ANSWER_JSON) {
        arguments[count++] = "-json";
    }
    arguments[count++] = "-f";
    arguments[count++] = "%1";
    LP_TRY(write_script(d, false, err));
    struct lp_child c = {.program = lp_buf_text(&d->program),
                         .arguments = arguments,
                         .texts = {lp_buf_text(&d->script), sql},
                         .folder = d->folder,
                         .take = a->form.form == LP_ANSWER_TABLE ? NULL : take,
                         .who = a,
                         .out_fd = a->fd};
    enum lp_code code = lp_child_run(&c, err);
    if (code && a->closed) return LP_OK;
    LP_TRY(code);
    lp_answer_end(&a->form, &a->out);
    code = flush(a, err);
    return code && a->closed ? LP_OK : code;
}

static enum lp_code ask(struct lp_query *q, const char *sql, enum lp_answer_form form, int fd, struct lp_err *err)
{
    struct duckdb *d = (struct duckdb *)q;
    struct answer a = {.form = {.form = form, .null_word = d->null_word}, .fd = fd};
    enum lp_code code = run(d, sql, &a, err);
    lp_buf_release(&a.out);
    return code;
}

enum lp_code lp_query_duckdb_take(struct lp_query *q, const char *sql, struct lp_buf *out, struct lp_err *err)
{
    struct duckdb *d = (struct duckdb *)q;
    struct answer a = {.form = {.form = LP_ANSWER_CSV, .null_word = d->null_word}, .fd = -1, .kept = out};
    enum lp_code code = run(d, sql, &a, err);
    lp_buf_release(&a.out);
    return code;
}

enum lp_code lp_query_duckdb_shell(struct lp_query *q, struct lp_err *err)
{
    static const char *const arguments[] = {"-no-init", "-cmd", "%0", NULL};
    struct duckdb *d = (struct duckdb *)q;
    LP_AUTO(lp_buf) inside = {0};
    if (d->history) {
        lp_buf_printf(&inside, "%s/.", d->history);
        LP_TRY(lp_buf_code(&inside, "the folder of the history", err));
        LP_TRY(lp_file_make_folders(lp_buf_text(&inside), err));
    }
    LP_TRY(write_script(d, true, err));
    struct lp_child c = {.program = lp_buf_text(&d->program),
                         .arguments = arguments,
                         .texts = {lp_buf_text(&d->script), NULL},
                         .folder = d->folder,
                         .home = d->history,
                         .terminal = true,
                         .out_fd = STDOUT_FILENO};
    return lp_child_run(&c, err);
}

/* ---- the engine ---- */

/* DuckDB empties the folder itself, unless it was killed. */
static void remove_spill_folder(struct duckdb *d)
{
    if (!*d->spill || rmdir(d->spill) == 0) return;
    DIR *folder = opendir(d->spill);
    for (const struct dirent *e; folder && (e = readdir(folder));)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0) unlinkat(dirfd(folder), e->d_name, 0);
    if (folder) closedir(folder);
    rmdir(d->spill);
}

static void free_duckdb(struct lp_query *q)
{
    struct duckdb *d = (struct duckdb *)q;
    remove_spill_folder(d);
    lp_buf_release(&d->program);
    lp_buf_release(&d->script);
    free(d->folder);
    free(d);
}

static const struct lp_query_ops ops = {"duckdb", ask, free_duckdb};

static enum lp_code choose_null_word(struct duckdb *d, struct lp_err *err)
{
    unsigned char random[16];
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random) return lp_fail_errno(err, "no random numbers");
    size_t len = (size_t)snprintf(d->null_word, sizeof d->null_word, "NULL");
    for (size_t i = 0; i < sizeof random; i++)
        len += (size_t)snprintf(d->null_word + len, sizeof d->null_word - len, "%02x", random[i]);
    return LP_OK;
}

static enum lp_code set_up(struct duckdb *d, const struct lp_duckdb_options *o, struct lp_err *err)
{
    d->query.ops = &ops;
    d->tables = o->tables;
    d->history = o->history;
    d->script.max_bytes = MAX_SCRIPT_BYTES;
    d->folder = realpath(*o->folder ? o->folder : "/", NULL);
    if (!d->folder && errno == ENOENT)
        return lp_fail(err, LP_NOTFOUND, "%.600s: there is no such folder; run a pipeline first, or name its lake with --to",
                       o->folder);
    if (!d->folder) return lp_fail_errno(err, "%.600s: cannot be read", o->folder);
    LP_TRY(choose_null_word(d, err));
    return lp_duckdb_find(&d->program, err);
}

enum lp_code lp_query_duckdb_new(const struct lp_duckdb_options *o, struct lp_query **out, struct lp_err *err)
{
    struct duckdb *d = calloc(1, sizeof *d);
    if (!d) return lp_nomem(err);
    enum lp_code code = set_up(d, o, err);
    if (code) free_duckdb(&d->query);
    else *out = &d->query;
    return code;
}

void lp_query_free(struct lp_query *q)
{
    if (q) q->ops->free(q);
}
