#include "query/child.h"

#include "base/cancel.h"
#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOST_ARGUMENTS 32
#define MOST_VARIABLES 128
#define GLANCE_MS      250  /* a signal that comes just before poll is noticed then */
#define GRACE_MS       5000 /* for the shell to end after a signal */

extern char **environ;

struct started {
    pid_t pid;
    int texts[2];        /* anonymous memory; -1: none */
    int out[2], life[2]; /* its output; a pipe that ends when it does */
    char home[4096];
    char paths[2][40];
    const char *arguments[MOST_ARGUMENTS];
    const char *environment[MOST_VARIABLES];
};

static void close_one(int *fd)
{
    if (*fd >= 0) close(*fd);
    *fd = -1;
}

static void started_release(struct started *s)
{
    for (int i = 0; i < 2; i++) {
        close_one(&s->texts[i]);
        close_one(&s->out[i]);
        close_one(&s->life[i]);
    }
}

static enum lp_code keep_text(const char *text, int *fd, struct lp_err *err)
{
    size_t len = strlen(text);
    *fd = memfd_create("lambda-pipeline", MFD_CLOEXEC);
    if (*fd < 0) return lp_fail_errno(err, "no anonymous memory for DuckDB's script");
    while (len) {
        ssize_t n = write(*fd, text, len);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return lp_fail_errno(err, "no anonymous memory for DuckDB's script");
        text += n;
        len -= (size_t)n;
    }
    return lseek(*fd, 0, SEEK_SET) ? lp_fail_errno(err, "no anonymous memory for DuckDB's script") : LP_OK;
}

static bool is_passed_on(const char *variable, bool network)
{
    static const char *const always[] = {"PATH=", "HOME=", "TERM=",   "COLORTERM=", "COLUMNS=",  "LINES=",
                                         "LANG=", "LC_",   "TMPDIR=", "NO_COLOR=",  "COLORFGBG="};
    static const char *const for_network[] = {
        "http_proxy=", "https_proxy=",   "no_proxy=",     "HTTP_PROXY=",     "HTTPS_PROXY=",
        "NO_PROXY=",   "SSL_CERT_FILE=", "SSL_CERT_DIR=", "CURL_CA_BUNDLE=", "AWS_CA_BUNDLE="};
    for (size_t i = 0; i < LP_COUNT(always); i++)
        if (!strncmp(variable, always[i], strlen(always[i]))) return true;
    for (size_t i = 0; network && i < LP_COUNT(for_network); i++)
        if (!strncmp(variable, for_network[i], strlen(for_network[i]))) return true;
    return false;
}

/* SQL can read the shell's environment: no key of ours is in it. */
static void choose_environment(const struct lp_child *c, struct started *s)
{
    size_t count = 0;
    s->environment[count++] = "TZ=UTC";
    if (c->home && (size_t)snprintf(s->home, sizeof s->home, "HOME=%s", c->home) < sizeof s->home)
        s->environment[count++] = s->home;
    for (char **it = environ; *it && count < MOST_VARIABLES - 1; it++)
        if (is_passed_on(*it, c->network) && !(c->home && !strncmp(*it, "HOME=", 5))) s->environment[count++] = *it;
    s->environment[count] = NULL;
}

static enum lp_code prepare(const struct lp_child *c, struct started *s, struct lp_err *err)
{
    size_t count = 0;
    for (int i = 0; i < 2; i++) s->texts[i] = s->out[i] = s->life[i] = -1;
    for (int i = 0; i < 2; i++) {
        if (c->texts[i]) LP_TRY(keep_text(c->texts[i], &s->texts[i], err));
        snprintf(s->paths[i], sizeof s->paths[i], "%s/proc/self/fd/%d", i ? "" : ".read ", s->texts[i]);
    }
    s->arguments[count++] = c->program;
    for (const char *const *it = c->arguments; *it && count < MOST_ARGUMENTS - 1; it++)
        s->arguments[count++] = !strcmp(*it, "%0") ? s->paths[0] : !strcmp(*it, "%1") ? s->paths[1] : *it;
    s->arguments[count] = NULL;
    choose_environment(c, s);
    if (pipe2(s->life, O_CLOEXEC) || (c->take && pipe2(s->out, O_CLOEXEC)))
        return lp_fail_errno(err, "no pipe to DuckDB's shell");
    return LP_OK;
}

static void inherit(int fd)
{
    if (fd >= 0) fcntl(fd, F_SETFD, 0);
}

/* In the child, after fork: only calls that are safe there. Returns when the program cannot be run. */
static void become(const struct lp_child *c, const struct started *s, pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) return;
    signal(SIGPIPE, SIG_DFL);
    signal(SIGXFSZ, SIG_DFL);
    int in = c->terminal ? STDIN_FILENO : open("/dev/null", O_RDONLY), out = c->take ? s->out[1] : c->out_fd;
    if (in < 0 || dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0) return;
    if (c->silent && dup2(open("/dev/null", O_WRONLY), STDERR_FILENO) < 0) return;
    for (int i = 0; i < 2; i++) inherit(s->texts[i]);
    inherit(s->life[1]);
    if (c->folder && chdir(c->folder)) return;
    execve(c->program, (char *const *)s->arguments, (char *const *)s->environment);
}

