#include "base/cancel.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/number.h"
#include "base/text.h"
#include "cli/backfill.h"
#include "cli/load.h"

#include <stdio.h>

#define SHOWN_TROUBLES 20
#define MOST_SLOTS     UINT64_C(20000000)

static void put_slot(int64_t us, struct lp_buf *out)
{
    char text[LP_TIME_TEXT_BYTES];
    lp_time_format_iso(us, text);
    lp_buf_puts(out, text);
}

static uint64_t count_run(const struct lp_backfill *b)
{
    return b->count[LP_RUN_OK] + b->count[LP_RUN_PARTIAL] + b->count[LP_RUN_FAILED];
}

static int exit_status(const struct lp_backfill *b)
{
    if (b->count[LP_RUN_OK] + b->count[LP_RUN_PARTIAL] + b->passed_over + b->elsewhere == 0 && b->slots) return 1;
    return b->count[LP_RUN_FAILED] || b->count[LP_RUN_PARTIAL] || b->elsewhere || lp_backfill_left(b) ? 3 : 0;
}

/* "weather: 2 of 30 slots failed, 1 partial": the most important thing first. */
static void put_outcome(const struct lp_backfill *b, struct lp_buf *out)
{
    uint64_t failed = b->count[LP_RUN_FAILED], partial = b->count[LP_RUN_PARTIAL], left = lp_backfill_left(b);
    char number[LP_NUMBER_TEXT_BYTES], slots[LP_NUMBER_TEXT_BYTES];
    lp_count_format(b->slots, slots);
    lp_buf_printf(out, "%s: ", b->pipeline->name);
    if (left) {
        lp_count_format(left, number);
        lp_buf_printf(out, "%s with %s of %s slots still to do", b->given_up ? "given up" : "stopped", number, slots);
    } else if (failed || partial) {
        lp_count_format(failed ? failed : partial, number);
        lp_buf_printf(out, "%s of %s slots %s", number, slots, failed ? "failed" : "partial");
        lp_count_format(partial, number);
        if (failed && partial) lp_buf_printf(out, ", %s partial", number);
    } else if (b->elsewhere) {
        lp_count_format(b->elsewhere, number);
        lp_buf_printf(out, "%s of %s slots %s being run by another process", number, slots, b->elsewhere == 1 ? "was" : "were");
    } else if (!b->slots) {
        lp_buf_puts(out, "no slot lies in that time");
    } else if (!count_run(b)) {
        lp_buf_printf(out, b->slots == 1 ? "its slot is ok already" : "all %s slots are ok already", slots);
    } else {
        lp_put_count(out, count_run(b), "slot", "slots");
        lp_buf_puts(out, " run");
        lp_count_format(b->passed_over, number);
        if (b->passed_over) lp_buf_printf(out, ", %s ok already", number);
    }
}

/* ---- for people ---- */

enum { CELLS = 4, MOST_LINES = 6, CELL_BYTES = LP_TIME_TEXT_BYTES };
struct table {
    char text[MOST_LINES * CELLS][CELL_BYTES];
    char *cells[MOST_LINES * CELLS];
    size_t lines;
};

/* What took no time of ours has none to tell (each_ms below 0). */
static void add_line(struct table *t, const char *name, uint64_t slots, uint64_t rows, int64_t each_ms)
{
    if (!slots) return;
    char(*line)[CELL_BYTES] = &t->text[t->lines++ * CELLS];
    snprintf(line[0], CELL_BYTES, "%s", name);
    lp_count_format(slots, line[1]);
    if (each_ms < 0) return;
    lp_count_format(rows, line[2]);
    lp_duration_format(each_ms, line[3]);
}

static void put_table(const struct lp_style *s, const struct lp_backfill *b, struct lp_buf *out)
{
    static const struct lp_grid_column columns[CELLS] = {{.name = ""}, {.name = "slots", .right = true}, {.name = "rows", .right = true},
                                                         {.name = "took", .unit = "each", .right = true}};
    struct table t = {0};
    for (int i = LP_RUN_OK; i <= LP_RUN_FAILED; i++)
        add_line(&t, lp_run_status_name((enum lp_run_status)i), b->count[i], b->rows[i],
                 b->count[i] ? b->run_ms[i] / (int64_t)b->count[i] : 0);
    add_line(&t, "ok already", b->passed_over, 0, -1);
    add_line(&t, "run elsewhere", b->elsewhere, 0, -1);
    add_line(&t, "still to do", lp_backfill_left(b), 0, -1);
    for (size_t i = 0; i < LP_COUNT(t.cells); i++) t.cells[i] = t.text[i];
    if (t.lines) lp_grid_put(s, columns, CELLS, t.cells, t.lines, out);
}

