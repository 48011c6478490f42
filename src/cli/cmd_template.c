#include "cli/load.h"
#include "deploy/template.h"

#include <stdio.h>
#include <stdlib.h>

/* One file, as its function will read it. */
struct read_file {
    struct lp_stack_environment environment;
    struct lp_pipeline pipeline;
};

static int load(struct lp_cli *c, const char *path, struct read_file *f)
{
    struct lp_err err;
    if (lp_stack_environment_init(&f->environment, path, &err)) return lp_cli_fail(c, &err);
    int status = lp_cli_load_for(c, path, &f->environment.base, &f->pipeline);
    if (!status && lp_stack_environment_code(&f->environment, &err)) return lp_cli_fail(c, &err);
    return status;
}

static int put(struct lp_cli *c, const struct lp_stack *s)
{
    LP_AUTO(lp_buf) text = {0}, warnings = {0};
    struct lp_err err;
    if (lp_template_of(s, &text, &err)) return lp_cli_fail(c, &err);
    lp_template_put_warnings(s, text.len, &warnings);
    if (lp_buf_code(&warnings, "the warnings", &err)) return lp_cli_fail(c, &err);
    if (!c->quiet) fputs(lp_buf_text(&warnings), stderr);
    return lp_cli_print(c, &text, 0);
}

int lp_cmd_template(struct lp_cli *c)
{
    size_t count = c->word_count, read = 0;
    struct read_file *files = calloc(count, sizeof *files);
    struct lp_stack_function *list = calloc(count, sizeof *list);
    int status = files && list ? 0 : lp_cli_fail_memory(c);
    for (; !status && read < count; read++) {
        status = load(c, c->words[read], &files[read]);
        list[read] = (struct lp_stack_function){&files[read].pipeline, &files[read].environment};
    }
    if (!status) status = put(c, &(struct lp_stack){.list = list, .count = count, .shards = c->shards});
    for (size_t i = 0; i < read; i++) {
        lp_pipeline_release(&files[i].pipeline);
        lp_stack_environment_release(&files[i].environment);
    }
    free(list);
    free(files);
    return status;
}
