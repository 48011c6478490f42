/* csv.h — rows as RFC 4180 text, and reading such files record by record.
 * Model:   writing: a header of column names, then one line per good row; NULL is an empty field and the empty string is
 *          "" in quotes; lines end in LF; text is quoted when it holds a comma, a quote, CR, LF, or begins or ends with a
 *          space. Reading: RFC 4180 with LF or CRLF, a BOM skipped, quoted fields over several lines, a stream with a
 *          bounded record; the first record is the header.
 * Owns:    the reader owns its buffer; fields are borrowed until the next record.
 * Units:   bytes; records and lines count from 1.
 * Errors:  LP_DATA with the line: a quote in the wrong place, a record with more or fewer fields than the header,
 *          invalid UTF-8; LP_LIMIT for a record over 1 MiB; LP_IO.
 * Threads: one thread per reader.
 */
#ifndef LP_TABLE_CSV_H
#define LP_TABLE_CSV_H

#include "table/batch.h"

#include <stdio.h>

void lp_csv_put_header(const struct lp_columns *columns, struct lp_buf *out);
/* The good rows of the batch for which keep[row] is true (keep NULL: all good rows). */
void lp_csv_put_row(const struct lp_batch *b, size_t row, const bool *keep,
                    struct lp_buf *out); /* if it is among them */
void lp_csv_put_rows(const struct lp_batch *b, const bool *keep, struct lp_buf *out);
void lp_csv_put_field(const char *text, size_t len, struct lp_buf *out);

#define LP_CSV_MAX_RECORD_BYTES ((size_t)1 << 20)
#define LP_CSV_MAX_FIELDS       1024

struct lp_csv_reader {
    FILE *file; /* owned */
    char *path; /* owned, for messages */
    struct lp_buf record;
    struct lp_slice *header, *fields; /* header is owned text, fields borrow the record */
    size_t field_count;
    size_t line; /* of the record's first line */
    /* implementation may add members below */
    char *header_text;
    size_t next_line;
};
/* Reads the header. */
enum lp_code lp_csv_open(struct lp_csv_reader *r, const char *path, struct lp_err *err) LP_CHECKED;
/* The same of bytes in memory, which are borrowed until release; name stands in messages. */
enum lp_code lp_csv_open_bytes(struct lp_csv_reader *r, const void *bytes, size_t len, const char *name,
                               struct lp_err *err) LP_CHECKED;
/* *more is false at the end of the file. */
enum lp_code lp_csv_next(struct lp_csv_reader *r, bool *more, struct lp_err *err) LP_CHECKED;
void lp_csv_reader_release(struct lp_csv_reader *r);

#endif
