#include "base/errand.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LOOKS 20 /* for how a child ended that said nothing, a millisecond apart */

#define NOTE 1000u /* a head's code: there is more to come */

/* What comes before the answer, before the sentence that says why there is none, and before a note. */
struct head {
    uint32_t code;
    uint32_t len;
};

struct lp_errand {
    struct lp_errands *all;
    pid_t pid;
    int fd;
    int64_t until_us;
    struct lp_errand_limits limits;
    struct lp_buf got; /* head and text */
    struct lp_buf note;
    bool noted;
    enum lp_errand_state state;
    struct lp_err why;
};

/* ---- the child ---- */

static int to_parent = -1; /* in the child */

static void send_all(int fd, const void *bytes, size_t len)
{
    const char *at = bytes;
    while (len) {
        ssize_t n = write(fd, at, len);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return;
        at += n;
        len -= (size_t)n;
    }
}

void lp_errand_note(const char *text)
{
    struct head h = {NOTE, (uint32_t)strlen(text)};
    LP_AUTO(lp_buf) frame = {0};
    if (to_parent < 0) return;
    lp_buf_put(&frame, (const char *)&h, sizeof h);
    lp_buf_puts(&frame, text);
    if (!frame.failed) send_all(to_parent, frame.data, frame.len);
}

static void forget_signals(void)
{
    const struct sigaction plain = {.sa_handler = SIG_DFL};
    sigset_t none;
    for (int i = 1; i < NSIG; i++) (void)!sigaction(i, &plain, NULL); /* some cannot be changed */
    signal(SIGPIPE, SIG_IGN); /* a server that closes is an error of the write */
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Descriptors of the parent, which would keep its sockets and locks open. 1 and 2 stay, for sanitizers. */
static void close_others(int keep)
{
    int nowhere = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (nowhere >= 0) dup2(nowhere, STDIN_FILENO);
    if (keep > 3) close_range(3, (unsigned)keep - 1, 0);
    close_range((unsigned)keep + 1, ~0u, 0);
}

/* Where memory is short this one goes, not the service. */
static void come_first_when_memory_is_short(void)
{
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (fd < 0) return;
    (void)!write(fd, "500", 3);
    close(fd);
}

static void work(lp_errand_fn fn, void *arg, const struct lp_errand_limits *limits, int fd, pid_t parent)
{
    LP_AUTO(lp_buf) out = {.max_bytes = limits->max_bytes};
    struct lp_err err = {0};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) return;
    setpgid(0, 0);
    forget_signals();
    close_others(fd);
    to_parent = fd;
    come_first_when_memory_is_short();
    enum lp_code code = fn(arg, &out, &err);
    if (!code) code = lp_buf_code(&out, "the answer", &err);
    const char *text = code ? err.text : lp_buf_text(&out);
    struct head h = {code, (uint32_t)(code ? strlen(err.text) : out.len)};
    send_all(fd, &h, sizeof h);
    send_all(fd, text, h.len);
}

/* ---- the parent ---- */

void lp_errands_reap(struct lp_errands *all)
{
    size_t still = 0;
    for (size_t i = 0; i < all->left_count; i++)
        if (waitpid(all->left[i], NULL, WNOHANG) == 0) all->left[still++] = all->left[i];
    all->left_count = still;
}

static enum lp_code make_pipe(int fds[2], struct lp_err *err)
{
    if (pipe2(fds, O_CLOEXEC)) return lp_fail_errno(err, "no pipe to a child of this process");
    if (!fcntl(fds[0], F_SETFL, O_NONBLOCK)) return LP_OK;
    enum lp_code code = lp_fail_errno(err, "no pipe to a child of this process");
    close(fds[0]);
    close(fds[1]);
    return code;
}

enum lp_code lp_errand_start(struct lp_errands *all, lp_errand_fn fn, void *arg, const struct lp_errand_limits *limits,
                             struct lp_errand **out, struct lp_err *err)
{
    int fds[2];
    *out = NULL;
    lp_errands_reap(all);
    if (all->left_count == LP_ERRANDS_LEFT)
        return lp_fail(err, LP_BUSY, "%d children of this process do not end; does the disk answer?", LP_ERRANDS_LEFT);
    struct lp_errand *e = calloc(1, sizeof *e);
    if (!e) return lp_nomem(err);
    enum lp_code code = make_pipe(fds, err);
    if (code) {
        free(e);
        return code;
    }
    *e = (struct lp_errand){.all = all, .fd = fds[0], .limits = *limits};
    e->got.max_bytes = limits->max_bytes + LP_ERR_TEXT_BYTES + sizeof(struct head);
    e->until_us = lp_clock_monotonic_us() + limits->most_ms * 1000;
    pid_t parent = getpid();
    e->pid = fork();
    if (e->pid == 0) {
        work(fn, arg, limits, fds[1], parent);
        kill(getpid(), SIGKILL);
    }
    close(fds[1]);
    if (e->pid < 0) {
        code = lp_fail_errno(err, "cannot start a child of this process");
        close(e->fd);
        free(e);
        return code;
    }
    *out = e;
    return LP_OK;
}

