#include "cli/style.h"

#include "base/clock.h"
#include "base/text.h"

#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

static bool locale_is_utf8(void)
{
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (size_t i = 0; i < LP_COUNT(names); i++) {
        const char *value = getenv(names[i]);
        if (value && *value) return strcasestr(value, "utf-8") || strcasestr(value, "utf8");
    }
    return false;
}

static size_t width_of(int fd, bool terminal)
{
    struct winsize size;
    const char *columns = getenv("COLUMNS");
    if (terminal && ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col >= 20) return size.ws_col;
    long n = columns ? strtol(columns, NULL, 10) : 0;
    return n >= 20 && n < 1000 ? (size_t)n : 100;
}

static bool wants_colour(bool terminal, const char *color)
{
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
    if (color && !strcmp(color, "always")) return true;
    if (color && !strcmp(color, "never")) return false;
    return terminal && !(no && *no) && !(term && !strcmp(term, "dumb"));
}

struct lp_style lp_style_of(int fd, const char *color)
{
    struct lp_style s = {.terminal = isatty(fd) == 1, .utf8 = locale_is_utf8()};
    s.colour = wants_colour(s.terminal, color);
    s.columns = width_of(fd, s.terminal);
    s.ok = s.utf8 ? "✓" : "ok";
    s.bad = s.utf8 ? "✗" : "x";
    s.warn = "!";
    s.arrow = s.utf8 ? "→" : "->";
    s.dot = s.utf8 ? "·" : "-";
    s.more = s.utf8 ? "…" : "...";
    s.bar = s.utf8 ? "━" : "#";
    s.bar_rest = s.utf8 ? "─" : ".";
    s.red = s.colour ? "\033[31m" : "";
    s.green = s.colour ? "\033[32m" : "";
    s.yellow = s.colour ? "\033[33m" : "";
    s.grey = s.colour ? "\033[90m" : "";
    s.bold = s.colour ? "\033[1m" : "";
    s.accent = s.colour ? "\033[36m" : "";
    s.plain = s.colour ? "\033[0m" : "";
    return s;
}

#define WIDEST_CELL  ((size_t)40)
#define MOST_COLUMNS ((size_t)64)
#define LEAST_REST   ((size_t)20)

static size_t cell_width(const char *text)
{
    size_t width = lp_text_columns(text, strlen(text));
    return width > WIDEST_CELL ? WIDEST_CELL : width;
}

static size_t column_width(const struct lp_grid_column *c, size_t count, size_t index, char *const *cells, size_t rows)
{
    size_t width = cell_width(c[index].name), unit = c[index].unit ? cell_width(c[index].unit) : 0;
    if (unit > width) width = unit;
    for (size_t r = 0; r < rows; r++) {
        const char *cell = cells[r * count + index];
        size_t w = c[index].rest ? lp_text_columns(cell, strlen(cell)) : cell_width(cell);
        if (w > width) width = w;
    }
    return width;
}

static void put_cell(const struct lp_style *s, const char *text, const char *colour, size_t width, bool right, bool last,
                     struct lp_buf *out)
{
    LP_AUTO(lp_buf) cut = {0};
    lp_text_cut(&cut, text, strlen(text), width);
    size_t pad = width - lp_text_columns(lp_buf_text(&cut), cut.len);
    bool coloured = colour && *colour && cut.len;
    if (right) lp_buf_printf(out, "%*s", (int)pad, "");
    if (coloured) lp_buf_puts(out, colour);
    lp_buf_put(out, lp_buf_text(&cut), cut.len);
    if (coloured) lp_buf_puts(out, s->plain);
    if (!right && !last) lp_buf_printf(out, "%*s", (int)pad, "");
    if (!last) lp_buf_puts(out, "  ");
}

