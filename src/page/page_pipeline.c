#include "page/page.h"

#include "base/clock.h"
#include "base/number.h"
#include "pipeline/past.h"
#include "schedule/expression.h"
#include "page/chart.h"
#include "page/page_bars.h"
#include "page/page_data.h"
#include "page/page_text.h"

#include <stdio.h>

#define RUNS_LISTED     12
#define FAILURES_LISTED 10
#define FIRES_LISTED    5
#define GRACE_US        INT64_C(300000000) /* a slot is missed when it is that old and has no record */
#define ERROR_BYTES     400

/* What all sections are written from. */
struct view {
    const struct lp_page_request *q;
    const struct lp_board *board;
    const struct lp_board_pipeline *shown;
    const struct lp_pipeline *pipeline; /* NULL: it cannot be read */
    struct lp_store *store;             /* NULL: the lake cannot be reached */
    struct lp_past past;
    struct lp_bar bars[LP_PAGE_BARS];
    size_t bar_count;
    struct lp_err err; /* why one of these is not there */
};

/* ---- what is known ---- */

static enum lp_code look_up(struct view *v, struct lp_err *err)
{
    struct lp_past_wanted wanted = {INT64_MIN, INT64_MAX, LP_PAGE_BARS, .whole_only = true};
    LP_TRY(v->q->lake->open(v->q->lake->who, v->q->index, &v->pipeline, &v->store, err));
    LP_TRY(lp_past_read(v->store, v->pipeline->name, &wanted, &v->past, err));
    if (v->past.count) return LP_OK;
    wanted.whole_only = false; /* shards that nobody has merged */
    return lp_past_read(v->store, v->pipeline->name, &wanted, &v->past, err);
}

static void choose_bars(struct view *v)
{
    int64_t until_us = v->board->now_us - GRACE_US;
    if (v->shown->running_us != INT64_MIN && v->shown->running_us < until_us) until_us = v->shown->running_us;
    if (v->shown->waiting || v->board->stopping) until_us = INT64_MIN;
    if (v->past.count) v->bar_count = lp_page_bars(&v->past, &v->pipeline->schedule, until_us, v->bars);
    if (v->bar_count) return;
    v->bar_count = v->shown->bar_count;
    memcpy(v->bars, v->shown->bars, v->bar_count * sizeof *v->bars);
}

/* ---- the sections ---- */

static void put_head(const struct view *v, struct lp_buf *out)
{
    static const char *const classes[] = {"ok", "partial", "failed", "running", "missed", "never", "fault"};
    enum lp_mood mood = lp_page_mood(v->shown);
    lp_buf_puts(out, "<p class=\"back\"><a href=\"/\">All pipelines</a></p>\n<h1>");
    lp_html_puts(out, v->shown->name);
    lp_buf_puts(out, "</h1>\n");
    if (v->pipeline && v->pipeline->description) {
        lp_buf_puts(out, "<p>");
        lp_html_put_cut(out, v->pipeline->description, 500);
        lp_buf_puts(out, "</p>\n");
    }
    lp_buf_printf(out, "<p><span class=\"state is-%s\">", classes[mood]);
    lp_mood_put_mark(mood, out);
    lp_buf_printf(out, "%s</span> <span class=\"soft\">· ", lp_mood_word(mood));
    lp_page_put_next(v->shown, v->board->now_us, out);
    if (v->shown->words) {
        lp_buf_puts(out, " · ");
        lp_html_puts(out, v->shown->words);
    }
    lp_buf_puts(out, "</span></p>\n");
    if (v->shown->fault) {
        lp_buf_puts(out, "<p class=\"note bad\">");
        lp_html_put_cut(out, v->shown->fault, 2000);
        lp_buf_puts(out, "</p>\n");
    }
    if (*v->shown->last_error && !v->shown->fault) {
        lp_buf_puts(out, mood == LP_MOOD_FAILED ? "<p class=\"note bad\">" : "<p class=\"note\">");
        lp_html_put_cut(out, v->shown->last_error, 600);
        lp_buf_puts(out, "</p>\n");
    }
    if (*v->err.text && (!v->shown->fault || strcmp(v->shown->fault, v->err.text) != 0)) {
        lp_buf_puts(out, v->pipeline ? "<p class=\"note bad\">The lake cannot be read: " : "<p class=\"note bad\">The file cannot be read: ");
        lp_html_put_cut(out, v->err.text, 1000);
        lp_buf_puts(out, "</p>\n");
    }
}

