/* Transfers on libcurl's multi interface: its socket callback tells an epoll descriptor what to watch, its timer callback
 * one deadline; nothing is scanned. Easy handles are made once per slot and used again. */
#include "net/http.h"

#include "base/cancel.h"
#include "base/clock.h"
#include "net/transfer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS            128
#define WATCHDOG_US       1000000
#define OTHER_DESCRIPTORS ((rlim_t)48) /* standard streams, lock, items, a run's open files */

enum slot_state { FREE, FLYING, LANDED, HANDED_OUT };

struct slot {
    struct lp_transfer transfer; /* first: the handle's private pointer leads to both */
    enum slot_state state;
    bool hooked; /* its handle has the callbacks for sockets */
    size_t next_landed;
};

struct watch;

struct lp_http {
    struct lp_http_options options;
    char *user_agent;
    CURLM *multi;
    int epoll_fd;
    struct watch *watches; /* by descriptor */
    size_t watch_count;
    int64_t watchdog_us; /* when to look whether libcurl forgot a transfer */
    int64_t timer_us;    /* when libcurl wants to be called; -1: not */
    struct slot *slots;
    size_t *free_slots, free_count;
    size_t landed_first, landed_last; /* a list through next_landed; SIZE_MAX ends it */
    size_t flying;
    bool moved; /* there were bytes in the last turn */
};

/* Each connection is a descriptor, and files need some too: raises what the process may have as far as it is let, and
 * asks no more at once than that carries. */
static size_t afford_connections(size_t at_once)
{
    struct rlimit limit;
    rlim_t wanted = (rlim_t)at_once + OTHER_DESCRIPTORS;
    if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur >= wanted) return at_once;
    limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
    if (setrlimit(RLIMIT_NOFILE, &limit) && getrlimit(RLIMIT_NOFILE, &limit)) return at_once;
    if (limit.rlim_cur >= wanted) return at_once;
    return limit.rlim_cur > OTHER_DESCRIPTORS ? (size_t)(limit.rlim_cur - OTHER_DESCRIPTORS) : 1;
}

enum lp_code lp_http_new(const struct lp_http_options *options, struct lp_http **out, struct lp_err *err)
{
    struct lp_http *h = calloc(1, sizeof *h);
    *out = h;
    if (!h) return lp_nomem(err);
    h->options = *options;
    if (!h->options.connect_ms) h->options.connect_ms = 10000;
    if (!h->options.total_ms) h->options.total_ms = 30000;
    if (!h->options.max_body_bytes) h->options.max_body_bytes = 16000000;
    if (!h->options.at_once) h->options.at_once = 8;
    if (h->options.at_once > LP_HTTP_AT_ONCE_MAX) h->options.at_once = LP_HTTP_AT_ONCE_MAX;
    h->options.at_once = afford_connections(h->options.at_once);
    h->epoll_fd = -1;
    h->timer_us = -1;
    h->landed_first = h->landed_last = SIZE_MAX;
    h->options.user_agent = h->user_agent = strdup(options->user_agent ? options->user_agent : "lambda-pipeline");
    h->slots = calloc(h->options.at_once, sizeof *h->slots);
    h->free_slots = calloc(h->options.at_once, sizeof *h->free_slots);
    if (h->user_agent && h->slots && h->free_slots) {
        for (size_t i = h->options.at_once; i-- > 0;) h->free_slots[h->free_count++] = i;
        return LP_OK;
    }
    lp_http_free(h);
    *out = NULL;
    return lp_nomem(err);
}

void lp_http_free(struct lp_http *h)
{
    if (!h) return;
    for (size_t i = 0; h->slots && i < h->options.at_once; i++) {
        struct slot *s = &h->slots[i];
        if (s->transfer.easy && h->multi) curl_multi_remove_handle(h->multi, s->transfer.easy);
        lp_transfer_release(&s->transfer);
    }
    if (h->multi) curl_multi_cleanup(h->multi);
    if (h->epoll_fd >= 0) close(h->epoll_fd);
    free(h->watches);
    free(h->slots);
    free(h->free_slots);
    free(h->user_agent);
    free(h);
}

/* ---- libcurl's two callbacks ---- */

/* What the kernel watches a descriptor for. A connection between two requests stays watched for what it was, because the
 * next request wants the same; libcurl would have it taken out and put in again each time. */
struct watch {
    uint32_t events; /* 0: not watched */
    bool ours;       /* opened and closed through the two callbacks below, so that events is always true */
    bool wanted;     /* libcurl has a transfer on it */
};

static struct watch *find_watch(struct lp_http *h, int fd)
{
    size_t index = (size_t)fd;
    if (index >= h->watch_count) {
        size_t count = index + 64;
        struct watch *more = reallocarray(h->watches, count, sizeof *more);
        if (!more) return NULL;
        memset(more + h->watch_count, 0, (count - h->watch_count) * sizeof *more);
        h->watches = more;
        h->watch_count = count;
    }
    return &h->watches[index];
}

static void unwatch(struct lp_http *h, int fd, struct watch *w)
{
    if (w->events) epoll_ctl(h->epoll_fd, EPOLL_CTL_DEL, fd, NULL); /* may be closed already */
    w->events = 0;
}

