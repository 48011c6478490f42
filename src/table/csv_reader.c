#include "table/csv.h"

#include <stdint.h>
#include <stdlib.h>

/* Reads one record into r->record, quotes and all, up to the line end that is outside quotes. */
static enum lp_code read_record(struct lp_csv_reader *r, bool *more, struct lp_err *err)
{
    bool quoted = false;
    int c;
    lp_buf_clear(&r->record);
    r->line = r->next_line;
    while ((c = getc_unlocked(r->file)) != EOF) {
        if (c == '"') quoted = !quoted;
        if (c == '\n') r->next_line++;
        if (c == '\n' && !quoted) break;
        lp_buf_putc(&r->record, (char)c);
        if (r->record.failed == LP_LIMIT)
            return lp_fail(err, LP_LIMIT, "%s:%zu: a record is longer than 1 MiB%s", r->path, r->line,
                           quoted ? "; is a quote not closed?" : "");
    }
    if (ferror(r->file)) return lp_fail_errno(err, "%s", r->path);
    LP_TRY(lp_buf_code(&r->record, r->path, err));
    if (c == EOF && quoted) return lp_fail(err, LP_DATA, "%s:%zu: a quote is not closed", r->path, r->line);
    *more = c != EOF || r->record.len;
    if (r->record.len && r->record.data[r->record.len - 1] == '\r') r->record.data[--r->record.len] = '\0';
    if (lp_utf8_check(lp_buf_text(&r->record), r->record.len) != r->record.len)
        return lp_fail(err, LP_DATA, "%s:%zu: not UTF-8; save the file as UTF-8", r->path, r->line);
    return LP_OK;
}

/* Takes a quoted field apart in place; *at is behind it afterwards. */
static enum lp_code unquote(struct lp_csv_reader *r, char **at, char *end, struct lp_slice *field, struct lp_err *err)
{
    char *from = *at + 1, *to = *at + 1;
    field->at = to;
    for (;;) {
        if (from == end) return lp_fail(err, LP_DATA, "%s:%zu: a quote is not closed", r->path, r->line);
        if (*from != '"') *to++ = *from++;
        else if (from + 1 < end && from[1] == '"') *to++ = '"', from += 2;
        else break;
    }
    field->len = (size_t)(to - field->at);
    *at = from + 1;
    if (*at < end && **at != ',')
        return lp_fail(err, LP_DATA, "%s:%zu: text follows a closing quote; double the quotes within a field", r->path,
                       r->line);
    return LP_OK;
}

static enum lp_code split(struct lp_csv_reader *r, size_t *count, struct lp_err *err)
{
    char *at = r->record.data ? r->record.data : (char[]){""}, *end = at + r->record.len;
    for (*count = 0;; at++) {
        if (*count == LP_CSV_MAX_FIELDS)
            return lp_fail(err, LP_LIMIT, "%s:%zu: more than %d fields", r->path, r->line, LP_CSV_MAX_FIELDS);
        struct lp_slice *field = &r->fields[(*count)++];
        if (at < end && *at == '"') {
            LP_TRY(unquote(r, &at, end, field, err));
        } else {
            char *comma = at < end ? memchr(at, ',', (size_t)(end - at)) : NULL;
            *field = (struct lp_slice){at, (size_t)((comma ? comma : end) - at)};
            if (memchr(at, '"', field->len))
                return lp_fail(err, LP_DATA, "%s:%zu: a quote stands inside a field; put the whole field in quotes",
                               r->path, r->line);
            at += field->len;
        }
        if (at >= end) return LP_OK;
    }
}

static enum lp_code keep_header(struct lp_csv_reader *r, size_t count, struct lp_err *err)
{
    r->header = calloc(count, sizeof *r->header);
    r->header_text = malloc(r->record.len + 1);
    if (!r->header || !r->header_text) return lp_nomem(err);
    char *at = r->header_text;
    for (size_t i = 0; i < count; i++) {
        memcpy(at, r->fields[i].at, r->fields[i].len);
        r->header[i] = (struct lp_slice){at, r->fields[i].len};
        at += r->fields[i].len;
    }
    r->field_count = count;
    return LP_OK;
}

/* r->file is open, or NULL with what went wrong in errno. */
static enum lp_code begin(struct lp_csv_reader *r, const char *path, struct lp_err *err)
{
    bool more = false;
    size_t count = 0;
    if (!r->file) return lp_fail_errno(err, "%s", path);
    r->path = strdup(path);
    r->fields = calloc(LP_CSV_MAX_FIELDS, sizeof *r->fields);
    enum lp_code code = r->path && r->fields ? LP_OK : lp_nomem(err);
    int first = code ? EOF : getc_unlocked(r->file);
    bool bom = first == 0xEF && getc_unlocked(r->file) == 0xBB && getc_unlocked(r->file) == 0xBF;
    if (!bom && first != EOF) rewind(r->file);
    if (!code) code = read_record(r, &more, err);
    if (!code && !more) code = lp_fail(err, LP_DATA, "%s: the file is empty; its first line names the columns", path);
    if (!code) code = split(r, &count, err);
    if (!code) code = keep_header(r, count, err);
    if (code) lp_csv_reader_release(r);
    return code;
}

enum lp_code lp_csv_open(struct lp_csv_reader *r, const char *path, struct lp_err *err)
{
    *r = (struct lp_csv_reader){.next_line = 1, .record.max_bytes = LP_CSV_MAX_RECORD_BYTES, .file = fopen(path, "re")};
    return begin(r, path, err);
}

enum lp_code lp_csv_open_bytes(struct lp_csv_reader *r, const void *bytes, size_t len, const char *name, struct lp_err *err)
{
    if (!len) return lp_fail(err, LP_DATA, "%s is empty", name);
    *r = (struct lp_csv_reader){.next_line = 1, .record.max_bytes = LP_CSV_MAX_RECORD_BYTES};
    r->file = fmemopen((void *)(uintptr_t)bytes, len, "r");
    return begin(r, name, err);
}

enum lp_code lp_csv_next(struct lp_csv_reader *r, bool *more, struct lp_err *err)
{
    size_t count;
    do {
        LP_TRY(read_record(r, more, err));
        if (!*more) return LP_OK;
    } while (!r->record.len && r->field_count > 1);
    LP_TRY(split(r, &count, err));
    if (count == r->field_count) return LP_OK;
    return lp_fail(err, LP_DATA, "%s:%zu: %zu field%s, the header has %zu", r->path, r->line, count,
                   count == 1 ? "" : "s", r->field_count);
}

void lp_csv_reader_release(struct lp_csv_reader *r)
{
    if (!r) return;
    if (r->file) fclose(r->file);
    free(r->path);
    free(r->header);
    free(r->header_text);
    free(r->fields);
    lp_buf_release(&r->record);
    *r = (struct lp_csv_reader){0};
}
