/* Functions run in a child: their answers, their failures, and that nothing waits for them. */
#include "test.h"

#include "base/clock.h"
#include "base/errand.h"

#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

static struct lp_err err;
static struct lp_errands all;
static const struct lp_errand_limits limits = {4 << 20, 60000};

static struct lp_errand *started(lp_errand_fn fn, void *arg, const struct lp_errand_limits *l)
{
    struct lp_errand *e;
    err = (struct lp_err){0};
    assert_ok(lp_errand_start(&all, fn, arg, l, &e, &err));
    return e;
}

static enum lp_errand_state attended(struct lp_errand *e)
{
    enum lp_errand_state s;
    while ((s = lp_errand_turn(e, &err)) == LP_ERRAND_RUNNING) {
        int64_t left = (lp_errand_until_us(e) - lp_clock_monotonic_us()) / 1000 + 1;
        struct pollfd p = {.fd = lp_errand_fd(e), .events = POLLIN};
        poll(&p, 1, (int)left);
    }
    return s;
}

static enum lp_code say(void *arg, struct lp_buf *out, struct lp_err *why)
{
    (void)why;
    lp_buf_puts(out, arg);
    return LP_OK;
}

static enum lp_code say_much(void *arg, struct lp_buf *out, struct lp_err *why)
{
    (void)why;
    for (size_t i = 0; i < *(size_t *)arg; i++) lp_buf_putc(out, (char)('a' + i % 26));
    return LP_OK;
}

static enum lp_code refuse(void *arg, struct lp_buf *out, struct lp_err *why)
{
    lp_buf_puts(out, "half an answer");
    return lp_fail(why, LP_REMOTE, "%s says no", (const char *)arg);
}

static enum lp_code crash(void *arg, struct lp_buf *out, struct lp_err *why)
{
    (void)arg, (void)out, (void)why;
    kill(getpid(), SIGBUS);
    return LP_OK;
}

static enum lp_code wait_for_ever(void *arg, struct lp_buf *out, struct lp_err *why)
{
    (void)arg, (void)out, (void)why;
    while (pause()) continue;
    return LP_OK;
}

static enum lp_code count_descriptors(void *arg, struct lp_buf *out, struct lp_err *why)
{
    (void)arg, (void)why;
    DIR *folder = opendir("/proc/self/fd");
    int count = 0;
    for (const struct dirent *it; folder && (it = readdir(folder));) count += it->d_name[0] != '.';
    lp_buf_printf(out, "%d", count);
    closedir(folder);
    return LP_OK;
}

static enum lp_code say_signals(void *arg, struct lp_buf *out, struct lp_err *why)
{
    (void)arg, (void)why;
    struct sigaction term, pipe;
    sigset_t blocked;
    sigaction(SIGTERM, NULL, &term);
    sigaction(SIGPIPE, NULL, &pipe);
    sigprocmask(SIG_SETMASK, NULL, &blocked);
    lp_buf_printf(out, "%d %d %d", term.sa_handler == SIG_DFL, pipe.sa_handler == SIG_DFL, sigismember(&blocked, SIGHUP));
    return LP_OK;
}

static void an_answer_comes_whole(void **state)
{
    for (size_t len = 0; len <= (4 << 20); len = len * 7 + 1) {
        struct lp_errand *e = started(say_much, &len, &limits);
        assert_int_equal(attended(e), LP_ERRAND_DONE);
        assert_int_equal(lp_errand_answer(e)->len, len);
        assert_int_equal(strlen(lp_buf_text(lp_errand_answer(e))), len);
        if (len) assert_int_equal(lp_errand_answer(e)->data[len - 1], 'a' + (len - 1) % 26);
        assert_int_equal(lp_errand_turn(e, &err), LP_ERRAND_DONE);
        lp_errand_free(&e);
        assert_null(e);
    }
}

static void a_failure_comes_with_its_sentence(void **state)
{
    struct lp_errand *e = started(refuse, "the lake", &limits);
    assert_int_equal(attended(e), LP_ERRAND_FAILED);
    assert_int_equal(err.code, LP_REMOTE);
    assert_string_equal(err.text, "the lake says no");
    lp_errand_free(&e);
}

static void a_crash_harms_nothing_else_and_is_told(void **state)
{
    struct lp_errand *e = started(crash, NULL, &limits);
    assert_int_equal(attended(e), LP_ERRAND_FAILED);
    assert_int_equal(err.code, LP_IO);
    assert_non_null(strstr(err.text, "ended by signal 7"));
    lp_errand_free(&e);
}