static int watch_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *socket_context)
{
    struct lp_http *h = context;
    struct epoll_event event = {.data.fd = fd};
    struct watch *w = find_watch(h, fd);
    (void)easy, (void)socket_context;
    if (!w) return -1;
    w->wanted = what != CURL_POLL_REMOVE;
    if (!w->wanted) {
        if (!w->ours) unwatch(h, fd, w);
        return 0;
    }
    if (what & CURL_POLL_IN) event.events |= EPOLLIN;
    if (what & CURL_POLL_OUT) event.events |= EPOLLOUT;
    if (event.events == w->events) return 0;
    int change = w->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    w->events = event.events;
    return epoll_ctl(h->epoll_fd, change, fd, &event);
}

static curl_socket_t open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct lp_http *h = context;
    (void)purpose;
    int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    struct watch *w = fd < 0 ? NULL : find_watch(h, fd);
    if (w) *w = (struct watch){.ours = true};
    return fd;
}

static int close_socket(void *context, curl_socket_t fd)
{
    struct lp_http *h = context;
    if ((size_t)fd < h->watch_count) h->watches[fd] = (struct watch){0}; /* the kernel forgets it with the close */
    return close(fd);
}

static int set_timer(CURLM *multi, long timeout_ms, void *context)
{
    struct lp_http *h = context;
    (void)multi;
    h->timer_us = timeout_ms < 0 ? -1 : lp_clock_monotonic_us() + (int64_t)timeout_ms * 1000;
    return 0;
}

static enum lp_code begin(struct lp_http *h, struct lp_err *err)
{
    if (h->multi) return LP_OK;
    if (!lp_transfer_library()) return lp_nomem(err);
    h->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (h->epoll_fd < 0) return lp_fail_errno(err, "cannot watch connections");
    h->multi = curl_multi_init();
    if (!h->multi) {
        close(h->epoll_fd);
        h->epoll_fd = -1;
        return lp_nomem(err);
    }
    curl_multi_setopt(h->multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
    curl_multi_setopt(h->multi, CURLMOPT_SOCKETDATA, h);
    curl_multi_setopt(h->multi, CURLMOPT_TIMERFUNCTION, set_timer);
    curl_multi_setopt(h->multi, CURLMOPT_TIMERDATA, h);
    curl_multi_setopt(h->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX);
    curl_multi_setopt(h->multi, CURLMOPT_MAXCONNECTS, (long)h->options.at_once);
    return LP_OK;
}

/* ---- a transfer's way through ---- */

static void hook_sockets(struct lp_http *h, struct slot *s)
{
    curl_easy_setopt(s->transfer.easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    curl_easy_setopt(s->transfer.easy, CURLOPT_OPENSOCKETDATA, h);
    curl_easy_setopt(s->transfer.easy, CURLOPT_CLOSESOCKETFUNCTION, close_socket);
    curl_easy_setopt(s->transfer.easy, CURLOPT_CLOSESOCKETDATA, h);
    s->hooked = true;
}

enum lp_code lp_http_start(struct lp_http *h, const struct lp_http_request *q, struct lp_err *err)
{
    if (!h->free_count) return lp_fail(err, LP_BUSY, "%zu requests are in flight already", h->options.at_once);
    LP_TRY(begin(h, err));
    struct slot *s = &h->slots[h->free_slots[h->free_count - 1]];
    LP_TRY(lp_transfer_set(&s->transfer, &h->options, q, err));
    if (!s->hooked) hook_sockets(h, s);
    if (curl_multi_add_handle(h->multi, s->transfer.easy)) return lp_nomem(err);
    h->free_count--;
    h->flying++;
    s->state = FLYING;
    return LP_OK;
}

static void put_landed(struct lp_http *h, struct slot *s)
{
    size_t index = (size_t)(s - h->slots);
    s->state = LANDED;
    s->next_landed = SIZE_MAX;
    if (h->landed_first == SIZE_MAX) h->landed_first = index;
    else h->slots[h->landed_last].next_landed = index;
    h->landed_last = index;
}

static void land(struct lp_http *h, CURLMsg *message)
{
    char *private = NULL;
    CURLcode result = message->data.result; /* gone with the message when the handle is removed */
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private);
    struct slot *s = (struct slot *)(void *)private;
    curl_multi_remove_handle(h->multi, s->transfer.easy);
    s->transfer.result = result;
    if (lp_transfer_follow(&s->transfer)) {
        if (!curl_multi_add_handle(h->multi, s->transfer.easy)) return;
        s->transfer.result = CURLE_OUT_OF_MEMORY;
    }
    put_landed(h, s);
}

/* libcurl keeps the time limits itself; where it fails to, short of memory for instance, nothing must hang. */
static void end_overdue(struct lp_http *h)
{
    int64_t now = lp_clock_monotonic_us();
    if (now < h->watchdog_us) return;
    h->watchdog_us = now + WATCHDOG_US;
    for (size_t i = 0; i < h->options.at_once; i++) {
        struct slot *s = &h->slots[i];
        if (s->state != FLYING || now - s->transfer.started_us < s->transfer.total_ms * 1000 + WATCHDOG_US) continue;
        curl_multi_remove_handle(h->multi, s->transfer.easy);
        s->transfer.result = CURLE_OUT_OF_MEMORY;
        put_landed(h, s);
    }
}

static void collect(struct lp_http *h)
{
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(h->multi, &left)))
        if (message->msg == CURLMSG_DONE) land(h, message);
    end_overdue(h);
}

