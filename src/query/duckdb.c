/* SQL by DuckDB's shell: its tables set up from the catalogue, then locked. */
#include "query/duckdb_program.h"
#include "query/answer.h"
#include "query/child.h"
#include "query/mirror.h"
#include "query/s3.h"
#include "query/script.h"

#include "base/cancel.h"
#include "base/file.h"
#include "lake/store_s3.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#define MAX_SCRIPT_BYTES ((size_t)512 << 20)

struct duckdb {
    struct lp_query query;
    struct lp_duckdb_options o;
    struct lp_buf program, script;
    char *folder; /* where the shell runs, without links in it: the lake, or a folder that looks like it */
    bool in_s3;
    struct lp_buf load; /* LOAD of httpfs; empty: objects are fetched */
    struct lp_mirror mirror;
    char spill[4096];   /* "" before it was made */
    char null_word[40]; /* what NULL is in CSV; nobody can guess it */
};

/* What one question's output passes through. */
struct answer {
    struct lp_answer form;
    struct lp_buf out;
    int fd; /* -1: it stays in `kept` */
    struct lp_buf *kept;
    bool closed; /* nobody reads any more */
};

/* It may hold keys. */
static void wipe(struct lp_buf *b)
{
    if (b->data) explicit_bzero(b->data, b->cap);
}

/* ---- which tables have files ---- */

static bool is_file_of(const struct lp_lake_table *t, const char *name)
{
    size_t len = strlen(name), ending = strlen(lp_lake_table_ending(t));
    return *name != '.' && len > ending && !strcmp(name + len - ending, lp_lake_table_ending(t));
}

/* Stops at the first one. `path` is as before afterwards. */
static bool has_file(const struct duckdb *d, const struct lp_lake_table *t, size_t depth, struct lp_buf *path)
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
        const char *value = e->d_name + name + 1;
        if (!lp_where_fits(d->o.where, t->partitions[depth], value, strlen(value))) continue;
        lp_buf_printf(path, "/%s", e->d_name);
        found = !path->failed && has_file(d, t, depth + 1, path);
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
    state->has_files = t->one_file ? access(lp_buf_text(&path), F_OK) == 0 : !path.failed && has_file(d, t, 0, &path);
    /* What a table gained later stands last and may be NULL. */
    state->may_be_narrow = !t->one_file && last->nullable;
}

