/* Keys that a program of the user's prints: credential_process. It is started without a shell, and has a time limit. */
#include "aws/provider.h"

#include "base/cancel.h"
#include "base/clock.h"
#include "base/json.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define OUTPUT_BYTES ((size_t)64 * 1024)
#define TREE_BYTES   ((size_t)1 << 20)
#define WORDS_MAX    64
#define LONGEST_US   INT64_C(60000000)
#define LOOK_MS      100 /* how often it is looked whether somebody asked to stop */

extern char **environ;

/* ---- the command, split as a shell would ---- */

/* Words lie in `text`, one behind the other. False when a quote has no end, or there are too many. */
static bool split(const char *command, char *text, char *words[WORDS_MAX + 1], size_t *count)
{
    char quote = '\0';
    bool in_word = false;
    *count = 0;
    for (const char *c = command; *c; c++) {
        bool space = *c == ' ' || *c == '\t' || *c == '\n' || *c == '\r';
        if (!quote && space) {
            if (in_word) *text++ = '\0';
            in_word = false;
            continue;
        }
        if (!in_word) {
            if (*count == WORDS_MAX) return false;
            words[(*count)++] = text;
            in_word = true;
        }
        if (quote == *c) quote = '\0';
        else if (!quote && (*c == '"' || *c == '\'')) quote = *c;
        else if (*c == '\\' && c[1] && (!quote || (quote == '"' && (c[1] == '"' || c[1] == '\\')))) *text++ = *++c;
        else *text++ = *c;
    }
    *text = '\0';
    words[*count] = NULL;
    return !quote && *count;
}

/* ---- running it ---- */

struct process {
    pid_t pid;
    int pipes[2]; /* its output and what it complains; -1: closed */
    struct lp_buf texts[2];
    int status;
};

