/* Parquet as a format of rows, on carquet.
 *
 * Rows are gathered in batches of a fixed size before carquet sees them, because its pages are cut where its calls are: so
 * the bytes do not depend on how replies brought the rows. carquet keeps a row group until it is whole; it ends after
 * GROUP_ROWS rows or GROUP_BYTES bytes, or when its memory is wanted (shed). Every encoding is set here, as its defaults
 * make doubles larger.
 *
 * carquet does not notice each allocation that fails. Its allocator is ours, and a file that met one is never finished. */
#include "table/parquet_memory.h"
#include "table/rowfile.h"

#include <carquet/carquet.h>
#include <stdio.h>
#include <stdlib.h>

#define BATCH_ROWS  8192
#define BATCH_BYTES ((size_t)1 << 20) /* of a batch whose rows are long */
#define GROUP_ROWS  ((size_t)1 << 18)
#define GROUP_BYTES ((size_t)16 << 20)

#define ZSTD_LEVEL       3
#define EVEN_STEPS       (1 << 16)
#define PAGE_ROWS        20000
#define STATISTICS_BYTES (1 << 20) /* carquet cuts longer texts in the middle of a character */
#define LONG_TEXT        256       /* a column of such gets no statistics: they would be as long as the texts */

/* The rows gathered so far of one column: values without the NULLs, and for a nullable one a level per row. */
struct column {
    union {
        void *at;
        int64_t *i64;
        double *f64;
        int32_t *i32;
        bool *boolean;
        carquet_byte_array_t *text; /* lengths only; the bytes lie one after the other in `bytes` */
    } values;
    size_t value_count;
    int16_t *levels;
    struct lp_buf bytes;
};

struct parquet {
    struct lp_rowfile rows;
    struct column *columns;
    size_t row_count, row_cap; /* gathered */
    size_t batch_bytes, group_rows, group_bytes;
    size_t kept_bytes;        /* what carquet still has of the largest row group since it was trimmed */
    size_t carquet_bytes;     /* all that it has of this file, as of the last call */
    carquet_writer_t *writer; /* NULL until the first batch */
    FILE *file;               /* carquet's way to the target */
    struct lp_err *err;       /* of the call at work */
    enum lp_code failed;
};

/* What came of a call to carquet, in our words. */
static enum lp_code outcome(struct parquet *p, carquet_status_t status, struct lp_err *err)
{
    if (p->failed) return p->failed; /* the target's, told already */
    /* zstd fails for want of memory alone: its output has all the room it may need. */
    if (lp_parquet_memory.starved || status == CARQUET_ERROR_OUT_OF_MEMORY || status == CARQUET_ERROR_COMPRESSION)
        p->failed = lp_nomem(err);
    else if (status != CARQUET_OK) p->failed = lp_fail(err, LP_IO, "carquet: %s", carquet_status_string(status));
    return p->failed;
}

/* ---- the way to the target ---- */

static ssize_t write_bytes(void *room, const char *bytes, size_t len)
{
    struct parquet *p = room;
    if (!p->failed) p->failed = p->rows.target.write(p->rows.target.room, bytes, len, p->err);
    return p->failed ? 0 : (ssize_t)len;
}

/* ---- the file ---- */

static void logical_type(enum lp_type type, carquet_physical_type_t *physical, carquet_logical_type_t *logical)
{
    *logical = (carquet_logical_type_t){.id = CARQUET_LOGICAL_UNKNOWN};
    switch (type) {
    case LP_TYPE_STRING:
        *physical = CARQUET_PHYSICAL_BYTE_ARRAY;
        logical->id = CARQUET_LOGICAL_STRING;
        break;
    case LP_TYPE_DOUBLE: *physical = CARQUET_PHYSICAL_DOUBLE; break;
    case LP_TYPE_BOOLEAN: *physical = CARQUET_PHYSICAL_BOOLEAN; break;
    case LP_TYPE_DATE:
        *physical = CARQUET_PHYSICAL_INT32;
        logical->id = CARQUET_LOGICAL_DATE;
        break;
    case LP_TYPE_TIMESTAMP:
        *physical = CARQUET_PHYSICAL_INT64;
        logical->id = CARQUET_LOGICAL_TIMESTAMP;
        logical->params.timestamp.unit = CARQUET_TIME_UNIT_MICROS;
        logical->params.timestamp.is_adjusted_to_utc = true;
        break;
    default: *physical = CARQUET_PHYSICAL_INT64; break;
    }
}

