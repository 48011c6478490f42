#include "page/page_data.h"

#include "base/clock.h"
#include "base/number.h"
#include "page/chart.h"
#include "page/page_rows.h"
#include "page/page_text.h"
#include "table/units.h"

#include <math.h>
#include <stdlib.h>

#define READ_US       INT64_C(6000000) /* so long files are read; what is left is left out */
#define POINTS_MOST   200000
#define ROWS_SHOWN    50
#define COLUMNS_SHOWN 30
#define CELL_BYTES    160

struct point {
    int64_t slot_us, time_us; /* INT64_MIN: the row has no time of its own */
    double y;
    uint32_t series;
};

struct data {
    const struct lp_pipeline *pipeline;
    const int64_t *slots;
    ptrdiff_t column, series, time; /* of the columns; -1: none */
    struct point *points;
    size_t point_count, point_room;
    struct lp_arena arena;
    const char *names[LP_CHART_SERIES];
    size_t name_count;
    bool many;   /* more items than a chart has lines */
    bool dense;  /* some slot has several points of one series */
    uint32_t seen[LP_PAGE_SLOTS][LP_CHART_SERIES]; /* points of a slot's series */
    ptrdiff_t latest; /* the newest slot that has rows */
    uint64_t latest_rows;
    struct lp_slice *cells; /* of the rows shown */
    size_t row_count;
    bool failed; /* memory */
};

static void data_release(struct data *d)
{
    free(d->points);
    lp_arena_release(&d->arena);
}

/* ---- which columns ---- */

static bool is_number(const struct lp_column *c)
{
    return c->type == LP_TYPE_BIGINT || c->type == LP_TYPE_DOUBLE;
}

static void choose_columns(const char *wanted, struct data *d)
{
    const struct lp_columns *c = &d->pipeline->columns;
    d->column = d->series = d->time = -1;
    for (size_t i = c->count; i-- > 0;) {
        const struct lp_column *it = &c->list[i];
        if (is_number(it)) d->column = (ptrdiff_t)i;
        if (it->type == LP_TYPE_STRING && !it->from_text && lp_template_per_item(&it->value)) d->series = (ptrdiff_t)i;
        if (it->type == LP_TYPE_TIMESTAMP && it->from_text) d->time = (ptrdiff_t)i;
    }
    ptrdiff_t asked = lp_columns_find(c, wanted, strlen(wanted));
    if (asked >= 0 && is_number(&c->list[asked])) d->column = asked;
}

/* ---- rows as they come ---- */

static uint32_t series_of(struct data *d, const struct lp_slice *cells)
{
    if (d->series < 0 || d->many) return 0;
    struct lp_slice name = cells[d->series];
    for (size_t i = 0; i < d->name_count; i++)
        if (lp_slice_is((struct lp_slice){name.at ? name.at : "", name.len}, d->names[i])) return (uint32_t)i;
    if (d->name_count == LP_CHART_SERIES) {
        d->many = true;
        return 0;
    }
    const char *copy = lp_arena_strndup(&d->arena, name.at ? name.at : "", name.len);
    if (!copy) d->failed = true;
    else d->names[d->name_count++] = copy;
    return copy ? (uint32_t)d->name_count - 1 : 0;
}

static void keep_point(struct data *d, size_t slot, const struct lp_slice *cells)
{
    struct point p = {.slot_us = d->slots[slot], .time_us = INT64_MIN};
    char text[64];
    if (d->column < 0 || d->point_count == POINTS_MOST) return;
    const struct lp_slice *y = &cells[d->column];
    if (!y->at || !lp_double_parse(y->at, y->len, &p.y) || !isfinite(p.y)) return;
    if (d->time >= 0 && cells[d->time].at && cells[d->time].len < sizeof text)
        if (!lp_time_parse_iso(cells[d->time].at, cells[d->time].len, &p.time_us)) p.time_us = INT64_MIN;
    p.series = series_of(d, cells);
    if (d->seen[slot][p.series]++) d->dense = true;
    if (d->point_count == d->point_room) {
        size_t room = d->point_room ? d->point_room * 2 : 1024;
        struct point *points = reallocarray(d->points, room, sizeof *points);
        if (!points) {
            d->failed = true;
            return;
        }
        d->points = points;
        d->point_room = room;
    }
    d->points[d->point_count++] = p;
}

static void keep_row(struct data *d, size_t slot, const struct lp_slice *cells)
{
    size_t columns = d->pipeline->columns.count;
    if (d->latest < 0) d->latest = (ptrdiff_t)slot;
    if (d->latest != (ptrdiff_t)slot) return;
    d->latest_rows++;
    if (d->row_count == ROWS_SHOWN) return;
    for (size_t i = 0; i < columns; i++) {
        struct lp_slice *cell = &d->cells[d->row_count * columns + i];
        *cell = cells[i];
        if (!cell->at) continue;
        if (cell->len > CELL_BYTES * 4) cell->len = CELL_BYTES * 4; /* more than is shown */
        cell->at = lp_arena_strndup(&d->arena, cell->at, cell->len);
        if (!cell->at) d->failed = true;
    }
    d->row_count++;
}

