#include "serve/serve.h"

#include "base/cancel.h"
#include "base/clock.h"
#include "base/text.h"
#include "serve/service.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define FIXED_FDS 4 /* signals, timer, files, page */

void lp_service_say(struct lp_service *v, enum lp_serve_level level, const struct lp_served *s, int64_t slot_us, const char *format,
                    ...)
{
    va_list args;
    LP_AUTO(lp_buf) raw = {0};
    va_start(args, format);
    lp_buf_vprintf(&raw, format, args);
    va_end(args);
    lp_buf_clear(&v->text);
    lp_text_put_visible(&v->text, lp_buf_text(&raw), raw.len);
    /* A name is letters and digits; a path is whatever somebody chose, and in the text already. */
    const struct lp_serve_line line = {level, s ? s->name : NULL, slot_us, lp_buf_text(&v->text)};
    if (v->options->say) v->options->say(v->options->who, &line);
}

static void tell_fault(void *who, const struct lp_served *s, const char *what)
{
    struct lp_service *v = who;
    if (what) lp_service_say(v, LP_SERVE_ERROR, s, INT64_MIN, "%s", what);
    else lp_service_say(v, LP_SERVE_INFO, s, INT64_MIN, "%s is in order again", s->path);
}

/* ---- signals and files ---- */

static void tell_what_is_served(struct lp_service *v)
{
    LP_AUTO(lp_buf) text = {0};
    char far[LP_TIME_TEXT_BYTES];
    const struct lp_served *first = NULL;
    size_t count = 0;
    int64_t next_us = INT64_MAX;
    for (size_t i = 0; i < v->roster.count; i++) {
        struct lp_served *s = v->roster.list[i];
        count += s->name && !s->gone;
        int64_t at = lp_served_next_us(s, v->now_us);
        if (at < next_us) first = s, next_us = at;
        if (!s->name || s->scheduled || s->gone || s->told_unscheduled) continue;
        s->told_unscheduled = true;
        lp_service_say(v, LP_SERVE_WARN, s, INT64_MIN, "%s has no schedule, so it is never due", s->path);
    }
    lp_buf_printf(&text, "%zu pipeline%s served", count, count == 1 ? "" : "s");
    lp_supervisor_status(&v->supervisor, lp_buf_text(&text)); /* without what comes next: it stands there for days */
    if (first) {
        lp_duration_format((next_us - v->now_us) / 1000, far);
        lp_buf_printf(&text, ", the next is %s in %s", first->name, far);
    }
    lp_service_say(v, LP_SERVE_INFO, NULL, INT64_MIN, "%s", lp_buf_text(&text));
}

/* What nobody tells of when it comes: a path that was named, and what a link points to. A file that is put into a folder is told. */
static bool any_is_missing(const struct lp_service *v)
{
    struct stat st;
    for (size_t i = 0; i < v->roster.path_count; i++)
        if (access(v->roster.paths[i], F_OK)) return true;
    for (size_t i = 0; i < v->roster.count; i++)
        if (v->roster.list[i]->gone && !lstat(v->roster.list[i]->path, &st)) return true;
    return false;
}

static void reload(struct lp_service *v, bool forget)
{
    struct lp_err err;
    uint64_t before = v->roster.changes;
    lp_supervisor_reloading(&v->supervisor);
    if (lp_roster_read(&v->roster, false, v->now_us, &err)) lp_service_say(v, LP_SERVE_ERROR, NULL, INT64_MIN, "%s", err.text);
    if (forget) lp_roster_forget_gone(&v->roster);
    lp_watch_set(&v->watch, v->roster.paths, v->roster.path_count, any_is_missing(v));
    lp_service_set_keepers(v);
    lp_service_show(v); /* what it borrowed may be gone */
    if (forget || v->roster.changes != before) tell_what_is_served(v);
    lp_supervisor_ready(&v->supervisor);
}

static void begin_to_stop(struct lp_service *v)
{
    v->stop_signals++;
    if (v->stop_signals > 1) v->stop_us = lp_clock_monotonic_us();
    if (v->stopping) return;
    v->stopping = true;
    v->stop_us = lp_clock_monotonic_us() + v->options->stop_ms * 1000;
    lp_supervisor_stopping(&v->supervisor);
    if (v->at_work) lp_service_say(v, LP_SERVE_INFO, NULL, INT64_MIN, "asked to stop; %zu at work may end first", v->at_work);
}

static void hear_signals(struct lp_service *v)
{
    struct signalfd_siginfo info;
    while (read(v->signal_fd, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGCHLD) lp_errands_reap(&v->errands); /* of those that were let go; each other is waited for by itself */
        else if (info.ssi_signo == SIGHUP) reload(v, true);
        else begin_to_stop(v);
    }
}

/* ---- sleeping ---- */

static int64_t wake_of(const struct lp_service *v, const struct lp_served *s)
{
    if (!s->scheduled || s->gone) return INT64_MAX;
    if (!s->fires) return lp_service_follow_us(s);
    int64_t at = lp_agenda_wake(&s->agenda, v->now_us);
    /* It waits for a place, or for a process, not for a time. */
    bool no_place = at <= v->now_us && (v->at_work == v->options->at_once || lp_service_cannot_start(v));
    return no_place ? INT64_MAX : at;
}