static size_t value_bytes(enum lp_type type)
{
    switch (type) {
    case LP_TYPE_STRING: return sizeof(carquet_byte_array_t);
    case LP_TYPE_BOOLEAN: return sizeof(bool);
    case LP_TYPE_DATE: return sizeof(int32_t);
    default: return sizeof(int64_t);
    }
}

static carquet_status_t describe_columns(const struct lp_columns *columns, carquet_schema_t *schema)
{
    carquet_status_t status = CARQUET_OK;
    for (size_t i = 0; !status && i < columns->count; i++) {
        const struct lp_column *c = &columns->list[i];
        carquet_physical_type_t physical;
        carquet_logical_type_t logical;
        logical_type(c->type, &physical, &logical);
        status =
            carquet_schema_add_column(schema, c->name, physical, logical.id ? &logical : NULL,
                                      c->nullable ? CARQUET_REPETITION_OPTIONAL : CARQUET_REPETITION_REQUIRED, 0, 0);
    }
    return status;
}

static int64_t int_at(const struct column *c, enum lp_type type, size_t i)
{
    return type == LP_TYPE_DATE ? c->values.i32[i] : c->values.i64[i];
}

/* Does each value lie about as far from the last as the others do? So it is with times at regular intervals, numbers that
 * count up, and those of a small range. */
static bool steps_evenly(const struct column *c, enum lp_type type)
{
    __int128 least = 0, most = 0;
    for (size_t i = 1; i < c->value_count; i++) {
        __int128 step = (__int128)int_at(c, type, i) - int_at(c, type, i - 1);
        if (i == 1 || step < least) least = step;
        if (i == 1 || step > most) most = step;
    }
    return c->value_count > 1 && most - least < EVEN_STEPS;
}

/* As the first batch suggests. A dictionary is given up by carquet where it does not pay. */
static carquet_encoding_t encoding_of(const struct column *c, enum lp_type type)
{
    switch (type) {
    case LP_TYPE_BOOLEAN: return CARQUET_ENCODING_PLAIN;
    case LP_TYPE_BIGINT:
    case LP_TYPE_TIMESTAMP:
    case LP_TYPE_DATE:
        return steps_evenly(c, type) ? CARQUET_ENCODING_DELTA_BINARY_PACKED : CARQUET_ENCODING_RLE_DICTIONARY;
    default: return CARQUET_ENCODING_RLE_DICTIONARY;
    }
}

static bool is_long(const struct column *c)
{
    for (size_t i = 0; i < c->value_count; i++)
        if (c->values.text[i].length > LONG_TEXT) return true;
    return false;
}

static carquet_status_t set_up_columns(struct parquet *p)
{
    const struct lp_columns *columns = p->rows.setting.columns;
    carquet_status_t status = carquet_writer_set_max_statistics_size(p->writer, STATISTICS_BYTES);
    for (size_t i = 0; !status && i < columns->count; i++) {
        enum lp_type type = columns->list[i].type;
        const struct column *c = &p->columns[i];
        status = carquet_writer_set_column_encoding(p->writer, (int32_t)i, encoding_of(c, type));
        if (!status && type == LP_TYPE_STRING && is_long(c))
            status = carquet_writer_set_column_statistics(p->writer, (int32_t)i, false);
    }
    return status;
}

/* What readers that look into the file find beside the rows: "pipeline", "COLUMN.unit", "COLUMN.description". */
static carquet_status_t put_about(struct parquet *p)
{
    const struct lp_columns *columns = p->rows.setting.columns;
    const char *pipeline = p->rows.setting.pipeline;
    carquet_status_t status = pipeline ? carquet_writer_add_metadata(p->writer, "pipeline", pipeline) : CARQUET_OK;
    for (size_t i = 0; !status && i < columns->count; i++) {
        const struct lp_column *c = &columns->list[i];
        const char *const about[][2] = {{"unit", c->unit}, {"description", c->description}};
        for (size_t k = 0; !status && k < LP_COUNT(about); k++) {
            LP_AUTO(lp_buf) key = {0};
            if (!about[k][1]) continue;
            lp_buf_printf(&key, "%s.%s", c->name, about[k][0]);
            status = key.failed ? CARQUET_ERROR_OUT_OF_MEMORY
                                : carquet_writer_add_metadata(p->writer, lp_buf_text(&key), about[k][1]);
        }
    }
    return status;
}

