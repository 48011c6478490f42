#include "cli/cli.h"

#include <string.h>

int lp_cmd_help(struct lp_cli *c)
{
    LP_AUTO(lp_buf) text = {0};
    const char *word = c->word_count ? c->words[0] : NULL;
    if (!word) {
        lp_help_put_overview(&text);
        return lp_cli_print(c, &text, 0);
    }
    for (size_t i = 0; i < lp_command_count; i++) {
        if (strcmp(word, lp_commands[i].name)) continue;
        lp_help_put_command(&lp_commands[i], &text);
        return lp_cli_print(c, &text, 0);
    }
    if (lp_help_put_topic(word, &text)) return lp_cli_print(c, &text, 0);
    struct lp_err err;
    lp_fail(&err, LP_USAGE, "there is no help on %.60s; lambda-pipeline help lists the commands", word);
    return lp_cli_fail(c, &err);
}
