/* The contract of notify/messenger.h, held against every messenger. A new one is a line in `homes`. Those that carry a
 * message over the network meet a server on loopback that takes it, refuses it, or says nothing more. */
#include "test.h"

#include "memory_messenger.c"

#include "base/cancel.h"
#include "base/clock.h"
#include "base/secret.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define SECRET   "a-secret-of-the-test"
#define LIMIT_MS 5000

static struct lp_err err;

/* What the server and the test share. */
struct shared {
    enum mood mood;
    size_t len;
    char heard[256 * 1024];
};

struct home {
    const char *name;
    bool certain; /* never refuses, never hangs */
    bool wire;
    struct lp_messenger *(*open)(struct lp_address *a, struct lp_messenger_means *means, unsigned port);
};
struct fixture {
    const struct home *home;
    struct shared *shared;
    struct lp_buf heard; /* without a server */
    pid_t server;
    unsigned port;
    struct lp_address address;
    struct lp_messenger_means means;
    struct lp_messenger *messenger;
};

/* ---- the server ---- */

static void note(struct shared *s, const char *bytes, size_t len)
{
    if (len > sizeof s->heard - s->len) len = sizeof s->heard - s->len;
    memcpy(s->heard + s->len, bytes, len);
    s->len += len;
}

static void say(int fd, const char *text)
{
    if (write(fd, text, strlen(text)) != (ssize_t)strlen(text)) _exit(1);
}

static void hang(int fd)
{
    char byte;
    while (read(fd, &byte, 1) > 0) {
    }
    _exit(0);
}

static void serve_http(struct shared *s, int fd)
{
    char request[65536];
    size_t len = 0, want = SIZE_MAX;
    ssize_t n;
    while (len < want && (n = read(fd, request + len, sizeof request - 1 - len)) > 0) {
        len += (size_t)n;
        request[len] = '\0';
        const char *end = strstr(request, "\r\n\r\n"), *length = strcasestr(request, "content-length:");
        if (end) want = (size_t)(end + 4 - request) + (length ? strtoul(length + 15, NULL, 10) : 0);
    }
    if (s->mood == HANGS) hang(fd);
    if (s->mood == TAKES) note(s, request, len);
    say(fd, s->mood == TAKES
                ? "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"
                : "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 15\r\n\r\nrefused as told");
}

static void serve_mail(struct shared *s, int fd)
{
    FILE *in = fdopen(fd, "r");
    char line[2000];
    bool data = false;
    say(fd, "220 mail.test ready\r\n");
    if (s->mood == HANGS) hang(fd);
    while (in && fgets(line, sizeof line, in)) {
        if (data) {
            if (!strcmp(line, ".\r\n")) say(fd, "250 taken\r\n");
            else note(s, line, strlen(line));
            data = strcmp(line, ".\r\n") != 0;
        } else if (!strncmp(line, "EHLO", 4)) say(fd, "250-mail.test\r\n250 AUTH PLAIN\r\n");
        else if (!strncmp(line, "AUTH", 4)) {
            say(fd, "334 \r\n");
            if (fgets(line, sizeof line, in)) say(fd, "235 welcome\r\n");
        } else if (!strncmp(line, "RCPT", 4)) say(fd, s->mood == TAKES ? "250 ok\r\n" : "550 refused as told\r\n");
        else if (!strncmp(line, "DATA", 4)) {
            data = true;
            say(fd, "354 go on\r\n");
        } else if (!strncmp(line, "QUIT", 4)) {
            say(fd, "221 bye\r\n");
            return;
        } else say(fd, "250 ok\r\n");
    }
}

static void serve(struct shared *s, int listener, bool mail)
{
    signal(SIGCHLD, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        if (fd < 0) _exit(1);
        if (!fork()) {
            if (mail) serve_mail(s, fd);
            else serve_http(s, fd);
            _exit(0);
        }
        close(fd);
    }
}

static void start_server(struct fixture *f)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&at, len) || listen(listener, 64) ||
        getsockname(listener, (struct sockaddr *)&at, &len))
        fail_msg("no server on loopback");
    f->port = ntohs(at.sin_port);
    f->server = fork();
    if (!f->server) serve(f->shared, listener, !strcmp(f->home->name, "mail"));
    close(listener);
}

static void stop_server(struct fixture *f)
{
    if (f->server <= 0) return;
    kill(f->server, SIGKILL);
    waitpid(f->server, NULL, 0);
    f->server = 0;
}

/* ---- the homes ---- */

static char *text_with_port(const char *format, unsigned port)
{
    static char texts[4][200];
    static unsigned turn;
    char *out = texts[turn++ % 4], *at;
    snprintf(out, sizeof texts[0], "%s", format);
    if ((at = strstr(out, "PORT"))) snprintf(at, 100, "%u%s", port, strstr(format, "PORT") + 4);
    return out;
}

