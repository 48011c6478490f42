#include "base/file.h"
#include "cli/function.h"
#include "cli/load.h"
#include "lambda/local.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#define EVENT_BYTES ((size_t)6 << 20)

void lp_cli_write_line(void *who, const char *line, size_t len)
{
    int fd = *(const int *)who;
    while (len) {
        ssize_t n = write(fd, line, len);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return;
        line += n;
        len -= (size_t)n;
    }
}

static void tell_ready(void *who, const char *url)
{
    (void)who;
    fprintf(stderr, "serving at %s\n", url);
}

static int serve(struct lp_cli *c, struct lp_function *f)
{
    struct lp_err err;
    const struct lp_local_options o = {.host = c->host ? c->host : "127.0.0.1",
                                       .port = (uint16_t)(c->port_given ? c->port : 8080),
                                       .ready = tell_ready};
    enum lp_code code = lp_local_serve(f, &o, &err);
    return code == LP_CANCELLED ? lp_code_info(code)->exit_status : lp_cli_fail(c, &err);
}

/* --event E, or @FILE. */
static enum lp_code read_event(const struct lp_cli *c, struct lp_buf *event, struct lp_err *err)
{
    event->max_bytes = EVENT_BYTES;
    if (*c->event == '@') {
        enum lp_code code = lp_file_read(c->event + 1, event, err);
        return code == LP_NOTFOUND ? lp_fail(err, LP_USAGE, "--event %.200s: there is no such file", c->event) : code;
    }
    lp_buf_puts(event, c->event);
    return lp_buf_code(event, "the event", err);
}

static int call_once(struct lp_cli *c, struct lp_function *f)
{
    LP_AUTO(lp_buf) event = {0}, text = {0};
    struct lp_outcome o;
    struct lp_err err;
    char id[LP_REQUEST_ID_BYTES];
    enum lp_code code = read_event(c, &event, &err);
    if (!code) code = lp_local_call(f, lp_buf_text(&event), event.len, id, &o, &err);
    if (code) return lp_cli_fail(c, &err);
    int status = o.partial ? 3 : lp_code_info(o.code)->exit_status;
    if (o.error_type && !strcmp(o.error_type, "Function.EventInvalid")) status = lp_code_info(LP_USAGE)->exit_status;
    lp_buf_put(&text, o.text, o.text_len);
    lp_buf_putc(&text, '\n');
    lp_outcome_release(&o);
    return lp_cli_print(c, &text, status);
}

int lp_cli_serve_locally(struct lp_cli *c, const char *handler)
{
    LP_AUTO(lp_buf) path = {.max_bytes = 8192};
    struct lp_function f = {0};
    struct lp_log log;
    struct lp_err err;
    int fd = STDERR_FILENO;
    lp_log_init(&log, lp_cli_write_line, &fd);
    if (lp_function_find(handler, &path, &err)) return lp_cli_fail(c, &err);
    int status = lp_cli_load_file(c, lp_buf_text(&path), &f.pipeline);
    if (!status && lp_function_open(&f, &c->aws, &log, &err)) status = lp_cli_fail(c, &err);
    f.replay_folder = c->replay;
    if (!status) status = c->event ? call_once(c, &f) : serve(c, &f);
    lp_function_release(&f);
    return status;
}

int lp_cmd_invoke(struct lp_cli *c)
{
    return lp_cli_serve_locally(c, c->words[0]);
}