static carquet_status_t make_writer(struct parquet *p)
{
    carquet_writer_options_t o;
    carquet_writer_options_init(&o);
    o.compression = CARQUET_COMPRESSION_ZSTD;
    o.compression_level = ZSTD_LEVEL;
    o.row_group_size = 0;
    o.max_rows_per_page = PAGE_ROWS;
    o.write_page_index = true;
    o.async_io = false;
    o.created_by = "lambda-pipeline";
    carquet_schema_t *schema = carquet_schema_create(NULL);
    carquet_status_t status = schema ? describe_columns(p->rows.setting.columns, schema) : CARQUET_ERROR_OUT_OF_MEMORY;
    if (!status) {
        carquet_error_t error = {0};
        p->writer = carquet_writer_create_file(p->file, schema, &o, &error);
        if (!p->writer) status = error.code ? error.code : CARQUET_ERROR_OUT_OF_MEMORY;
    }
    carquet_schema_free(schema);
    if (!status) status = set_up_columns(p);
    return status ? status : put_about(p);
}

/* The file begins with the first batch, so that one with few rows costs nothing but these until it is finished. */
static enum lp_code begin_file(struct parquet *p, struct lp_err *err)
{
    if (p->writer) return LP_OK;
    p->file = fopencookie(p, "w", (cookie_io_functions_t){.write = write_bytes});
    if (!p->file) return p->failed = lp_nomem(err);
    setvbuf(p->file, NULL, _IONBF, 0); /* the target gathers for itself */
    return outcome(p, make_writer(p), err);
}

/* ---- gathered rows ---- */

static size_t row_width(const struct lp_columns *columns)
{
    size_t width = 0;
    for (size_t i = 0; i < columns->count; i++)
        width += value_bytes(columns->list[i].type) + (columns->list[i].nullable ? sizeof(int16_t) : 0);
    return width;
}

static void release_gathered(struct parquet *p)
{
    for (size_t i = 0; i < p->rows.setting.columns->count; i++) {
        struct column *c = &p->columns[i];
        free(c->values.at);
        free(c->levels);
        lp_buf_release(&c->bytes);
        *c = (struct column){0};
    }
    p->row_cap = 0;
}

static bool grow_column(struct column *c, const struct lp_column *about, size_t cap)
{
    void *values = reallocarray(c->values.at, cap, value_bytes(about->type));
    if (!values) return false;
    c->values.at = values;
    if (!about->nullable) return true;
    int16_t *levels = reallocarray(c->levels, cap, sizeof *levels);
    if (levels) c->levels = levels;
    return levels;
}

static enum lp_code make_room(struct parquet *p, size_t rows, struct lp_err *err)
{
    const struct lp_columns *columns = p->rows.setting.columns;
    size_t cap = p->row_cap ? p->row_cap : 4; /* of many files each may have few */
    while (cap < p->row_count + rows) cap *= 2;
    if (cap == p->row_cap) return LP_OK;
    for (size_t i = 0; i < columns->count; i++)
        if (!grow_column(&p->columns[i], &columns->list[i], cap)) return p->failed = lp_nomem(err);
    p->row_cap = cap;
    return LP_OK;
}

static void point_at_bytes(struct column *c)
{
    char *at = c->bytes.data;
    static uint8_t nothing;
    for (size_t i = 0; i < c->value_count; i++) {
        carquet_byte_array_t *text = &c->values.text[i];
        text->data = at ? (uint8_t *)at : &nothing;
        at += at ? text->length : 0;
    }
}

/* Gives the gathered rows to carquet. */
static enum lp_code hand_over(struct parquet *p, struct lp_err *err)
{
    const struct lp_columns *columns = p->rows.setting.columns;
    if (!p->row_count) return LP_OK;
    LP_TRY(begin_file(p, err));
    for (size_t i = 0; i < columns->count; i++) {
        struct column *c = &p->columns[i];
        if (columns->list[i].type == LP_TYPE_STRING) point_at_bytes(c);
        LP_TRY(outcome(
            p, carquet_writer_write_batch(p->writer, (int32_t)i, c->values.at, (int64_t)p->row_count, c->levels, NULL),
            err));
        c->value_count = 0;
        lp_buf_clear(&c->bytes);
    }
    p->group_rows += p->row_count;
    p->group_bytes += p->batch_bytes;
    p->row_count = p->batch_bytes = 0;
    return LP_OK;
}

