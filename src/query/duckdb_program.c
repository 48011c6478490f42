#include "query/duckdb_program.h"

#include "base/file.h"
#include "base/number.h"
#include "base/text.h"
#include "query/child.h"

#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#define OLDEST_MAJOR 1
#define OLDEST_MINOR 2
#define ANSWER_MS    10000 /* what is not DuckDB may never end */

/* Seen from the folder that this program lies in. */
static bool look_beside(struct lp_buf *program)
{
    static const char *const places[] = {"duckdb", "../deps/duckdb/duckdb", "../libexec/lambda-pipeline/duckdb"};
    char self[4096];
    ssize_t len = readlink("/proc/self/exe", self, sizeof self - 1);
    if (len <= 0) return false;
    self[len] = '\0';
    *strrchr(self, '/') = '\0';
    for (size_t i = 0; i < LP_COUNT(places); i++) {
        lp_buf_clear(program);
        lp_buf_printf(program, "%s/%s", self, places[i]);
        if (!program->failed && access(lp_buf_text(program), X_OK) == 0) return true;
    }
    return false;
}

static enum lp_code take_text(void *who, const char *bytes, size_t len, struct lp_err *err)
{
    lp_buf_put(who, bytes, len);
    return lp_buf_code(who, "DuckDB's version", err);
}

/* "v1.5.5 (Variegata) d8cdaa33fd" */
static bool is_new_enough(const char *program, struct lp_buf *version)
{
    static const char *const arguments[] = {"-version", NULL};
    struct lp_err ignored;
    struct lp_child c = {.program = program, .arguments = arguments, .take = take_text, .who = version, .limit_ms = ANSWER_MS};
    char *end;
    if (lp_child_run(&c, &ignored)) return false;
    const char *text = lp_buf_text(version);
    if (*text == 'v') text++;
    long major = strtol(text, &end, 10), minor = *end == '.' ? strtol(end + 1, NULL, 10) : 0;
    return major > OLDEST_MAJOR || (major == OLDEST_MAJOR && minor >= OLDEST_MINOR);
}

static bool look_on_path(struct lp_buf *program)
{
    const char *path = getenv("PATH");
    while (path && *path) {
        size_t len = strcspn(path, ":");
        lp_buf_clear(program);
        lp_buf_printf(program, "%.*s/duckdb", (int)len, path);
        if (*path == '/' && !program->failed && access(lp_buf_text(program), X_OK) == 0) return true;
        path += len + (path[len] == ':');
    }
    return false;
}

enum lp_code lp_duckdb_find(struct lp_buf *program, struct lp_err *err)
{
    LP_AUTO(lp_buf) version = {.max_bytes = 4096}, said = {.max_bytes = 256};
    if (look_beside(program)) return LP_OK;
    if (!look_on_path(program))
        return lp_fail(err, LP_NOTFOUND,
                       "DuckDB's shell, which answers SQL, is neither beside this program nor on PATH; scripts/deps "
                       "fetches it, or put duckdb %d.%d or newer on PATH",
                       OLDEST_MAJOR, OLDEST_MINOR);
    if (is_new_enough(lp_buf_text(program), &version)) return LP_OK;
    size_t line = strcspn(lp_buf_text(&version), "\n");
    lp_text_put_visible(&said, lp_buf_text(&version), line < 60 ? line : 60);
    return lp_fail(err, LP_NOTFOUND,
                   "%.200s is not DuckDB %d.%d or newer (it says \"%s\"); scripts/deps fetches one",
                   lp_buf_text(program), OLDEST_MAJOR, OLDEST_MINOR, lp_buf_text(&said));
}

/* The limit of the container, where there is one. */
static uint64_t group_limit_bytes(void)
{
    static const char *const files[] = {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"};
    for (size_t i = 0; i < LP_COUNT(files); i++) {
        LP_AUTO(lp_buf) text = {.max_bytes = 256};
        struct lp_err ignored;
        int64_t bytes;
        if (lp_file_read(files[i], &text, &ignored)) continue;
        while (text.len && text.data[text.len - 1] == '\n') text.len--;
        if (text.len && lp_int64_parse(text.data, text.len, &bytes) && bytes > 0) return (uint64_t)bytes;
    }
    return UINT64_MAX;
}

uint64_t lp_duckdb_memory_mib(void)
{
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    uint64_t bytes = pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page : (uint64_t)1 << 30,
             limit = group_limit_bytes();
    if (limit < bytes) bytes = limit;
    uint64_t mib = (bytes >> 20) / 2;
    return mib < 64 ? 64 : mib;
}

uint64_t lp_duckdb_threads(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set)) return 1;
    int count = CPU_COUNT(&set);
    return count < 1 ? 1 : (uint64_t)count;
}