/* A line of the answer, no longer than the terminal. */
static void put_trouble(const struct lp_style *s, const struct lp_backfill_trouble *t, struct lp_buf *out)
{
    bool failed = t->status == LP_RUN_FAILED;
    LP_AUTO(lp_buf) text = {0};
    put_slot(t->slot_us, &text);
    lp_buf_printf(&text, "  %s", failed ? "" : "partial: ");
    lp_text_put_visible(&text, t->why, strlen(t->why));
    lp_buf_printf(out, "  %s%s%s ", failed ? s->red : s->yellow, failed ? s->bad : s->warn, s->plain);
    size_t before = 3 + lp_text_columns(failed ? s->bad : s->warn, strlen(failed ? s->bad : s->warn));
    if (s->terminal && s->columns > before) lp_text_cut(out, lp_buf_text(&text), text.len, s->columns - before);
    else lp_buf_put(out, lp_buf_text(&text), text.len);
    lp_buf_putc(out, '\n');
    if (text.failed) out->failed = text.failed;
}

static void put_troubles(const struct lp_style *s, const struct lp_backfill *b, struct lp_buf *out)
{
    uint64_t all = b->count[LP_RUN_FAILED] + b->count[LP_RUN_PARTIAL];
    char number[LP_NUMBER_TEXT_BYTES];
    size_t shown = b->trouble_count < SHOWN_TROUBLES ? b->trouble_count : SHOWN_TROUBLES;
    for (size_t i = 0; i < shown; i++) put_trouble(s, &b->troubles[i], out);
    lp_count_format(all - shown, number);
    if (all > shown)
        lp_buf_printf(out, "  %s and %s more; lambda-pipeline runs %s --failed lists them\n", s->more, number, b->pipeline->path);
    if (b->given_up && lp_backfill_left(b)) lp_buf_puts(out, "  every other slot would fail for the same reason, so none was tried\n");
    if (lp_backfill_left(b) || all || b->elsewhere) lp_buf_puts(out, "  the same command again runs those that are not ok\n");
}

static void put_summary(const struct lp_style *s, const struct lp_backfill *b, int64_t took_ms, struct lp_buf *out)
{
    char took[LP_TIME_TEXT_BYTES];
    int status = exit_status(b);
    lp_duration_format(took_ms, took);
    lp_buf_printf(out, "%s%s%s ", !status ? s->green : status == 1 ? s->red : s->yellow, !status ? s->ok : status == 1 ? s->bad : s->warn,
                  s->plain);
    put_outcome(b, out);
    if (count_run(b)) lp_buf_printf(out, " in %s", took);
    lp_buf_putc(out, '\n');
    if (count_run(b) || b->elsewhere || lp_backfill_left(b)) put_table(s, b, out);
    put_troubles(s, b, out);
}

/* ---- for machines ---- */

static void put_time(struct lp_json_writer *w, const char *key, int64_t us)
{
    char text[LP_TIME_TEXT_BYTES];
    lp_time_format_iso(us, text);
    lp_json_text(w, key, text);
}

static void put_json(const struct lp_backfill *b, int64_t took_ms, struct lp_buf *out)
{
    struct lp_json_writer w = {.out = out};
    lp_json_open(&w, NULL, '{');
    lp_json_text(&w, "pipeline", b->pipeline->name);
    put_time(&w, "from", b->range.from_us);
    put_time(&w, "until", b->range.until_us);
    lp_json_int(&w, "slots", (int64_t)b->slots);
    for (int i = LP_RUN_OK; i <= LP_RUN_FAILED; i++)
        lp_json_int(&w, lp_run_status_name((enum lp_run_status)i), (int64_t)b->count[i]);
    lp_json_int(&w, "skipped", (int64_t)b->passed_over);
    lp_json_int(&w, "elsewhere", (int64_t)b->elsewhere);
    lp_json_int(&w, "left", (int64_t)lp_backfill_left(b));
    lp_json_int(&w, "rows", (int64_t)(b->rows[LP_RUN_OK] + b->rows[LP_RUN_PARTIAL]));
    lp_json_int(&w, "duration_ms", took_ms);
    lp_json_open(&w, "troubles", '[');
    for (size_t i = 0; i < b->trouble_count; i++) {
        lp_json_open(&w, NULL, '{');
        put_time(&w, "slot", b->troubles[i].slot_us);
        lp_json_text(&w, "status", lp_run_status_name(b->troubles[i].status));
        lp_json_text(&w, "error", b->troubles[i].why);
        lp_json_close(&w, '}');
    }
    lp_json_close(&w, ']');
    lp_json_close(&w, '}');
    lp_buf_putc(out, '\n');
}

