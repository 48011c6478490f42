#include "page/web_parts.h"

#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEADER_BYTES ((size_t)16 << 10) /* of a request, and of what it takes to answer it */
#define IDLE_SECONDS 15u
/* For a request to come, for its answer to be taken; less while others wait for a place. */
#define SLOW_US           INT64_C(15000000)
#define SLOW_ANSWER_US    INT64_C(60000000)
#define CROWDED_US        INT64_C(2000000)
#define CROWDED_ANSWER_US INT64_C(5000000)
#define EVENTS       16

/* ---- clients ---- */

static void unlist(struct lp_web *w, struct client *c)
{
    if (!c->listed) return;
    *(c->prev ? &c->prev->next : &w->clients) = c->next;
    if (c->next) c->next->prev = c->prev;
    c->listed = false;
}

static void list(struct lp_web *w, struct client *c)
{
    unlist(w, c);
    c->since_us = lp_clock_monotonic_us();
    c->prev = NULL;
    c->next = w->clients;
    if (c->next) c->next->prev = c;
    w->clients = c;
    c->listed = true;
}

static struct client *client_of(struct MHD_Connection *c)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

void lp_web_has_asked(struct MHD_Connection *c)
{
    struct client *it = client_of(c);
    if (!it) return;
    it->answering = true;
    it->since_us = lp_clock_monotonic_us();
}

void lp_web_pause(struct lp_web *w, struct MHD_Connection *c)
{
    struct client *it = client_of(c);
    if (it) unlist(w, it);
    MHD_suspend_connection(c);
}

void lp_web_go_on(struct lp_web *w, struct MHD_Connection *c)
{
    struct client *it = client_of(c);
    if (it) list(w, it);
    MHD_resume_connection(c);
}

/* A connection begins or ends. */
static void meet(void *who, struct MHD_Connection *c, void **own, enum MHD_ConnectionNotificationCode what)
{
    struct lp_web *w = who;
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info = MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);
        struct client *it = calloc(1, sizeof *it);
        *own = it;
        w->connections++;
        if (!it || !info) return;
        it->fd = info->connect_fd;
        list(w, it);
    } else {
        w->connections--;
        if (*own) unlist(w, *own);
        free(*own);
        *own = NULL;
    }
}

/* When it is cut off. */
static int64_t until_us(const struct lp_web *w, const struct client *c)
{
    bool crowded = w->connections >= LP_WEB_CONNECTIONS;
    return c->since_us + (c->answering ? crowded ? CROWDED_ANSWER_US : SLOW_ANSWER_US : crowded ? CROWDED_US : SLOW_US);
}

/* The library sees the connection end and clears it away. */
static void cut_off(struct lp_web *w)
{
    int64_t now_us = lp_clock_monotonic_us();
    for (struct client *c = w->clients, *next; c; c = next) {
        next = c->next;
        if (now_us < until_us(w, c)) continue;
        shutdown(c->fd, SHUT_RDWR);
        unlist(w, c);
    }
}

static void forget(void *who, struct MHD_Connection *c, void **own, enum MHD_RequestTerminationCode why)
{
    struct lp_web *w = who;
    struct client *it = client_of(c);
    (void)why;
    if (it) it->answering = false;
    if (it && it->listed) list(w, it); /* the time of its next request begins */
    lp_web_drop(w, *own);
    *own = NULL;
}

/* ---- the server ---- */

static enum lp_code start(struct lp_web *w, int fd, struct lp_err *err)
{
    w->daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, lp_web_take, w, MHD_OPTION_LISTEN_SOCKET, fd,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)LP_WEB_CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT, IDLE_SECONDS,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, HEADER_BYTES, MHD_OPTION_NOTIFY_COMPLETED, forget, w,
        MHD_OPTION_NOTIFY_CONNECTION, meet, w, MHD_OPTION_END);
    if (!w->daemon) {
        close(fd);
        return lp_fail(err, LP_NOMEM, "the server of the pages cannot be started; is there memory?");
    }
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(w->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    struct epoll_event e = {.events = EPOLLIN};
    w->fd = epoll_create1(EPOLL_CLOEXEC);
    if (w->fd < 0 || epoll_ctl(w->fd, EPOLL_CTL_ADD, info->epoll_fd, &e)) return lp_fail_errno(err, "no epoll for the pages");
    return LP_OK;
}

enum lp_code lp_web_open(const struct lp_web_options *o, struct lp_web **out, char url[LP_LISTEN_URL_BYTES],
                         struct lp_err *err)
{
    int fd;
    *out = NULL;
    LP_TRY(lp_listen(o->host, o->port, &fd, url, err));
    struct lp_web *w = calloc(1, sizeof *w);
    if (!w) {
        close(fd);
        return lp_nomem(err);
    }
    w->o = *o;
    w->fd = -1;
    enum lp_code code = start(w, fd, err);
    if (code) lp_web_free(w);
    else *out = w;
    return code;
}

void lp_web_free(struct lp_web *w)
{
    if (!w) return;
    w->ending = true;
    lp_web_give_up(w);
    if (w->daemon) {
        MHD_run(w->daemon); /* those that waited go on, and are closed */
        MHD_stop_daemon(w->daemon);
    }
    for (size_t i = 0; i < LP_COUNT(w->kept); i++)
        if (w->kept[i].response) MHD_destroy_response(w->kept[i].response);
    if (w->fd >= 0) close(w->fd);
    free(w);
}

int lp_web_fd(const struct lp_web *w)
{
    return w->fd;
}

int lp_web_timeout_ms(const struct lp_web *w)
{
    MHD_UNSIGNED_LONG_LONG left_ms = 0;
    int64_t now_us = lp_clock_monotonic_us(), then_us = INT64_MAX;
    if (MHD_get_timeout(w->daemon, &left_ms) == MHD_YES) then_us = now_us + (int64_t)left_ms * 1000;
    for (const struct client *c = w->clients; c; c = c->next)
        if (until_us(w, c) < then_us) then_us = until_us(w, c);
    for (size_t i = 0; i < LP_WEB_AT_WORK; i++)
        if (w->at_work[i] && lp_errand_until_us(w->at_work[i]->errand) < then_us)
            then_us = lp_errand_until_us(w->at_work[i]->errand);
    if (then_us == INT64_MAX) return -1;
    return then_us <= now_us ? 0 : (int)((then_us - now_us) / 1000 + 1);
}

/* The library listens again only at the turn after one in which a place became free. */
static void turn(struct lp_web *w)
{
    bool was_full = w->connections >= LP_WEB_CONNECTIONS;
    MHD_run(w->daemon);
    if (was_full && w->connections < LP_WEB_CONNECTIONS) MHD_run(w->daemon);
}

void lp_web_run(struct lp_web *w)
{
    turn(w);
    if (lp_web_attend(w)) turn(w);
    cut_off(w);
    lp_errands_reap(&w->errands);
}

enum lp_code lp_web_adopt(struct lp_web *w, int fd, struct lp_err *err)
{
    const struct sockaddr nobody = {.sa_family = AF_UNIX};
    if (MHD_add_connection(w->daemon, fd, &nobody, sizeof nobody) == MHD_YES) return LP_OK;
    return lp_fail(err, LP_IO, "the connection was not taken");
}