static struct lp_messenger *made(const struct lp_address *a, const struct lp_messenger_means *means)
{
    struct lp_messenger *m;
    assert_ok(lp_messenger_new(a, means, &m, &err));
    return m;
}

static struct lp_messenger *open_webhook(struct lp_address *a, struct lp_messenger_means *means, unsigned port)
{
    *a = (struct lp_address){.kind = LP_TO_WEBHOOK, .text = text_with_port("http://127.0.0.1:PORT/" SECRET, port)};
    assert_ok(lp_webhook_check(a->text, &err));
    return made(a, means);
}

static struct lp_messenger *open_mail(struct lp_address *a, struct lp_messenger_means *means, unsigned port)
{
    setenv("LP_TEST_MAIL", SECRET, 1);
    *a = (struct lp_address){.kind = LP_TO_MAIL,
                             .mail = {{"ops@example.org"}, 1},
                             .server = text_with_port("smtp://127.0.0.1:PORT", port),
                             .from = "weather@example.org",
                             .user = "weather",
                             .secret = "env:LP_TEST_MAIL"};
    return made(a, means);
}

static struct lp_messenger *open_topic(struct lp_address *a, struct lp_messenger_means *means, unsigned port)
{
    const struct lp_aws_options o = {.endpoint_url = text_with_port("http://127.0.0.1:PORT", port)};
    setenv("AWS_ACCESS_KEY_ID", "AKIAOFTHETEST0000000", 1);
    setenv("AWS_SECRET_ACCESS_KEY", SECRET, 1);
    setenv("AWS_EC2_METADATA_DISABLED", "true", 1);
    *a = (struct lp_address){.kind = LP_TO_TOPIC, .text = "arn:aws:sns:us-west-2:123456789012:weather"};
    lp_aws_free(means->aws);
    assert_ok(lp_aws_new(&o, &means->aws, &err));
    return made(a, means);
}

static void keep_said(void *who, const struct lp_notice *n, const struct lp_message *m)
{
    lp_buf_printf(who, "%s\n%s\n", lp_buf_text(&m->subject), lp_buf_text(&m->text));
}

static struct lp_messenger *open_stderr(struct lp_address *a, struct lp_messenger_means *means, unsigned port)
{
    *a = (struct lp_address){.kind = LP_TO_STDERR};
    return made(a, means);
}

static const struct home homes[] = {{"memory", false, false, NULL},
                                    {"stderr", true, false, open_stderr},
                                    {"webhook", false, true, open_webhook},
                                    {"mail", false, true, open_mail},
                                    {"sns", false, true, open_topic}};

static void open_messenger(struct fixture *f)
{
    lp_messenger_free(f->messenger);
    f->messenger = f->home->open ? f->home->open(&f->address, &f->means, f->port)
                                 : memory_messenger_new(&f->shared->mood, &f->heard);
}