/* ---- waiting ---- */

/* An error of the whole multi handle is a lack of memory; nothing can be asked of it any more. */
static enum lp_code turn(struct lp_http *h, int64_t wait_us, struct lp_err *err)
{
    struct epoll_event events[EVENTS];
    int running, n;
    int64_t now = lp_clock_monotonic_us();
    if (h->timer_us >= 0 && (wait_us < 0 || h->timer_us - now < wait_us))
        wait_us = h->timer_us > now ? h->timer_us - now : 0;
    wait_us = lp_cancel_bound(wait_us);
    n = epoll_wait(h->epoll_fd, events, EVENTS, wait_us < 0 ? -1 : (int)((wait_us + 999) / 1000));
    if (n < 0 && errno != EINTR) return lp_fail_errno(err, "cannot watch connections");
    h->moved = n > 0;
    for (int i = 0; i < n; i++) {
        int fd = events[i].data.fd;
        struct watch *w = find_watch(h, fd);
        if (w &&
            !w->wanted) { /* the server closes a connection that rests, or talks out of turn: libcurl finds that out */
            unwatch(h, fd, w);
            continue;
        }
        int what = (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR) ? CURL_CSELECT_IN : 0) |
                   (events[i].events & EPOLLOUT ? CURL_CSELECT_OUT : 0);
        if (curl_multi_socket_action(h->multi, fd, what, &running)) return lp_nomem(err);
    }
    if (h->timer_us >= 0 && h->timer_us <= lp_clock_monotonic_us()) {
        h->timer_us = -1;
        if (curl_multi_socket_action(h->multi, CURL_SOCKET_TIMEOUT, 0, &running)) return lp_nomem(err);
    }
    collect(h);
    return LP_OK;
}

static bool hand_out(struct lp_http *h, struct lp_http_reply *reply)
{
    size_t index = h->landed_first;
    if (index == SIZE_MAX) return false;
    h->landed_first = h->slots[index].next_landed;
    lp_transfer_reply(&h->slots[index].transfer, reply);
    reply->slot = index;
    h->slots[index].state = HANDED_OUT;
    h->flying--;
    return true;
}

enum lp_code lp_http_wait(struct lp_http *h, int64_t timeout_ms, struct lp_http_reply *reply, bool *got,
                          struct lp_err *err)
{
    int64_t until = timeout_ms < 0 ? -1 : lp_clock_monotonic_us() + timeout_ms * 1000;
    *got = false;
    if (timeout_ms < 0 && !h->flying) return LP_OK;
    LP_TRY(begin(h, err));
    for (bool first = true;; first = false) {
        LP_TRY(lp_cancel_check(err));
        if ((*got = hand_out(h, reply))) return LP_OK;
        int64_t left = until < 0 ? -1 : until - lp_clock_monotonic_us();
        if (until >= 0 && left <= 0 && !first) return LP_OK;
        LP_TRY(turn(h, until < 0 ? -1 : left < 0 ? 0 : left, err));
    }
}

static void give_back(struct lp_http *h, struct slot *s)
{
    lp_transfer_recycle(&s->transfer);
    s->state = FREE;
    h->free_slots[h->free_count++] = (size_t)(s - h->slots);
}

void lp_http_finish(struct lp_http *h, struct lp_http_reply *reply)
{
    struct slot *s = &h->slots[reply->slot];
    if (s->state == HANDED_OUT) give_back(h, s);
}

/* Takes a transfer out of the list of those that have landed. */
static void pick_up(struct lp_http *h, size_t index)
{
    size_t before = SIZE_MAX, at = h->landed_first;
    for (; at != SIZE_MAX && at != index; at = h->slots[at].next_landed) before = at;
    if (at == SIZE_MAX) return;
    if (before == SIZE_MAX) h->landed_first = h->slots[index].next_landed;
    else h->slots[before].next_landed = h->slots[index].next_landed;
    if (h->landed_last == index) h->landed_last = before;
}

void lp_http_cancel(struct lp_http *h, const void *user)
{
    for (size_t i = 0; i < h->options.at_once; i++) {
        struct slot *s = &h->slots[i];
        if (s->state == FREE || s->transfer.user != user) continue;
        if (s->state == FLYING) curl_multi_remove_handle(h->multi, s->transfer.easy);
        if (s->state == LANDED) pick_up(h, i);
        if (s->state != HANDED_OUT) h->flying--;
        give_back(h, s);
    }
}

bool lp_http_moved(const struct lp_http *h)
{
    return h->moved;
}

size_t lp_http_in_flight(const struct lp_http *h)
{
    return h->flying;
}

size_t lp_http_room(const struct lp_http *h)
{
    return h->free_count;
}
