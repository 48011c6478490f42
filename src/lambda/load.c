/* The pipeline that a handler's name stands for. */
#include "base/clock.h"
#include "base/text.h"
#include "lambda/function.h"

#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>

#define NAMES_MAX 100

/* The pipelines that lie where handlers are looked for. */
struct there {
    char *names[NAMES_MAX];
    size_t count;
    bool more, starved;
};

static const char *ending_of(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot && dot != name && (!strcmp(dot, ".yaml") || !strcmp(dot, ".yml")) ? dot : NULL;
}

static bool holds(const struct there *t, const char *name, size_t len)
{
    for (size_t i = 0; i < t->count; i++)
        if (strlen(t->names[i]) == len && !memcmp(t->names[i], name, len)) return true;
    return false;
}

static void list(const char *folder, struct there *t)
{
    DIR *d = opendir(folder);
    struct dirent *e;
    while (d && (e = readdir(d))) {
        const char *end = ending_of(e->d_name);
        if (!end || *e->d_name == '.' || holds(t, e->d_name, (size_t)(end - e->d_name))) continue;
        t->more |= t->count == NAMES_MAX;
        if (t->count == NAMES_MAX) break;
        char *name = strndup(e->d_name, (size_t)(end - e->d_name));
        if (name) t->names[t->count++] = name;
        else t->starved = true;
    }
    if (d) closedir(d);
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static const char *task_root(void)
{
    const char *root = getenv("LAMBDA_TASK_ROOT");
    return root && *root ? root : NULL;
}

static bool try_file(const char *folder, const char *name, const char *ending, struct lp_buf *path)
{
    lp_buf_clear(path);
    if (folder && *name != '/') lp_buf_printf(path, "%s/", folder);
    lp_buf_printf(path, "%s%s", name, ending);
    return path->failed || access(lp_buf_text(path), F_OK) == 0; /* a failure is told by who uses the path */
}

static bool find_file(const char *handler, struct lp_buf *path)
{
    static const char *const endings[] = {".yaml", ".yml"};
    const char *folders[] = {task_root(), NULL};
    for (size_t i = folders[0] ? 0 : 1; i < LP_COUNT(folders); i++) {
        if (ending_of(handler) && try_file(folders[i], handler, "", path)) return true;
        for (size_t k = 0; k < LP_COUNT(endings); k++)
            if (try_file(folders[i], handler, endings[k], path)) return true;
    }
    return false;
}

static enum lp_code name_those(const char *handler, const struct there *t, struct lp_err *err)
{
    LP_AUTO(lp_buf) names = {0};
    const char *root = task_root(), *near = NULL;
    for (size_t i = 0; i < t->count && i < 20; i++) lp_buf_printf(&names, "%s%s", i ? ", " : "", t->names[i]);
    if (t->more || t->count > 20) lp_buf_puts(&names, ", …");
    if (!t->count)
        return lp_fail(err, LP_NOTFOUND,
                       "there is no pipeline in %s; put the pipeline's file, like weather.yaml, there",
                       root ? root : "the working folder");
    if (!handler)
        return lp_fail(err, LP_USAGE,
                       "which pipeline? The handler (_HANDLER, or the image's CMD) has to name one of: %s",
                       lp_buf_text(&names));
    near = lp_text_nearest(handler, strlen(handler), (const char *const *)t->names, t->count);
    if (near)
        return lp_fail(err, LP_NOTFOUND, "there is no pipeline \"%.100s\"; did you mean \"%s\"? There are: %s", handler,
                       near, lp_buf_text(&names));
    return lp_fail(err, LP_NOTFOUND, "there is no pipeline \"%.100s\"; there are: %s", handler, lp_buf_text(&names));
}

enum lp_code lp_function_find(const char *handler, struct lp_buf *path, struct lp_err *err)
{
    struct there t = {0};
    enum lp_code code = LP_OK;
    if (handler && !*handler) handler = NULL;
    if (handler && find_file(handler, path)) return lp_buf_code(path, "the pipeline's name", err);
    if (task_root()) list(task_root(), &t);
    list(".", &t);
    qsort(t.names, t.count, sizeof *t.names, compare);
    if (t.starved) code = lp_nomem(err);
    else if (handler || t.count != 1 || !find_file(t.names[0], path)) code = name_those(handler, &t, err);
    else code = lp_buf_code(path, "the pipeline's name", err);
    for (size_t i = 0; i < t.count; i++) free(t.names[i]);
    return code;
}

static enum lp_code load_file(struct lp_function *f, const char *path, struct lp_buf *why, struct lp_err *err)
{
    struct lp_faults faults;
    enum lp_code code = lp_pipeline_load(&f->pipeline, path, &faults, err);
    if (code == LP_CONFIG && faults.count) {
        size_t count = faults.count + faults.dropped;
        lp_faults_put_lines(&faults, why);
        lp_buf_printf(why, "%zu %s; nothing was fetched", count, count == 1 ? "fault" : "faults");
        lp_fail(err, LP_CONFIG, "%.900s", lp_buf_text(why));
    }
    lp_faults_release(&faults);
    return code;
}

enum lp_code lp_function_open(struct lp_function *f, const struct lp_aws_options *aws, struct lp_log *log,
                              struct lp_err *err)
{
    f->log = log;
    return lp_aws_new(aws, &f->aws, err);
}

enum lp_code lp_function_load(struct lp_function *f, const char *handler, const struct lp_aws_options *aws,
                              struct lp_log *log, struct lp_buf *why, const char **type, struct lp_err *err)
{
    LP_AUTO(lp_buf) path = {.max_bytes = 8192};
    *f = (struct lp_function){0};
    *type = "Runtime.HandlerUnknown";
    enum lp_code code = lp_function_find(handler, &path, err);
    if (!code) {
        *type = "Runtime.PipelineInvalid";
        code = load_file(f, lp_buf_text(&path), why, err);
    }
    if (!code) code = lp_function_open(f, aws, log, err);
    if (code == LP_NOMEM || code == LP_IO) *type = "Runtime.InitFailed";
    if (code && !why->len) lp_buf_puts(why, err->text);
    return code;
}
