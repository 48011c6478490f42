#include "base/clock.h"
#include "cli/load.h"
#include "lake/catalog.h"

#include <stdlib.h>

static int print_schema(struct lp_cli *c)
{
    LP_AUTO(lp_buf) schema = {0};
    lp_pipeline_put_schema(&schema);
    return lp_cli_print(c, &schema, 0);
}

/* The faults of one file, behind those of the files before it, without the brackets. */
static int put_faults_json(struct lp_cli *c, const char *path, struct lp_buf *out)
{
    struct lp_pipeline p;
    struct lp_faults faults;
    struct lp_err err;
    LP_AUTO(lp_buf) list = {0};
    enum lp_code code = lp_pipeline_load(&p, path, &faults, &err);
    int status = lp_code_info(code)->exit_status;
    if (code && (code != LP_CONFIG || !faults.count)) status = lp_cli_fail(c, &err);
    else lp_faults_put_json(&faults, &list);
    if (list.len > 2) {
        lp_buf_puts(out, out->len ? "," : "");
        lp_buf_put(out, list.data + 1, list.len - 2);
    }
    if (list.failed) out->failed = list.failed;
    lp_pipeline_release(&p);
    lp_faults_release(&faults);
    return status;
}

static int print_faults_json(struct lp_cli *c)
{
    LP_AUTO(lp_buf) list = {0}, text = {0};
    int status = 0;
    for (size_t i = 0; i < c->word_count; i++) {
        int one = put_faults_json(c, c->words[i], &list);
        if (one && (!status || one != lp_code_info(LP_CONFIG)->exit_status)) status = one;
    }
    if (status && status != lp_code_info(LP_CONFIG)->exit_status) return status; /* it has been said why */
    lp_buf_printf(&text, "[%s]\n", lp_buf_text(&list));
    if (list.failed) text.failed = list.failed;
    return lp_cli_print(c, &text, status);
}

static void note_unset(const char *place, const char *of_whom, struct lp_buf *out)
{
    const char *name = place && !strncmp(place, "env:", 4) ? place + 4 : NULL, *value = name ? getenv(name) : NULL;
    if (name && !(value && *value)) lp_buf_printf(out, "  %s is not set here; %s will need it\n", name, of_whom);
}

static void put_secret_note(const struct lp_pipeline *p, struct lp_buf *out)
{
    note_unset(p->source.auth.secret, "a run", out);
    for (size_t i = 0; i < p->notify.to.count; i++)
        note_unset(p->notify.to.list[i].secret, "telling people", out);
}

/* What is no fault, and yet better known beforehand. */
static void put_csv_note(const struct lp_sink *s, struct lp_buf *out)
{
    if (!lp_catalog_in_glue_as_csv(s)) return;
    lp_buf_printf(out,
                  "  CSV in Glue: Athena knows it as text only, so the table is a view over %s_text; in it an empty text that\n"
                  "  may be null is NULL, and rows with a line break in a text are quarantined (no_line_break).\n"
                  "  format: parquet is the better choice there: its columns have types, and texts may hold anything.\n",
                  s->catalog.table);
}

static void put_schedule_note(struct lp_cli *c, const struct lp_schedule *s, struct lp_buf *out)
{
    const char *odd = s->expression ? lp_schedule_odd(s, lp_clock_now_us()) : NULL;
    if (odd) lp_buf_printf(out, "%s%s%s schedule %s: %s\n", c->out.yellow, c->out.warn, c->out.plain, s->expression, odd);
}

static int check_file(struct lp_cli *c, const char *path)
{
    struct lp_pipeline p;
    int status = lp_cli_load_file(c, path, &p);
    if (!status && !c->quiet) {
        LP_AUTO(lp_buf) text = {0};
        lp_buf_printf(&text, "%s%s%s %s: no faults; ", c->out.green, c->out.ok, c->out.plain, path);
        lp_put_count(&text, p.columns.count, "column", "columns");
        lp_buf_puts(&text, ", ");
        lp_put_count(&text, p.checks.count, "check", "checks");
        lp_buf_putc(&text, '\n');
        put_schedule_note(c, &p.schedule, &text);
        put_secret_note(&p, &text);
        put_csv_note(&p.sink, &text);
        status = lp_cli_print(c, &text, 0);
    }
    lp_pipeline_release(&p);
    return status;
}

int lp_cmd_check(struct lp_cli *c)
{
    int status = 0;
    if (c->schema) return print_schema(c);
    if (c->json) return print_faults_json(c);
    for (size_t i = 0; i < c->word_count; i++) {
        int one = check_file(c, c->words[i]);
        if (one) status = one;
    }
    return status;
}