/* ---- the command ---- */

/* Whether the past can be asked for, and has a place for each slot. */
static enum lp_code check_file(const struct lp_pipeline *p, struct lp_err *err)
{
    if (!p->schedule.expression)
        return lp_fail(err, LP_USAGE, "%s has no schedule, so it has no slots; add   schedule: { expression: \"cron(0 18 * * ? *)\" }", p->path);
    if (!lp_source_has_history(&p->source))
        return lp_fail(err, LP_USAGE,
                       "%s: its source answers for now, not for the past: nothing in the request says the slot. Put it there, like query: { date: "
                       "\"{slot:%%Y-%%m-%%d}\" }, or, where the source knows by itself, write source: { history: true }",
                       p->path);
    if (p->sink.file_name)
        return lp_fail(err, LP_USAGE, "%s: slots would replace each other in the one file %.200s; name a directory with --lake", p->path,
                       p->sink.to);
    return LP_OK;
}

static void announce(const struct lp_cli *c, const struct lp_backfill *b)
{
    LP_AUTO(lp_buf) text = {0};
    int64_t first = 0, last = 0;
    if (c->quiet || c->json || !b->slots) return;
    lp_range_count(&b->range, 1, &first);
    lp_range_count(&b->range, b->slots, &last);
    lp_buf_printf(&text, "%s%s%s %s %s%s", c->err.bold, b->pipeline->name, c->err.plain, c->err.dot, b->pipeline->path,
                  c->err.utf8 ? " · " : " - ");
    lp_put_count(&text, b->slots, "slot", "slots");
    lp_buf_puts(&text, b->slots > 1 ? " from " : ", ");
    put_slot(first, &text);
    if (b->slots > 1) {
        lp_buf_puts(&text, " to ");
        put_slot(last, &text);
    }
    fprintf(stderr, "%s%s\n", lp_buf_text(&text), b->range.cut ? "; what is not due yet is left out" : "");
}

static enum lp_code open_all(struct lp_cli *c, struct lp_backfill *b, struct lp_aws *aws, struct lp_err *err)
{
    LP_TRY(check_file(b->pipeline, err));
    LP_TRY(lp_range_open(&b->range, &b->pipeline->schedule, c->from, c->until, lp_clock_now_us(), err));
    b->slots = lp_range_count(&b->range, MOST_SLOTS + 1, NULL);
    if (b->slots > MOST_SLOTS) return lp_fail(err, LP_USAGE, "these are more than 20,000,000 slots; take a shorter time");
    b->past_until_us = INT64_MIN;
    return lp_store_open(b->pipeline->sink.root, &b->pipeline->sink.s3, aws, &b->store, err);
}

static int tell(struct lp_cli *c, const struct lp_backfill *b, int64_t took_ms, enum lp_code code, const struct lp_err *err)
{
    LP_AUTO(lp_buf) answer = {0}, words = {0};
    int status = exit_status(b);
    if (c->json) put_json(b, took_ms, &answer);
    if (!c->json && (!c->quiet || status)) put_summary(&c->out, b, took_ms, &answer);
    if (c->json && status) put_summary(&c->err, b, took_ms, &words);
    fputs(lp_buf_text(&words), stderr);
    status = lp_cli_print(c, &answer, status);
    return code ? lp_cli_fail(c, err) : status;
}

int lp_cmd_backfill(struct lp_cli *c)
{
    struct lp_pipeline p;
    struct lp_progress progress;
    struct lp_aws *aws = NULL;
    struct lp_err err = {0};
    LP_AUTO(lp_backfill) b = {.pipeline = &p, .aws = &c->aws, .replay_folder = c->replay, .all = c->force,
                             .at_once = c->at_once ? (size_t)c->at_once : 1, .progress = &progress};
    c->until = c->to;
    c->to = c->lake;
    int status = lp_cli_load(c, &p);
    enum lp_code code = status ? LP_OK : lp_aws_new(&c->aws, &aws, &err);
    if (!status && !code) code = open_all(c, &b, aws, &err);
    if (code) status = lp_cli_fail(c, &err);
    if (!status) {
        int64_t began_us = lp_clock_monotonic_us();
        announce(c, &b);
        lp_progress_init(&progress, c, "slots");
        code = lp_backfill_work(&b, &err);
        lp_progress_clear(&progress);
        status = tell(c, &b, (lp_clock_monotonic_us() - began_us) / 1000, code, &err);
    }
    lp_backfill_release(&b);
    b = (struct lp_backfill){0};
    lp_aws_free(aws);
    lp_pipeline_release(&p);
    return status;
}
