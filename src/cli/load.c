#include "cli/load.h"

#include "base/clock.h"
#include "base/number.h"
#include "base/secret.h"

#include <stdio.h>
#include <unistd.h>

void lp_put_count(struct lp_buf *out, uint64_t n, const char *one, const char *many)
{
    char text[LP_NUMBER_TEXT_BYTES];
    lp_count_format(n, text);
    lp_buf_printf(out, "%s %s", text, n == 1 ? one : many);
}

static int tell_faults(struct lp_cli *c, const struct lp_faults *f)
{
    struct lp_err err;
    LP_AUTO(lp_buf) text = {0}, masked = {0};
    if (c->err.terminal) lp_faults_put_excerpts(f, c->err.colour, &text);
    else lp_faults_put_lines(f, &text);
    lp_put_count(&text, f->count + f->dropped, "fault", "faults");
    lp_buf_puts(&text, "; nothing was fetched\n");
    lp_secret_mask(lp_buf_text(&text), text.len, &masked);
    enum lp_code code = lp_buf_code(&text, "the faults", &err);
    if (!code) code = lp_buf_code(&masked, "the faults", &err);
    if (code) return lp_cli_fail(c, &err);
    fputs(lp_buf_text(&masked), stderr);
    return lp_code_info(LP_CONFIG)->exit_status;
}

/* What the command line asks of this pipeline. */
static enum lp_code check_fit(const struct lp_cli *c, const struct lp_pipeline *p, struct lp_err *err)
{
    if (c->replay && access(c->replay, R_OK | X_OK))
        return lp_fail(err, LP_USAGE, "--replay %.200s: there is no such folder to read", c->replay);
    if (p->sink.file_name && c->shards > 1)
        return lp_fail(err, LP_USAGE,
                       "%s: shards would replace each other in the one file %.100s; let sink.to name a directory", p->path,
                       p->sink.file_name);
    return LP_OK;
}

/* --slot due: the same slot however late the run is started, so that what starts it need not be exact. */
static enum lp_code take_due_slot(struct lp_cli *c, const struct lp_pipeline *p, struct lp_err *err)
{
    if (!c->slot_due) return LP_OK;
    if (!p->schedule.expression) return lp_fail(err, LP_USAGE, "--slot due: %s has no schedule", p->path);
    if (lp_schedule_last(&p->schedule, lp_clock_now_us(), &c->slot_us)) return LP_OK;
    return lp_fail(err, LP_USAGE, "--slot due: %s was never due so far; its schedule is %s", p->path, p->schedule.expression);
}

int lp_cli_load(struct lp_cli *c, struct lp_pipeline *p)
{
    return lp_cli_load_file(c, c->words[0], p);
}

int lp_cli_load_file(struct lp_cli *c, const char *path, struct lp_pipeline *p)
{
    return lp_cli_load_for(c, path, NULL, p);
}

int lp_cli_load_for(struct lp_cli *c, const char *path, struct lp_environment *e, struct lp_pipeline *p)
{
    struct lp_faults faults;
    struct lp_err err;
    enum lp_code code = lp_pipeline_load_for(p, path, e, &faults, &err);
    if (!code && c->to) code = lp_sink_redirect(&p->sink, &p->arena, c->to, &err);
    if (!code) code = take_due_slot(c, p, &err);
    if (!code) code = check_fit(c, p, &err);
    int status = lp_code_info(code)->exit_status;
    if (code == LP_CONFIG && faults.count) status = tell_faults(c, &faults);
    else if (code) lp_cli_fail(c, &err);
    lp_faults_release(&faults);
    return status;
}
