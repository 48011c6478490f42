#include "page/page.h"

#include "base/clock.h"
#include "base/number.h"
#include "page/chart.h"
#include "page/page_text.h"

#define REFRESH_S   60
#define TITLED_MOST 100 /* past so many pipelines their bars have no titles of their own */

static void put_part(struct lp_buf *out, bool *more, size_t count, const char *text)
{
    if (!count) return;
    lp_buf_printf(out, "%s%zu %s", *more ? ", " : "", count, text);
    *more = true;
}

/* "3 pipelines, all well", or what is not. */
static void put_headline(const struct lp_board *b, struct lp_buf *out)
{
    size_t counts[LP_MOOD_FAULT + 1] = {0};
    for (size_t i = 0; i < b->count; i++) counts[lp_page_mood(&b->list[i])]++;
    size_t bad = counts[LP_MOOD_FAULT] + counts[LP_MOOD_FAILED] + counts[LP_MOOD_PARTIAL] + counts[LP_MOOD_MISSED];
    if (!b->count) {
        lp_buf_puts(out, "No pipeline is served");
        return;
    }
    lp_page_put_count(out, b->count, "pipeline", "pipelines");
    if (!bad) {
        lp_buf_puts(out, b->count == 1 ? ", well" : ", all well");
        return;
    }
    bool more = false;
    lp_buf_puts(out, ": ");
    put_part(out, &more, counts[LP_MOOD_FAULT], "with a fault");
    put_part(out, &more, counts[LP_MOOD_FAILED], "failed");
    put_part(out, &more, counts[LP_MOOD_PARTIAL], "partial");
    put_part(out, &more, counts[LP_MOOD_MISSED], "missed a slot");
    put_part(out, &more, b->count - bad, "well");
}

/* What holds for all of them. */
static void put_service(const struct lp_board *b, struct lp_buf *out)
{
    if (b->stopping) {
        lp_buf_puts(out, "<p class=\"note\">The service is stopping");
        if (b->at_work) {
            lp_buf_puts(out, "; it waits for ");
            lp_page_put_count(out, b->at_work, "run", "runs");
        }
        lp_buf_puts(out, ".</p>\n");
    } else if (b->standing_by) {
        lp_buf_puts(out, "<p class=\"note\">Standing by: another service runs these pipelines. Should it go away, this one takes "
                         "over within a minute.</p>\n");
    } else if (!b->ready) {
        lp_buf_puts(out, "<p class=\"note\">The service is starting; nothing is run yet.</p>\n");
    } else if (b->at_work) {
        lp_buf_puts(out, "<p class=\"soft\">");
        lp_page_put_count(out, b->at_work, "run", "runs");
        lp_buf_puts(out, " at work");
        if (b->at_once) lp_buf_printf(out, ", %zu at most", b->at_once);
        lp_buf_puts(out, ".</p>\n");
    }
}

static void put_never(const struct lp_board_pipeline *p, int64_t now_us, struct lp_buf *out)
{
    if (!p->words || p->next_us == INT64_MAX) {
        lp_buf_puts(out, "No run yet; start one with <code>lambda-pipeline run ");
        lp_html_puts(out, p->path ? p->path : "FILE");
        lp_buf_puts(out, "</code>");
        return;
    }
    lp_buf_puts(out, "No run yet; the first is due ");
    if (p->next_us <= now_us) lp_buf_puts(out, "now");
    else lp_page_put_away(out, p->next_us, now_us);
}

static void put_rows_caption(const struct lp_board_pipeline *p, struct lp_buf *out)
{
    for (size_t i = p->bar_count; i-- > 0;) {
        const struct lp_bar *bar = &p->bars[i];
        if (bar->state == LP_BAR_MISSED) continue;
        lp_page_put_count(out, bar->rows, "row", "rows");
        return;
    }
    lp_buf_puts(out, "no rows");
}

static void put_figures(const struct lp_board_pipeline *p, bool titles, struct lp_buf *out)
{
    lp_buf_puts(out, "<figure class=\"figure\">");
    lp_chart_put_strip(p->bars, p->bar_count, titles, out);
    lp_buf_puts(out, "<figcaption>");
    if (p->last_duration_ms >= 0) {
        lp_buf_puts(out, "took ");
        lp_page_put_duration(out, p->last_duration_ms);
    } else {
        lp_chart_put_summary(p->bars, p->bar_count, out);
    }
    lp_buf_puts(out, "</figcaption></figure>\n<figure class=\"figure\">");
    lp_chart_put_sparkline(p->bars, p->bar_count, out);
    lp_buf_puts(out, "<figcaption>");
    put_rows_caption(p, out);
    lp_buf_puts(out, "</figcaption></figure>\n");
}

