/* What strangers send to the port of the pages: anything at all, in pieces as the first byte says. */
#include "fuzz.h"

#include "page/web_parts.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#define TURNS 200

static struct lp_bar bars[] = {{.slot_us = 0, .state = LP_BAR_OK}, {.slot_us = 60000000, .state = LP_BAR_MISSED}};
/* No address leads to its page, which would need a child for each input. */
static struct lp_board_pipeline pipelines[] = {
    {.name = "a/b", .words = "every day", .next_us = INT64_MAX, .running_us = INT64_MIN, .last_error = ""}};
static const struct lp_board board = {.list = pipelines, .count = 1, .ready = true, .version = "0"};

static struct lp_web *server(void)
{
    static struct lp_web *w;
    const struct lp_web_options o = {.host = "127.0.0.1", .board = &board};
    char url[LP_LISTEN_URL_BYTES];
    if (w) return w;
    memcpy(pipelines[0].bars, bars, sizeof bars);
    pipelines[0].bar_count = LP_COUNT(bars);
    LP_HOLDS(!lp_web_open(&o, &w, url, NULL));
    return w;
}

/* What has come back so far; true when the other side has closed. */
static bool receive(int fd, struct lp_buf *out)
{
    char piece[65536];
    for (;;) {
        ssize_t n = recv(fd, piece, sizeof piece, MSG_DONTWAIT);
        if (n <= 0) return n == 0 || errno != EAGAIN;
        lp_buf_put(out, piece, (size_t)n);
    }
}

static void check(const struct lp_buf *answer)
{
    const char *text = lp_buf_text(answer);
    if (!answer->len) return;
    LP_HOLDS(!strncmp(text, "HTTP/1.", 7));
    LP_HOLDS(strchr("245", text[9]));
    LP_HOLDS(strncmp(text + 9, "200", 3) != 0 || strstr(text, "Content-Security-Policy: default-src 'none'"));
}

static void converse(struct lp_web *w, const uint8_t *bytes, size_t len, size_t piece, struct lp_buf *answer)
{
    int ends[2];
    size_t at = 0;
    bool closed = false;
    LP_HOLDS(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends));
    LP_HOLDS(!lp_web_adopt(w, ends[0], NULL));
    for (int turn = 0; at < len && turn < TURNS && !closed; turn++) {
        size_t n = len - at < piece ? len - at : piece;
        ssize_t sent = send(ends[1], bytes + at, n, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent > 0) at += (size_t)sent;
        lp_web_run(w);
        closed = receive(ends[1], answer);
    }
    for (int turn = 0; turn < 5 && !closed; turn++) {
        lp_web_run(w);
        closed = receive(ends[1], answer);
    }
    close(ends[1]);
    for (int turn = 0; turn < TURNS && w->connections; turn++) lp_web_run(w);
    LP_HOLDS(!w->connections && !w->clients && !w->held);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static const char sound[] = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    static bool begun;
    struct lp_web *w = server();
    LP_AUTO(lp_buf) answer = {0};
    if (!begun) { /* this would be no test if nothing were ever answered */
        converse(w, (const uint8_t *)sound, strlen(sound), 10, &answer);
        LP_HOLDS(!strncmp(lp_buf_text(&answer), "HTTP/1.1 200 ", 13) && strstr(lp_buf_text(&answer), "\r\n\r\nok\n"));
        lp_buf_clear(&answer);
        begun = true;
    }
    if (!len) return 0;
    converse(w, bytes + 1, len - 1, bytes[0] * 64u + 1, &answer);
    check(&answer);
    return 0;
}