static bool see(void *who, size_t slot, const struct lp_slice *cells)
{
    struct data *d = who;
    keep_row(d, slot, cells);
    keep_point(d, slot, cells);
    return !d->failed && (d->point_count < POINTS_MOST || d->latest < 0);
}

/* ---- what is shown ---- */

static void put_choice(const struct data *d, const char *name, struct lp_buf *out)
{
    const struct lp_columns *c = &d->pipeline->columns;
    size_t count = 0;
    for (size_t i = 0; i < c->count; i++) count += is_number(&c->list[i]);
    if (count < 2) return;
    lp_buf_puts(out, "<ul class=\"choice\">\n");
    count = 0;
    for (size_t i = 0; i < c->count && count < COLUMNS_SHOWN; i++) {
        if (!is_number(&c->list[i])) continue;
        count++;
        lp_buf_puts(out, "<li><a href=\"/pipelines/");
        lp_html_puts(out, name);
        lp_buf_puts(out, "?column=");
        LP_AUTO(lp_buf) encoded = {0};
        lp_percent_encode(&encoded, c->list[i].name, strlen(c->list[i].name), "");
        lp_html_puts(out, lp_buf_text(&encoded));
        lp_buf_puts(out, (ptrdiff_t)i == d->column ? "#number\" aria-current=\"true\">" : "#number\">");
        lp_html_puts(out, c->list[i].name);
        lp_buf_puts(out, "</a></li>\n");
    }
    lp_buf_puts(out, "</ul>\n");
}

static void put_chart(struct data *d, const char *name, struct lp_buf *out)
{
    const struct lp_column *column = &d->pipeline->columns.list[d->column];
    struct lp_chart_point *points = calloc(d->point_count + 1, sizeof *points);
    bool own_time = d->dense && d->time >= 0;
    struct lp_chart chart = {.title = column->name, .unit = column->unit ? lp_unit_symbol(column->unit) : NULL, .points = points};
    if (!points) {
        out->failed = LP_NOMEM;
        return;
    }
    for (size_t i = 0; i < d->point_count; i++) {
        const struct point *p = &d->points[i];
        if (own_time && p->time_us == INT64_MIN) continue;
        points[chart.point_count++] = (struct lp_chart_point){own_time ? p->time_us : p->slot_us, p->y, p->series};
    }
    if (!d->many && d->name_count > 1 && !(d->dense && !own_time)) {
        chart.series_count = d->name_count;
        memcpy(chart.series, d->names, sizeof d->names);
    }
    lp_buf_puts(out, "<h2 id=\"number\">");
    lp_html_puts(out, column->name);
    if (column->unit) {
        lp_buf_puts(out, " <span class=\"soft\">");
        lp_html_puts(out, chart.unit);
        lp_buf_puts(out, "</span>");
    }
    lp_buf_puts(out, "</h2>\n");
    put_choice(d, name, out);
    if (chart.point_count) lp_chart_put_lines(&chart, out);
    else lp_buf_puts(out, "<p class=\"soft\">None of the last runs has a number in this column.</p>\n");
    if (chart.point_count && !chart.series_count && (d->many || d->dense))
        lp_buf_puts(out, "<p class=\"soft\">The line is the average, the band reaches from the lowest to the highest.</p>\n");
    free(points);
}

/* Two decimals say enough in a table; the exact value is a touch away. */
static bool put_short(const struct lp_slice *cell, struct lp_buf *out)
{
    const char *point = memchr(cell->at, '.', cell->len);
    char text[LP_NUMBER_TEXT_BYTES];
    double value;
    if (!point || cell->at + cell->len - point <= 3 || !lp_double_parse(cell->at, cell->len, &value)) return false;
    size_t len = lp_double_format_short(value, text);
    if (len >= cell->len) return false;
    lp_buf_puts(out, "<td class=\"n\" title=\"");
    lp_html_put(out, cell->at, cell->len);
    lp_buf_printf(out, "\">%s</td>", text);
    return true;
}

static void put_cell(const struct lp_column *c, const struct lp_slice *cell, struct lp_buf *out)
{
    int64_t us;
    bool number = is_number(c);
    if (!cell->at) {
        lp_buf_puts(out, number ? "<td class=\"n null\">–</td>" : "<td class=\"null\">–</td>");
        return;
    }
    if (c->type == LP_TYPE_DOUBLE && put_short(cell, out)) return;
    lp_buf_puts(out, number ? "<td class=\"n\">" : c->type == LP_TYPE_STRING && cell->len > 30 ? "<td class=\"text\">" : "<td>");
    if (c->type == LP_TYPE_TIMESTAMP && lp_time_parse_iso(cell->at, cell->len, &us)) lp_page_put_time(out, us);
    else lp_html_put_cut(out, cell->at, CELL_BYTES);
    lp_buf_puts(out, "</td>");
}

