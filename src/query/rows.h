/* rows.h — rows of text written in the forms of query.h, for engines that do not draw themselves.
 * Model:   columns first, then row by row; the first LP_ROWS_DRAWN rows of a table for people, with a word about the rest.
 *          Values look as DuckDB writes them: numbers in their shortest form, no zeros behind the second.
 * Owns:    a bounded buffer before the descriptor; the kept cells of a table.
 * Units:   –
 * Errors:  LP_IO; `closed` is true when nobody reads any more. LP_LIMIT, LP_NOMEM.
 * Threads: one thread.
 */
#ifndef LP_QUERY_ROWS_H
#define LP_QUERY_ROWS_H

#include "query/query.h"

#define LP_ROWS_DRAWN   40
#define LP_ROWS_COLUMNS 4096

struct lp_rows_column {
    const char *name, *type; /* type as Athena names it: varchar, bigint, double, timestamp… */
};

struct lp_row_writer {
    enum lp_answer_form form;
    int fd;
    bool closed;
    const struct lp_rows_column *columns; /* borrowed */
    size_t column_count;
    uint64_t row_count;
    struct lp_buf out;
    char **drawn; /* cells of a table: LP_ROWS_DRAWN rows at most; NULL cells are NULL */
};

enum lp_code lp_rows_begin(struct lp_row_writer *w, enum lp_answer_form form, int fd,
                           const struct lp_rows_column *columns, size_t count, struct lp_err *err) LP_CHECKED;
/* values[i] NULL: NULL. */
enum lp_code lp_rows_add(struct lp_row_writer *w, const char *const *values, struct lp_err *err) LP_CHECKED;
enum lp_code lp_rows_end(struct lp_row_writer *w, struct lp_err *err) LP_CHECKED;
void lp_row_writer_release(struct lp_row_writer *w);

#endif
