#include "base/clock.h"
#include "base/json.h"
#include "base/number.h"
#include "base/text.h"
#include "cli/load.h"
#include "pipeline/past.h"
#include "schedule/expression.h"

#include <stdlib.h>

#define MISSED_MOST  ((size_t)10000) /* told of one by one */
#define MISSED_SHOWN ((size_t)3)     /* of more in a row a table names the first and the last */
#define NARROW       ((size_t)56)    /* columns of a terminal that has no room for reasons */
#define GRACE_US     INT64_C(300000000) /* a slot is missed when it is that old and has no record, as on the page */

/* A line of the answer: a run, or slots in a row that the schedule names and nobody ran. */
struct line {
    const struct lp_past_run *run; /* NULL: missed */
    int64_t slot_us, first_us;     /* missed: the last and the first of them */
    size_t missed;
};
struct shown {
    struct lp_cli *c;
    const struct lp_pipeline *pipeline;
    struct lp_past past;
    struct line *lines; /* the newest first */
    size_t count;
    size_t missed;
    bool missed_more; /* there are more of them than were counted */
    size_t since;     /* due behind the newest, and not run */
};

/* ---- slots that nobody ran ---- */

struct clock {
    struct lp_expression expression;
    struct lp_zone zone;
};

static void add_missed(struct shown *s, const int64_t *slots, size_t count)
{
    bool one_by_one = s->c->json || count <= MISSED_SHOWN;
    s->missed += count;
    for (size_t i = count; one_by_one && i-- > 0;) s->lines[s->count++] = (struct line){NULL, slots[i], slots[i], 1};
    if (!one_by_one) s->lines[s->count++] = (struct line){NULL, slots[count - 1], slots[0], count};
}

/* What is due between two slots that have a record. */
static void look_between(struct shown *s, const struct clock *k, int64_t from_us, int64_t until_us, int64_t *slots)
{
    size_t count = 0;
    int64_t at = from_us;
    while (lp_expression_next(&k->expression, &k->zone, at, &at) && at < until_us) {
        if (s->missed + count == MISSED_MOST) {
            s->missed_more = true;
            break;
        }
        slots[count++] = at;
    }
    if (count) add_missed(s, slots, count);
}

static int64_t ran_us(const struct lp_past_run *r)
{
    return r->finished_us ? r->finished_us : r->started_us;
}

/* Behind the newest nothing is missed of a pipeline that was run for the past, by hand or from recorded replies. */
static void look_behind(struct shown *s, const struct clock *k)
{
    const struct lp_past_run *newest = &s->past.list[s->past.count - 1];
    int64_t at = newest->slot_us, until_us = lp_clock_now_us() - GRACE_US;
    if (!ran_us(newest) || ran_us(newest) - newest->slot_us > LP_DAY_US) return;
    while (s->since < MISSED_MOST && lp_expression_next(&k->expression, &k->zone, at, &at) && at < until_us) s->since++;
}

static enum lp_code make_lines(struct shown *s, struct lp_err *err)
{
    const struct lp_schedule *schedule = &s->pipeline->schedule;
    const struct lp_past *p = &s->past;
    struct clock k = {0};
    size_t column, width;
    int64_t *slots = calloc(MISSED_MOST, sizeof *slots);
    s->lines = calloc(p->count + MISSED_MOST, sizeof *s->lines);
    bool known = schedule->expression && !s->c->failed && slots && s->lines &&
                 !lp_expression_parse(&k.expression, schedule->expression, &column, &width, NULL) &&
                 !lp_zone_open(&k.zone, schedule->timezone, NULL);
    for (size_t i = p->count; s->lines && i-- > 0;) {
        const struct lp_past_run *run = &p->list[i];
        s->lines[s->count++] = (struct line){run, run->slot_us, run->slot_us, 0};
        if (known && i) look_between(s, &k, p->list[i - 1].slot_us, run->slot_us, slots);
    }
    if (known && s->past.count) look_behind(s, &k);
    lp_zone_release(&k.zone);
    free(slots);
    return slots && s->lines ? LP_OK : lp_nomem(err);
}

