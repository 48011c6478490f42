#include "table/batch.h"

#include "base/clock.h"
#include "base/number.h"
#include "base/secret.h"

#define BATCH_MAX_BYTES ((size_t)256 << 20)

static size_t cell_bytes(enum lp_type type)
{
    switch (type) {
    case LP_TYPE_STRING: return sizeof(struct lp_slice);
    case LP_TYPE_BOOLEAN: return sizeof(bool);
    case LP_TYPE_DOUBLE: return sizeof(double);
    default: return sizeof(int64_t);
    }
}

static enum lp_code allocate(struct lp_batch *b, struct lp_err *err)
{
    b->cells = lp_arena_zalloc(&b->arena, b->columns->count * sizeof *b->cells);
    b->failures = lp_arena_zalloc(&b->arena, b->row_cap * sizeof *b->failures);
    b->source = lp_arena_zalloc(&b->arena, b->row_cap * sizeof *b->source);
    if (!b->cells || !b->failures || !b->source) return lp_arena_code(&b->arena, err);
    for (size_t i = 0; i < b->columns->count; i++) {
        struct lp_cells *cells = &b->cells[i];
        cells->null = lp_arena_alloc(&b->arena, b->row_cap * sizeof *cells->null);
        cells->of.text = lp_arena_alloc(&b->arena, b->row_cap * cell_bytes(b->columns->list[i].type));
        if (!cells->null || !cells->of.text) return lp_arena_code(&b->arena, err);
    }
    return LP_OK;
}

/* Most replies are one row: a batch begins small and grows to LP_BATCH_ROWS only for those that hold many. */
enum lp_code lp_batch_init(struct lp_batch *b, const struct lp_columns *columns, size_t row_cap, struct lp_err *err)
{
    *b = (struct lp_batch){.columns = columns, .row_cap = row_cap < LP_BATCH_ROWS ? row_cap : LP_BATCH_ROWS};
    if (!b->row_cap) b->row_cap = 1;
    lp_arena_init(&b->arena, BATCH_MAX_BYTES);
    return allocate(b, err);
}

enum lp_code lp_batch_clear(struct lp_batch *b, size_t row_cap, struct lp_err *err)
{
    lp_arena_reset(&b->arena);
    b->row_count = b->bad_count = 0;
    b->row_cap = row_cap < LP_BATCH_ROWS ? row_cap : LP_BATCH_ROWS;
    if (!b->row_cap) b->row_cap = 1;
    return allocate(b, err);
}

void lp_batch_release(struct lp_batch *b)
{
    if (b) lp_arena_release(&b->arena);
}

enum lp_code lp_batch_fail(struct lp_batch *b, size_t row, const char *column, const char *check,
                           const char *failure_case, struct lp_err *err)
{
    struct lp_failure *f = lp_arena_alloc(&b->arena, sizeof *f), **end = &b->failures[row];
    if (!f) return lp_arena_code(&b->arena, err);
    LP_AUTO(lp_buf) masked = {0};
    if (lp_secret_found(failure_case, strlen(failure_case))) {
        lp_secret_mask(failure_case, strlen(failure_case), &masked);
        LP_TRY(lp_buf_code(&masked, "a failure case", err));
        failure_case = lp_buf_text(&masked);
    }
    *f = (struct lp_failure){.column = column,
                             .check = lp_arena_strdup(&b->arena, check),
                             .failure_case = lp_arena_strdup(&b->arena, failure_case)};
    if (!f->check || !f->failure_case) return lp_arena_code(&b->arena, err);
    if (!*end) b->bad_count++;
    while (*end) end = &(*end)->next;
    *end = f;
    return LP_OK;
}

void lp_batch_put_cell_text(const struct lp_batch *b, size_t column, size_t row, struct lp_buf *out)
{
    const struct lp_cells *c = &b->cells[column];
    char number[LP_NUMBER_TEXT_BYTES], time[LP_TIME_TEXT_BYTES];
    if (c->null[row]) return;
    switch (b->columns->list[column].type) {
    case LP_TYPE_STRING: lp_buf_put(out, c->of.text[row].at, c->of.text[row].len); return;
    case LP_TYPE_BIGINT: lp_buf_put(out, number, lp_int64_format(c->of.i64[row], number)); return;
    case LP_TYPE_DOUBLE: lp_buf_put(out, number, lp_double_format(c->of.f64[row], number)); return;
    case LP_TYPE_BOOLEAN: lp_buf_puts(out, c->of.boolean[row] ? "true" : "false"); return;
    case LP_TYPE_TIMESTAMP: lp_buf_put(out, time, lp_time_format_iso(c->of.i64[row], time)); return;
    case LP_TYPE_DATE: lp_buf_put(out, time, lp_date_format(c->of.i64[row], time)); return;
    case LP_TYPE_COUNT: return;
    }
}

void lp_batch_put_cell_json(const struct lp_batch *b, size_t column, size_t row, struct lp_buf *out)
{
    const struct lp_cells *c = &b->cells[column];
    enum lp_type type = b->columns->list[column].type;
    if (c->null[row]) {
        lp_buf_puts(out, "null");
    } else if (type == LP_TYPE_STRING) {
        lp_json_put_text(out, c->of.text[row].at, c->of.text[row].len);
    } else {
        bool quoted = type == LP_TYPE_TIMESTAMP || type == LP_TYPE_DATE;
        if (quoted) lp_buf_putc(out, '"');
        lp_batch_put_cell_text(b, column, row, out);
        if (quoted) lp_buf_putc(out, '"');
    }
}
