#include "page/chart.h"

#include "base/clock.h"
#include "base/number.h"
#include "page/page_text.h"

#include <stdio.h>
#include <stdlib.h>

static const char *const state_names[] = {"ok", "partial", "failed", "missed"};

/* Where bars stand, in the drawing's own units. */
struct ground {
    double pitch, width, base, tall, least, lane; /* least: the shortest bar; lane: above the bars, for a cross */
};

static void put_bar_title(const struct lp_bar *b, struct lp_buf *out)
{
    lp_buf_puts(out, "<title>");
    lp_page_put_instant(out, b->slot_us);
    lp_buf_printf(out, ": %s", state_names[b->state]);
    if (b->state != LP_BAR_MISSED) {
        lp_buf_puts(out, ", ");
        lp_page_put_duration(out, b->duration_ms);
        lp_buf_puts(out, ", ");
        lp_page_put_count(out, b->rows, "row", "rows");
    }
    if (b->quarantined) lp_buf_printf(out, ", %u quarantined", b->quarantined);
    if (b->failed) lp_buf_printf(out, ", %u failed", b->failed);
    lp_buf_puts(out, "</title>");
}

/* A solid bar; one whose upper part is hollow; one under a cross; a dashed outline: told apart without colours too. */
static void put_bar(const struct ground *g, size_t index, const struct lp_bar *b, double most_ms, struct lp_buf *out)
{
    double x = (double)index * g->pitch + (g->pitch - g->width) / 2, height = g->tall * b->duration_ms / most_ms;
    if (height < g->least) height = g->least;
    double top = g->base - height, half = height * 0.55, lane = g->base - g->tall;
    switch (b->state) {
    case LP_BAR_PARTIAL:
        lp_buf_printf(out, "<path class=\"bar partial\" d=\"M%.1f %.1fh%.1fv%.1fh-%.1fz\"/>", x, g->base - half, g->width, half,
                      g->width);
        lp_buf_printf(out, "<path class=\"hollow partial\" d=\"M%.1f %.1fv-%.1fh%.1fv%.1f\"/>", x + 0.5, g->base - half,
                      height - half, g->width - 1, height - half);
        break;
    case LP_BAR_FAILED:
        lp_buf_printf(out, "<path class=\"bar failed\" d=\"M%.1f %.1fh%.1fV%.1fh-%.1fz\"/>", x, top, g->width, g->base, g->width);
        lp_buf_printf(out, "<path class=\"cross\" d=\"M%.1f %.1fl%.1f %.1fm0 -%.1fl-%.1f %.1f\"/>", x, lane - g->lane, g->width,
                      g->lane * 0.75, g->lane * 0.75, g->width, g->lane * 0.75);
        break;
    case LP_BAR_MISSED:
        lp_buf_printf(out, "<path class=\"hollow missed\" d=\"M%.1f %.1fv-%.1fh%.1fv%.1f\"/>", x + 0.5, g->base, g->tall / 3,
                      g->width - 1, g->tall / 3);
        break;
    default:
        lp_buf_printf(out, "<path class=\"bar ok\" d=\"M%.1f %.1fh%.1fV%.1fh-%.1fz\"/>", x, top, g->width, g->base, g->width);
    }
}

/* A round duration that is no shorter, and whose half is round too. */
static double round_up_ms(double ms)
{
    static const double steps[] = {1, 1.2, 1.6, 2, 3, 4, 6, 8};
    double unit = ms > 3600000 ? 3600000 : ms > 60000 ? 60000 : ms > 1000 ? 1000 : 1;
    if (ms <= 10) return ms <= 2 ? 2 : ms <= 4 ? 4 : ms <= 6 ? 6 : ms <= 8 ? 8 : 10;
    for (double power = 1;; power *= 10)
        for (size_t i = 0; i < LP_COUNT(steps); i++)
            if (steps[i] * power * unit >= ms) return steps[i] * power * unit;
}

static double longest_ms(const struct lp_bar *bars, size_t count)
{
    uint32_t most = 1;
    for (size_t i = 0; i < count; i++)
        if (bars[i].state != LP_BAR_MISSED && bars[i].duration_ms > most) most = bars[i].duration_ms;
    return most;
}

