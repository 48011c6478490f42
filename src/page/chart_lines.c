#include "page/chart.h"

#include "base/clock.h"
#include "base/number.h"
#include "page/page_text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define BUCKETS 240 /* along the time; what is closer together is averaged */
#define DOTS    600 /* past that many points none has a title of its own */
#define TICKS   6

struct bucket {
    double sum, low, high, x; /* x: summed, 0 to 1 */
    uint32_t count;
};

struct scale {
    int64_t first_us, last_us;
    double low, high, step;
    size_t ticks;
    int decimals;
};

static void measure(const struct lp_chart *c, struct scale *s)
{
    *s = (struct scale){INT64_MAX, INT64_MIN, INFINITY, -INFINITY, 1, 0, 0};
    for (size_t i = 0; i < c->point_count; i++) {
        const struct lp_chart_point *p = &c->points[i];
        if (p->x_us < s->first_us) s->first_us = p->x_us;
        if (p->x_us > s->last_us) s->last_us = p->x_us;
        s->low = fmin(s->low, p->y);
        s->high = fmax(s->high, p->y);
    }
}

/* Round numbers below, between and above. */
static void round_off(struct scale *s)
{
    double range = s->high - s->low;
    if (!(range > 0)) range = fabs(s->high) > 0 ? fabs(s->high) / 2 : 1;
    double raw = range / 3, power = pow(10, floor(log10(raw))), rest = raw / power;
    s->step = power * (rest <= 1 ? 1 : rest <= 2 ? 2 : rest <= 5 ? 5 : 10);
    double low = floor(s->low / s->step) * s->step, high = ceil(s->high / s->step) * s->step;
    if (!(high > low)) high = low + s->step;
    s->low = low;
    s->high = high;
    s->ticks = (size_t)(round((high - low) / s->step)) + 1;
    if (s->ticks > TICKS) s->ticks = TICKS; /* beyond what a double can tell apart */
    s->decimals = s->step >= 1 ? 0 : (int)ceil(-log10(s->step) - 1e-9);
    if (s->decimals > 12) s->decimals = 12;
}

static void put_number(double value, int decimals, char out[LP_NUMBER_TEXT_BYTES])
{
    if (fabs(value) < 1e15) snprintf(out, LP_NUMBER_TEXT_BYTES, "%.*f", decimals, value == 0 ? 0.0 : value);
    else snprintf(out, LP_NUMBER_TEXT_BYTES, "%.3g", value);
}

static void gather(const struct lp_chart *c, const struct scale *s, struct bucket *b)
{
    double range = (double)s->last_us - (double)s->first_us;
    for (size_t i = 0; i < c->point_count; i++) {
        const struct lp_chart_point *p = &c->points[i];
        double x = range > 0 ? ((double)p->x_us - (double)s->first_us) / range : 0.5;
        size_t at = (size_t)(x * (BUCKETS - 1)), series = c->series_count ? p->series : 0;
        struct bucket *it = &b[series * BUCKETS + at];
        if (!it->count || p->y < it->low) it->low = p->y;
        if (!it->count || p->y > it->high) it->high = p->y;
        it->sum += p->y;
        it->x += x;
        it->count++;
    }
}

static double x_of(const struct bucket *b)
{
    return 1000 * b->x / b->count;
}

static double y_of(const struct scale *s, double value)
{
    return 100 - 100 * (value - s->low) / (s->high - s->low);
}

static void put_line(const struct scale *s, const struct bucket *b, size_t series, struct lp_buf *out)
{
    bool begun = false;
    lp_buf_printf(out, "<path class=\"line s%zu\" d=\"", series);
    for (size_t i = 0; i < BUCKETS; i++) {
        if (!b[i].count) continue;
        lp_buf_printf(out, "%c%.1f %.2f", begun ? 'L' : 'M', x_of(&b[i]), y_of(s, b[i].sum / b[i].count));
        begun = true;
    }
    lp_buf_puts(out, begun ? "\"/>" : "M0 0\"/>");
}

static void put_band(const struct scale *s, const struct bucket *b, struct lp_buf *out)
{
    bool begun = false;
    lp_buf_puts(out, "<path class=\"band\" d=\"");
    for (size_t i = 0; i < BUCKETS; i++) {
        if (!b[i].count) continue;
        lp_buf_printf(out, "%c%.1f %.2f", begun ? 'L' : 'M', x_of(&b[i]), y_of(s, b[i].high));
        begun = true;
    }
    for (size_t i = BUCKETS; i-- > 0;)
        if (b[i].count) lp_buf_printf(out, "L%.1f %.2f", x_of(&b[i]), y_of(s, b[i].low));
    lp_buf_puts(out, "z\"/>");
}

