#include "cli/cli.h"
#include "lambda/runtime.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* One write per line, so that the lines of several writers never mix. */
static void write_line(void *who, const char *line, size_t len)
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

static const char *handler_of(const struct lp_cli *c)
{
    return c->word_count ? c->words[0] : getenv("_HANDLER");
}

/* What Lambda cannot be told stands in the log at least. */
static int refuse(const char *api, struct lp_log *log, const char *type, const struct lp_buf *why, enum lp_code code)
{
    struct lp_err err;
    lp_log_say(log, LP_LOG_FATAL, "%s: %.1800s", type, lp_buf_text(why));
    if (lp_runtime_refuse(api, type, lp_buf_text(why), &err)) lp_log_say(log, LP_LOG_FATAL, "%s", err.text);
    return lp_code_info(code)->exit_status;
}

static int serve_lambda(struct lp_cli *c, const char *api)
{
    LP_AUTO(lp_buf) why = {0};
    struct lp_function f;
    struct lp_log log;
    struct lp_err err;
    const char *type;
    int fd = STDOUT_FILENO, status;
    lp_log_init(&log, write_line, &fd);
    enum lp_code code = lp_function_load(&f, handler_of(c), &c->aws, &log, &why, &type, &err);
    if (code) {
        status = refuse(api, &log, type, &why, code);
    } else {
        f.metrics = true;
        code = lp_runtime_serve(api, &f, &err);
        if (code != LP_CANCELLED) lp_log_say(&log, LP_LOG_FATAL, "%s", err.text);
        status = lp_code_info(code)->exit_status;
    }
    lp_function_release(&f);
    return status;
}

int lp_cmd_lambda(struct lp_cli *c)
{
    const char *api = getenv("AWS_LAMBDA_RUNTIME_API");
    if (api && *api) return serve_lambda(c, api);
    struct lp_err err;
    lp_fail(&err, LP_USAGE, "AWS_LAMBDA_RUNTIME_API is not set");
    return lp_cli_fail(c, &err);
}