static void put_strip(const struct view *v, struct lp_buf *out)
{
    char href[300];
    uint64_t rows = 0;
    if (!v->bar_count) {
        lp_buf_puts(out, "<h2>Runs</h2>\n<p class=\"soft\">No run yet");
        if (v->shown->words && v->shown->next_us != INT64_MAX) {
            lp_buf_puts(out, "; the first is due ");
            if (v->shown->next_us > v->board->now_us) lp_page_put_away(out, v->shown->next_us, v->board->now_us);
            else lp_buf_puts(out, "now");
        } else {
            lp_buf_puts(out, "; <code>lambda-pipeline run ");
            lp_html_puts(out, v->shown->path ? v->shown->path : "FILE");
            lp_buf_puts(out, "</code> starts one");
        }
        lp_buf_puts(out, ".</p>\n");
        return;
    }
    snprintf(href, sizeof href, "/pipelines/%s/runs", v->shown->name);
    lp_buf_printf(out, "<h2>The last %zu slots <span class=\"soft\">", v->bar_count);
    lp_chart_put_summary(v->bars, v->bar_count, out);
    lp_buf_puts(out, "</span></h2>\n");
    lp_chart_put_durations(v->bars, v->bar_count, href, out);
    for (size_t i = 0; i < v->bar_count; i++) rows += v->bars[i].rows + (uint64_t)v->bars[i].quarantined;
    if (!rows) return;
    lp_buf_puts(out, "<h2>Rows of each run</h2>\n");
    lp_chart_put_rows(v->bars, v->bar_count, out);
}

/* /pipelines/NAME/KIND/SLOT with what a shard has behind it. */
static void put_href(const struct view *v, const char *kind, const struct lp_past_run *r, struct lp_buf *out)
{
    char slot[LP_TIME_TEXT_BYTES];
    lp_time_format_slot(r->slot_us, slot);
    lp_buf_puts(out, "/pipelines/");
    lp_html_puts(out, v->shown->name);
    lp_buf_printf(out, "/%s/%s", kind, slot);
    if (r->shards) lp_buf_printf(out, "-%lluof%llu", (unsigned long long)r->shard + 1, (unsigned long long)r->shards);
}

static void put_slot_link(const struct view *v, const struct lp_past_run *r, struct lp_buf *out)
{
    lp_buf_puts(out, "<a href=\"");
    put_href(v, "runs", r, out);
    lp_buf_puts(out, "\">");
    lp_page_put_time(out, r->slot_us);
    if (r->shards) lp_buf_printf(out, " %llu/%llu", (unsigned long long)r->shard + 1, (unsigned long long)r->shards);
    lp_buf_puts(out, "</a>");
}

static void put_status(enum lp_past_status s, struct lp_buf *out)
{
    enum lp_mood mood = s == LP_PAST_OK ? LP_MOOD_OK : s == LP_PAST_PARTIAL ? LP_MOOD_PARTIAL : LP_MOOD_FAILED;
    lp_buf_printf(out, "<span class=\"state is-%s\">", lp_mood_word(mood));
    lp_mood_put_mark(mood, out);
    lp_buf_printf(out, "%s</span>", lp_past_status_name(s));
}

static void put_number_cell(uint64_t n, struct lp_buf *out)
{
    char text[LP_NUMBER_TEXT_BYTES];
    lp_count_format(n, text);
    lp_buf_printf(out, "<td class=\"n\">%s</td>", text);
}

static void put_runs(const struct view *v, struct lp_buf *out)
{
    size_t count = 0;
    if (!v->past.count) return;
    lp_buf_puts(out, "<h2>Latest runs</h2>\n<div class=\"wide\" role=\"region\" aria-label=\"Latest runs\" tabindex=\"0\">\n<table>\n"
                     "<thead><tr><th scope=\"col\">slot</th><th scope=\"col\">status</th><th scope=\"col\" class=\"n\">took</th>"
                     "<th scope=\"col\" class=\"n\">rows</th><th scope=\"col\" class=\"n\">quarantined</th>"
                     "<th scope=\"col\" class=\"n\">requests failed</th><th scope=\"col\" class=\"n\">retries</th></tr></thead>\n"
                     "<tbody>\n");
    for (size_t i = v->past.count; i-- > 0 && count < RUNS_LISTED; count++) {
        const struct lp_past_run *r = &v->past.list[i];
        lp_buf_puts(out, "<tr><th scope=\"row\">");
        put_slot_link(v, r, out);
        lp_buf_puts(out, "</th><td>");
        put_status(r->status, out);
        lp_buf_puts(out, "</td><td class=\"n\">");
        lp_page_put_duration(out, r->duration_ms);
        lp_buf_puts(out, "</td>");
        put_number_cell(r->rows_written, out);
        put_number_cell(r->rows_quarantined, out);
        put_number_cell(r->requests_failed, out);
        put_number_cell(r->retries, out);
        lp_buf_puts(out, "</tr>\n");
    }
    lp_buf_puts(out, "</tbody>\n</table>\n</div>\n");
}

