#include "config/fault.h"

#include "base/json.h"
#include "base/secret.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>

void lp_faults_init(struct lp_faults *f, const char *path)
{
    memset(f, 0, sizeof *f);
    f->path = path;
}

void lp_faults_release(struct lp_faults *f)
{
    lp_arena_release(&f->arena);
    f->count = 0;
}

static const char *format_text(struct lp_faults *f, const char *format, va_list args) LP_PRINTF(2, 0);
static const char *format_text(struct lp_faults *f, const char *format, va_list args)
{
    char text[LP_ERR_TEXT_BYTES];
    vsnprintf(text, sizeof text, format, args);
    lp_secret_mask_text(text, sizeof text);
    const char *copy = lp_arena_strdup(&f->arena, text);
    if (!copy) f->out_of_memory = true;
    return copy;
}

const char *lp_faults_text(struct lp_faults *f, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *text = format_text(f, format, args);
    va_end(args);
    return text;
}

void lp_faults_add(struct lp_faults *f, size_t line, size_t column, size_t width, const char *remedy, const char *what,
                   ...)
{
    if (f->count == LP_FAULTS_MAX) {
        f->dropped++;
        return;
    }
    va_list args;
    va_start(args, what);
    const char *text = format_text(f, what, args);
    va_end(args);
    f->list[f->count++] = (struct lp_fault){line, column, width ? width : 1, text ? text : "out of memory", remedy};
}

static int by_place(const void *a, const void *b)
{
    const struct lp_fault *x = a, *y = b;
    if (x->line != y->line) return x->line < y->line ? -1 : 1;
    if (x->column != y->column) return x->column < y->column ? -1 : 1;
    return strcmp(x->what, y->what);
}

void lp_faults_sort(struct lp_faults *f)
{
    qsort(f->list, f->count, sizeof *f->list, by_place);
}

static void put_dropped(const struct lp_faults *f, struct lp_buf *out)
{
    if (f->dropped) lp_buf_printf(out, "… and %zu more\n", f->dropped);
}

void lp_faults_put_lines(const struct lp_faults *f, struct lp_buf *out)
{
    for (size_t i = 0; i < f->count; i++) {
        const struct lp_fault *fault = &f->list[i];
        lp_buf_printf(out, "%s:%zu:%zu: %s%s%s\n", f->path, fault->line, fault->column, fault->what,
                      fault->remedy ? "; " : "", fault->remedy ? fault->remedy : "");
    }
    put_dropped(f, out);
}

static struct lp_slice line_of(const struct lp_faults *f, size_t number)
{
    const char *at = f->text, *end = f->text + f->text_len;
    for (size_t line = 1; at && line < number; line++) {
        const char *next = memchr(at, '\n', (size_t)(end - at));
        at = next ? next + 1 : NULL;
    }
    if (!at) return (struct lp_slice){NULL, 0};
    const char *stop = memchr(at, '\n', (size_t)(end - at));
    size_t len = (size_t)((stop ? stop : end) - at);
    if (len && at[len - 1] == '\r') len--;
    return (struct lp_slice){at, len};
}

#define EXCERPT_COLUMNS 100

static void blank_controls(struct lp_buf *text)
{
    for (size_t i = 0; i < text->len; i++)
        if ((unsigned char)text->data[i] < 0x20) text->data[i] = ' ';
}

/* How wide a piece of the file is as it is shown, secrets masked. */
static size_t shown_columns(const char *from, const char *to)
{
    LP_AUTO(lp_buf) shown = {0};
    lp_secret_mask(from, (size_t)(to - from), &shown);
    blank_controls(&shown);
    return lp_text_columns(lp_buf_text(&shown), shown.len);
}

/* One line of the file and the caret; a long line is shown from a little before the place. */
static void put_excerpt(const struct lp_faults *f, const struct lp_fault *fault, bool colour, struct lp_buf *out)
{
    struct lp_slice line = line_of(f, fault->line);
    if (!line.at || lp_utf8_check(line.at, line.len) != line.len) return;
    const char *at = line.at, *end = line.at + line.len, *place = at;
    for (size_t i = 1; i < fault->column && place < end; i++) lp_utf8_next(&place, end);
    size_t before = lp_text_columns(at, (size_t)(place - at));
    bool moved = before > EXCERPT_COLUMNS - 20;
    if (moved)
        while (lp_text_columns(at, (size_t)(place - at)) > 40) lp_utf8_next(&at, end);
    struct lp_buf shown = {0};
    lp_secret_mask(at, (size_t)(end - at), &shown);
    blank_controls(&shown);
    lp_buf_printf(out, "%5zu | %s", fault->line, moved ? "…" : "");
    lp_text_cut(out, lp_buf_text(&shown), shown.len, EXCERPT_COLUMNS);
    lp_buf_release(&shown);
    const char *stop = place;
    for (size_t i = 0; i < fault->width && stop < end; i++) lp_utf8_next(&stop, end);
    size_t indent = shown_columns(at, place) + moved, width = shown_columns(place, stop);
    if (!width) width = 1;
    if (width > EXCERPT_COLUMNS - indent) width = EXCERPT_COLUMNS - indent;
    lp_buf_printf(out, "\n      | %*s%s", (int)indent, "", colour ? "\033[31m" : "");
    for (size_t i = 0; i < width; i++) lp_buf_putc(out, '^');
    lp_buf_printf(out, "%s%s%s\n", colour ? "\033[0m" : "", fault->remedy ? " " : "",
                  fault->remedy ? fault->remedy : "");
}

void lp_faults_put_excerpts(const struct lp_faults *f, bool colour, struct lp_buf *out)
{
    for (size_t i = 0; i < f->count; i++) {
        const struct lp_fault *fault = &f->list[i];
        bool excerpt = line_of(f, fault->line).at != NULL;
        lp_buf_printf(out, "%s%s:%zu:%zu:%s %s%s%s\n", colour ? "\033[1m" : "", f->path, fault->line, fault->column,
                      colour ? "\033[0m" : "", fault->what, !excerpt && fault->remedy ? "; " : "",
                      !excerpt && fault->remedy ? fault->remedy : "");
        if (excerpt) put_excerpt(f, fault, colour, out);
    }
    put_dropped(f, out);
}

void lp_faults_put_json(const struct lp_faults *f, struct lp_buf *out)
{
    struct lp_json_writer w = {.out = out};
    lp_json_open(&w, NULL, '[');
    for (size_t i = 0; i < f->count; i++) {
        const struct lp_fault *fault = &f->list[i];
        lp_json_open(&w, NULL, '{');
        lp_json_text(&w, "file", f->path);
        lp_json_int(&w, "line", (int64_t)fault->line);
        lp_json_int(&w, "column", (int64_t)fault->column);
        lp_json_text(&w, "what", fault->what);
        lp_json_text(&w, "remedy", fault->remedy);
        lp_json_close(&w, '}');
    }
    lp_json_close(&w, ']');
}