/* ---- as a table ---- */

static const char *mark_of(const struct lp_style *s, enum lp_past_status status)
{
    return status == LP_PAST_OK ? s->ok : status == LP_PAST_PARTIAL ? s->warn : s->bad;
}

static const char *colour_of(const struct lp_style *s, enum lp_past_status status)
{
    return status == LP_PAST_OK ? s->green : status == LP_PAST_PARTIAL ? s->yellow : s->red;
}

/* 2026-11-20 18:00Z */
static void put_slot(struct lp_buf *out, int64_t us)
{
    char text[LP_TIME_TEXT_BYTES];
    bool seconds = us % 60000000 != 0;
    lp_buf_put(out, text, lp_time_format(us, seconds ? "%Y-%m-%d %H:%M:%SZ" : "%Y-%m-%d %H:%MZ", text, sizeof text));
}

static void put_number(struct lp_buf *out, uint64_t n)
{
    char text[LP_NUMBER_TEXT_BYTES];
    lp_count_format(n, text);
    lp_buf_puts(out, text);
}

static void put_not_ok(const struct shown *s, enum lp_past_status status, struct lp_buf *out)
{
    const struct lp_past_run *last = NULL;
    size_t count = 0;
    for (size_t i = 0; i < s->past.count; i++) {
        if (s->past.list[i].status != status) continue;
        last = &s->past.list[i];
        count++;
    }
    if (!count) return;
    if (out->len) lp_buf_puts(out, "; ");
    if (count > 1) {
        put_number(out, count);
        lp_buf_printf(out, " %s, the last ", lp_past_status_name(status));
    } else lp_buf_printf(out, "%s ", lp_past_status_name(status));
    put_slot(out, last->slot_us);
}

static void put_count_missed(const struct shown *s, struct lp_buf *out)
{
    char count[LP_NUMBER_TEXT_BYTES];
    lp_count_format(s->missed, count);
    if (s->missed) lp_buf_printf(out, "%s%s%s missed", out->len ? "; " : "", s->missed_more ? "more than " : "", count);
    lp_count_format(s->since, count);
    if (s->since) lp_buf_printf(out, "%s%s%s missed since then", out->len ? "; " : "", s->since == MISSED_MOST ? "more than " : "", count);
}

static void put_first_line(const struct shown *s, int64_t now, struct lp_buf *out)
{
    const struct lp_style *style = &s->c->out;
    const struct lp_past_run *newest = &s->past.list[s->past.count - 1];
    LP_AUTO(lp_buf) head = {0}, notes = {0};
    size_t ok = 0;
    for (size_t i = 0; i < s->past.count; i++) ok += s->past.list[i].status == LP_PAST_OK;
    if (s->c->failed) {
        lp_put_count(&head, s->past.count, "run", "runs");
        lp_buf_puts(&head, " not ok");
    } else {
        put_number(&head, ok);
        lp_buf_puts(&head, " of ");
        lp_put_count(&head, s->past.count, "run", "runs");
        lp_buf_puts(&head, " ok");
    }
    if (ran_us(newest)) {
        lp_buf_puts(&head, ", last ");
        lp_style_put_distance(now, ran_us(newest), &head);
    }
    put_not_ok(s, LP_PAST_FAILED, &notes);
    put_not_ok(s, LP_PAST_PARTIAL, &notes);
    put_not_ok(s, LP_PAST_UNREADABLE, &notes);
    put_count_missed(s, &notes);
    bool fits = strlen(s->pipeline->name) + head.len + notes.len + 8 <= style->columns || !style->terminal;
    enum lp_past_status shown = newest->status == LP_PAST_OK && s->since ? LP_PAST_PARTIAL : newest->status;
    lp_buf_printf(out, "%s%s%s %s%s%s: %s%s", colour_of(style, shown), mark_of(style, shown), style->plain,
                  style->bold, s->pipeline->name, style->plain, lp_buf_text(&head), !notes.len ? "" : fits ? "; " : "\n  ");
    lp_text_cut(out, lp_buf_text(&notes), notes.len, fits ? notes.len : style->columns - 2);
    lp_buf_puts(out, "\n\n");
    if (head.failed || notes.failed) out->failed = LP_NOMEM;
}

