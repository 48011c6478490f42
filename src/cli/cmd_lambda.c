#include "cli/function.h"
#include "lambda/runtime.h"

#include <stdlib.h>
#include <unistd.h>

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
    lp_log_init(&log, lp_cli_write_line, &fd);
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
    return api && *api ? serve_lambda(c, api) : lp_cli_serve_locally(c, handler_of(c));
}
