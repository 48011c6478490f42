/* style.h — how things look: colour where it helps, marks the terminal can show, never wider than it is.
 * Model:   one style per stream, decided once from the terminal, the locale, NO_COLOR and --color.
 * Owns:    nothing.
 * Units:   columns are terminal cells.
 * Errors:  none.
 * Threads: read only once decided.
 */
#ifndef LP_CLI_STYLE_H
#define LP_CLI_STYLE_H

#include "base/buf.h"

#include <stdint.h>

struct lp_style {
    bool terminal, colour, utf8;
    size_t columns;
    const char *ok, *bad, *warn, *arrow, *dot, *more, *bar, *bar_rest;
    const char *red, *green, *yellow, *grey, *bold, *accent, *plain; /* "" without colour */
};

struct lp_style lp_style_of(int fd, const char *color);

/* An aligned table: two spaces between columns, numbers right, text left, units under the headings. */
struct lp_grid_column {
    const char *name, *unit; /* unit "" or NULL: none */
    bool right, kept;        /* kept: never left out, as the last of the columns */
    bool rest;               /* kept, and takes what room is left: cut at the terminal's edge, in a pipe whole */
};
/* cells[row * column_count + column], all NUL-terminated. Columns that do not fit are left out, with a word about it. */
void lp_grid_put(const struct lp_style *s, const struct lp_grid_column *columns, size_t column_count,
                 char *const *cells, size_t row_count, struct lp_buf *out);
/* The same; colours, as many as cells, each NULL or one of the style's. */
void lp_grid_put_coloured(const struct lp_style *s, const struct lp_grid_column *columns, size_t column_count,
                          char *const *cells, const char *const *colours, size_t row_count, struct lp_buf *out);

/* "in 6 h 24 min", "3 days ago" */
void lp_style_put_distance(int64_t from_us, int64_t to_us, struct lp_buf *out);

#endif
