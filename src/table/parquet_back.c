/* Parquet back into rows, on carquet. What it hands out lives until the next batch, so each of its batches is copied into ours,
 * piece by piece. */
#include "table/parquet_memory.h"
#include "table/rowback.h"

#include <carquet/carquet.h>
#include <stdlib.h>

#define BATCH_ROWS 8192

struct parquet_back {
    struct lp_rowback back;
    carquet_reader_t *file;
    carquet_batch_reader_t *batches;
    carquet_row_batch_t *batch; /* NULL: none at hand */
    int64_t batch_rows, taken;
};

static enum lp_code refused(carquet_status_t status, const char *what, struct lp_err *err)
{
    if (lp_parquet_memory.starved || status == CARQUET_ERROR_OUT_OF_MEMORY) return lp_nomem(err);
    return lp_fail(err, LP_DATA, "the file cannot be read back: %s", what);
}

static carquet_physical_type_t physical_of(enum lp_type type)
{
    switch (type) {
    case LP_TYPE_STRING: return CARQUET_PHYSICAL_BYTE_ARRAY;
    case LP_TYPE_DOUBLE: return CARQUET_PHYSICAL_DOUBLE;
    case LP_TYPE_BOOLEAN: return CARQUET_PHYSICAL_BOOLEAN;
    case LP_TYPE_DATE: return CARQUET_PHYSICAL_INT32;
    default: return CARQUET_PHYSICAL_INT64;
    }
}

static bool same_columns(const carquet_schema_t *schema, const struct lp_columns *columns)
{
    if (carquet_schema_num_columns(schema) != (int32_t)columns->count) return false;
    for (size_t i = 0; i < columns->count; i++) {
        const struct lp_column *c = &columns->list[i];
        const char *name = carquet_schema_column_name(schema, (int32_t)i);
        if (!name || strcmp(name, c->name) != 0 || carquet_schema_column_type(schema, (int32_t)i) != physical_of(c->type) ||
            carquet_schema_max_def_level(schema, (int32_t)i) != c->nullable ||
            carquet_schema_max_rep_level(schema, (int32_t)i))
            return false;
    }
    return true;
}

/* ---- batches ---- */

static enum lp_code next_batch(struct parquet_back *p, bool *more, struct lp_err *err)
{
    carquet_row_batch_free(p->batch);
    p->batch = NULL;
    p->taken = p->batch_rows = 0;
    carquet_status_t status = carquet_batch_reader_next(p->batches, &p->batch);
    *more = status == CARQUET_OK && p->batch;
    if (*more) p->batch_rows = carquet_row_batch_num_rows(p->batch);
    if (*more || status == CARQUET_OK || status == CARQUET_ERROR_END_OF_DATA) return LP_OK;
    return refused(status, carquet_status_string(status), err);
}

static bool is_null(const uint8_t *present, int64_t at)
{
    return present && !(present[at / 8] >> (at % 8) & 1);
}

static enum lp_code take_text(struct lp_batch *b, struct lp_cells *to, size_t row, const carquet_byte_array_t *from,
                              struct lp_err *err)
{
    size_t len = from->length > 0 ? (size_t)from->length : 0;
    to->of.text[row] = (struct lp_slice){lp_arena_strndup(&b->arena, len ? (const char *)from->data : "", len), len};
    return to->of.text[row].at ? LP_OK : lp_arena_code(&b->arena, err);
}

/* Of carquet's batch the rows from p->taken on. */
static enum lp_code take_column(struct parquet_back *p, struct lp_batch *b, size_t column, size_t rows, struct lp_err *err)
{
    struct lp_cells *to = &b->cells[column];
    enum lp_type type = b->columns->list[column].type;
    const void *data;
    const uint8_t *present;
    int64_t count;
    carquet_status_t status = carquet_row_batch_column(p->batch, (int32_t)column, &data, &present, &count);
    if (status || count != p->batch_rows) return refused(status, "a column is shorter than others", err);
    for (size_t i = 0; i < rows; i++) {
        int64_t at = p->taken + (int64_t)i;
        size_t row = b->row_count + i;
        to->null[row] = is_null(present, at);
        if (to->null[row]) continue;
        switch (type) {
        case LP_TYPE_STRING: LP_TRY(take_text(b, to, row, (const carquet_byte_array_t *)data + at, err)); break;
        case LP_TYPE_DOUBLE: to->of.f64[row] = ((const double *)data)[at]; break;
        case LP_TYPE_BOOLEAN: to->of.boolean[row] = ((const uint8_t *)data)[at]; break;
        case LP_TYPE_DATE: to->of.i64[row] = ((const int32_t *)data)[at]; break;
        default: to->of.i64[row] = ((const int64_t *)data)[at]; break;
        }
    }
    return LP_OK;
}

static enum lp_code next(struct lp_rowback *r, uint64_t most_rows, struct lp_batch *b, bool *more, struct lp_err *err)
{
    struct parquet_back *p = (struct parquet_back *)r;
    lp_parquet_memory.starved = false;
    LP_TRY(lp_batch_clear(b, most_rows < LP_BATCH_ROWS ? (size_t)most_rows : LP_BATCH_ROWS, err));
    *more = true;
    while (*more && b->row_count < b->row_cap && b->row_count < most_rows) {
        if (p->taken == p->batch_rows) LP_TRY(next_batch(p, more, err));
        size_t rows = b->row_cap - b->row_count;
        if ((int64_t)rows > p->batch_rows - p->taken) rows = (size_t)(p->batch_rows - p->taken);
        for (size_t i = 0; rows && i < b->columns->count; i++) LP_TRY(take_column(p, b, i, rows, err));
        b->row_count += rows;
        p->taken += (int64_t)rows;
    }
    *more = b->row_count > 0;
    return lp_parquet_memory.starved ? lp_nomem(err) : LP_OK; /* carquet does not notice each */
}

static void free_back(struct lp_rowback *r)
{
    struct parquet_back *p = (struct parquet_back *)r;
    carquet_row_batch_free(p->batch);
    carquet_batch_reader_free(p->batches);
    carquet_reader_close(p->file);
    free(p);
}

enum lp_code lp_rowback_parquet(const struct lp_columns *columns, const void *bytes, size_t len, struct lp_rowback **out,
                                struct lp_err *err)
{
    static const struct lp_rowback_ops ops = {next, free_back};
    struct parquet_back *p = calloc(1, sizeof *p);
    carquet_error_t error = {0};
    carquet_reader_options_t options;
    carquet_batch_reader_config_t config;
    if (!p) return lp_nomem(err);
    p->back = (struct lp_rowback){&ops, columns};
    lp_parquet_memory_use();
    lp_parquet_memory.starved = false;
    carquet_reader_options_init(&options);
    options.num_threads = 1;
    carquet_batch_reader_config_init(&config);
    config.batch_size = BATCH_ROWS;
    config.num_threads = 1;
    p->file = carquet_reader_open_buffer(bytes, len, &options, &error);
    bool fits = p->file && same_columns(carquet_reader_schema(p->file), columns);
    if (fits) p->batches = carquet_batch_reader_create(p->file, &config, &error);
    if (p->batches && !lp_parquet_memory.starved) {
        *out = &p->back;
        return LP_OK;
    }
    enum lp_code code = p->file && !fits && !lp_parquet_memory.starved ? lp_fail(err, LP_DATA, "the file has other columns")
                                         : refused(error.code, error.message, err);
    free_back(&p->back);
    return code;
}
