#include "base/cancel.h"
#include "base/secret.h"
#include "cli/cli.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

int lp_cli_fail(struct lp_cli *c, const struct lp_err *err)
{
    fprintf(stderr, "%s%s%s %s\n", c->err.red, "lambda-pipeline:", c->err.plain, err->text);
    return lp_code_info(err->code)->exit_status;
}

int lp_cli_fail_memory(struct lp_cli *c)
{
    struct lp_err err;
    (void)!lp_nomem(&err);
    return lp_cli_fail(c, &err);
}

static enum lp_code write_all(const char *bytes, size_t len, struct lp_err *err)
{
    while (len) {
        ssize_t n = write(STDOUT_FILENO, bytes, len);
        if (n < 0 && errno == EINTR) {
            LP_TRY(lp_cancel_check(err));
            continue;
        }
        if (n < 0) return lp_fail_errno(err, "standard output: cannot be written");
        bytes += n;
        len -= (size_t)n;
    }
    return LP_OK;
}

int lp_cli_print(struct lp_cli *c, const struct lp_buf *text, int status)
{
    struct lp_err err;
    LP_AUTO(lp_buf) masked = {0};
    lp_secret_mask(lp_buf_text(text), text->len, &masked);
    enum lp_code code = lp_buf_code(text, "the answer", &err);
    if (!code) code = lp_buf_code(&masked, "the answer", &err);
    if (!code) code = write_all(lp_buf_text(&masked), masked.len, &err);
    if (!code) return status;
    int failed = lp_cli_fail(c, &err);
    return status ? status : failed;
}
