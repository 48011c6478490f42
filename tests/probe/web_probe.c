/* The pages of the service by themselves, with a made-up board: for tests of what is shown, and of what strangers send.
 *   web_probe [--host H] [--port N]
 * Says its URL in a line; then each line of JSON on standard input changes something: {"board": {...}} is the board from
 * then on, {"adopt": fd} takes a connection. Each is answered by a line. Ends with standard input. Pipelines of the board have their
 * definition read from "path" for each page. */
#include "aws/aws.h"
#include "base/clock.h"
#include "page/web.h"

#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct lp_board board = {.version = LP_VERSION, .ready = true, .at_once = 8};
static json_t *texts; /* what the board borrows from */

static int64_t number(const json_t *o, const char *name, int64_t fallback)
{
    const json_t *v = json_object_get(o, name);
    return json_is_integer(v) ? json_integer_value(v) : fallback;
}

static const char *text(const json_t *o, const char *name)
{
    return json_string_value(json_object_get(o, name));
}

static void read_bars(const json_t *list, struct lp_board_pipeline *p)
{
    size_t i;
    json_t *it;
    json_array_foreach (list, i, it) {
        if (i == LP_BOARD_BARS) break;
        p->bars[p->bar_count++] = (struct lp_bar){.slot_us = number(it, "slot_us", 0),
                                                  .duration_ms = (uint32_t)number(it, "duration_ms", 0),
                                                  .rows = (uint32_t)number(it, "rows", 0),
                                                  .quarantined = (uint32_t)number(it, "quarantined", 0),
                                                  .failed = (uint32_t)number(it, "failed", 0),
                                                  .state = (uint8_t)number(it, "state", 0)};
    }
}

static void read_pipeline(const json_t *o, struct lp_board_pipeline *p)
{
    *p = (struct lp_board_pipeline){
        .name = text(o, "name"),
        .path = text(o, "path"),
        .words = text(o, "words"),
        .fault = text(o, "fault"),
        .next_us = number(o, "next_us", INT64_MAX),
        .running_us = number(o, "running_us", INT64_MIN),
        .waiting = (size_t)number(o, "waiting", 0),
        .last_error = text(o, "last_error") ? text(o, "last_error") : "",
        .runs_ok = (uint64_t)number(o, "runs_ok", 0),
        .runs_partial = (uint64_t)number(o, "runs_partial", 0),
        .runs_failed = (uint64_t)number(o, "runs_failed", 0),
        .rows_written = (uint64_t)number(o, "rows_written", 0),
        .rows_quarantined = (uint64_t)number(o, "rows_quarantined", 0),
        .retries = (uint64_t)number(o, "retries", 0),
        .slots_skipped = (uint64_t)number(o, "slots_skipped", 0),
        .last_success_us = number(o, "last_success_us", INT64_MIN),
        .last_duration_ms = number(o, "last_duration_ms", -1),
        .last_lateness_ms = number(o, "last_lateness_ms", -1),
    };
    read_bars(json_object_get(o, "bars"), p);
}

static void read_board(json_t *o)
{
    const json_t *list = json_object_get(o, "pipelines");
    json_decref(texts);
    texts = json_incref(o);
    free(board.list);
    board.count = json_array_size(list);
    board.list = calloc(board.count + 1, sizeof *board.list);
    for (size_t i = 0; i < board.count; i++) read_pipeline(json_array_get(list, i), &board.list[i]);
    board.now_us = number(o, "now_us", lp_clock_now_us());
    board.started_us = number(o, "started_us", board.now_us);
    board.ready = !json_is_false(json_object_get(o, "ready"));
    board.standing_by = json_is_true(json_object_get(o, "standing_by"));
    board.stopping = json_is_true(json_object_get(o, "stopping"));
    board.at_work = (size_t)number(o, "at_work", 0);
}

static enum lp_code open_lake(void *who, size_t index, const struct lp_pipeline **p, struct lp_store **store,
                              struct lp_err *err)
{
    static struct lp_pipeline pipeline;
    static const struct lp_aws_options options;
    struct lp_faults faults;
    struct lp_aws *aws = NULL;
    (void)who;
    const char *path = board.list[index].path;
    if (path && !strcmp(path, "sleeps")) sleep(3600);
    if (path && !strcmp(path, "crashes")) abort();
    LP_TRY(lp_pipeline_load(&pipeline, path ? path : "", &faults, err));
    if (lp_store_is_s3(pipeline.sink.root)) LP_TRY(lp_aws_new(&options, &aws, err));
    LP_TRY(lp_store_open(pipeline.sink.root, &pipeline.sink.s3, aws, store, err));
    *p = &pipeline;
    return LP_OK;
}

/* One line of standard input, or as many as are there. False at its end. */
static bool obey(struct lp_web *w)
{
    static char line[16 << 20];
    static size_t len;
    ssize_t n = read(STDIN_FILENO, line + len, sizeof line - len - 1);
    if (n <= 0) return false;
    len += (size_t)n;
    line[len] = '\0';
    for (char *end; (end = strchr(line, '\n'));) {
        *end = '\0';
        struct lp_err err = {0};
        json_t *o = json_loads(line, 0, NULL), *b = json_object_get(o, "board");
        if (b) read_board(b);
        if (json_object_get(o, "adopt") && lp_web_adopt(w, (int)number(o, "adopt", -1), &err)) puts(err.text);
        else puts(o ? "done" : "not JSON");
        fflush(stdout);
        json_decref(o);
        len -= (size_t)(end + 1 - line);
        memmove(line, end + 1, len + 1);
    }
    return true;
}

int main(int argc, char **argv)
{
    struct lp_web_options o = {.host = "127.0.0.1", .board = &board, .lake = {.open = open_lake}};
    struct lp_err err = {0};
    struct lp_web *w;
    char url[LP_LISTEN_URL_BYTES];
    for (int i = 1; i + 1 < argc; i += 2) {
        if (!strcmp(argv[i], "--host")) o.host = argv[i + 1];
        if (!strcmp(argv[i], "--port")) o.port = (uint16_t)atoi(argv[i + 1]);
    }
    board.now_us = board.started_us = lp_clock_now_us();
    if (lp_web_open(&o, &w, url, &err)) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    puts(url);
    fflush(stdout);
    for (;;) {
        struct pollfd p[2] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = lp_web_fd(w), .events = POLLIN}};
        poll(p, 2, lp_web_timeout_ms(w));
        if (p[0].revents && !obey(w)) break;
        lp_web_run(w);
    }
    lp_web_free(w);
    free(board.list);
    json_decref(texts);
    return 0;
}
