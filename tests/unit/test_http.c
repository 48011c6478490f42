/* start → wait → finish against a server on loopback that does what the path says. How a run fares with worse servers is
 * tested end to end. */
#include "test.h"

#include "base/cancel.h"
#include "net/http.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

static struct lp_err err;
static pid_t server;
static unsigned port;

/* ---- the server: a process per connection, one answer each ---- */

static void say(int fd, const char *format, ...) LP_PRINTF(2, 3);
static void say(int fd, const char *format, ...)
{
    char text[9000];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (write(fd, text, (size_t)len) != len) _exit(1);
}

static void say_body(int fd, int status, const char *headers, const char *body)
{
    say(fd, "HTTP/1.1 %d Told\r\n%sContent-Length: %zu\r\nConnection: close\r\n\r\n%s", status, headers, strlen(body),
        body);
}

/* Reads the header and as much body as it announces. */
static void hear(int fd, char *request, size_t size)
{
    size_t len = 0, want = 0;
    const char *end = NULL;
    for (;;) {
        ssize_t n = read(fd, request + len, size - 1 - len);
        if (n <= 0) return;
        len += (size_t)n;
        request[len] = '\0';
        if (!end && (end = strstr(request, "\r\n\r\n"))) {
            const char *length = strcasestr(request, "content-length:");
            want = (size_t)(end + 4 - request) + (length ? strtoul(length + 15, NULL, 10) : 0);
        }
        if (end && len >= want) return;
    }
}

static void answer(int fd)
{
    char request[8192] = "", path[200] = "", big[4097];
    hear(fd, request, sizeof request);
    sscanf(request, "%*15s %199s", path);
    if (!strcmp(path, "/json"))
        say_body(fd, 200, "Content-Type: application/json\r\nX-RateLimit-Remaining: 7\r\nServer: none of ours\r\n",
                 "{\"a\":1}");
    else if (!strncmp(path, "/status/", 8))
        say_body(fd, atoi(path + 8), "Retry-After:  5 \r\nDate: Mon, 01 Oct 2012 18:00:00 GMT\r\n", "told");
    else if (!strncmp(path, "/echo", 5)) say_body(fd, 200, "", request);
    else if (!strcmp(path, "/empty")) say_body(fd, 204, "", "");
    else if (!strcmp(path, "/cut")) say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this");
    else if (!strcmp(path, "/garbled"))
        say(fd, "this is no HTTP at all, and it is long enough to be sure of that\r\n\r\n");
    else if (!strcmp(path, "/badgzip")) say_body(fd, 200, "Content-Encoding: gzip\r\n", "this is not gzip at all");
    else if (!strcmp(path, "/redirect")) say_body(fd, 302, "Location: /json\r\n", "elsewhere");
    else if (!strcmp(path, "/loop")) say_body(fd, 302, "Location: /loop\r\n", "");
    else if (!strcmp(path, "/away")) say_body(fd, 302, "Location: http://127.0.0.2:1/json\r\n", "");
    else if (!strcmp(path, "/slow"))
        poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 10000); /* until the client goes */
    else if (!strncmp(path, "/after/", 7)) poll(NULL, 0, atoi(path + 7)), say_body(fd, 200, "", path);
    else if (!strncmp(path, "/big/", 5)) {
        memset(big, 'x', sizeof big - 1);
        big[4096] = '\0';
        say(fd, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n%.*s", atoi(path + 5), big);
    }
}

static void serve(int listener)
{
    signal(SIGCHLD, SIG_IGN);
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        if (fd < 0) _exit(1);
        if (!fork()) {
            answer(fd);
            shutdown(fd, SHUT_WR);
            _exit(0);
        }
        close(fd);
    }
}

static int start_server(void **state)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&at, len) || listen(listener, 64) ||
        getsockname(listener, (struct sockaddr *)&at, &len))
        return -1;
    port = ntohs(at.sin_port);
    server = fork();
    if (!server) serve(listener);
    close(listener);
    return server < 0;
}

static int stop_server(void **state)
{
    kill(server, SIGKILL);
    return waitpid(server, NULL, 0) != server;
}

/* ---- asking ---- */