/* With the way to its own page. A file that was never read has its path for a name, and no page. */
static void put_name(const char *name, struct lp_buf *out)
{
    bool leads = !strchr(name, '/');
    if (leads) {
        lp_buf_puts(out, "<a href=\"/pipelines/");
        lp_html_puts(out, name);
        lp_buf_puts(out, "\">");
    }
    lp_html_puts(out, name);
    if (leads) lp_buf_puts(out, "</a>");
}

/* To the record of the run that the error is of: the last one. */
static void put_record_link(const struct lp_board_pipeline *p, struct lp_buf *out)
{
    char slot[LP_TIME_TEXT_BYTES];
    for (size_t i = p->bar_count; i-- > 0;) {
        if (p->bars[i].state == LP_BAR_MISSED) continue;
        if (p->bars[i].state == LP_BAR_OK) return;
        lp_time_format_slot(p->bars[i].slot_us, slot);
        lp_buf_puts(out, " · <a href=\"/pipelines/");
        lp_html_puts(out, p->name);
        lp_buf_printf(out, "/runs/%s\">record</a>", slot);
        return;
    }
}

static void put_pipeline(const struct lp_board *b, const struct lp_board_pipeline *p, struct lp_buf *out)
{
    enum lp_mood mood = lp_page_mood(p);
    static const char *const classes[] = {"ok", "partial", "failed", "running", "missed", "never", "fault"};
    lp_buf_puts(out, "<li>\n<div class=\"what\">\n<h2>");
    put_name(p->name, out);
    lp_buf_printf(out, "</h2>\n<p><span class=\"state is-%s\">", classes[mood]);
    lp_mood_put_mark(mood, out);
    lp_buf_printf(out, "%s</span> <span class=\"soft\">· ", lp_mood_word(mood));
    lp_page_put_next(p, b->now_us, out);
    lp_buf_puts(out, "</span></p>\n</div>\n");
    if (p->bar_count) {
        put_figures(p, b->count <= TITLED_MOST, out);
    } else if (!p->fault) {
        lp_buf_puts(out, "<p class=\"last soft\">");
        put_never(p, b->now_us, out);
        lp_buf_puts(out, ".</p>\n");
    }
    const char *what = p->fault ? p->fault : p->last_error;
    if (what && *what) {
        lp_buf_puts(out, mood == LP_MOOD_FAILED || mood == LP_MOOD_FAULT ? "<p class=\"last error\">" : "<p class=\"last warn\">");
        lp_html_put_cut(out, what, 600);
        if (!p->fault) put_record_link(p, out);
        lp_buf_puts(out, "</p>\n");
    }
    lp_buf_puts(out, "</li>\n");
}

void lp_page_put_front(const struct lp_board *b, struct lp_buf *out)
{
    LP_AUTO(lp_buf) headline = {0};
    put_headline(b, &headline);
    lp_page_begin(out, lp_buf_text(&headline), REFRESH_S);
    lp_buf_puts(out, "<main>\n<h1>");
    lp_buf_puts(out, lp_buf_text(&headline)); /* our own words */
    lp_buf_puts(out, "</h1>\n");
    put_service(b, out);
    if (b->count) {
        lp_buf_puts(out, "<ul class=\"pipelines\">\n");
        for (size_t i = 0; i < b->count; i++) put_pipeline(b, &b->list[i], out);
        lp_buf_puts(out, "</ul>\n");
    } else {
        lp_buf_puts(out, "<p>Put a pipeline file into the folder that is served; it appears here within a minute. "
                         "<code>examples/weather/weather.yaml</code> is one to begin with.</p>\n");
    }
    lp_buf_puts(out, "</main>\n");
    lp_page_end(out, b);
}

void lp_page_put_error(unsigned status, const char *sentence, struct lp_buf *out)
{
    const char *title = status == 404   ? "There is no such page"
                        : status == 503 ? "Not at this moment"
                        : status == 504 ? "That took too long"
                        : status >= 500 ? "That did not work"
                                        : "That cannot be answered";
    lp_page_begin(out, title, 0);
    lp_buf_puts(out, "<main>\n<p class=\"back\"><a href=\"/\">All pipelines</a></p>\n<h1>");
    lp_buf_puts(out, title);
    lp_buf_puts(out, "</h1>\n<p>");
    lp_html_put_cut(out, sentence, 2000);
    lp_buf_puts(out, "</p>\n</main>\n");
    lp_page_end(out, NULL);
}