static int set_up(void **state, size_t home)
{
    struct fixture *f = calloc(1, sizeof *f);
    if (!f) return -1;
    *state = f;
    f->home = &homes[home];
    f->shared = mmap(NULL, sizeof *f->shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    f->means = (struct lp_messenger_means){.folder = "/", .say = keep_said, .who = &f->heard};
    if (f->shared == MAP_FAILED) return -1;
    if (f->home->wire) start_server(f);
    open_messenger(f);
    return 0;
}

static int in_memory(void **state)
{
    return set_up(state, 0);
}
static int on_stderr(void **state)
{
    return set_up(state, 1);
}
static int by_webhook(void **state)
{
    return set_up(state, 2);
}
static int by_mail(void **state)
{
    return set_up(state, 3);
}
static int by_topic(void **state)
{
    return set_up(state, 4);
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    lp_messenger_free(f->messenger);
    lp_aws_free(f->means.aws);
    stop_server(f);
    munmap(f->shared, sizeof *f->shared);
    lp_buf_release(&f->heard);
    lp_secret_forget();
    free(f);
    return 0;
}

/* ---- sending ---- */

static const struct lp_notice notice = {.event = LP_ON_FAILURE,
                                        .pipeline = "weather",
                                        .status = "failed",
                                        .run_id = "20121001T180000Z-1",
                                        .slot_us = INT64_C(1349114400000000),
                                        .code = LP_REMOTE,
                                        .error = "unmistakable",
                                        .worked_us = INT64_MIN,
                                        .next_us = INT64_MIN};

static enum lp_code send_within(struct fixture *f, int64_t limit_ms)
{
    struct lp_message m;
    assert_ok(lp_message_make(&notice, &m, &err));
    err = (struct lp_err){0};
    enum lp_code code = f->messenger->ops->send(f->messenger, &notice, &m, limit_ms, &err);
    lp_message_release(&m);
    return code;
}

static enum lp_code sent(struct fixture *f)
{
    return send_within(f, LIMIT_MS);
}

static size_t times_heard(struct fixture *f, const char *word)
{
    const char *at = f->home->wire ? f->shared->heard : lp_buf_text(&f->heard);
    size_t times = 0;
    while ((at = strstr(at, word))) at++, times++;
    return times;
}

static void what_is_sent_arrives(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(f->messenger->ops->name, f->home->name);
    assert_int_equal(times_heard(f, "unmistakable"), 0);
    assert_ok(sent(f));
    assert_true(times_heard(f, "unmistakable") >= 2); /* in the subject and in the text */
    assert_true(times_heard(f, "FAILED") >= 2);
    assert_true(times_heard(f, "2012-10-01") >= 2);
}

static void it_sends_as_often_as_it_is_asked(void **state)
{
    struct fixture *f = *state;
    assert_ok(sent(f));
    size_t once = times_heard(f, "unmistakable");
    assert_ok(sent(f));
    assert_ok(sent(f));
    assert_int_equal(times_heard(f, "unmistakable"), 3 * once);
}

static void who_refuses_is_quoted_and_the_next_may_succeed(void **state)
{
    struct fixture *f = *state;
    if (f->home->certain) return;
    f->shared->mood = REFUSES;
    enum lp_code code = sent(f);
    assert_int_equal(code, LP_REMOTE);
    assert_int_equal(err.code, code);
    assert_non_null(strstr(err.text, "refused as told"));
    assert_int_equal(times_heard(f, "unmistakable"), 0);
    f->shared->mood = TAKES;
    assert_ok(sent(f));
    assert_true(times_heard(f, "unmistakable") > 0);
}

static void who_hangs_is_given_up_within_the_limit(void **state)
{
    struct fixture *f = *state;
    if (f->home->certain) return;
    f->shared->mood = HANGS;
    int64_t began = lp_clock_monotonic_us();
    assert_int_equal(send_within(f, 600), LP_BUSY);
    int64_t took_ms = (lp_clock_monotonic_us() - began) / 1000;
    assert_in_range(took_ms, 500, 2000);
    assert_true(*err.text);
    f->shared->mood = TAKES;
    assert_ok(sent(f));
}

static void nobody_there_is_told_in_a_sentence(void **state)
{
    struct fixture *f = *state;
    if (!f->home->wire) return;
    stop_server(f);
    assert_int_equal(send_within(f, 1500), LP_BUSY);
    assert_true(strlen(err.text) > 20);
}

static void its_secret_is_in_no_error(void **state)
{
    struct fixture *f = *state;
    if (!f->home->wire) return;
    f->shared->mood = REFUSES;
    (void)!sent(f);
    assert_null(strstr(err.text, SECRET));
    stop_server(f);
    (void)!send_within(f, 1500);
    assert_null(strstr(err.text, SECRET));
}

/* In a process of its own, as the flag of a signal stays. */
static void a_signal_ends_it(void **state)
{
    struct fixture *f = *state;
    int status = 0;
    if (!f->home->wire) return;
    f->shared->mood = HANGS;
    pid_t child = fork();
    if (!child) {
        lp_cancel_install();
        pid_t killer = fork();
        if (!killer) {
            poll(NULL, 0, 200);
            kill(getppid(), SIGTERM);
            _exit(0);
        }
        _exit(sent(f) == LP_CANCELLED ? 7 : 1);
    }
    int64_t began = lp_clock_monotonic_us();
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 7);
    assert_true(lp_clock_monotonic_us() - began < 2500000);
}

#define CONTRACT(test)                                                                                              \
    {#test " (memory)", test, in_memory, tear_down, NULL}, {#test " (stderr)", test, on_stderr, tear_down, NULL},   \
        {#test " (webhook)", test, by_webhook, tear_down, NULL}, {#test " (mail)", test, by_mail, tear_down, NULL}, \
    {                                                                                                               \
#test " (sns)", test, by_topic, tear_down, NULL                                                             \
    }

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        CONTRACT(what_is_sent_arrives),
        CONTRACT(it_sends_as_often_as_it_is_asked),
        CONTRACT(who_refuses_is_quoted_and_the_next_may_succeed),
        CONTRACT(who_hangs_is_given_up_within_the_limit),
        CONTRACT(nobody_there_is_told_in_a_sentence),
        CONTRACT(its_secret_is_in_no_error),
        CONTRACT(a_signal_ends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
