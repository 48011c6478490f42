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

void lp_watch_set(struct lp_watch *w, const char *const *paths, size_t count, bool missing)
{
    struct stat st;
    w->due_us = missing ? in_ms(LP_WATCH_AGAIN_MS) : INT64_MAX;
    for (size_t i = 0; i < count && w->fd >= 0; i++) {
        LP_AUTO(lp_buf) folder = {0};
        const char *slash = strrchr(paths[i], '/');
        bool is_folder = !stat(paths[i], &st) && S_ISDIR(st.st_mode);
        if (is_folder) lp_buf_puts(&folder, paths[i]);
        else if (slash) lp_buf_put(&folder, paths[i], slash == paths[i] ? 1 : (size_t)(slash - paths[i]));
        else lp_buf_putc(&folder, '.');
        (void)!inotify_add_watch(w->fd, lp_buf_text(&folder), EVENTS); /* what is not there is looked for again */
    }
}

/* Pipeline files, folders of them, and the link that Kubernetes turns when a ConfigMap changes. */
static bool concerns(const struct inotify_event *e)
{
    size_t len = e->len ? strlen(e->name) : 0;
    if (!len || e->mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED | IN_Q_OVERFLOW | IN_ISDIR)) return true;
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
            if (concerns(e)) w->due_us = in_ms(LP_WATCH_SETTLE_MS);
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