enum { SLOT, STATUS, RAN, TOOK, ROWS, QUARANTINED, FAILED, RETRIES, FAILURE, COLUMNS };

static void put_run_cell(const struct shown *s, const struct lp_past_run *r, int column, int64_t now, struct lp_buf *out)
{
    char text[LP_TIME_TEXT_BYTES];
    bool known = r->status != LP_PAST_UNREADABLE;
    switch (column) {
    case SLOT:
        put_slot(out, r->slot_us);
        if (r->shards) lp_buf_printf(out, " %llu/%llu", (unsigned long long)r->shard + 1, (unsigned long long)r->shards);
        return;
    case STATUS: {
        const char *mark = mark_of(&s->c->out, r->status), *name = lp_past_status_name(r->status);
        if (strcmp(mark, name) != 0) lp_buf_printf(out, "%s ", mark); /* without UTF-8 the mark is the word */
        lp_buf_puts(out, name);
        return;
    }
    case RAN:
        if (ran_us(r)) lp_style_put_distance(now, ran_us(r), out);
        return;
    case TOOK:
        lp_duration_format(r->duration_ms, text);
        if (known) lp_buf_puts(out, text);
        return;
    case FAILURE: lp_text_put_visible(out, r->error, strlen(r->error)); return;
    default:
        if (known)
            put_number(out, column == ROWS          ? r->rows_written
                            : column == QUARANTINED ? r->rows_quarantined
                            : column == FAILED      ? r->requests_failed
                                                    : r->retries);
    }
}

static void put_missed_cell(const struct shown *s, const struct line *l, int column, struct lp_buf *out)
{
    if (column == SLOT) put_slot(out, l->slot_us);
    if (column == STATUS) lp_buf_printf(out, "%s missed", s->c->out.warn);
    if (column != FAILURE || l->missed == 1) return;
    put_number(out, l->missed);
    lp_buf_puts(out, " in a row, from ");
    put_slot(out, l->first_us);
    lp_buf_puts(out, " on");
}

/* A column in which there is nothing but zeros says nothing. */
static bool says_something(const struct shown *s, int column)
{
    if (column < QUARANTINED) return true;
    if (column == FAILURE && s->c->out.terminal && s->c->out.columns < NARROW) return false; /* how it ended comes first */
    for (size_t i = 0; i < s->count; i++) {
        const struct lp_past_run *r = s->lines[i].run;
        if (r ? (column == QUARANTINED ? r->rows_quarantined > 0
                 : column == FAILED    ? r->requests_failed > 0
                 : column == RETRIES   ? r->retries > 0
                                       : *r->error != '\0')
              : column == FAILURE && s->lines[i].missed > 1)
            return true;
    }
    return false;
}