static void put_failures(const struct view *v, struct lp_buf *out)
{
    size_t bad = 0, listed = 0;
    for (size_t i = 0; i < v->past.count; i++) bad += v->past.list[i].status != LP_PAST_OK;
    if (!v->past.count) return;
    lp_buf_puts(out, "<h2>Failures</h2>\n");
    if (!bad) {
        lp_buf_puts(out, v->past.count == 1 ? "<p class=\"soft\">The one run there was went well.</p>\n"
                                            : "<p class=\"soft\">None of these runs failed.</p>\n");
        return;
    }
    lp_buf_puts(out, "<ul class=\"rows\">\n");
    for (size_t i = v->past.count; i-- > 0 && listed < FAILURES_LISTED;) {
        const struct lp_past_run *r = &v->past.list[i];
        if (r->status == LP_PAST_OK) continue;
        listed++;
        lp_buf_puts(out, "<li><p>");
        put_status(r->status, out);
        lp_buf_puts(out, " ");
        put_slot_link(v, r, out);
        if (r->requests_failed && r->requests) {
            lp_buf_printf(out, " <span class=\"soft\">%llu of ", (unsigned long long)r->requests_failed);
            lp_page_put_count(out, r->requests, "request", "requests");
            lp_buf_puts(out, "</span>");
        }
        lp_buf_puts(out, "</p><p>");
        lp_html_put_cut(out, r->error && *r->error ? r->error : "The record gives no reason.", ERROR_BYTES);
        lp_buf_puts(out, "</p></li>\n");
    }
    lp_buf_puts(out, "</ul>\n");
    if (listed < bad) lp_buf_printf(out, "<p class=\"soft\">… and %zu before these.</p>\n", bad - listed);
}

static void put_quarantine(const struct view *v, struct lp_buf *out)
{
    size_t listed = 0;
    for (size_t i = v->past.count; i-- > 0 && listed < FAILURES_LISTED;) {
        const struct lp_past_run *r = &v->past.list[i];
        if (!r->rows_quarantined) continue;
        if (!listed++) lp_buf_puts(out, "<h2>Quarantined rows</h2>\n<ul class=\"rows\">\n");
        lp_buf_puts(out, "<li><a href=\"");
        put_href(v, "quarantine", r, out);
        lp_buf_puts(out, "\">");
        lp_page_put_time(out, r->slot_us);
        lp_buf_puts(out, "</a> ");
        lp_page_put_count(out, r->rows_quarantined, "row", "rows");
        lp_buf_puts(out, ", with reasons</li>\n");
    }
    if (listed) lp_buf_puts(out, "</ul>\n");
    else if (v->past.count) lp_buf_puts(out, "<h2>Quarantined rows</h2>\n<p class=\"soft\">None of these runs had to set a row aside.</p>\n");
}

/* Local time as the zone's clocks show it, and UTC. */
static void put_fires(const struct lp_schedule *s, int64_t after_us, struct lp_buf *out)
{
    struct lp_expression e;
    struct lp_zone zone = {0};
    size_t column, width, count = 0;
    int64_t at_us = after_us;
    if (lp_expression_parse(&e, s->expression, &column, &width, NULL) || lp_zone_open(&zone, s->timezone, NULL)) return;
    bool utc = !zone.count;
    for (; count < FIRES_LISTED && lp_expression_next(&e, &zone, at_us, &at_us); count++) {
        char text[LP_TIME_TEXT_BYTES];
        if (!count) {
            lp_buf_puts(out, "<div class=\"wide\" role=\"region\" aria-label=\"Next slots\" tabindex=\"0\">\n<table>\n<thead><tr>"
                             "<th scope=\"col\">next</th>");
            if (!utc) lp_buf_puts(out, "<th scope=\"col\">local time</th>");
            lp_buf_puts(out, "<th scope=\"col\">UTC</th></tr></thead>\n<tbody>\n");
        }
        lp_buf_puts(out, "<tr><td>");
        lp_page_put_away(out, at_us, after_us);
        lp_buf_puts(out, "</td><td>");
        if (!utc) {
            int64_t local_us = at_us + (int64_t)lp_zone_offset(&zone, at_us / 1000000) * 1000000;
            lp_buf_put(out, text, lp_time_format(local_us, "%a %Y-%m-%d %H:%M", text, sizeof text));
            lp_buf_puts(out, "</td><td>");
        }
        lp_page_put_time(out, at_us);
        lp_buf_puts(out, "</td></tr>\n");
    }
    lp_zone_release(&zone);
    lp_buf_puts(out, count ? "</tbody>\n</table>\n</div>\n" : "<p class=\"soft\">It is not due any more.</p>\n");
}