static enum lp_code look_in_s3(const struct duckdb *d, const struct lp_lake_table *t, struct lp_script_table *state,
                               struct lp_err *err)
{
    LP_AUTO(lp_listing) listing = {0};
    LP_AUTO(lp_buf) prefix = {.max_bytes = LP_STORE_KEY_BYTES};
    lp_lake_table_put_prefix(t, &prefix);
    LP_TRY(lp_buf_code(&prefix, "a table's place", err));
    LP_TRY(lp_s3_list(d->o.store, lp_buf_text(&prefix), "", &listing, err));
    for (size_t i = 0; i < listing.count && !state->has_files; i++)
        state->has_files = lp_lake_table_owns(t, d->o.where, listing.list[i].key);
    state->may_be_narrow = !t->one_file && t->columns[t->column_count - 1].nullable;
    return LP_OK;
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

/* What has to be there before the tables can be named. Everything is new for each question. */
static enum lp_code reach(struct duckdb *d, const struct lp_tables *tables, struct lp_buf *before, struct lp_err *err)
{
    if (!d->in_s3) return LP_OK;
    if (d->load.len) {
        lp_buf_puts(before, lp_buf_text(&d->load));
        return lp_httpfs_put_secret(d->o.store, before, err);
    }
    if (!d->o.cache)
        return lp_fail(err, LP_CONFIG,
                       "neither XDG_CACHE_HOME nor HOME is set, so there is no folder to fetch objects to");
    lp_mirror_release(&d->mirror);
    LP_TRY(lp_mirror_make(&d->mirror, d->o.store, tables, d->o.where, d->o.cache, err));
    if (d->o.tell_fetched && d->mirror.fetched) d->o.tell_fetched(d->o.who, d->mirror.fetched, d->mirror.fetched_bytes);
    free(d->folder);
    d->folder = realpath(d->mirror.folder, NULL);
    return d->folder ? LP_OK : lp_fail_errno(err, "%s: cannot be read", d->mirror.folder);
}

static enum lp_code put_script(struct duckdb *d, const struct lp_tables *tables, struct lp_script_table *states,
                               bool interactive, struct lp_err *err)
{
    LP_AUTO(lp_buf) before = {0}, base = {0};
    bool direct = d->in_s3 && d->load.len;
    LP_TRY(make_spill_folder(d, err));
    LP_TRY(reach(d, tables, &before, err));
    for (size_t i = 0; i < tables->count; i++) {
        if (direct) LP_TRY(look_in_s3(d, &tables->list[i], &states[i], err));
        else look_at(d, &tables->list[i], &states[i]);
    }
    if (direct) d->o.store->ops->put_url(d->o.store, "", &base);
    LP_TRY(lp_buf_code(&base, "the lake's address", err));
    struct lp_script s = {.tables = tables,
                          .states = states,
                          .where = d->o.where,
                          .base = lp_buf_text(&base),
                          .allowed = direct ? lp_buf_text(&base) : d->folder,
                          .spill_folder = d->spill,
                          .before = lp_buf_text(&before),
                          .memory_mib = lp_duckdb_memory_mib(),
                          .threads = lp_duckdb_threads(),
                          .interactive = interactive};
    lp_buf_clear(&d->script);
    lp_script_put(&s, &d->script);
    wipe(&before);
    return lp_buf_code(&d->script, "the tables of the lake", err);
}

/* Only the tables that the SQL names are looked at: one that cannot be read is nobody else's business, and in S3 each
 * costs requests. */
static enum lp_code write_script(struct duckdb *d, const char *sql, struct lp_err *err)
{
    struct lp_tables named = {0};
    struct lp_script_table *states = calloc(d->o.tables->count + 1, sizeof *states);
    enum lp_code code = states ? lp_tables_named(d->o.tables, sql, &named, err) : lp_nomem(err);
    if (!code) code = put_script(d, &named, states, !sql, err);
    free(states);
    lp_tables_release(&named);
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

static enum lp_code check_unwritten(const struct duckdb *d, struct lp_err *err)
{
    if (!lp_mirror_was_written(&d->mirror)) return LP_OK;
    return lp_fail(err, LP_USAGE,
                   "SQL wrote beside what was fetched of %.600s, where nothing is kept; install DuckDB's httpfs extension, "
                   "which writes to the bucket, or redirect the answer to a file",
                   d->o.place);
}

/* The answer to SQL, through `a` unless it is a table on a terminal, which the shell draws to fit. It does not look whether
 * what it writes arrives; we do. */
static enum lp_code run(struct duckdb *d, const char *sql, struct answer *a, struct lp_err *err)
{
    const char *arguments[16] = {"-no-init", "-batch", "-bail", "-cmd", "%0"};
    size_t count = 5;
    bool direct = a->form.form == LP_ANSWER_TABLE && isatty(a->fd);
    if (a->form.form == LP_ANSWER_CSV) {
        arguments[count++] = "-csv";
        arguments[count++] = "-nullvalue";
        arguments[count++] = d->null_word;
    } else if (a->form.form == LP_ANSWER_JSON) {
        arguments[count++] = "-json";
    }
    arguments[count++] = "-f";
    arguments[count++] = "%1";
    LP_TRY(write_script(d, sql, err));
    struct lp_child c = {.program = lp_buf_text(&d->program),
                         .arguments = arguments,
                         .texts = {lp_buf_text(&d->script), sql},
                         .folder = d->folder,
                         .network = d->in_s3,
                         .take = direct ? NULL : take,
                         .who = a,
                         .out_fd = a->fd};
    enum lp_code code = lp_child_run(&c, err);
    if (code && a->closed) return LP_OK;
    LP_TRY(code);
    LP_TRY(check_unwritten(d, err));
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
    if (d->o.history) {
        lp_buf_printf(&inside, "%s/.", d->o.history);
        LP_TRY(lp_buf_code(&inside, "the folder of the history", err));
        LP_TRY(lp_file_make_folders(lp_buf_text(&inside), err));
    }
    LP_TRY(write_script(d, NULL, err));
    struct lp_child c = {.program = lp_buf_text(&d->program),
                         .arguments = arguments,
                         .texts = {lp_buf_text(&d->script), NULL},
                         .folder = d->folder,
                         .home = d->o.history,
                         .network = d->in_s3,
                         .terminal = true,
                         .out_fd = STDOUT_FILENO};
    LP_TRY(lp_child_run(&c, err));
    return check_unwritten(d, err);
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
    lp_mirror_release(&d->mirror);
    lp_buf_release(&d->load);
    lp_buf_release(&d->program);
    wipe(&d->script);
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
    d->o = *o;
    d->script.max_bytes = MAX_SCRIPT_BYTES;
    d->in_s3 = lp_store_is_s3(o->place);
    if (!strncmp(d->o.place, "file://", 7)) d->o.place += 7;
    d->folder = realpath(d->in_s3 || !*d->o.place ? "/" : d->o.place, NULL);
    if (!d->folder && errno == ENOENT)
        return lp_fail(err, LP_NOTFOUND,
                       "%.600s: there is no such folder; run a pipeline first, or name its lake with --to", o->place);
    if (!d->folder) return lp_fail_errno(err, "%.600s: cannot be read", o->place);
    LP_TRY(choose_null_word(d, err));
    LP_TRY(lp_duckdb_find(&d->program, err));
    enum lp_code code = d->in_s3 ? lp_httpfs_find(lp_buf_text(&d->program), &d->load, err) : LP_OK;
    return code == LP_NOTFOUND ? LP_OK : code;
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
