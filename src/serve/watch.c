#include "serve/watch.h"

#include "base/buf.h"
#include "base/clock.h"

#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#define EVENTS (IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CREATE | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)

enum lp_code lp_watch_open(struct lp_watch *w, struct lp_err *err)
{
    *w = (struct lp_watch){.fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC), .due_us = INT64_MAX};
    return w->fd < 0 ? lp_fail_errno(err, "changed files cannot be noticed; send SIGHUP instead") : LP_OK;
}

static int64_t in_ms(int64_t ms)
{
    return lp_clock_monotonic_us() + ms * 1000;
}

/* What the last part of a path is, without slashes behind it. */
static const char *last_part(const char *path, size_t *len)
{
    *len = strlen(path);
    while (*len > 1 && path[*len - 1] == '/') --*len;
    const char *slash = memrchr(path, '/', *len);
    if (!slash || *len == 1) return path;
    *len -= (size_t)(slash + 1 - path);
    return slash + 1;
}

/* Also where a folder lies, as it may be a link that is turned. What is not there is looked for again. */
void lp_watch_set(struct lp_watch *w, const char *const *paths, size_t count, bool missing)
{
    struct stat st;
    w->due_us = missing ? in_ms(LP_WATCH_AGAIN_MS) : INT64_MAX;
    w->paths = paths;
    w->path_count = count;
    for (size_t i = 0; i < count && w->fd >= 0; i++) {
        LP_AUTO(lp_buf) folder = {0};
        size_t len;
        const char *last = last_part(paths[i], &len);
        if (last == paths[i]) lp_buf_putc(&folder, *last == '/' ? '/' : '.');
        else lp_buf_put(&folder, paths[i], (size_t)(last - paths[i]));
        (void)!inotify_add_watch(w->fd, lp_buf_text(&folder), EVENTS);
        if (!stat(paths[i], &st) && S_ISDIR(st.st_mode)) (void)!inotify_add_watch(w->fd, paths[i], EVENTS);
    }
}

/* Pipeline files, folders of them, and the link that Kubernetes turns when a ConfigMap changes. */
static bool concerns(const struct lp_watch *w, const struct inotify_event *e)
{
    size_t len = e->len ? strlen(e->name) : 0, last_len;
    if (!len || e->mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED | IN_Q_OVERFLOW)) return true;
    for (size_t i = 0; i < w->path_count; i++) {
        const char *last = last_part(w->paths[i], &last_len);
        if (last_len == len && !memcmp(last, e->name, len)) return true;
    }
    return (len > 5 && !strcmp(e->name + len - 5, ".yaml")) || (len > 4 && !strcmp(e->name + len - 4, ".yml")) ||
           !strcmp(e->name, "..data");
}

bool lp_watch_turn(struct lp_watch *w)
{
    _Alignas(struct inotify_event) char events[8192];
    ssize_t n;
    while (w->fd >= 0 && (n = read(w->fd, events, sizeof events)) > 0)
        for (const char *at = events; at < events + n;) {
            const struct inotify_event *e = (const struct inotify_event *)(const void *)at;
            if (concerns(w, e)) w->due_us = in_ms(LP_WATCH_SETTLE_MS);
            at += sizeof *e + e->len;
        }
    if (lp_clock_monotonic_us() < w->due_us) return false;
    w->due_us = INT64_MAX;
    return true;
}

void lp_watch_release(struct lp_watch *w)
{
    if (w->fd >= 0) close(w->fd);
    w->fd = -1;
}
