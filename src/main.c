#include "base/cancel.h"
#include "base/secret.h"
#include "cli/cli.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/* A closed standard stream would hand its number to the next file opened. */
static void open_standard_streams(void)
{
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0)
            (void)!open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY); /* its use fails, with EBADF */
}

static int show_help(struct lp_cli *c)
{
    LP_AUTO(lp_buf) text = {0};
    if (c->version) lp_buf_puts(&text, "lambda-pipeline " LP_VERSION "\n");
    else if (c->command) lp_help_put_command(c->command, &text);
    else lp_help_put_overview(&text);
    return lp_cli_print(c, &text, 0);
}

int main(int argc, char **argv)
{
    struct lp_cli cli;
    struct lp_err err;
    open_standard_streams();
    lp_secret_guard_process();
    lp_cancel_install();
    enum lp_code code = lp_cli_parse(&cli, argc, argv, &err);
    cli.out = lp_style_of(STDOUT_FILENO, cli.color);
    cli.err = lp_style_of(STDERR_FILENO, cli.color);
    int status = code ? lp_cli_fail(&cli, &err) : cli.help || cli.version ? show_help(&cli) : cli.command->run(&cli);
    lp_secret_forget();
    lp_cancel_end_process();
    return status;
}
