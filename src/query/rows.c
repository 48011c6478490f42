#include "query/rows.h"

#include "base/cancel.h"
#include "base/json.h"
#include "base/number.h"
#include "table/csv.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define FLUSH_BYTES ((size_t)64 * 1024)
#define CELL_WIDTH  ((size_t)60)

static enum lp_code flush(struct lp_row_writer *w, struct lp_err *err)
{
    const char *bytes = lp_buf_text(&w->out);
    size_t len = w->out.len;
    LP_TRY(lp_buf_code(&w->out, "the answer", err));
    while (len) {
        ssize_t n = write(w->fd, bytes, len);
        if (n < 0 && errno == EINTR) {
            LP_TRY(lp_cancel_check(err));
            continue;
        }
        if (n < 0) {
            w->closed = errno == EPIPE;
            return lp_fail_errno(err, "standard output: cannot be written");
        }
        bytes += n;
        len -= (size_t)n;
    }
    lp_buf_clear(&w->out);
    return LP_OK;
}

/* ---- values ---- */

static bool is_type(const char *type, const char *name)
{
    size_t len = strlen(name);
    return type && !strncmp(type, name, len) && (!type[len] || type[len] == '(' || type[len] == ' ');
}

static bool is_float(const char *type)
{
    return is_type(type, "double") || is_type(type, "float") || is_type(type, "real");
}

static bool is_number(const char *type)
{
    return is_float(type) || is_type(type, "bigint") || is_type(type, "integer") || is_type(type, "int") ||
           is_type(type, "smallint") || is_type(type, "tinyint");
}

/* 1.0E7 is 10000000.0, 18:00:00.000 is 18:00:00; room is LP_NUMBER_TEXT_BYTES. */
static const char *as_usual(const char *type, const char *value, char *room)
{
    double number;
    size_t len = strlen(value);
    if (is_float(type) && lp_double_parse(value, len, &number)) {
        lp_double_format(number, room);
        return room;
    }
    const char *dot = is_type(type, "timestamp") && len < LP_NUMBER_TEXT_BYTES ? strchr(value, '.') : NULL;
    size_t digits = dot ? strspn(dot + 1, "0123456789") : 0;
    if (!dot || dot[1 + digits]) return value; /* no fraction, or a zone behind it */
    while (digits && dot[digits] == '0') digits--;
    size_t kept = (size_t)(dot - value) + (digits ? digits + 1 : 0);
    memcpy(room, value, kept);
    room[kept] = '\0';
    return room;
}

static void put_json_value(const struct lp_rows_column *c, const char *value, struct lp_buf *out)
{
    double number;
    if (!value) lp_buf_puts(out, "null");
    else if (is_number(c->type)) lp_buf_puts(out, lp_double_parse(value, strlen(value), &number) ? value : "null");
    else if (is_type(c->type, "boolean") && (!strcmp(value, "true") || !strcmp(value, "false")))
        lp_buf_puts(out, value);
    else lp_json_put_text(out, value, strlen(value));
}

/* ---- a table for people ---- */

static size_t shown_width(const char *text)
{
    size_t width = lp_text_columns(text, strlen(text));
    return width > CELL_WIDTH ? CELL_WIDTH : width;
}

static size_t column_width(const struct lp_row_writer *w, size_t i, size_t rows)
{
    size_t width = shown_width(w->columns[i].name), type = shown_width(w->columns[i].type ? w->columns[i].type : "");
    if (type > width) width = type;
    for (size_t r = 0; r < rows; r++) {
        const char *cell = w->drawn[r * w->column_count + i];
        size_t it = shown_width(cell ? cell : "NULL");
        if (it > width) width = it;
    }
    return width;
}

static void put_rule(const struct lp_row_writer *w, const size_t *widths, const char *left, const char *middle,
                     const char *right, struct lp_buf *out)
{
    for (size_t i = 0; i < w->column_count; i++) {
        lp_buf_puts(out, i ? middle : left);
        for (size_t k = 0; k < widths[i] + 2; k++) lp_buf_puts(out, "─");
    }
    lp_buf_printf(out, "%s\n", right);
}

enum place { LEFT, CENTER, RIGHT };

static void put_cell(const char *text, size_t width, enum place place, struct lp_buf *out)
{
    LP_AUTO(lp_buf) visible = {0}, cut = {0};
    lp_text_put_visible(&visible, text, strlen(text));
    lp_text_cut(&cut, lp_buf_text(&visible), visible.len, width);
    size_t pad = width - lp_text_columns(lp_buf_text(&cut), cut.len);
    size_t before = place == LEFT ? 0 : place == RIGHT ? pad : pad / 2;
    if (visible.failed || cut.failed) out->failed = LP_NOMEM;
    lp_buf_printf(out, "│ %*s%s%*s ", (int)before, "", lp_buf_text(&cut), (int)(pad - before), "");
}