static enum lp_code end_group(struct parquet *p, struct lp_err *err)
{
    LP_TRY(hand_over(p, err));
    if (!p->group_rows) return LP_OK;
    if (p->kept_bytes < p->group_bytes) p->kept_bytes = p->group_bytes;
    p->group_rows = p->group_bytes = 0;
    return outcome(p, carquet_writer_new_row_group(p->writer), err);
}

/* ---- gathering ---- */

/* The values of some rows that are not NULL, behind those that are there: for each of `rows`, what `value` makes of `row`. */
#define PUT_VALUES(list, value)                      \
    for (size_t i = 0; i < count; i++) {             \
        size_t row = rows[i];                        \
        if (!from->null[row]) (list)[n++] = (value); \
    }

static size_t put_texts(struct column *c, const struct lp_cells *from, const uint16_t *rows, size_t count)
{
    size_t n = c->value_count, len = 0;
    for (size_t i = 0; i < count; i++)
        if (!from->null[rows[i]]) len += from->of.text[rows[i]].len;
    if (!lp_buf_reserve(&c->bytes, len)) return n;
    char *at = c->bytes.data + c->bytes.len;
    for (size_t i = 0; i < count; i++) {
        const struct lp_slice *text = &from->of.text[rows[i]];
        if (from->null[rows[i]]) continue;
        c->values.text[n++].length = (int32_t)text->len;
        if (text->len) memcpy(at, text->at, text->len);
        at += text->len;
    }
    c->bytes.len += len;
    c->bytes.data[c->bytes.len] = '\0';
    return n;
}

static void put_values(struct column *c, const struct lp_cells *from, enum lp_type type, const uint16_t *rows,
                       size_t count)
{
    size_t n = c->value_count;
    switch (type) {
    case LP_TYPE_STRING: n = put_texts(c, from, rows, count); break;
    case LP_TYPE_DOUBLE: PUT_VALUES(c->values.f64, from->of.f64[row]) break;
    case LP_TYPE_BOOLEAN: PUT_VALUES(c->values.boolean, from->of.boolean[row]) break;
    case LP_TYPE_DATE: PUT_VALUES(c->values.i32, (int32_t)from->of.i64[row]) break;
    default: PUT_VALUES(c->values.i64, from->of.i64[row]) break;
    }
    c->value_count = n;
}

static enum lp_code gather(struct parquet *p, const struct lp_batch *b, const uint16_t *rows, size_t count,
                           struct lp_err *err)
{
    LP_TRY(make_room(p, count, err));
    for (size_t i = 0; i < b->columns->count; i++) {
        const struct lp_column *about = &b->columns->list[i];
        struct column *c = &p->columns[i];
        size_t before = c->value_count;
        put_values(c, &b->cells[i], about->type, rows, count);
        for (size_t k = 0; about->nullable && k < count; k++) c->levels[p->row_count + k] = !b->cells[i].null[rows[k]];
        p->failed = lp_buf_code(&c->bytes, about->name, err);
        LP_TRY(p->failed);
        if (!about->nullable && c->value_count - before != count)
            return p->failed = lp_fail(err, LP_BUG, "column %s is not nullable and has a NULL", about->name);
    }
    p->row_count += count;
    return LP_OK;
}

/* How many of the rows still fit into the gathered batch, so that its end depends on the rows alone. */
static size_t count_fitting(struct parquet *p, const struct lp_batch *b, const uint16_t *rows, size_t count)
{
    size_t width = row_width(b->columns), fits = 0;
    if (count > BATCH_ROWS - p->row_count) count = BATCH_ROWS - p->row_count;
    while (fits < count && p->batch_bytes < BATCH_BYTES) {
        size_t row = rows[fits++];
        p->batch_bytes += width;
        for (size_t i = 0; i < b->columns->count; i++)
            if (b->columns->list[i].type == LP_TYPE_STRING && !b->cells[i].null[row])
                p->batch_bytes += b->cells[i].of.text[row].len;
    }
    return fits;
}