static const char *url(const char *path)
{
    static char text[4][300];
    static unsigned turn;
    char *at = text[turn++ % 4];
    snprintf(at, sizeof text[0], "http://127.0.0.1:%u%s", port, path);
    return at;
}

static struct lp_http *http_of(size_t at_once, size_t max_body)
{
    struct lp_http *http;
    struct lp_http_options o = {.at_once = at_once, .max_body_bytes = max_body, .total_ms = 5000};
    assert_ok(lp_http_new(&o, &http, &err));
    return http;
}

static void start(struct lp_http *http, const char *path)
{
    assert_ok(lp_http_start(http, &(struct lp_http_request){.url = url(path)}, &err));
}

static void wait_for(struct lp_http *http, struct lp_http_reply *reply)
{
    bool got = false;
    assert_ok(lp_http_wait(http, 5000, reply, &got, &err));
    assert_true(got);
}

static void expect(struct lp_http *http, const char *path, enum lp_http_outcome outcome, int status, const char *body)
{
    struct lp_http_reply reply;
    start(http, path);
    wait_for(http, &reply);
    if (reply.outcome != outcome) fail_msg("%s: %s: %s", path, lp_http_outcome_name(reply.outcome), reply.error);
    assert_int_equal(reply.status, status);
    if (body && !lp_slice_is(reply.body, body)) fail_msg("%s: %.*s", path, (int)reply.body.len, reply.body.at);
    if (reply.body.len) assert_int_equal(reply.body.at[reply.body.len], '\0');
    assert_true(!*reply.error == (outcome == LP_HTTP_ANSWERED));
    lp_http_finish(http, &reply);
}

static void an_answer_comes_whole_whatever_its_status(void **state)
{
    struct lp_http *http = http_of(2, 0);
    expect(http, "/json", LP_HTTP_ANSWERED, 200, "{\"a\":1}");
    expect(http, "/status/404", LP_HTTP_ANSWERED, 404, "told");
    expect(http, "/status/429", LP_HTTP_ANSWERED, 429, "told");
    expect(http, "/status/503", LP_HTTP_ANSWERED, 503, "told");
    expect(http, "/empty", LP_HTTP_ANSWERED, 204, "");
    lp_http_free(http);
}

static void the_headers_that_matter_are_kept(void **state)
{
    struct lp_http *http = http_of(1, 0);
    struct lp_http_reply reply;
    struct lp_slice value;
    start(http, "/json");
    wait_for(http, &reply);
    assert_true(lp_slice_is(reply.content_type, "application/json"));
    assert_true(lp_http_header(&reply, "X-RATELIMIT-remaining", &value) && lp_slice_is(value, "7"));
    assert_false(lp_http_header(&reply, "server", &value));
    assert_int_equal(reply.retry_after.len, 0);
    lp_http_finish(http, &reply);
    start(http, "/status/429");
    wait_for(http, &reply);
    assert_true(lp_slice_is(reply.retry_after, "5"));
    assert_true(lp_slice_is(reply.date, "Mon, 01 Oct 2012 18:00:00 GMT"));
    assert_int_equal(reply.content_type.len, 0);
    lp_http_finish(http, &reply);
    lp_http_free(http);
}

static void what_goes_wrong_is_the_outcome(void **state)
{
    struct lp_http *http = http_of(1, 100);
    expect(http, "/cut", LP_HTTP_CUT_SHORT, 200, "only this");
    expect(http, "/nothing", LP_HTTP_CUT_SHORT, 0, NULL);
    expect(http, "/garbled", LP_HTTP_GARBLED, 0, NULL);
    expect(http, "/badgzip", LP_HTTP_GARBLED, 200, NULL);
    expect(http, "/big/100", LP_HTTP_ANSWERED, 200, NULL);
    expect(http, "/big/101", LP_HTTP_TOO_LARGE, 200, NULL);
    expect(http, "/loop", LP_HTTP_REDIRECT_REFUSED, 302, NULL);
    expect(http, "/away", LP_HTTP_REDIRECT_REFUSED, 302, NULL);
    expect(http, "/redirect", LP_HTTP_ANSWERED, 200, "{\"a\":1}");
    lp_http_free(http);
}

