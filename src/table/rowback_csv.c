/* CSV back into rows: an empty field is NULL, "" the empty text. */
#include "table/convert.h"
#include "table/csv.h"
#include "table/rowback.h"

#include <stdlib.h>

struct csv_back {
    struct lp_rowback back;
    struct lp_csv_reader reader;
};

/* A quoted field begins behind its quote; before any other stands a comma or nothing. */
static bool is_quoted(const struct lp_csv_reader *r, struct lp_slice field)
{
    return field.at > r->record.data && field.at[-1] == '"';
}

static enum lp_code take_cell(struct csv_back *c, struct lp_batch *b, size_t column, size_t row, struct lp_err *err)
{
    struct lp_cells *cells = &b->cells[column];
    struct lp_slice field = c->reader.fields[column];
    struct lp_column plain = b->columns->list[column];
    struct lp_value value;
    plain.time_form = LP_TIME_ISO8601;
    cells->null[row] = !field.len && !is_quoted(&c->reader, field);
    if (cells->null[row]) return LP_OK;
    if (!lp_value_parse(&plain, field, &value))
        return lp_fail(err, LP_DATA, "%s:%zu: \"%.*s\" is not a %s", c->reader.path, c->reader.line,
                       (int)(field.len > 40 ? 40 : field.len), field.at, lp_type_name(plain.type));
    switch (plain.type) {
    case LP_TYPE_STRING:
        value.text.at = lp_arena_strndup(&b->arena, field.at, field.len);
        if (!value.text.at) return lp_arena_code(&b->arena, err);
        cells->of.text[row] = value.text;
        return LP_OK;
    case LP_TYPE_DOUBLE: cells->of.f64[row] = value.f64; return LP_OK;
    case LP_TYPE_BOOLEAN: cells->of.boolean[row] = value.boolean; return LP_OK;
    default: cells->of.i64[row] = value.i64; return LP_OK;
    }
}

static enum lp_code next(struct lp_rowback *r, uint64_t most_rows, struct lp_batch *b, bool *more, struct lp_err *err)
{
    struct csv_back *c = (struct csv_back *)r;
    LP_TRY(lp_batch_clear(b, most_rows < LP_BATCH_ROWS ? (size_t)most_rows : LP_BATCH_ROWS, err));
    while (b->row_count < b->row_cap && b->row_count < most_rows) {
        LP_TRY(lp_csv_next(&c->reader, more, err));
        if (!*more) break;
        for (size_t i = 0; i < b->columns->count; i++) LP_TRY(take_cell(c, b, i, b->row_count, err));
        b->row_count++;
    }
    *more = b->row_count > 0;
    return LP_OK;
}

static void free_back(struct lp_rowback *r)
{
    struct csv_back *c = (struct csv_back *)r;
    lp_csv_reader_release(&c->reader);
    free(c);
}

static bool same_columns(const struct lp_csv_reader *r, const struct lp_columns *columns)
{
    if (r->field_count != columns->count) return false;
    for (size_t i = 0; i < columns->count; i++)
        if (!lp_slice_is(r->header[i], columns->list[i].name)) return false;
    return true;
}

enum lp_code lp_rowback_csv(const struct lp_columns *columns, const void *bytes, size_t len, struct lp_rowback **out,
                            struct lp_err *err)
{
    static const struct lp_rowback_ops ops = {next, free_back};
    struct csv_back *c = calloc(1, sizeof *c);
    if (!c) return lp_nomem(err);
    c->back = (struct lp_rowback){&ops, columns};
    enum lp_code code = lp_csv_open_bytes(&c->reader, bytes, len, "the file", err);
    if (!code && !same_columns(&c->reader, columns)) code = lp_fail(err, LP_DATA, "the file has other columns");
    if (code) free_back(&c->back);
    else *out = &c->back;
    return code;
}