static void begin_call(struct parquet *p, struct lp_err *err)
{
    lp_parquet_memory.starved = false;
    p->err = err;
}

/* What carquet still has of the file once it gave back what it keeps for the next row group, and we our own. */
static void count_lasting(struct parquet *p, size_t in_use_before)
{
    p->carquet_bytes += lp_parquet_memory.in_use - in_use_before;
    p->rows.lasting_bytes = sizeof *p + p->rows.setting.columns->count * sizeof *p->columns + p->carquet_bytes;
}

static enum lp_code write_rows(struct lp_rowfile *r, const struct lp_batch *b, const bool *keep, struct lp_err *err)
{
    struct parquet *p = (struct parquet *)r;
    uint16_t rows[LP_BATCH_ROWS];
    size_t count = 0, in_use = lp_parquet_memory.in_use;
    begin_call(p, err);
    if (p->failed) return lp_fail(err, p->failed, "an earlier write failed");
    for (size_t row = 0; row < b->row_count; row++)
        if (!b->failures[row] && (!keep || keep[row])) rows[count++] = (uint16_t)row;
    for (size_t at = 0; at < count;) {
        size_t fits = count_fitting(p, b, rows + at, count - at);
        LP_TRY(gather(p, b, rows + at, fits, err));
        at += fits;
        if (p->row_count < BATCH_ROWS && p->batch_bytes < BATCH_BYTES) continue;
        LP_TRY(hand_over(p, err));
        if (p->group_rows >= GROUP_ROWS || p->group_bytes >= GROUP_BYTES) LP_TRY(end_group(p, err));
    }
    size_t group = p->group_bytes > p->kept_bytes ? p->group_bytes : p->kept_bytes;
    r->held_bytes = group + p->batch_bytes + p->row_cap * row_width(b->columns);
    p->carquet_bytes += lp_parquet_memory.in_use - in_use;
    return LP_OK;
}

static enum lp_code shed(struct lp_rowfile *r, struct lp_err *err)
{
    struct parquet *p = (struct parquet *)r;
    size_t in_use = lp_parquet_memory.in_use;
    begin_call(p, err);
    if (p->failed) return lp_fail(err, p->failed, "an earlier write failed");
    LP_TRY(end_group(p, err));
    release_gathered(p);
    if (p->writer) carquet_writer_trim(p->writer);
    r->held_bytes = p->kept_bytes = 0;
    count_lasting(p, in_use);
    return LP_OK;
}

static enum lp_code finish(struct lp_rowfile *r, struct lp_err *err)
{
    struct parquet *p = (struct parquet *)r;
    LP_TRY(shed(r, err));
    LP_TRY(begin_file(p, err));
    carquet_writer_t *writer = p->writer;
    p->writer = NULL; /* close frees it, whatever comes of it */
    LP_TRY(outcome(p, carquet_writer_close(writer), err));
    int closed = fclose(p->file);
    p->file = NULL;
    return outcome(p, closed ? CARQUET_ERROR_FILE_WRITE : CARQUET_OK, err);
}

static void free_rows(struct lp_rowfile *r)
{
    struct parquet *p = (struct parquet *)r;
    if (!p->failed) p->failed = LP_CANCELLED; /* nothing goes to the target any more */
    carquet_writer_abort(p->writer);
    if (p->file) fclose(p->file);
    if (p->columns) release_gathered(p);
    free(p->columns);
    free(p);
}

static enum lp_code open_rows(const struct lp_rowfile_setting *s, const struct lp_rowfile_target *t,
                              struct lp_rowfile **out, struct lp_err *err)
{
    static const struct lp_rowfile_ops ops = {write_rows, shed, finish, free_rows};
    struct parquet *p = calloc(1, sizeof *p);
    if (!p) return lp_nomem(err);
    lp_parquet_memory_use();
    p->rows = (struct lp_rowfile){.ops = &ops, .setting = *s, .target = *t};
    p->columns = calloc(s->columns->count, sizeof *p->columns);
    if (!p->columns) {
        free_rows(&p->rows);
        return lp_nomem(err);
    }
    count_lasting(p, lp_parquet_memory.in_use);
    *out = &p->rows;
    return LP_OK;
}

const struct lp_format_info lp_format_parquet = {"parquet", ".parquet", NULL, open_rows};