static enum lp_code start(struct process *p, char *const *words, struct lp_err *err)
{
    posix_spawn_file_actions_t actions;
    int out[2] = {-1, -1}, complaints[2] = {-1, -1};
    if (posix_spawn_file_actions_init(&actions)) return lp_nomem(err);
    int failed = pipe2(out, O_CLOEXEC) || pipe2(complaints, O_CLOEXEC) ? errno : 0;
    if (!failed) failed = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (!failed) failed = posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
    if (!failed) failed = posix_spawn_file_actions_adddup2(&actions, complaints[1], STDERR_FILENO);
    if (!failed) failed = posix_spawnp(&p->pid, words[0], &actions, NULL, words, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (out[1] >= 0) close(out[1]);
    if (complaints[1] >= 0) close(complaints[1]);
    p->pipes[0] = out[0];
    p->pipes[1] = complaints[0];
    if (!failed) return LP_OK;
    p->pid = 0;
    errno = failed;
    return lp_fail(err, failed == ENOMEM ? LP_NOMEM : LP_AUTH, "it cannot be started: %s", strerror(failed));
}

static void take(struct process *p, size_t i)
{
    char bytes[4096];
    ssize_t n = read(p->pipes[i], bytes, sizeof bytes);
    if (n > 0) lp_buf_put(&p->texts[i], bytes, (size_t)n);
    else if (n == 0 || errno != EINTR) {
        close(p->pipes[i]);
        p->pipes[i] = -1;
    }
    explicit_bzero(bytes, sizeof bytes);
}

/* Reads until its output ends, and waits for it to end as well. */
static enum lp_code listen_to(struct process *p, struct lp_err *err)
{
    int64_t until = lp_clock_monotonic_us() + LONGEST_US;
    bool ended = false;
    while (!ended) {
        struct pollfd fds[2] = {{.fd = p->pipes[0], .events = POLLIN}, {.fd = p->pipes[1], .events = POLLIN}};
        bool open = p->pipes[0] >= 0 || p->pipes[1] >= 0;
        poll(fds, 2, open ? LOOK_MS : 5);
        for (size_t i = 0; i < 2; i++)
            if (p->pipes[i] >= 0 && fds[i].revents) take(p, i);
        LP_TRY(lp_cancel_check(err));
        if (p->texts[0].failed) return lp_buf_code(&p->texts[0], "what it prints", err);
        if (lp_clock_monotonic_us() > until) return lp_fail(err, LP_AUTH, "it did not end within 60 s, and was ended");
        /* A grandchild may keep the pipe open; what it would say after its parent's end does not count. */
        if (waitpid(p->pid, &p->status, WNOHANG) == p->pid) ended = true;
    }
    p->pid = 0;
    for (size_t i = 0; i < 2; i++)
        while (p->pipes[i] >= 0 && poll(&(struct pollfd){.fd = p->pipes[i], .events = POLLIN}, 1, 0) > 0) take(p, i);
    return lp_buf_code(&p->texts[0], "what it prints", err);
}

static void end(struct process *p)
{
    if (p->pid > 0) {
        kill(p->pid, SIGKILL);
        waitpid(p->pid, &p->status, 0);
    }
    for (size_t i = 0; i < 2; i++) {
        if (p->pipes[i] >= 0) close(p->pipes[i]);
        lp_aws_wipe(&p->texts[i]);
    }
}

/* ---- what it says ---- */

static enum lp_code check_status(const struct process *p, struct lp_err *err)
{
    LP_AUTO(lp_buf) said = {0};
    if (WIFEXITED(p->status) && WEXITSTATUS(p->status) == 0) return LP_OK;
    size_t len = p->texts[1].len;
    while (len && strchr(" \t\r\n", p->texts[1].data[len - 1])) len--;
    lp_text_put_visible(&said, lp_buf_text(&p->texts[1]), len < 400 ? len : 400);
    if (WIFSIGNALED(p->status))
        return lp_fail(err, LP_AUTH, "it was ended by signal %d: %s", WTERMSIG(p->status), lp_buf_text(&said));
    return lp_fail(err, LP_AUTH, "it ends with status %d: %s", WEXITSTATUS(p->status), lp_buf_text(&said));
}

static enum lp_code take_output(const struct lp_buf *text, struct lp_aws_credentials *out, struct lp_err *err)
{
    static const struct lp_aws_key_names names = {"AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration"};
    LP_AUTO(lp_arena) arena = {0};
    json_t *root;
    lp_arena_init(&arena, TREE_BYTES);
    enum lp_code code = lp_json_parse(&arena, lp_buf_text(text), text->len, &root, err);
    if (code) return lp_fail(err, code == LP_NOMEM ? code : LP_AUTH, "what it prints is no JSON");
    if (json_integer_value(json_object_get(root, "Version")) != 1)
        return lp_fail(err, LP_AUTH, "what it prints is not of \"Version\": 1");
    return lp_aws_keys_from_json(text, &names, "what it prints", out, err);
}

static enum lp_code run(const char *command, struct lp_aws_credentials *out, struct lp_err *err)
{
    char *words[WORDS_MAX + 1], *text = malloc(strlen(command) + 2);
    size_t count;
    struct process p = {.pipes = {-1, -1}, .texts = {{.max_bytes = OUTPUT_BYTES}, {.max_bytes = OUTPUT_BYTES}}};
    if (!text) return lp_nomem(err);
    enum lp_code code = split(command, text, words, &count)
                            ? start(&p, words, err)
                            : lp_fail(err, LP_CONFIG, "its quotes do not end, or it has more than %d words", WORDS_MAX);
    if (!code) code = listen_to(&p, err);
    if (!code) code = check_status(&p, err);
    if (!code) code = take_output(&p.texts[0], out, err);
    end(&p);
    free(text);
    return code;
}

enum lp_code lp_aws_from_process(const struct lp_aws_finder *f, struct lp_aws_credentials *out, bool *found,
                                 struct lp_err *err)
{
    const char *command = lp_profiles_get(&f->s->files, f->profile, "credential_process");
    *found = command != NULL;
    if (!command) return LP_OK;
    enum lp_code code = run(command, out, err);
    snprintf(out->source, sizeof out->source, "credential_process of the profile %.100s", f->profile);
    return code ? lp_wrap(err, code, "credential_process of the profile \"%s\"", f->profile) : LP_OK;
}