static void a_port_where_nobody_listens_is_no_connection(void **state)
{
    struct lp_http *http = http_of(1, 0);
    struct lp_http_reply reply;
    assert_ok(lp_http_start(http, &(struct lp_http_request){.url = "http://127.0.0.1:1/?key=hidden"}, &err));
    wait_for(http, &reply);
    assert_int_equal(reply.outcome, LP_HTTP_CONNECT_FAILED);
    assert_int_equal(reply.status, 0);
    assert_null(strstr(reply.error, "hidden"));
    lp_http_finish(http, &reply);
    lp_http_free(http);
}

static void a_request_has_its_own_time(void **state)
{
    struct lp_http *http = http_of(1, 0);
    struct lp_http_reply reply;
    assert_ok(lp_http_start(http, &(struct lp_http_request){.url = url("/slow"), .total_ms = 50}, &err));
    wait_for(http, &reply);
    assert_int_equal(reply.outcome, LP_HTTP_TIMED_OUT);
    assert_true(reply.elapsed_ms >= 50);
    lp_http_finish(http, &reply);
    lp_http_free(http);
}

static void a_request_is_sent_as_it_was_given(void **state)
{
    struct lp_http *http = http_of(1, 0);
    struct lp_http_reply reply;
    char header[] = "X-Key: kept", *copied = header;
    struct lp_http_request q = {.url = url("/echo?q=a%20b&c"),
                                .headers = (const char *const *)&copied,
                                .header_count = 1,
                                .body = "{\"q\":1}",
                                .body_len = 7,
                                .basic_user = "user",
                                .basic_secret = "pass",
                                .user = &reply};
    assert_ok(lp_http_start(http, &q, &err));
    memset(header, '!', sizeof header - 1);
    wait_for(http, &reply);
    assert_int_equal(reply.outcome, LP_HTTP_ANSWERED);
    assert_ptr_equal(reply.user, &reply);
    static const char *const sent[] = {"POST /echo?q=a%20b&c HTTP/1.1\r\n", "\r\nX-Key: kept\r\n", "\r\n\r\n{\"q\":1}",
                                       "Authorization: Basic dXNlcjpwYXNz\r\n", "User-Agent: lambda-pipeline"};
    for (size_t i = 0; i < LP_COUNT(sent); i++)
        if (!strstr(reply.body.at, sent[i])) fail_msg("%s is missing in %s", sent[i], reply.body.at);
    lp_http_finish(http, &reply);
    lp_http_free(http);
}

/* What the handle did before must not show in the next request. */
static void each_method_has_the_body_it_should_on_one_connection_after_another(void **state)
{
    static const struct {
        const char *method, *body, *begins, *ends;
        bool length;
    } cases[] = {{"PUT", "abc", "PUT /echo HTTP/1.1\r\n", "\r\n\r\nabc", true},
                 {"PUT", NULL, "PUT /echo HTTP/1.1\r\n", "\r\n\r\n", true},
                 {"DELETE", NULL, "DELETE /echo HTTP/1.1\r\n", "\r\n\r\n", false},
                 {"POST", NULL, "POST /echo HTTP/1.1\r\n", "\r\n\r\n", true},
                 {"HEAD", NULL, "", "", false},
                 {NULL, NULL, "GET /echo HTTP/1.1\r\n", "\r\n\r\n", false},
                 {"GET", NULL, "GET /echo HTTP/1.1\r\n", "\r\n\r\n", false}};
    struct lp_http *http = http_of(1, 0);
    for (size_t i = 0; i < LP_COUNT(cases); i++) {
        struct lp_http_reply reply;
        struct lp_http_request q = {.url = url("/echo"),
                                    .method = cases[i].method,
                                    .body = cases[i].body,
                                    .body_len = cases[i].body ? strlen(cases[i].body) : 0};
        assert_ok(lp_http_start(http, &q, &err));
        wait_for(http, &reply);
        assert_int_equal(reply.outcome, LP_HTTP_ANSWERED);
        size_t n = strlen(cases[i].ends);
        assert_memory_equal(reply.body.at, cases[i].begins, strlen(cases[i].begins));
        assert_true(reply.body.len >= n && !memcmp(reply.body.at + reply.body.len - n, cases[i].ends, n));
        assert_int_equal(strstr(reply.body.at, "Content-Length:") != NULL, cases[i].length);
        assert_null(strstr(reply.body.at, "Content-Type:"));
        assert_null(strstr(reply.body.at, "Expect:"));
        lp_http_finish(http, &reply);
    }
    lp_http_free(http);
}