void lp_chart_put_summary(const struct lp_bar *bars, size_t count, struct lp_buf *out)
{
    size_t counts[4] = {0};
    bool more = false;
    for (size_t i = 0; i < count; i++) counts[bars[i].state]++;
    for (size_t i = 0; i < LP_COUNT(counts); i++) {
        if (!counts[i]) continue;
        lp_buf_printf(out, "%s%zu %s", more ? ", " : "", counts[i], state_names[i]);
        more = true;
    }
}

void lp_chart_put_strip(const struct lp_bar *bars, size_t count, bool titles, struct lp_buf *out)
{
    static const struct ground g = {.pitch = 6, .width = 4, .base = 31, .tall = 22, .least = 2, .lane = 7};
    double most_ms = longest_ms(bars, count);
    size_t empty = LP_BOARD_BARS - count;
    lp_buf_puts(out, "<svg class=\"strip\" viewBox=\"0 0 180 32\" width=\"180\" height=\"32\" role=\"img\" aria-label=\"Last runs: ");
    lp_chart_put_summary(bars, count, out);
    lp_buf_puts(out, "\"><path class=\"ground\" d=\"M0 31.5h180\"/>");
    for (size_t i = 0; i < count; i++) {
        if (titles) lp_buf_puts(out, "<g>");
        if (titles) put_bar_title(&bars[i], out);
        put_bar(&g, empty + i, &bars[i], most_ms, out);
        if (titles) {
            lp_buf_printf(out, "<path class=\"hit\" d=\"M%zu 0h6v32h-6z\"/></g>", (empty + i) * 6);
        }
    }
    lp_buf_puts(out, "</svg>");
}

void lp_chart_put_sparkline(const struct lp_bar *bars, size_t count, struct lp_buf *out)
{
    uint32_t most = 1;
    bool begun = false;
    double x = 0, y = 0;
    for (size_t i = 0; i < count; i++) most = bars[i].rows > most ? bars[i].rows : most;
    lp_buf_puts(out, "<svg class=\"spark\" viewBox=\"0 0 96 32\" width=\"96\" height=\"32\" aria-hidden=\"true\"><path class=\"line\" d=\"");
    for (size_t i = 0; i < count; i++) {
        if (bars[i].state == LP_BAR_MISSED) continue;
        x = 3 + 90.0 * (double)(LP_BOARD_BARS - count + i) / (LP_BOARD_BARS - 1);
        y = 29 - 24.0 * bars[i].rows / most;
        lp_buf_printf(out, "%c%.1f %.1f", begun ? 'L' : 'M', x, y);
        begun = true;
    }
    lp_buf_puts(out, begun ? "\"/>" : "M0 0\"/>");
    if (begun) lp_buf_printf(out, "<path class=\"dot\" d=\"M%.1f %.1fh.01\"/>", x, y);
    lp_buf_puts(out, "</svg>");
}

/* ---- the large ones ---- */

static void put_day(struct lp_buf *out, int64_t us, int64_t range_us)
{
    char text[LP_TIME_TEXT_BYTES];
    const char *format = range_us < 2 * LP_DAY_US ? "%m-%d %H:%MZ" : "%Y-%m-%d";
    lp_buf_put(out, text, lp_time_format(us, format, text, sizeof text));
}

/* Labels stand in HTML beside the drawing, so that they keep their size however wide it is. */
static void open_plot(const char *kind, const char *const *labels, size_t label_count, struct lp_buf *out)
{
    lp_buf_printf(out, "<div class=\"plot %s\">\n<div class=\"y\" aria-hidden=\"true\">", kind);
    for (size_t i = label_count; i-- > 0;) lp_buf_printf(out, "<span>%s</span>", labels[i]);
    lp_buf_puts(out, "</div>\n");
}

static void close_plot(int64_t first_us, int64_t middle_us, int64_t last_us, struct lp_buf *out)
{
    int64_t range_us = last_us - first_us;
    lp_buf_puts(out, "\n<div class=\"x\" aria-hidden=\"true\"><span>");
    put_day(out, first_us, range_us);
    if (middle_us > first_us && middle_us < last_us) {
        lp_buf_puts(out, "</span><span>");
        put_day(out, middle_us, range_us);
    }
    lp_buf_puts(out, "</span><span>");
    if (last_us > first_us) put_day(out, last_us, range_us);
    lp_buf_puts(out, "</span></div>\n</div>\n");
}