static enum lp_code put_grid(const struct shown *s, int64_t now, struct lp_buf *out, struct lp_err *err)
{
    static const struct lp_grid_column all[COLUMNS] = {{.name = "slot"},
                                                       {.name = "status"},
                                                       {.name = "ran"},
                                                       {.name = "took", .right = true},
                                                       {.name = "rows", .right = true},
                                                       {.name = "quarantined", .right = true},
                                                       {.name = "failed", .unit = "items", .right = true},
                                                       {.name = "retries", .right = true},
                                                       {.name = "first failure", .rest = true}};
    LP_AUTO(lp_arena) arena = {.max_bytes = (size_t)256 << 20};
    struct lp_grid_column columns[COLUMNS];
    int which[COLUMNS];
    size_t width = 0;
    for (int i = 0; i < COLUMNS; i++) {
        if (!says_something(s, i)) continue;
        which[width] = i;
        columns[width++] = all[i];
    }
    char **cells = lp_arena_zalloc(&arena, s->count * width * sizeof *cells);
    const char **colours = lp_arena_zalloc(&arena, s->count * width * sizeof *colours);
    if (!cells || !colours) return lp_arena_code(&arena, err);
    for (size_t i = 0; i < s->count * width; i++) {
        const struct line *l = &s->lines[i / width];
        int column = which[i % width];
        LP_AUTO(lp_buf) text = {0};
        if (l->run) put_run_cell(s, l->run, column, now, &text);
        else put_missed_cell(s, l, column, &text);
        cells[i] = lp_arena_strdup(&arena, lp_buf_text(&text));
        if (!cells[i]) return lp_arena_code(&arena, err);
        LP_TRY(lp_buf_code(&text, "a line of the history", err));
        if (column == STATUS) colours[i] = l->run ? colour_of(&s->c->out, l->run->status) : s->c->out.yellow;
        if (column == RAN || column == TOOK) colours[i] = s->c->out.grey;
    }
    lp_grid_put_coloured(&s->c->out, columns, width, cells, colours, s->count, out);
    return LP_OK;
}

/* Of the last run that is not whole: what to do about it. */
static void put_remedy(const struct shown *s, struct lp_buf *out)
{
    const struct lp_past_run *r = NULL;
    char slot[LP_TIME_TEXT_BYTES];
    for (size_t i = 0; i < s->past.count; i++)
        if (s->past.list[i].status == LP_PAST_PARTIAL) r = &s->past.list[i];
    if (!r) return;
    lp_time_format_iso(r->slot_us, slot);
    lp_buf_printf(out, "%slambda-pipeline retry %s --slot %s", s->c->out.grey, s->c->words[0], slot);
    if (r->shards) lp_buf_printf(out, " --shard %llu/%llu", (unsigned long long)r->shard + 1, (unsigned long long)r->shards);
    if (s->c->to) lp_buf_printf(out, " --to %s", s->c->to);
    lp_buf_printf(out, "   asks again for what failed then%s\n", s->c->out.plain);
}

static void put_nothing(const struct shown *s, const struct lp_store *store, struct lp_buf *out)
{
    lp_buf_printf(out, "%s: ", s->pipeline->name);
    if (s->c->failed) lp_buf_puts(out, "no record tells of a failure in ");
    else lp_buf_puts(out, "no runs yet in ");
    store->ops->put_url(store, "_runs/", out);
    lp_buf_printf(out, "%s/\n", s->pipeline->name);
    if (s->c->failed) return;
    lp_buf_printf(out, "  lambda-pipeline run %s", s->c->words[0]);
    if (s->c->to) lp_buf_printf(out, " --to %s", s->c->to);
    lp_buf_printf(out, " makes the first%s\n", s->c->to ? "" : "; --to names another lake");
}

/* ---- as JSON ---- */

static void put_time(struct lp_json_writer *w, const char *key, int64_t us)
{
    char text[LP_TIME_TEXT_BYTES];
    lp_time_format_iso(us, text);
    lp_json_text(w, key, us ? text : NULL);
}

static void put_json_counts(struct lp_json_writer *w, const struct lp_past_run *r)
{
    lp_json_open(w, "rows", '{');
    lp_json_int(w, "read", (int64_t)r->rows_read);
    lp_json_int(w, "written", (int64_t)r->rows_written);
    lp_json_int(w, "quarantined", (int64_t)r->rows_quarantined);
    lp_json_close(w, '}');
    lp_json_open(w, "requests", '{');
    lp_json_int(w, "total", (int64_t)r->requests);
    lp_json_int(w, "ok", (int64_t)r->requests_ok);
    lp_json_int(w, "failed", (int64_t)r->requests_failed);
    lp_json_int(w, "retried", (int64_t)r->retries);
    lp_json_close(w, '}');
}