static void a_redirect_is_an_answer_and_gzip_is_not_asked_for_where_that_is_wanted(void **state)
{
    static const char *const also[] = {"server", "loc-", NULL};
    struct lp_http *http;
    struct lp_http_reply reply;
    struct lp_slice value;
    assert_ok(lp_http_new(&(struct lp_http_options){.at_once = 1, .keep_also = also}, &http, &err));
    assert_ok(lp_http_start(http, &(struct lp_http_request){.url = url("/redirect"), .no_redirects = true}, &err));
    wait_for(http, &reply);
    assert_int_equal(reply.outcome, LP_HTTP_ANSWERED);
    assert_int_equal(reply.status, 302);
    assert_false(lp_http_header(&reply, "location", &value));
    lp_http_finish(http, &reply);
    for (int stored = 0; stored < 2; stored++) {
        assert_ok(lp_http_start(http, &(struct lp_http_request){.url = url("/echo"), .as_stored = stored}, &err));
        wait_for(http, &reply);
        assert_int_equal(strstr(reply.body.at, "gzip") != NULL, !stored);
        lp_http_finish(http, &reply);
    }
    assert_ok(lp_http_start(http, &(struct lp_http_request){.url = url("/json")}, &err));
    wait_for(http, &reply);
    assert_true(lp_http_header(&reply, "Server", &value) && lp_slice_is(value, "none of ours"));
    lp_http_finish(http, &reply);
    lp_http_free(http);
}

static void a_transfer_that_is_given_up_gives_its_slot_back_wherever_it_is(void **state)
{
    struct lp_http *http = http_of(2, 0);
    struct lp_http_reply reply;
    bool got;
    int one, two;
    assert_ok(lp_http_start(http, &(struct lp_http_request){.url = url("/slow"), .user = &one}, &err));
    assert_ok(lp_http_start(http, &(struct lp_http_request){.url = url("/json"), .user = &two}, &err));
    lp_http_cancel(http, &one);
    assert_int_equal(lp_http_room(http), 1);
    wait_for(http, &reply);
    assert_ptr_equal(reply.user, &two);
    lp_http_finish(http, &reply);
    start(http, "/json");
    start(http, "/json");
    wait_for(http, &reply);
    for (int i = 0; i < 50; i++) usleep(1000);
    lp_http_finish(http, &reply);
    lp_http_cancel(http, NULL); /* in flight, or landed and not yet handed out */
    assert_int_equal(lp_http_room(http), 2);
    assert_int_equal(lp_http_in_flight(http), 0);
    assert_ok(lp_http_wait(http, 0, &reply, &got, &err));
    assert_false(got);
    lp_http_cancel(http, &one);
    expect(http, "/json", LP_HTTP_ANSWERED, 200, "{\"a\":1}");
    lp_http_free(http);
}

