#include "cli/children.h"

#include "base/cancel.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* One write to a pipe that nobody else's can come between. */
_Static_assert(sizeof(struct lp_child_end) <= PIPE_BUF, "a child's last word is too long");

static void tell_end(const struct lp_record *rec, const struct lp_err *err, struct lp_child_end *end)
{
    end->status = end->code ? LP_RUN_FAILED : rec->status;
    end->duration_ms = rec->duration_ms;
    end->rows = rec->rows.written;
    end->items = rec->requests.total;
    end->items_failed = rec->requests.failed;
    if (end->code) snprintf(end->error, sizeof end->error, "%s", err->text);
    else if (rec->failure_count)
        snprintf(end->error, sizeof end->error, "%s%s%s", rec->failures[0].label ? rec->failures[0].label : "",
                 rec->failures[0].label && *rec->failures[0].label ? ": " : "", rec->failures[0].error);
}

/* In the child: the run, and what came of it. */
static struct lp_child_end run_slot(struct lp_children *c, int64_t slot_us)
{
    struct lp_child_end end = {.slot_us = slot_us};
    struct lp_record rec = {0};
    struct lp_err err = {0};
    struct lp_aws *aws = NULL;
    c->pipeline->notify.to.count = 0;
    end.code = lp_aws_new(c->aws, &aws, &err);
    struct lp_run_options o = {.slot_us = slot_us, .replay_folder = c->replay_folder, .aws = aws};
    if (!end.code) end.code = lp_run(c->pipeline, &o, &rec, &err);
    tell_end(&rec, &err, &end);
    lp_aws_free(aws);
    lp_record_release(&rec);
    return end;
}

/* In the child, after fork. */
static _Noreturn void be_child(struct lp_children *c, int64_t slot_us, int out, pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1);
    setpgid(0, 0);
    for (size_t i = 0; i < LP_CHILDREN_MOST; i++)
        if (c->list[i].pid) close(c->list[i].fd);
    int in = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (in >= 0) dup2(in, STDIN_FILENO);
    struct lp_child_end end = run_slot(c, slot_us);
    ssize_t n = write(out, &end, sizeof end);
    lp_pipeline_release(c->pipeline);
    exit(n == (ssize_t)sizeof end ? 0 : 1);
}

enum lp_code lp_children_start(struct lp_children *c, int64_t slot_us, struct lp_err *err)
{
    size_t i = 0;
    int ends[2];
    while (i < LP_CHILDREN_MOST && c->list[i].pid) i++;
    if (i == LP_CHILDREN_MOST) return lp_fail(err, LP_BUG, "there are too many runs at once");
    if (pipe2(ends, O_CLOEXEC)) return lp_fail_errno(err, "no pipe to a run");
    pid_t parent = getpid(), pid = fork();
    if (pid == 0) {
        close(ends[0]);
        be_child(c, slot_us, ends[1], parent);
    }
    close(ends[1]);
    if (pid < 0) {
        enum lp_code code = lp_fail_errno(err, "a run cannot be started");
        close(ends[0]);
        return code;
    }
    c->list[i] = (struct lp_child_process){pid, ends[0], slot_us};
    c->running++;
    return LP_OK;
}

static void pass_on(struct lp_children *c, int number)
{
    for (size_t i = 0; i < LP_CHILDREN_MOST; i++)
        if (c->list[i].pid) kill(c->list[i].pid, number);
}

/* The first signal lets them wind up, each further one is passed on as well. */
static void heed_signals(struct lp_children *c)
{
    if (!lp_cancel_signal() || (c->asked_to_stop && lp_cancel_check(NULL) != LP_CANCELLED)) return;
    pass_on(c, lp_cancel_signal());
    lp_cancel_wind_up();
    c->asked_to_stop = true;
}

/* Its message, or, when there is none, how it ended. */
static void take_end(struct lp_children *c, struct lp_child_process *p, struct lp_child_end *end)
{
    int state = 0;
    ssize_t n;
    while ((n = read(p->fd, end, sizeof *end)) < 0 && errno == EINTR) {
    }
    close(p->fd);
    while (waitpid(p->pid, &state, 0) < 0 && errno == EINTR) {
    }
    bool whole = n == (ssize_t)sizeof *end && WIFEXITED(state) && !WEXITSTATUS(state);
    if (!whole) {
        *end = (struct lp_child_end){.slot_us = p->slot_us, .code = LP_IO, .status = LP_RUN_FAILED};
        if (WIFSIGNALED(state))
            snprintf(end->error, sizeof end->error, "its process was ended by signal %d (%s)%s", WTERMSIG(state), strsignal(WTERMSIG(state)),
                     WTERMSIG(state) == SIGKILL ? "; the system may have run out of memory" : "");
        else snprintf(end->error, sizeof end->error, "its process ended with status %d and no word", WEXITSTATUS(state));
    }
    *p = (struct lp_child_process){0};
    c->running--;
}

bool lp_children_next(struct lp_children *c, int wait_ms, struct lp_child_end *end)
{
    struct pollfd polls[LP_CHILDREN_MOST];
    size_t which[LP_CHILDREN_MOST], count = 0;
    for (size_t i = 0; i < LP_CHILDREN_MOST; i++) {
        if (!c->list[i].pid) continue;
        which[count] = i;
        polls[count++] = (struct pollfd){.fd = c->list[i].fd, .events = POLLIN};
    }
    heed_signals(c);
    if (!count || poll(polls, count, wait_ms) <= 0) return false;
    for (size_t i = 0; i < count; i++) {
        if (!polls[i].revents) continue;
        take_end(c, &c->list[which[i]], end);
        return true;
    }
    return false;
}

void lp_children_release(struct lp_children *c)
{
    struct lp_child_end unheard;
    pass_on(c, SIGKILL);
    for (size_t i = 0; i < LP_CHILDREN_MOST; i++)
        if (c->list[i].pid) take_end(c, &c->list[i], &unheard);
}