int lp_errand_fd(const struct lp_errand *e)
{
    return e->fd;
}

int64_t lp_errand_until_us(const struct lp_errand *e)
{
    return e->until_us;
}

void lp_errand_end_by(struct lp_errand *e, int64_t until_us)
{
    if (until_us < e->until_us) e->until_us = until_us;
}

/* It has closed its pipe, so it is about to be gone; that takes a moment. */
static int how_it_ended(struct lp_errand *e)
{
    const struct timespec moment = {.tv_nsec = 1000000};
    int state = 0;
    kill(e->pid, SIGKILL);
    for (int i = 0; i < LOOKS; i++) {
        if (waitpid(e->pid, &state, WNOHANG) == e->pid) {
            e->pid = -1;
            return state;
        }
        nanosleep(&moment, NULL);
    }
    return 0;
}

static enum lp_code judge(struct lp_errand *e)
{
    struct head h;
    size_t len = e->got.len;
    if (len >= sizeof h) memcpy(&h, lp_buf_text(&e->got), sizeof h);
    if (len < sizeof h || h.len != len - sizeof h || h.code >= LP_CODE_COUNT) {
        int state = how_it_ended(e);
        if (WIFSIGNALED(state))
            return lp_fail(&e->why, LP_IO, "the process at work on it was ended by signal %d%s", WTERMSIG(state),
                           WTERMSIG(state) == SIGKILL ? "; the system may have run out of memory" : "");
        return lp_fail(&e->why, LP_IO, "the process at work on it ended early");
    }
    if (h.code) return lp_fail(&e->why, (enum lp_code)h.code, "%s", lp_buf_text(&e->got) + sizeof h);
    memmove(e->got.data, e->got.data + sizeof h, h.len + 1); /* with the NUL */
    e->got.len = h.len;
    return LP_OK;
}

/* Takes whole notes off the front of what has come. */
static void take_notes(struct lp_errand *e)
{
    struct head h;
    while (e->got.len >= sizeof h) {
        memcpy(&h, e->got.data, sizeof h);
        if (h.code != NOTE || e->got.len - sizeof h < h.len) return;
        lp_buf_clear(&e->note);
        lp_buf_put(&e->note, e->got.data + sizeof h, h.len);
        e->noted = true;
        size_t whole = sizeof h + h.len;
        memmove(e->got.data, e->got.data + whole, e->got.len - whole + 1); /* with the NUL */
        e->got.len -= whole;
    }
}

const char *lp_errand_heard(struct lp_errand *e)
{
    if (!e->noted) return NULL;
    e->noted = false;
    return lp_buf_text(&e->note);
}

void lp_errand_signal(const struct lp_errand *e, int number)
{
    if (e->pid > 0) kill(e->pid, number);
}

static enum lp_errand_state end(struct lp_errand *e, enum lp_code code)
{
    return e->state = code ? LP_ERRAND_FAILED : LP_ERRAND_DONE;
}

enum lp_errand_state lp_errand_turn(struct lp_errand *e, struct lp_err *err)
{
    char piece[64 * 1024];
    while (e->state == LP_ERRAND_RUNNING) {
        ssize_t n = read(e->fd, piece, sizeof piece);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && errno == EAGAIN) {
            if (lp_clock_monotonic_us() < e->until_us) break;
            end(e, lp_fail(&e->why, LP_BUSY, "not done within %lld ms", (long long)e->limits.most_ms));
        } else if (n < 0) {
            end(e, lp_fail_errno(&e->why, "no answer from a child of this process"));
        } else if (n == 0) {
            end(e, judge(e));
        } else {
            lp_buf_put(&e->got, piece, (size_t)n);
            if (!e->got.failed) take_notes(e);
            if (e->got.failed) end(e, lp_buf_code(&e->got, "the answer", &e->why));
        }
    }
    if (e->state == LP_ERRAND_FAILED && err) *err = e->why;
    return e->state;
}

struct lp_buf *lp_errand_answer(struct lp_errand *e)
{
    return &e->got;
}

/* It has been killed; where many end at once it is waited for a little, so that none is lost. */
static void leave(struct lp_errands *all, pid_t pid)
{
    const struct timespec moment = {.tv_nsec = 1000000};
    for (int i = 0; i < LOOKS; i++) {
        if (waitpid(pid, NULL, WNOHANG) != 0) return;
        if (all->left_count == LP_ERRANDS_LEFT) lp_errands_reap(all);
        if (all->left_count < LP_ERRANDS_LEFT) {
            all->left[all->left_count++] = pid;
            return;
        }
        nanosleep(&moment, NULL);
    }
}

void lp_errand_free(struct lp_errand **at)
{
    struct lp_errand *e = *at;
    if (!e) return;
    *at = NULL;
    close(e->fd);
    lp_buf_release(&e->got);
    lp_buf_release(&e->note);
    if (e->pid > 0) {
        kill(e->pid, SIGKILL);
        leave(e->all, e->pid);
    }
    free(e);
}