static void put_table(const struct data *d, struct lp_buf *out)
{
    const struct lp_columns *c = &d->pipeline->columns;
    size_t shown = c->count < COLUMNS_SHOWN ? c->count : COLUMNS_SHOWN;
    lp_buf_puts(out, "<div class=\"wide\" role=\"region\" aria-label=\"Latest rows\" tabindex=\"0\">\n<table>\n<caption>");
    lp_page_put_time(out, d->slots[d->latest]);
    lp_buf_puts(out, ": ");
    if (d->latest_rows > d->row_count) lp_buf_printf(out, "the first %zu of ", d->row_count);
    lp_page_put_count(out, d->latest_rows, "row", "rows");
    if (shown < c->count) lp_buf_printf(out, ", %zu of %zu columns", shown, c->count);
    lp_buf_puts(out, "</caption>\n<thead><tr>");
    for (size_t i = 0; i < shown; i++) {
        lp_buf_puts(out, is_number(&c->list[i]) ? "<th scope=\"col\" class=\"n\"" : "<th scope=\"col\"");
        if (c->list[i].description) {
            lp_buf_puts(out, " title=\"");
            lp_html_put_cut(out, c->list[i].description, 300);
            lp_buf_putc(out, '"');
        }
        lp_buf_putc(out, '>');
        lp_html_puts(out, c->list[i].name);
        if (c->list[i].unit) {
            lp_buf_puts(out, "<span class=\"unit\">");
            lp_html_puts(out, lp_unit_symbol(c->list[i].unit));
            lp_buf_puts(out, "</span>");
        }
        lp_buf_puts(out, "</th>");
    }
    lp_buf_puts(out, "</tr></thead>\n<tbody>\n");
    for (size_t row = 0; row < d->row_count; row++) {
        lp_buf_puts(out, "<tr>");
        for (size_t i = 0; i < shown; i++) put_cell(&c->list[i], &d->cells[row * c->count + i], out);
        lp_buf_puts(out, "</tr>\n");
    }
    lp_buf_puts(out, "</tbody>\n</table>\n</div>\n");
}

/* What was left out, in a sentence each. */
static void put_omissions(const struct lp_page_rows *r, struct lp_buf *out)
{
    if (!r->too_large && !r->gone && !r->late) return;
    lp_buf_puts(out, "<p class=\"soft\">");
    if (r->too_large) {
        lp_page_put_count(out, r->too_large, "file is", "files are");
        lp_buf_puts(out, " larger than 2 MiB and not shown here. ");
    }
    if (r->gone) {
        lp_page_put_count(out, r->gone, "file", "files");
        lp_buf_puts(out, " that a record names cannot be read. ");
    }
    if (r->late) {
        lp_page_put_count(out, r->late, "older slot", "older slots");
        lp_buf_puts(out, " left out, so that the page comes soon. ");
    }
    lp_buf_puts(out, "<code>lambda-pipeline query</code> reads all.</p>\n");
}

static void put_why_not(const struct lp_err *err, struct lp_buf *out)
{
    lp_buf_puts(out, "<h2>Latest rows</h2>\n<p class=\"note\">The rows cannot be shown: ");
    lp_html_put_cut(out, err->text, 600);
    lp_buf_puts(out, "</p>\n");
}

void lp_page_put_data(const struct lp_page_request *q, const struct lp_pipeline *p, struct lp_store *store,
                      const struct lp_past *past, struct lp_buf *out)
{
    __attribute__((cleanup(data_release))) struct data d = {.pipeline = p, .latest = -1};
    int64_t slots[LP_PAGE_SLOTS];
    struct lp_err err = {0};
    struct lp_page_rows r = {.pipeline = p,
                             .store = store,
                             .slots = slots,
                             .until_us = lp_clock_monotonic_us() + READ_US,
                             .see = see,
                             .who = &d};
    for (size_t i = past->count; i-- > 0 && r.count < LP_PAGE_SLOTS;)
        if (past->list[i].rows_written && !past->list[i].shards) slots[r.count++] = past->list[i].slot_us;
    if (!r.count) {
        lp_buf_puts(out, "<h2>Latest rows</h2>\n<p class=\"soft\">No run has written rows yet.</p>\n");
        return;
    }
    d.slots = slots;
    d.cells = lp_arena_zalloc(&d.arena, ROWS_SHOWN * p->columns.count * sizeof *d.cells);
    choose_columns(q->column, &d);
    enum lp_code code = d.cells ? lp_page_rows_read(&r, &err) : lp_nomem(&err);
    if (!code && d.failed) code = lp_nomem(&err);
    if (code) {
        put_why_not(&err, out);
        return;
    }
    if (d.column >= 0) put_chart(&d, p->name, out);
    lp_buf_puts(out, "<h2>Latest rows</h2>\n");
    if (d.latest >= 0) put_table(&d, out);
    else lp_buf_puts(out, "<p class=\"soft\">There are none to show.</p>\n");
    put_omissions(&r, out);
}