/* The cause comes through a pipe that a successful exec closes. */
static enum lp_code start(const struct lp_child *c, struct started *s, struct lp_err *err)
{
    int cause[2], why = 0;
    if (pipe2(cause, O_CLOEXEC)) return lp_fail_errno(err, "no pipe to DuckDB's shell");
    pid_t parent = getpid();
    s->pid = fork();
    if (s->pid == 0) {
        become(c, s, parent);
        why = errno;
        (void)!write(cause[1], &why, sizeof why);
        kill(getpid(), SIGKILL); /* without what an exit would run of the parent's */
    }
    close(cause[1]);
    close_one(&s->life[1]);
    close_one(&s->out[1]);
    enum lp_code code = s->pid < 0 ? lp_fail_errno(err, "cannot start %s", c->program) : LP_OK;
    ssize_t n;
    while (!code && (n = read(cause[0], &why, sizeof why)) < 0 && errno == EINTR) {
    }
    close(cause[0]);
    if (code || n != (ssize_t)sizeof why) return code;
    while (waitpid(s->pid, NULL, 0) < 0 && errno == EINTR) {
    }
    errno = why;
    return lp_fail_errno(err, "cannot start %s in %s", c->program, c->folder ? c->folder : ".");
}

/* One piece of its output; *open becomes false at its end. */
static enum lp_code take_piece(const struct lp_child *c, struct started *s, bool *open, struct lp_err *err)
{
    char piece[64 * 1024];
    ssize_t n = read(s->out[0], piece, sizeof piece);
    if (n < 0 && errno == EINTR) return LP_OK;
    if (n < 0) return lp_fail_errno(err, "DuckDB's answer cannot be read");
    *open = n > 0;
    return n ? c->take(c->who, piece, (size_t)n, err) : LP_OK;
}

static int64_t after_ms(int64_t ms)
{
    return lp_clock_monotonic_us() + ms * 1000;
}

static enum lp_code put_an_end(const struct lp_child *c, const struct started *s, struct lp_err *err)
{
    kill(s->pid, SIGKILL);
    LP_TRY(lp_cancel_check(err));
    return lp_fail(err, LP_BUSY, "%s does not end", c->program);
}

/* Until it has ended, or its output is not wanted any more, or its time is over. */
static enum lp_code attend(const struct lp_child *c, struct started *s, struct lp_err *err)
{
    bool open = c->take, passed_on = false;
    int64_t until_us = c->limit_ms ? after_ms(c->limit_ms) : INT64_MAX;
    for (;;) {
        struct pollfd p = {.fd = open ? s->out[0] : s->life[0], .events = POLLIN};
        int signal_asked = c->terminal ? 0 : lp_cancel_signal();
        if (signal_asked && !passed_on) {
            kill(s->pid, signal_asked);
            passed_on = true;
            until_us = after_ms(GRACE_MS);
        }
        if (lp_clock_monotonic_us() > until_us) return put_an_end(c, s, err);
        int ready = poll(&p, 1, GLANCE_MS);
        if (ready < 0 && errno != EINTR) return lp_fail_errno(err, "waiting for DuckDB's shell");
        if (ready <= 0) continue;
        if (!open) return LP_OK;
        enum lp_code code = take_piece(c, s, &open, err);
        if (code) {
            kill(s->pid, SIGKILL); /* one that ignores a gentler signal would be waited for without end */
            return code;
        }
    }
}

static enum lp_code judge(const struct lp_child *c, int state, struct lp_err *err)
{
    LP_TRY(c->terminal ? LP_OK : lp_cancel_check(err));
    if (WIFEXITED(state) && WEXITSTATUS(state) == 0) return LP_OK;
    if (WIFSIGNALED(state) && WTERMSIG(state) == SIGPIPE) return LP_OK; /* nobody reads any more */
    if (WIFSIGNALED(state))
        return lp_fail(err, LP_IO, "DuckDB's shell was ended by signal %d%s", WTERMSIG(state),
                       WTERMSIG(state) == SIGKILL ? "; the system may have run out of memory" : "");
    (void)!lp_fail(err, LP_DATA, "%s", "");
    return LP_DATA;
}

enum lp_code lp_child_run(const struct lp_child *c, struct lp_err *err)
{
    struct started s = {.pid = -1};
    int state = 0;
    enum lp_code code = prepare(c, &s, err);
    struct sigaction before, ignore = {.sa_handler = SIG_IGN};
    if (!code) code = start(c, &s, err);
    if (!code) {
        if (c->terminal) sigaction(SIGINT, &ignore, &before);
        code = attend(c, &s, err);
        close_one(&s.out[0]);
        while (waitpid(s.pid, &state, 0) < 0 && errno == EINTR) {
        }
        if (c->terminal) sigaction(SIGINT, &before, NULL);
        if (!code) code = judge(c, state, err);
    }
    started_release(&s);
    return code;
}