static void it_is_ended_when_its_time_is_over(void **state)
{
    const struct lp_errand_limits short_one = {100, 50};
    struct lp_errand *e = started(wait_for_ever, NULL, &short_one);
    assert_int_equal(lp_errand_turn(e, &err), LP_ERRAND_RUNNING);
    assert_int_equal(attended(e), LP_ERRAND_FAILED);
    assert_int_equal(err.code, LP_BUSY);
    assert_string_equal(err.text, "not done within 50 ms");
    lp_errand_free(&e);
}

static void an_answer_past_the_limit_is_refused(void **state)
{
    const struct lp_errand_limits small = {100, 60000};
    size_t len = 101;
    struct lp_errand *e = started(say_much, &len, &small);
    assert_int_equal(attended(e), LP_ERRAND_FAILED);
    assert_int_equal(err.code, LP_LIMIT);
    lp_errand_free(&e);
}

static void it_has_none_of_our_descriptors_and_signals(void **state)
{
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    struct sigaction before[2];
    sigset_t mask, mask_before;
    int extra[2];
    assert_int_equal(pipe(extra), 0);
    sigemptyset(&mask);
    sigaddset(&mask, SIGHUP);
    sigprocmask(SIG_BLOCK, &mask, &mask_before);
    sigaction(SIGTERM, &ignore, &before[0]);
    sigaction(SIGPIPE, &ignore, &before[1]);
    struct lp_errand *e = started(count_descriptors, NULL, &limits), *f = started(say_signals, NULL, &limits);
    sigaction(SIGTERM, &before[0], NULL);
    sigaction(SIGPIPE, &before[1], NULL);
    sigprocmask(SIG_SETMASK, &mask_before, NULL);
    close(extra[0]);
    close(extra[1]);
    assert_int_equal(attended(e), LP_ERRAND_DONE);
    assert_string_equal(lp_buf_text(lp_errand_answer(e)), "5"); /* 0, 1, 2, its pipe, and the folder it reads */
    assert_int_equal(attended(f), LP_ERRAND_DONE);
    assert_string_equal(lp_buf_text(lp_errand_answer(f)), "1 0 0"); /* a closed pipe is an error of the write */
    lp_errand_free(&e);
    lp_errand_free(&f);
}

static void no_other_child_is_reaped(void **state)
{
    int how;
    pid_t other = fork();
    if (!other) _exit(7);
    for (int i = 0; i < 20; i++) {
        struct lp_errand *e = started(say, "x", &limits);
        assert_int_equal(attended(e), LP_ERRAND_DONE);
        lp_errand_free(&e);
    }
    assert_int_equal(waitpid(other, &how, 0), other);
    assert_int_equal(WEXITSTATUS(how), 7);
}

static void whoever_is_given_up_is_ended_and_leaves_nothing(void **state)
{
    for (int i = 0; i < 100; i++) {
        struct lp_errand *e = started(wait_for_ever, NULL, &limits);
        lp_errand_free(&e);
    }
    assert_in_range(all.left_count, 0, LP_ERRANDS_LEFT);
    for (size_t i = 0; i < all.left_count; i++) assert_int_equal(waitpid(all.left[i], NULL, 0), all.left[i]);
    all.left_count = 0;
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no child is left */
}

static void too_many_that_do_not_end_are_told(void **state)
{
    struct lp_errands full = {.left_count = LP_ERRANDS_LEFT};
    struct lp_errand *e;
    pid_t held = fork();
    if (!held) {
        for (;;) pause();
    }
    for (size_t i = 0; i < LP_ERRANDS_LEFT; i++) full.left[i] = held;
    assert_code(lp_errand_start(&full, say, "", &limits, &e, &err), LP_BUSY);
    assert_null(e);
    kill(held, SIGKILL);
    waitpid(held, NULL, 0);
    assert_ok(lp_errand_start(&full, say, "", &limits, &e, &err)); /* they are gone */
    assert_int_equal(full.left_count, 0);
    attended(e);
    lp_errand_free(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_comes_whole),
        cmocka_unit_test(a_failure_comes_with_its_sentence),
        cmocka_unit_test(a_crash_harms_nothing_else_and_is_told),
        cmocka_unit_test(it_is_ended_when_its_time_is_over),
        cmocka_unit_test(an_answer_past_the_limit_is_refused),
        cmocka_unit_test(it_has_none_of_our_descriptors_and_signals),
        cmocka_unit_test(no_other_child_is_reaped),
        cmocka_unit_test(whoever_is_given_up_is_ended_and_leaves_nothing),
        cmocka_unit_test(too_many_that_do_not_end_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