static void the_last_requests_outlive_the_signal_that_asked_to_stop(void **state)
{
    pid_t child = fork(); /* the flag of a signal stays set in its process */
    if (!child) {
        struct lp_http_reply reply;
        bool got;
        lp_cancel_install();
        struct lp_http *http = http_of(1, 0);
        raise(SIGINT);
        start(http, "/json");
        bool good = lp_http_wait(http, 2000, &reply, &got, &err) == LP_CANCELLED;
        lp_cancel_wind_up();
        good = good && lp_http_wait(http, 2000, &reply, &got, &err) == LP_OK && got && reply.status == 200;
        lp_http_finish(http, &reply);
        lp_cancel_heed();
        good = good && lp_http_wait(http, 0, &reply, &got, &err) == LP_CANCELLED;
        lp_http_free(http);
        _exit(good ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void what_cannot_be_sent_is_refused_before_it_is(void **state)
{
    static const char *const bad[] = {"",       "no address", "ftp://127.0.0.1/", "file:///etc/passwd", "//127.0.0.1/",
                                      "HTTP:/x"};
    static const char *const malformed[] = {"http://", "http://127.0.0.1:99999/", "http://a b/", "http://[::1/"};
    struct lp_http *http = http_of(1, 0);
    for (size_t i = 0; i < LP_COUNT(bad); i++)
        if (lp_http_start(http, &(struct lp_http_request){.url = bad[i]}, &err) != LP_CONFIG)
            fail_msg("\"%s\" is taken", bad[i]);
    const char *header = "X-Key: a\r\nInjected: b";
    assert_code(lp_http_start(
                    http, &(struct lp_http_request){.url = url("/json"), .headers = &header, .header_count = 1}, &err),
                LP_CONFIG);
    assert_int_equal(lp_http_room(http), 1);
    assert_int_equal(lp_http_in_flight(http), 0);
    for (size_t i = 0; i < LP_COUNT(malformed); i++) {
        struct lp_http_reply reply;
        assert_ok(lp_http_start(http, &(struct lp_http_request){.url = malformed[i]}, &err));
        wait_for(http, &reply);
        if (reply.outcome != LP_HTTP_FAILED || !*reply.error)
            fail_msg("%s: %s", malformed[i], lp_http_outcome_name(reply.outcome));
        lp_http_finish(http, &reply);
    }
    expect(http, "/json", LP_HTTP_ANSWERED, 200, "{\"a\":1}");
    lp_http_free(http);
}

static void transfers_run_at_once_and_come_in_the_order_they_end(void **state)
{
    struct lp_http *http = http_of(3, 0);
    struct lp_http_reply reply[3];
    assert_int_equal(lp_http_room(http), 3);
    start(http, "/after/900");
    start(http, "/after/450");
    start(http, "/after/0");
    assert_int_equal(lp_http_room(http), 0);
    assert_int_equal(lp_http_in_flight(http), 3);
    assert_code(lp_http_start(http, &(struct lp_http_request){.url = url("/json")}, &err), LP_BUSY);
    for (int i = 0; i < 3; i++) wait_for(http, &reply[i]);
    assert_int_equal(lp_http_in_flight(http), 0);
    assert_int_equal(lp_http_room(http), 0);
    assert_true(lp_slice_is(reply[0].body, "/after/0"));
    assert_true(lp_slice_is(reply[1].body, "/after/450"));
    assert_true(lp_slice_is(reply[2].body, "/after/900"));
    for (size_t i = 0; i < 3; i++) {
        lp_http_finish(http, &reply[i]);
        assert_int_equal(lp_http_room(http), i + 1);
    }
    lp_http_free(http);
}

static void with_nothing_in_flight_waiting_is_sleeping(void **state)
{
    struct lp_http *http = http_of(1, 0);
    struct lp_http_reply reply;
    bool got = true;
    assert_ok(lp_http_wait(http, -1, &reply, &got, &err));
    assert_false(got);
    assert_ok(lp_http_wait(http, 0, &reply, &got, &err));
    assert_false(got);
    assert_ok(lp_http_wait(http, 20, &reply, &got, &err));
    assert_false(got);
    start(http, "/slow");
    assert_ok(lp_http_wait(http, 20, &reply, &got, &err));
    assert_false(got);
    assert_int_equal(lp_http_in_flight(http), 1);
    lp_http_free(http); /* ends it */
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    for (const char *const *name = (const char *const[]){"http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy", NULL};
         *name; name++)
        unsetenv(*name);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_comes_whole_whatever_its_status),
        cmocka_unit_test(the_headers_that_matter_are_kept),
        cmocka_unit_test(what_goes_wrong_is_the_outcome),
        cmocka_unit_test(a_port_where_nobody_listens_is_no_connection),
        cmocka_unit_test(a_request_has_its_own_time),
        cmocka_unit_test(a_request_is_sent_as_it_was_given),
        cmocka_unit_test(each_method_has_the_body_it_should_on_one_connection_after_another),
        cmocka_unit_test(a_redirect_is_an_answer_and_gzip_is_not_asked_for_where_that_is_wanted),
        cmocka_unit_test(a_transfer_that_is_given_up_gives_its_slot_back_wherever_it_is),
        cmocka_unit_test(the_last_requests_outlive_the_signal_that_asked_to_stop),
        cmocka_unit_test(what_cannot_be_sent_is_refused_before_it_is),
        cmocka_unit_test(transfers_run_at_once_and_come_in_the_order_they_end),
        cmocka_unit_test(with_nothing_in_flight_waiting_is_sleeping),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
