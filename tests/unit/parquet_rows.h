/* parquet_rows.h — rows of every type that any program can make again: the value of a column in row i depends on i alone.
 * tests/e2e/test_parquet.py says the same in Python.
 * Owns:    texts lie in the batch's arena.
 */
#ifndef LP_TESTS_UNIT_PARQUET_ROWS_H
#define LP_TESTS_UNIT_PARQUET_ROWS_H

#include "table/rowfile.h"

#include <math.h>
#include <stdio.h>

#define PARQUET_COLUMNS 15

static struct lp_column parquet_column_list[PARQUET_COLUMNS] = {
    {.name = "text", .type = LP_TYPE_STRING, .unit = "1", .description = "Some text — 東京"},
    {.name = "whole", .type = LP_TYPE_BIGINT},
    {.name = "real", .type = LP_TYPE_DOUBLE, .unit = "fahrenheit"},
    {.name = "flag", .type = LP_TYPE_BOOLEAN},
    {.name = "instant", .type = LP_TYPE_TIMESTAMP},
    {.name = "day", .type = LP_TYPE_DATE},
    {.name = "text_or_null", .type = LP_TYPE_STRING, .nullable = true},
    {.name = "whole_or_null", .type = LP_TYPE_BIGINT, .nullable = true},
    {.name = "real_or_null", .type = LP_TYPE_DOUBLE, .nullable = true},
    {.name = "flag_or_null", .type = LP_TYPE_BOOLEAN, .nullable = true},
    {.name = "instant_or_null", .type = LP_TYPE_TIMESTAMP, .nullable = true},
    {.name = "day_or_null", .type = LP_TYPE_DATE, .nullable = true},
    {.name = "no text", .type = LP_TYPE_STRING, .nullable = true},
    {.name = "no real", .type = LP_TYPE_DOUBLE, .nullable = true},
    {.name = "counter", .type = LP_TYPE_BIGINT},
};
static const struct lp_columns parquet_columns = {parquet_column_list, PARQUET_COLUMNS};

static inline struct lp_slice parquet_text(struct lp_arena *a, size_t i)
{
    static const char *const few[] = {"", "a", "東京", "😀", "with, comma", "line\nbreak", " \"quoted\" "};
    if (i % 4) return lp_slice_of(few[i % 7]);
    return lp_slice_of(i % 32 ? lp_arena_printf(a, "row %zu", i) : lp_arena_printf(a, "row %0150zu ü", i));
}

static inline int64_t parquet_whole(size_t i)
{
    return i % 11 == 0 ? INT64_MIN : i % 11 == 1 ? INT64_MAX : (int64_t)i * 7919 - 5000;
}

static inline double parquet_real(size_t i)
{
    const double special[] = {(double)NAN, (double)INFINITY, -(double)INFINITY,     -0.0,
                              0.0,         5e-324,           1.7976931348623157e308};
    return i % 13 < LP_COUNT(special) ? special[i % 13] : (double)i / 8;
}

static inline void parquet_fill(struct lp_batch *b, size_t row, size_t i)
{
    for (size_t k = 0; k < PARQUET_COLUMNS; k++) {
        struct lp_cells *c = &b->cells[k];
        c->null[row] = k == 12 || k == 13 || (parquet_column_list[k].nullable && (i * 7 + k) % 5 == 0);
        switch (parquet_column_list[k].type) {
        case LP_TYPE_STRING: c->of.text[row] = parquet_text(&b->arena, i); break;
        case LP_TYPE_BIGINT: c->of.i64[row] = k == 14 ? (int64_t)i : parquet_whole(i); break;
        case LP_TYPE_DOUBLE: c->of.f64[row] = parquet_real(i); break;
        case LP_TYPE_BOOLEAN: c->of.boolean[row] = i % 3 == 0; break;
        case LP_TYPE_TIMESTAMP:
            c->of.i64[row] = i % 17 ? INT64_C(1349114400000000) + (int64_t)i * 60000000 + (int64_t)i % 1000000 : -1;
            break;
        default: c->of.i64[row] = i % 17 ? 15000 + (int64_t)i % 4000 : -719162; break;
        }
    }
}

/* Writes rows 0 to count - 1, batch_rows at a time, handing on what is held after every shed_every rows (0: never). */
static inline enum lp_code parquet_write(size_t count, size_t batch_rows, size_t shed_every,
                                         const struct lp_rowfile_target *target, struct lp_err *err)
{
    LP_AUTO(lp_batch) b = {0};
    LP_AUTO(lp_buf) scratch = {0};
    const struct lp_rowfile_setting setting = {&parquet_columns, "all-types", &scratch};
    struct lp_rowfile *out = NULL;
    enum lp_code code = lp_batch_init(&b, &parquet_columns, batch_rows, err);
    if (!code) code = lp_format_parquet.open(&setting, target, &out, err);
    for (size_t i = 0; !code && i < count;) {
        code = lp_batch_clear(&b, batch_rows, err);
        for (b.row_count = 0; !code && b.row_count < batch_rows && i < count; i++) parquet_fill(&b, b.row_count++, i);
        if (!code) code = out->ops->write(out, &b, NULL, err);
        if (!code && shed_every && i % shed_every < batch_rows) code = out->ops->shed(out, err);
    }
    if (!code) code = out->ops->finish(out, err);
    lp_rowfile_free(&out);
    return code;
}

#endif