/* Which columns fit, in order; their number. A kept one has its room put aside first, one that takes the rest some of it. */
static size_t choose_columns(const struct lp_style *s, const struct lp_grid_column *columns, size_t count,
                             char *const *cells, size_t rows, size_t *chosen, size_t *widths)
{
    bool rest = count && columns[count - 1].rest;
    size_t shown = 0, used = 0, kept = count && (rest || columns[count - 1].kept) ? 1 : 0, reserved = 0, kept_width = 0;
    if (kept) {
        kept_width = column_width(columns, count, count - 1, cells, rows);
        reserved = (rest && kept_width > LEAST_REST ? LEAST_REST : kept_width) + 2;
    }
    for (size_t i = 0; i < count - kept && shown < MOST_COLUMNS - 1; i++) {
        size_t width = column_width(columns, count, i, cells, rows);
        if (shown && used + 2 + width + reserved > s->columns) break;
        chosen[shown] = i;
        widths[shown] = width;
        used += width + (shown ? 2 : 0);
        shown++;
    }
    if (rest && s->terminal && used + 2 + kept_width > s->columns)
        kept_width = s->columns > used + 2 + LEAST_REST ? s->columns - used - 2 : LEAST_REST;
    if (kept) {
        chosen[shown] = count - 1;
        widths[shown++] = kept_width;
    }
    return shown;
}

static void put_line_end(struct lp_buf *out)
{
    while (out->len && out->data[out->len - 1] == ' ') out->data[--out->len] = '\0';
    lp_buf_putc(out, '\n');
}

static void put_headings(const struct lp_style *s, const struct lp_grid_column *columns, const size_t *chosen,
                         const size_t *widths, size_t shown, struct lp_buf *out)
{
    bool units = false;
    lp_buf_puts(out, s->bold);
    for (size_t i = 0; i < shown; i++) {
        const struct lp_grid_column *c = &columns[chosen[i]];
        put_cell(s, c->name, NULL, widths[i], c->right, i + 1 == shown, out);
        units |= c->unit && *c->unit;
    }
    lp_buf_printf(out, "%s\n", s->plain);
    if (!units) return;
    lp_buf_puts(out, s->grey);
    for (size_t i = 0; i < shown; i++) {
        const struct lp_grid_column *c = &columns[chosen[i]];
        put_cell(s, c->unit ? c->unit : "", NULL, widths[i], c->right, i + 1 == shown, out);
    }
    lp_buf_puts(out, s->plain);
    put_line_end(out);
}

void lp_grid_put_coloured(const struct lp_style *s, const struct lp_grid_column *columns, size_t count,
                          char *const *cells, const char *const *colours, size_t rows, struct lp_buf *out)
{
    size_t chosen[MOST_COLUMNS], widths[MOST_COLUMNS];
    size_t shown = choose_columns(s, columns, count, cells, rows, chosen, widths);
    put_headings(s, columns, chosen, widths, shown, out);
    for (size_t r = 0; r < rows; r++) {
        for (size_t i = 0; i < shown; i++) {
            size_t at = r * count + chosen[i];
            put_cell(s, cells[at], colours ? colours[at] : NULL, widths[i], columns[chosen[i]].right, i + 1 == shown, out);
        }
        put_line_end(out);
    }
    if (shown < count)
        lp_buf_printf(out, "%s%s and %zu more column%s%s\n", s->grey, s->more, count - shown,
                      count - shown == 1 ? "" : "s", s->plain);
}

void lp_grid_put(const struct lp_style *s, const struct lp_grid_column *columns, size_t count, char *const *cells,
                 size_t rows, struct lp_buf *out)
{
    lp_grid_put_coloured(s, columns, count, cells, NULL, rows, out);
}

void lp_style_put_distance(int64_t from_us, int64_t to_us, struct lp_buf *out)
{
    char text[LP_TIME_TEXT_BYTES];
    int64_t ms = (to_us - from_us) / 1000;
    lp_duration_format(ms < 0 ? -ms : ms, text);
    lp_buf_printf(out, ms < 0 ? "%s ago" : "in %s", text);
}