/* A stroke of no length with round ends stays round however the drawing is stretched. */
static void put_dots(const struct lp_chart *c, const struct scale *s, const struct bucket *b, size_t series, struct lp_buf *out)
{
    double range = (double)s->last_us - (double)s->first_us;
    char number[LP_NUMBER_TEXT_BYTES];
    for (size_t i = 0; i < BUCKETS; i++) {
        if (!b[i].count) continue;
        lp_buf_printf(out, "<path class=\"dot s%zu\" d=\"M%.1f %.2fh.01\"><title>", series, x_of(&b[i]),
                      y_of(s, b[i].sum / b[i].count));
        if (c->series_count && c->series[series]) {
            lp_html_put_cut(out, c->series[series], 60);
            lp_buf_puts(out, ", ");
        }
        lp_page_put_instant(out, s->first_us + (int64_t)(range * b[i].x / b[i].count / 1e6 + 0.5) * 1000000);
        put_number(b[i].sum / b[i].count, s->decimals + 1, number);
        lp_buf_printf(out, ": %s</title></path>", number);
    }
}

static void put_legend(const struct lp_chart *c, struct lp_buf *out)
{
    if (!c->series_count) return;
    lp_buf_puts(out, "<ul class=\"legend\">\n");
    for (size_t i = 0; i < c->series_count; i++) {
        lp_buf_printf(out, "<li><svg viewBox=\"0 0 24 8\" width=\"24\" height=\"8\" aria-hidden=\"true\"><path class=\"line s%zu\" "
                           "d=\"M1 4h22\"/></svg>", i);
        lp_html_put_cut(out, c->series[i], 40);
        lp_buf_puts(out, "</li>\n");
    }
    lp_buf_puts(out, "</ul>\n");
}

static void put_label(const struct lp_chart *c, const struct scale *s, double low, double high, struct lp_buf *out)
{
    char number[LP_NUMBER_TEXT_BYTES];
    lp_html_put_cut(out, c->title, 80);
    lp_buf_puts(out, " from ");
    lp_page_put_instant(out, s->first_us);
    lp_buf_puts(out, " to ");
    lp_page_put_instant(out, s->last_us);
    put_number(low, s->decimals + 1, number);
    lp_buf_printf(out, ": lowest %s", number);
    put_number(high, s->decimals + 1, number);
    lp_buf_printf(out, ", highest %s ", number);
    if (c->unit) lp_html_put_cut(out, c->unit, 40);
}

static void put_axis(const struct scale *s, struct lp_buf *out)
{
    char number[LP_NUMBER_TEXT_BYTES];
    lp_buf_puts(out, "<div class=\"plot lines\">\n<div class=\"y\" aria-hidden=\"true\">");
    for (size_t i = s->ticks; i-- > 0;) {
        put_number(s->low + (s->high - s->low) * (double)i / (double)(s->ticks - 1), s->decimals, number);
        lp_buf_printf(out, "<span>%s</span>", number);
    }
    lp_buf_puts(out, "</div>\n<svg viewBox=\"0 0 1000 100\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"");
}

void lp_chart_put_lines(const struct lp_chart *c, struct lp_buf *out)
{
    struct scale s;
    size_t count = c->series_count ? c->series_count : 1;
    struct bucket *buckets = calloc(count * BUCKETS, sizeof *buckets);
    if (!buckets) out->failed = LP_NOMEM;
    if (!buckets || !c->point_count) {
        free(buckets);
        return;
    }
    measure(c, &s);
    double low = s.low, high = s.high;
    round_off(&s);
    gather(c, &s, buckets);
    put_axis(&s, out);
    put_label(c, &s, low, high, out);
    lp_buf_puts(out, "\">");
    for (size_t i = 0; i < s.ticks; i++)
        lp_buf_printf(out, "<path class=\"grid\" d=\"M0 %.1fh1000\"/>", 100.0 * (double)i / (double)(s.ticks - 1));
    if (!c->series_count) put_band(&s, buckets, out);
    for (size_t i = 0; i < count; i++) put_line(&s, buckets + i * BUCKETS, i, out);
    if (c->point_count <= DOTS || s.first_us == s.last_us)
        for (size_t i = 0; i < count; i++) put_dots(c, &s, buckets + i * BUCKETS, i, out);
    lp_buf_puts(out, "</svg>\n<div class=\"x\" aria-hidden=\"true\">");
    int64_t range_us = s.last_us - s.first_us;
    for (int i = 0; i < 3; i++) {
        char text[LP_TIME_TEXT_BYTES];
        const char *format = range_us < 2 * LP_DAY_US ? "%m-%d %H:%MZ" : "%Y-%m-%d";
        size_t len = lp_time_format(s.first_us + range_us / 2 * i, format, text, sizeof text);
        if (i && !range_us) break;
        lp_buf_printf(out, "<span>%.*s</span>", (int)len, text);
    }
    lp_buf_puts(out, "</div>\n</div>\n");
    put_legend(c, out);
    free(buckets);
}