static void open_svg(double width, struct lp_buf *out)
{
    lp_buf_printf(out, "<svg viewBox=\"0 0 %.0f 100\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"", width);
}

void lp_chart_put_durations(const struct lp_bar *bars, size_t count, const char *href, struct lp_buf *out)
{
    static const struct ground g = {.pitch = 10, .width = 7, .base = 100, .tall = 84, .least = 3, .lane = 12};
    char half[LP_TIME_TEXT_BYTES], whole[LP_TIME_TEXT_BYTES], slot[LP_TIME_TEXT_BYTES];
    double most_ms = round_up_ms(longest_ms(bars, count)), width = 10.0 * (double)count;
    lp_duration_format((int64_t)most_ms, whole);
    lp_duration_format((int64_t)(most_ms / 2), half);
    const char *labels[] = {"0", half, whole};
    open_plot("durations", labels, LP_COUNT(labels), out);
    open_svg(width, out);
    lp_buf_puts(out, "How long runs took: ");
    lp_chart_put_summary(bars, count, out);
    lp_buf_printf(out, "\"><path class=\"grid\" d=\"M0 16h%.0fM0 58h%.0fM0 100h%.0f\"/>", width, width, width);
    for (size_t i = 0; i < count; i++) {
        bool leads = bars[i].state != LP_BAR_MISSED;
        lp_time_format_slot(bars[i].slot_us, slot);
        if (leads) lp_buf_printf(out, "<a href=\"%s/%s\" tabindex=\"-1\">", href, slot);
        else lp_buf_puts(out, "<g>");
        put_bar_title(&bars[i], out);
        lp_buf_printf(out, "<path class=\"hit\" d=\"M%zu 0h10v100h-10z\"/>", i * 10);
        put_bar(&g, i, &bars[i], most_ms, out);
        lp_buf_puts(out, leads ? "</a>" : "</g>");
    }
    lp_buf_puts(out, "</svg>");
    close_plot(bars[0].slot_us, bars[count / 2].slot_us, bars[count - 1].slot_us, out);
}

void lp_chart_put_rows(const struct lp_bar *bars, size_t count, struct lp_buf *out)
{
    char half[LP_NUMBER_TEXT_BYTES], whole[LP_NUMBER_TEXT_BYTES];
    uint64_t most = 2;
    double width = 10.0 * (double)count;
    for (size_t i = 0; i < count; i++) {
        uint64_t n = (uint64_t)bars[i].rows + bars[i].quarantined;
        if (n > most) most = n;
    }
    most += most & 1;
    lp_count_format(most, whole);
    lp_count_format(most / 2, half);
    const char *labels[] = {"0", half, whole};
    open_plot("rows", labels, LP_COUNT(labels), out);
    open_svg(width, out);
    lp_buf_printf(out, "Rows written and quarantined by each run\"><path class=\"grid\" d=\"M0 0h%.0fM0 50h%.0fM0 100h%.0f\"/>",
                  width, width, width);
    for (size_t i = 0; i < count; i++) {
        double x = 10.0 * (double)i + 1.5, written = 100.0 * bars[i].rows / (double)most,
               bad = 100.0 * bars[i].quarantined / (double)most;
        lp_buf_puts(out, "<g>");
        put_bar_title(&bars[i], out);
        lp_buf_printf(out, "<path class=\"hit\" d=\"M%zu 0h10v100h-10z\"/>", i * 10);
        if (bars[i].rows) lp_buf_printf(out, "<path class=\"bar written\" d=\"M%.1f 100h7v-%.2fh-7z\"/>", x, written);
        if (bars[i].quarantined)
            lp_buf_printf(out, "<path class=\"hollow partial\" d=\"M%.1f %.2fv-%.2fh6v%.2f\"/>", x + 0.5, 100 - written, bad, bad);
        lp_buf_puts(out, "</g>");
    }
    lp_buf_puts(out, "</svg>");
    close_plot(bars[0].slot_us, bars[count / 2].slot_us, bars[count - 1].slot_us, out);
}
