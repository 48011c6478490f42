/* The rows of an answer of Athena: one page as it is told, more of them as the CSV object that Athena wrote. */
#include "query/athena.h"
#include "query/rows.h"

#include "base/cancel.h"

#include <stdlib.h>

#define PAGE_ROWS   1000
#define PAGE_BYTES  ((size_t)256 << 20)
#define PIECE_BYTES ((size_t)8 << 20)
#define MOST_PAGES  1000000
#define MOST_CELL   ((size_t)64 << 20)

struct reading {
    const struct lp_athena_answer *a;
    struct lp_arena shape, page; /* what lasts, what lasts for a page */
    struct lp_rows_column *columns;
    size_t column_count;
    const char **values;
    struct lp_row_writer writer;
    struct lp_buf token;
    /* the object */
    struct lp_buf cells; /* texts of the row, each with its NUL */
    size_t *starts;      /* per value: where it begins in cells; SIZE_MAX: NULL */
    size_t value;
    bool quoted, quote, any; /* inside quotes; after one of them; the field had quotes or bytes */
    bool header;             /* still to be left out */
};

/* ---- pages ---- */

static enum lp_code read_shape(struct reading *r, const json_t *set, struct lp_err *err)
{
    const json_t *list = json_object_get(json_object_get(set, "ResultSetMetadata"), "ColumnInfo");
    r->column_count = json_array_size(list);
    if (r->column_count > LP_ROWS_COLUMNS)
        return lp_fail(err, LP_LIMIT, "the answer has more than %d columns", LP_ROWS_COLUMNS);
    r->columns = lp_arena_zalloc(&r->shape, (r->column_count + 1) * sizeof *r->columns);
    r->values = lp_arena_zalloc(&r->shape, (r->column_count + 1) * sizeof *r->values);
    r->starts = lp_arena_zalloc(&r->shape, (r->column_count + 1) * sizeof *r->starts);
    if (!r->columns || !r->values || !r->starts) return lp_arena_code(&r->shape, err);
    for (size_t i = 0; i < r->column_count; i++) {
        const json_t *c = json_array_get(list, i);
        const char *label = json_string_value(json_object_get(c, "Label")),
                   *name = json_string_value(json_object_get(c, "Name"));
        const char *type = json_string_value(json_object_get(c, "Type"));
        r->columns[i].name = lp_arena_strdup(&r->shape, label ? label : name ? name : "");
        r->columns[i].type = lp_arena_strdup(&r->shape, type ? type : "varchar");
        if (!r->columns[i].name || !r->columns[i].type) return lp_arena_code(&r->shape, err);
    }
    return LP_OK;
}

static void read_row(struct reading *r, const json_t *row)
{
    const json_t *data = json_object_get(row, "Data");
    for (size_t i = 0; i < r->column_count; i++)
        r->values[i] = json_string_value(json_object_get(json_array_get(data, i), "VarCharValue"));
}

/* For a SELECT, and there alone, the first row of the first page is the columns' names once more. */
static bool repeats_names(const struct reading *r)
{
    for (size_t i = 0; i < r->column_count; i++)
        if (!r->values[i] || strcmp(r->values[i], r->columns[i].name) != 0) return false;
    return r->a->dml && r->column_count;
}

static enum lp_code put_page(struct reading *r, const json_t *set, bool first, struct lp_err *err)
{
    const json_t *rows = json_object_get(set, "Rows");
    for (size_t i = 0; i < json_array_size(rows); i++) {
        read_row(r, json_array_get(rows, i));
        if (first && i == 0 && repeats_names(r)) continue;
        LP_TRY(lp_rows_add(&r->writer, r->values, err));
    }
    return LP_OK;
}

static enum lp_code get_page(struct reading *r, json_t **answer, struct lp_err *err)
{
    LP_AUTO(lp_buf) body = {0};
    struct lp_json_writer w = {.out = &body};
    lp_json_open(&w, NULL, '{');
    lp_json_text(&w, "QueryExecutionId", r->a->id);
    lp_json_int(&w, "MaxResults", PAGE_ROWS);
    if (r->token.len) lp_json_text(&w, "NextToken", lp_buf_text(&r->token));
    lp_json_close(&w, '}');
    LP_TRY(lp_athena_call(r->a->aws, "GetQueryResults", &body, 0, &r->page, answer, err));
    const char *token = json_string_value(json_object_get(*answer, "NextToken"));
    lp_buf_clear(&r->token);
    if (token) lp_buf_puts(&r->token, token);
    return lp_buf_code(&r->token, "Athena's token of the next page", err);
}

/* ---- the object ---- */

static enum lp_code end_row(struct reading *r, struct lp_err *err)
{
    if (r->value != r->column_count)
        return lp_fail(err, LP_REMOTE, "%s: a row has %zu fields where %zu were expected", r->a->location, r->value,
                       r->column_count);
    for (size_t i = 0; i < r->column_count; i++)
        r->values[i] = r->starts[i] == SIZE_MAX ? NULL : r->cells.data + r->starts[i];
    if (!r->header) LP_TRY(lp_rows_add(&r->writer, r->values, err));
    r->header = false;
    r->value = 0;
    lp_buf_clear(&r->cells);
    return LP_OK;
}