/* All objects have the same members; what nobody knows of a slot that was missed is null. */
static void put_json_line(struct lp_json_writer *w, const struct line *l, const struct lp_store *store)
{
    static const struct lp_past_run nothing = {.error = ""};
    const struct lp_past_run *r = l->run ? l->run : &nothing;
    bool known = l->run && l->run->status != LP_PAST_UNREADABLE;
    LP_AUTO(lp_buf) shard = {0}, url = {0};
    char slot[LP_TIME_TEXT_BYTES];
    lp_time_format_iso(l->slot_us, slot);
    if (r->shards) lp_buf_printf(&shard, "%llu/%llu", (unsigned long long)r->shard + 1, (unsigned long long)r->shards);
    if (l->run) store->ops->put_url(store, r->key, &url);
    lp_json_open(w, NULL, '{');
    lp_json_text(w, "slot", slot);
    lp_json_text(w, "shard", r->shards ? lp_buf_text(&shard) : NULL);
    lp_json_text(w, "status", l->run ? lp_past_status_name(r->status) : "missed");
    put_time(w, "started_at", r->started_us);
    put_time(w, "finished_at", r->finished_us);
    if (known) lp_json_int(w, "duration_ms", r->duration_ms);
    else lp_json_null(w, "duration_ms");
    if (known) {
        put_json_counts(w, r);
    } else {
        lp_json_null(w, "rows");
        lp_json_null(w, "requests");
    }
    lp_json_text(w, "error", *r->error ? r->error : NULL);
    lp_json_text(w, "record", l->run ? lp_buf_text(&url) : NULL);
    lp_json_close(w, '}');
    if (shard.failed || url.failed) w->out->failed = LP_NOMEM;
}

static void put_json(const struct shown *s, const struct lp_store *store, struct lp_buf *out)
{
    struct lp_json_writer w = {.out = out};
    lp_json_open(&w, NULL, '[');
    for (size_t i = 0; i < s->count; i++) put_json_line(&w, &s->lines[i], store);
    lp_json_close(&w, ']');
    lp_buf_putc(out, '\n');
}

/* ---- the command ---- */

static enum lp_code show(struct shown *s, struct lp_aws *aws, struct lp_buf *out, struct lp_err *err)
{
    const struct lp_pipeline *p = s->pipeline;
    const struct lp_past_wanted wanted = {.from_us = INT64_MIN,
                                          .until_us = INT64_MAX,
                                          .last = (size_t)s->c->last,
                                          .failed_only = s->c->failed};
    struct lp_store *store = NULL;
    LP_TRY(lp_store_open(p->sink.root, &p->sink.s3, aws, &store, err));
    enum lp_code code = lp_past_read(store, p->name, &wanted, &s->past, err);
    if (!code) code = make_lines(s, err);
    if (!code && s->c->json) {
        put_json(s, store, out);
    } else if (!code && !s->count) {
        put_nothing(s, store, out);
    } else if (!code) {
        int64_t now = lp_clock_now_us();
        put_first_line(s, now, out);
        code = put_grid(s, now, out, err);
        if (s->past.more)
            lp_buf_printf(out, "%s%s and older ones; --last %zu shows more%s\n", s->c->out.grey, s->c->out.more,
                          (size_t)s->c->last * 2, s->c->out.plain);
        put_remedy(s, out);
    }
    lp_store_free(store);
    return code;
}

int lp_cmd_runs(struct lp_cli *c)
{
    struct lp_pipeline p;
    struct shown s = {.c = c, .pipeline = &p};
    struct lp_err err;
    struct lp_aws *aws = NULL;
    LP_AUTO(lp_buf) out = {0};
    int status = lp_cli_load(c, &p);
    if (!status && lp_aws_new(&c->aws, &aws, &err)) status = lp_cli_fail(c, &err);
    if (!status) status = show(&s, aws, &out, &err) ? lp_cli_fail(c, &err) : lp_cli_print(c, &out, 0);
    free(s.lines);
    lp_past_release(&s.past);
    lp_aws_free(aws);
    lp_pipeline_release(&p);
    return status;
}