/* The instant at which something is due. */
static int64_t wake_us(const struct lp_service *v)
{
    int64_t wake = INT64_MAX;
    for (size_t i = 0; i < v->roster.count && !v->stopping; i++) {
        int64_t at = wake_of(v, v->roster.list[i]);
        if (at < wake) wake = at;
    }
    return wake;
}

/* By the wall clock: it fires after a sleep of the machine as well, and at once when the clock is set. */
static void set_timer(const struct lp_service *v)
{
    struct itimerspec t = {0};
    int64_t wake = wake_us(v);
    if (wake != INT64_MAX) {
        t.it_value.tv_sec = wake / 1000000;
        t.it_value.tv_nsec = wake % 1000000 * 1000;
        if (!t.it_value.tv_sec && !t.it_value.tv_nsec) t.it_value.tv_nsec = 1;
    } else {
        t.it_value.tv_sec = INT64_C(1) << 40; /* never, but that a step of the clock is still told */
    }
    (void)!timerfd_settime(v->timer_fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &t, NULL);
}

static void sooner(int64_t *wake_us, int64_t us)
{
    if (us < *wake_us) *wake_us = us;
}

/* What has to be looked at by the monotonic clock: limits, the watchdog. In milliseconds, -1: nothing. */
static int poll_ms(const struct lp_service *v)
{
    int64_t now = lp_clock_monotonic_us(), wake = v->supervisor.next_us;
    sooner(&wake, v->watch.due_us);
    for (size_t i = 0; i < v->options->at_once; i++)
        if (v->firings[i].errand) sooner(&wake, lp_firing_until_us(&v->firings[i]));
    for (size_t i = 0; i < LP_SERVICE_LOOKS; i++)
        if (v->looks[i].errand) sooner(&wake, lp_errand_until_us(v->looks[i].errand));
    for (size_t i = 0; i < v->keeper_count; i++)
        sooner(&wake, v->keepers[i].errand ? v->keepers[i].answer_by_us : v->keepers[i].again_us);
    if (v->start_again_us > now) sooner(&wake, v->start_again_us);
    if (v->look_again_us > now) sooner(&wake, v->look_again_us);
    if (v->stopping && v->at_work) sooner(&wake, v->stop_us > now ? v->stop_us : now + 1000000);
    int web_ms = v->web ? lp_web_timeout_ms(v->web) : -1;
    if (web_ms >= 0) sooner(&wake, now + web_ms * INT64_C(1000));
    if (wake == INT64_MAX) return -1;
    return wake <= now ? 0 : wake - now > INT64_C(3600000000) ? 3600000 : (int)((wake - now + 999) / 1000);
}

static void add_fd(struct pollfd *list, nfds_t *n, int fd)
{
    if (fd >= 0) list[(*n)++] = (struct pollfd){.fd = fd, .events = POLLIN};
}

static void sleep_until_something_happens(struct lp_service *v, struct pollfd *list)
{
    nfds_t n = 0;
    uint64_t ticks;
    add_fd(list, &n, v->signal_fd);
    add_fd(list, &n, v->timer_fd);
    add_fd(list, &n, v->watch.fd);
    for (size_t i = 0; i < v->options->at_once; i++)
        if (v->firings[i].errand) add_fd(list, &n, lp_errand_fd(v->firings[i].errand));
    for (size_t i = 0; i < LP_SERVICE_LOOKS; i++)
        if (v->looks[i].errand) add_fd(list, &n, lp_errand_fd(v->looks[i].errand));
    for (size_t i = 0; i < v->keeper_count; i++)
        if (v->keepers[i].errand) add_fd(list, &n, lp_errand_fd(v->keepers[i].errand));
    if (v->web) add_fd(list, &n, lp_web_fd(v->web));
    set_timer(v);
    (void)!poll(list, n, poll_ms(v));
    v->asked = v->web && (list[n - 1].revents || lp_web_timeout_ms(v->web) == 0);
    (void)!read(v->timer_fd, &ticks, sizeof ticks); /* ECANCELED: the clock was set, which the agendas see for themselves */
}

/* ---- the loop ---- */

static void turn(struct lp_service *v)
{
    v->now_us = lp_clock_now_us();
    hear_signals(v);
    if (lp_watch_turn(&v->watch) && !v->stopping) reload(v, false);
    lp_service_hear_keepers(v);
    lp_service_look(v);
    lp_service_hear_runs(v);
    lp_service_run_due(v);
    if (v->asked) { /* the board is written when somebody looks */
        lp_service_show(v);
        lp_web_run(v->web);
    }
    lp_supervisor_turn(&v->supervisor);
    if (v->stopping && lp_clock_monotonic_us() >= v->stop_us) lp_service_stop_runs(v);
}