/* Every field is quoted; NULL is one without anything. */
static enum lp_code end_field(struct reading *r, char c, struct lp_err *err)
{
    if (r->value >= r->column_count) return lp_fail(err, LP_REMOTE, "%s: a row has too many fields", r->a->location);
    if (!r->any) r->starts[r->value] = SIZE_MAX;
    lp_buf_putc(&r->cells, '\0');
    LP_TRY(lp_buf_code(&r->cells, "a row of the answer", err));
    r->value++;
    r->any = r->quote = false;
    if (r->value < r->column_count) r->starts[r->value] = r->cells.len;
    return c == '\n' ? end_row(r, err) : LP_OK;
}

static enum lp_code put_bytes(struct reading *r, const char *at, const char *end, struct lp_err *err)
{
    for (; at < end; at++) {
        if (!r->value && !r->any && !r->cells.len) r->starts[0] = 0;
        if (r->quoted) {
            const char *stop = memchr(at, '"', (size_t)(end - at));
            size_t len = (size_t)((stop ? stop : end) - at);
            lp_buf_put(&r->cells, at, len);
            r->quoted = !stop;
            r->quote = stop;
            at += stop ? len : len - 1;
        } else if (*at == '"') {
            if (r->quote) lp_buf_putc(&r->cells, '"'); /* the second of two */
            r->quoted = r->any = true;
            r->quote = false;
        } else if (*at == ',' || *at == '\n') {
            LP_TRY(end_field(r, *at, err));
        } else if (*at != '\r') {
            lp_buf_putc(&r->cells, *at);
            r->any = true;
            r->quote = false;
        }
    }
    return lp_buf_code(&r->cells, "a row of the answer", err);
}

/* One range of it. *more: the object goes on behind it. */
static enum lp_code put_piece(struct reading *r, uint64_t from, bool *more, enum lp_code *refused, struct lp_err *err)
{
    const char *bucket = r->a->location + strlen("s3://"), *slash = strchr(bucket, '/');
    LP_AUTO(lp_buf) path = {0}, name = {0}, range = {0};
    LP_AUTO(lp_aws_reply) reply = {0};
    lp_buf_put(&name, bucket, (size_t)(slash - bucket));
    lp_percent_encode(&path, slash, strlen(slash), "/");
    lp_buf_printf(&range, "range: bytes=%llu-%llu", (unsigned long long)from,
                  (unsigned long long)(from + PIECE_BYTES - 1));
    LP_TRY(lp_buf_code(&path, "the place of the answer", err));
    const char *headers[] = {lp_buf_text(&range)};
    struct lp_aws_request q = {.service = "s3",
                               .bucket = lp_buf_text(&name),
                               .method = "GET",
                               .path = lp_buf_text(&path),
                               .headers = headers,
                               .header_count = 1};
    enum lp_code code = lp_aws_call(r->a->aws, &q, &reply, err);
    *more = !code && reply.body.len == PIECE_BYTES;
    if (code && reply.status == 416) return LP_OK; /* it ended where the last piece did */
    *refused = code;
    LP_TRY(code);
    return put_bytes(r, lp_buf_text(&reply.body), lp_buf_text(&reply.body) + reply.body.len, err);
}

static enum lp_code put_object(struct reading *r, enum lp_code *refused, struct lp_err *err)
{
    bool more = true;
    r->header = true;
    for (uint64_t from = 0; more; from += PIECE_BYTES) {
        LP_TRY(lp_cancel_check(err));
        LP_TRY(put_piece(r, from, &more, refused, err));
    }
    if (!r->value && !r->any && !r->quoted) return LP_OK;
    return lp_fail(err, LP_REMOTE, "%s ends in the middle of a row", r->a->location);
}

/* ---- all of it ---- */

static bool has_object(const struct lp_athena_answer *a)
{
    size_t len = a->location ? strlen(a->location) : 0;
    return a->dml && len > 9 && !strncmp(a->location, "s3://", 5) && strchr(a->location + 5, '/') &&
           !strcmp(a->location + len - 4, ".csv");
}

static enum lp_code put_all(struct reading *r, struct lp_err *err)
{
    json_t *answer;
    LP_TRY(get_page(r, &answer, err));
    const json_t *set = json_object_get(answer, "ResultSet");
    LP_TRY(read_shape(r, set, err));
    LP_TRY(lp_rows_begin(&r->writer, r->a->form, r->a->fd, r->columns, r->column_count, err));
    /* A page takes a request per thousand rows; whoever may not read the object still gets them all. */
    if (r->token.len && has_object(r->a)) {
        enum lp_code refused = LP_OK, code = put_object(r, &refused, err);
        if (!code) return lp_rows_end(&r->writer, err);
        if ((refused != LP_AUTH && refused != LP_NOTFOUND) || r->writer.row_count) return code;
    }
    LP_TRY(put_page(r, set, true, err));
    for (int page = 0; r->token.len && page < MOST_PAGES; page++) {
        LP_TRY(lp_cancel_check(err));
        LP_TRY(get_page(r, &answer, err));
        LP_TRY(put_page(r, json_object_get(answer, "ResultSet"), false, err));
    }
    return lp_rows_end(&r->writer, err);
}

enum lp_code lp_athena_put_rows(const struct lp_athena_answer *a, struct lp_err *err)
{
    struct reading r = {.a = a, .cells.max_bytes = MOST_CELL};
    lp_arena_init(&r.shape, PAGE_BYTES);
    lp_arena_init(&r.page, PAGE_BYTES);
    enum lp_code code = put_all(&r, err);
    bool closed = r.writer.closed;
    lp_row_writer_release(&r.writer);
    lp_buf_release(&r.token);
    lp_buf_release(&r.cells);
    lp_arena_release(&r.shape);
    lp_arena_release(&r.page);
    return code && closed ? LP_OK : code;
}