static enum lp_code draw(struct lp_row_writer *w, struct lp_err *err)
{
    size_t rows = w->row_count < LP_ROWS_DRAWN ? (size_t)w->row_count : LP_ROWS_DRAWN;
    size_t *widths = calloc(w->column_count + 1, sizeof *widths);
    if (!widths) return lp_nomem(err);
    for (size_t i = 0; i < w->column_count; i++) widths[i] = column_width(w, i, rows);
    put_rule(w, widths, "┌", "┬", "┐", &w->out);
    for (size_t i = 0; i < w->column_count; i++) put_cell(w->columns[i].name, widths[i], CENTER, &w->out);
    lp_buf_puts(&w->out, "│\n");
    for (size_t i = 0; i < w->column_count; i++)
        put_cell(w->columns[i].type ? w->columns[i].type : "", widths[i], CENTER, &w->out);
    lp_buf_puts(&w->out, "│\n");
    put_rule(w, widths, "├", "┼", "┤", &w->out);
    for (size_t r = 0; r < rows; r++) {
        for (size_t i = 0; i < w->column_count; i++) {
            const char *cell = w->drawn[r * w->column_count + i];
            put_cell(cell ? cell : "NULL", widths[i], is_number(w->columns[i].type) ? RIGHT : LEFT, &w->out);
        }
        lp_buf_puts(&w->out, "│\n");
    }
    put_rule(w, widths, "└", "┴", "┘", &w->out);
    if (w->row_count > rows)
        lp_buf_printf(&w->out, "%llu rows, of which the first %zu; --format csv has all\n",
                      (unsigned long long)w->row_count, rows);
    free(widths);
    return LP_OK;
}

static enum lp_code keep_row(struct lp_row_writer *w, const char *const *values, struct lp_err *err)
{
    char room[LP_NUMBER_TEXT_BYTES];
    if (w->row_count >= LP_ROWS_DRAWN) return LP_OK;
    for (size_t i = 0; i < w->column_count; i++) {
        char **cell = &w->drawn[(size_t)w->row_count * w->column_count + i];
        if (values[i] && !(*cell = strdup(as_usual(w->columns[i].type, values[i], room)))) return lp_nomem(err);
    }
    return LP_OK;
}

/* ---- the forms ---- */

enum lp_code lp_rows_begin(struct lp_row_writer *w, enum lp_answer_form form, int fd,
                           const struct lp_rows_column *columns, size_t count, struct lp_err *err)
{
    *w = (struct lp_row_writer){.form = form, .fd = fd, .columns = columns, .column_count = count};
    if (form == LP_ANSWER_TABLE) {
        w->drawn = calloc(LP_ROWS_DRAWN * (count + 1), sizeof *w->drawn);
        if (!w->drawn) return lp_nomem(err);
    } else if (form == LP_ANSWER_JSON) {
        lp_buf_putc(&w->out, '[');
    } else if (count) {
        for (size_t i = 0; i < count; i++) {
            if (i) lp_buf_putc(&w->out, ',');
            lp_csv_put_field(columns[i].name, strlen(columns[i].name), &w->out);
        }
        lp_buf_putc(&w->out, '\n');
    }
    return LP_OK;
}

enum lp_code lp_rows_add(struct lp_row_writer *w, const char *const *values, struct lp_err *err)
{
    char room[LP_NUMBER_TEXT_BYTES];
    if (w->form == LP_ANSWER_TABLE) LP_TRY(keep_row(w, values, err));
    if (w->form == LP_ANSWER_JSON) lp_buf_puts(&w->out, w->row_count ? ",\n{" : "{");
    for (size_t i = 0; i < w->column_count && w->form != LP_ANSWER_TABLE; i++) {
        const struct lp_rows_column *c = &w->columns[i];
        const char *value = values[i] ? as_usual(c->type, values[i], room) : NULL;
        if (i) lp_buf_putc(&w->out, ',');
        if (w->form == LP_ANSWER_JSON) {
            lp_json_put_text(&w->out, c->name, strlen(c->name));
            lp_buf_putc(&w->out, ':');
            put_json_value(c, value, &w->out);
        } else if (value) {
            lp_csv_put_field(value, strlen(value), &w->out);
        }
    }
    if (w->form == LP_ANSWER_JSON) lp_buf_putc(&w->out, '}');
    if (w->form == LP_ANSWER_CSV) lp_buf_putc(&w->out, '\n');
    w->row_count++;
    return w->out.len >= FLUSH_BYTES ? flush(w, err) : LP_OK;
}

enum lp_code lp_rows_end(struct lp_row_writer *w, struct lp_err *err)
{
    if (w->form == LP_ANSWER_JSON) lp_buf_puts(&w->out, "]\n");
    if (w->form == LP_ANSWER_TABLE && w->column_count) LP_TRY(draw(w, err));
    return flush(w, err);
}

void lp_row_writer_release(struct lp_row_writer *w)
{
    for (size_t i = 0; w->drawn && i < LP_ROWS_DRAWN * (w->column_count + 1); i++) free(w->drawn[i]);
    free(w->drawn);
    lp_buf_release(&w->out);
    *w = (struct lp_row_writer){0};
}