static void put_schedule(const struct view *v, struct lp_buf *out)
{
    static const char *const overlaps[] = {"is skipped", "waits for its turn", "runs beside it"};
    lp_buf_puts(out, "<h2>Schedule</h2>\n");
    if (!v->pipeline || !v->pipeline->schedule.expression) {
        if (v->shown->words) {
            lp_buf_puts(out, "<p>");
            lp_html_puts(out, v->shown->words);
            lp_buf_puts(out, ".</p>\n");
        } else {
            lp_buf_puts(out, "<p class=\"soft\">None; <code>schedule: { expression: \"cron(0 18 * * ? *)\" }</code> in the "
                             "pipeline file gives it one.</p>\n");
        }
        return;
    }
    const struct lp_schedule *s = &v->pipeline->schedule;
    lp_buf_puts(out, "<p>Runs ");
    lp_html_puts(out, v->shown->words ? v->shown->words : "");
    lp_buf_puts(out, ". <code>");
    lp_html_puts(out, s->expression);
    lp_buf_puts(out, "</code> in <code>");
    lp_html_puts(out, s->timezone ? s->timezone : "UTC");
    lp_buf_printf(out, "</code>; a slot that is due while a run is at work %s.</p>\n", overlaps[s->overlap]);
    put_fires(s, v->board->now_us, out);
}

static void put_place(const struct view *v, struct lp_buf *out)
{
    const struct lp_pipeline *p = v->pipeline;
    lp_buf_puts(out, "<h2>Where it lies</h2>\n<dl>\n<dt>file</dt><dd><code>");
    lp_html_puts(out, v->shown->path ? v->shown->path : "");
    lp_buf_puts(out, "</code></dd>\n");
    if (p) {
        lp_buf_puts(out, "<dt>lake</dt><dd><code>");
        lp_html_puts(out, p->sink.root ? p->sink.root : "");
        lp_buf_puts(out, "</code></dd>\n<dt>table</dt><dd><code>");
        lp_html_puts(out, p->sink.catalog.table);
        lp_buf_puts(out, "</code>, ");
        lp_buf_puts(out, p->sink.format == LP_FORMAT_PARQUET ? "Parquet" : "CSV");
        for (size_t i = 0; i < p->sink.partitions.count; i++) {
            lp_buf_puts(out, i ? ", " : ", by ");
            lp_html_puts(out, p->sink.partitions.list[i].name);
        }
        lp_buf_puts(out, "</dd>\n<dt>SQL</dt><dd><code>lambda-pipeline query ");
        lp_html_puts(out, v->shown->path ? v->shown->path : "");
        lp_buf_puts(out, " &quot;select * from ");
        lp_html_puts(out, p->sink.catalog.table);
        lp_buf_puts(out, " limit 20&quot;</code></dd>\n");
    }
    lp_buf_puts(out, "</dl>\n");
}

enum lp_code lp_page_put_pipeline(const struct lp_page_request *q, struct lp_buf *out, struct lp_err *err)
{
    struct view v = {.q = q, .board = q->board, .shown = &q->board->list[q->index]};
    enum lp_code code = look_up(&v, &v.err);
    if (code == LP_NOMEM) return lp_nomem(err);
    if (code && !*v.err.text) (void)!lp_fail(&v.err, code, "it has faults; lambda-pipeline check tells them");
    choose_bars(&v);
    lp_page_begin(out, v.shown->name, 0);
    lp_buf_puts(out, "<main>\n");
    put_head(&v, out);
    put_strip(&v, out);
    if (!code) lp_page_put_data(q, v.pipeline, v.store, &v.past, out);
    put_runs(&v, out);
    put_failures(&v, out);
    put_quarantine(&v, out);
    put_schedule(&v, out);
    put_place(&v, out);
    lp_buf_puts(out, "</main>\n");
    lp_page_end(out, q->board);
    lp_past_release(&v.past);
    return lp_buf_code(out, "the page", err);
}
