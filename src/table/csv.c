#include "table/csv.h"

#include "base/clock.h"
#include "base/number.h"

/* The longest text of a cell that is no string. */
#define LARGEST_PLAIN_CELL ((size_t)48)

static bool needs_quotes(const char *text, size_t len)
{
    if (!len || text[0] == ' ' || text[len - 1] == ' ') return true;
    for (size_t i = 0; i < len; i++)
        if (text[i] == ',' || text[i] == '"' || text[i] == '\n' || text[i] == '\r') return true;
    return false;
}

void lp_csv_put_field(const char *text, size_t len, struct lp_buf *out)
{
    if (!needs_quotes(text, len)) {
        lp_buf_put(out, text, len);
        return;
    }
    if (!lp_buf_reserve(out, len * 2 + 2)) return;
    char *at = out->data + out->len;
    *at++ = '"';
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '"') *at++ = '"';
        *at++ = text[i];
    }
    *at++ = '"';
    *at = '\0';
    out->len = (size_t)(at - out->data);
}

void lp_csv_put_header(const struct lp_columns *columns, struct lp_buf *out)
{
    for (size_t i = 0; i < columns->count; i++) {
        if (i) lp_buf_putc(out, ',');
        lp_csv_put_field(columns->list[i].name, strlen(columns->list[i].name), out);
    }
    lp_buf_putc(out, '\n');
}

/* Room for it was reserved for the whole row. */
static char *put_plain_cell(const struct lp_cells *c, enum lp_type type, size_t row, char *at)
{
    char text[LP_NUMBER_TEXT_BYTES > LP_TIME_TEXT_BYTES ? LP_NUMBER_TEXT_BYTES : LP_TIME_TEXT_BYTES];
    size_t len = 0;
    switch (type) {
    case LP_TYPE_BIGINT: len = lp_int64_format(c->of.i64[row], text); break;
    case LP_TYPE_DOUBLE: len = lp_double_format(c->of.f64[row], text); break;
    case LP_TYPE_TIMESTAMP: len = lp_time_format_iso(c->of.i64[row], text); break;
    case LP_TYPE_DATE: len = lp_date_format(c->of.i64[row], text); break;
    case LP_TYPE_BOOLEAN:
        len = c->of.boolean[row] ? 4 : 5;
        memcpy(text, c->of.boolean[row] ? "true" : "false", len);
        break;
    default: break;
    }
    memcpy(at, text, len);
    return at + len;
}

static void put_row(const struct lp_batch *b, size_t row, struct lp_buf *out)
{
    size_t count = b->columns->count;
    if (!lp_buf_reserve(out, count * (LARGEST_PLAIN_CELL + 1) + 1)) return;
    for (size_t i = 0; i < count; i++) {
        const struct lp_cells *c = &b->cells[i];
        enum lp_type type = b->columns->list[i].type;
        if (i) out->data[out->len++] = ',';
        if (c->null[row]) continue;
        if (type == LP_TYPE_STRING) {
            lp_csv_put_field(c->of.text[row].at, c->of.text[row].len, out);
            if (!lp_buf_reserve(out, (count - i) * (LARGEST_PLAIN_CELL + 1) + 1)) return;
        } else {
            out->len = (size_t)(put_plain_cell(c, type, row, out->data + out->len) - out->data);
        }
    }
    out->data[out->len++] = '\n';
    out->data[out->len] = '\0';
}

void lp_csv_put_row(const struct lp_batch *b, size_t row, const bool *keep, struct lp_buf *out)
{
    if (!b->failures[row] && (!keep || keep[row])) put_row(b, row, out);
}

void lp_csv_put_rows(const struct lp_batch *b, const bool *keep, struct lp_buf *out)
{
    for (size_t row = 0; row < b->row_count; row++) lp_csv_put_row(b, row, keep, out);
}