static enum lp_code open_timer(struct lp_service *v, struct lp_err *err)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGCHLD);
    if (sigprocmask(SIG_BLOCK, &set, &v->mask_before)) return lp_fail_errno(err, "signals cannot be blocked");
    v->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (v->signal_fd < 0) return lp_fail_errno(err, "signals cannot be read");
    v->timer_fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
    return v->timer_fd < 0 ? lp_fail_errno(err, "there is no timer") : LP_OK;
}

/* In a child, for a page: the pipeline that the board has there. */
static enum lp_code open_lake(void *who, size_t index, const struct lp_pipeline **p, struct lp_store **store, struct lp_err *err)
{
    static struct lp_pipeline pipeline;
    const struct lp_service *v = who;
    struct lp_aws *aws;
    const struct lp_served *s = index < v->board.count ? lp_roster_find(&v->roster, v->board.list[index].name) : NULL;
    if (!s) return lp_fail(err, LP_NOTFOUND, "this pipeline could never be read; %s",
                           index < v->board.count && v->board.list[index].fault ? v->board.list[index].fault : "its file says why");
    LP_TRY(lp_served_load(&v->roster, s, &pipeline, err));
    LP_TRY(lp_aws_new(&v->options->aws, &aws, err));
    *p = &pipeline;
    return lp_store_open(pipeline.sink.root, &pipeline.sink.s3, aws, store, err);
}

static enum lp_code open_web(struct lp_service *v, struct lp_err *err)
{
    char url[LP_LISTEN_URL_BYTES];
    const struct lp_web_options o = {v->options->host, v->options->port, &v->board, {open_lake, v}};
    if (!v->options->page) return LP_OK;
    LP_TRY(lp_web_open(&o, &v->web, url, err));
    lp_service_say(v, LP_SERVE_INFO, NULL, INT64_MIN, "the page is at %s", url);
    return LP_OK;
}

static enum lp_code open_all(struct lp_service *v, struct lp_err *err)
{
    LP_TRY(open_timer(v, err));
    LP_TRY(lp_cancel_check(err)); /* a signal that came before they were read */
    if (lp_watch_open(&v->watch, err)) lp_service_say(v, LP_SERVE_WARN, NULL, INT64_MIN, "%s", err->text);
    lp_watch_set(&v->watch, v->roster.paths, v->roster.path_count, false); /* first: what changes meanwhile is not missed */
    LP_TRY(lp_roster_read(&v->roster, true, v->now_us, err));
    v->firings = calloc(v->options->at_once, sizeof *v->firings);
    if (!v->firings) return lp_nomem(err);
    LP_TRY(open_web(v, err));
    lp_watch_set(&v->watch, v->roster.paths, v->roster.path_count, any_is_missing(v));
    tell_what_is_served(v);
    lp_supervisor_ready(&v->supervisor); /* so it is as well where another service holds the lock */
    lp_service_set_keepers(v);
    return LP_OK;
}

static void close_all(struct lp_service *v)
{
    for (size_t i = 0; v->firings && i < v->options->at_once; i++)
        if (v->firings[i].errand) lp_firing_release(&v->firings[i]);
    for (size_t i = 0; i < LP_SERVICE_LOOKS; i++) lp_look_release(&v->looks[i]);
    for (size_t i = 0; i < v->keeper_count; i++) lp_keeper_ask_to_end(&v->keepers[i]); /* all at once, so that they end at once */
    for (size_t i = 0; i < v->keeper_count; i++) lp_keeper_release(&v->keepers[i]);
    free(v->keepers);
    free(v->firings);
    lp_web_free(v->web);
    free(v->board.list);
    lp_watch_release(&v->watch);
    lp_supervisor_release(&v->supervisor);
    lp_roster_release(&v->roster);
    lp_buf_release(&v->text);
    if (v->signal_fd >= 0) close(v->signal_fd);
    if (v->timer_fd >= 0) close(v->timer_fd);
}

enum lp_code lp_serve(const struct lp_serve_options *o, struct lp_err *err)
{
    struct lp_service v = {.options = o, .signal_fd = -1, .timer_fd = -1, .watch.fd = -1, .now_us = lp_clock_now_us()};
    struct pollfd *list = NULL;
    size_t room = 0;
    v.started_us = v.now_us;
    v.roster = (struct lp_roster){.paths = o->paths, .path_count = o->path_count, .to = o->to, .replay = o->replay, .aws = o->aws,
                                  .say = tell_fault, .who = &v};
    lp_supervisor_open(&v.supervisor);
    enum lp_code code = open_all(&v, err);
    while (!code && !(v.stopping && !v.at_work)) {
        size_t wanted = FIXED_FDS + o->at_once + LP_SERVICE_LOOKS + v.keeper_count;
        if (wanted > room) {
            struct pollfd *more = reallocarray(list, wanted, sizeof *more);
            if (!more) code = lp_nomem(err);
            else list = more, room = wanted;
        }
        if (code) break;
        sleep_until_something_happens(&v, list);
        turn(&v);
    }
    if (!code) lp_service_say(&v, LP_SERVE_INFO, NULL, INT64_MIN, "stopped");
    free(list);
    close_all(&v);
    if (code == LP_CANCELLED) sigprocmask(SIG_SETMASK, &v.mask_before, NULL); /* the process ends by that signal, as any command's */
    return code;
}
