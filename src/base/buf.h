/* buf.h — a byte string that grows up to a hard cap.
 * Model:   append only; always NUL-terminated behind len, so data can be read as C text. A failed append sticks: all
 *          later appends do nothing and lp_buf_code reports it, so that a writer checks once at the end.
 * Owns:    data; released by lp_buf_release. {0} is a valid empty buffer with the default cap of 64 MiB.
 * Units:   bytes.
 * Errors:  LP_NOMEM, LP_LIMIT (sticky).
 * Threads: one thread per buffer.
 */
#ifndef LP_BASE_BUF_H
#define LP_BASE_BUF_H

#include "base/error.h"

#include <stdarg.h>
#include <string.h>

struct lp_buf {
    char *data; /* NULL until the first append */
    size_t len, cap;
    size_t max_bytes; /* 0: the default cap */
    enum lp_code failed;
};

void lp_buf_init(struct lp_buf *b, size_t max_bytes);
void lp_buf_release(struct lp_buf *b);
void lp_buf_clear(struct lp_buf *b); /* keeps the memory, forgets a failure */

/* Room for n more bytes (and the NUL); false when that failed. */
bool lp_buf_reserve(struct lp_buf *b, size_t n);
void lp_buf_put(struct lp_buf *b, const void *bytes, size_t n);
void lp_buf_puts(struct lp_buf *b, const char *text);
void lp_buf_putc(struct lp_buf *b, char c);
void lp_buf_printf(struct lp_buf *b, const char *format, ...) LP_PRINTF(2, 3);
void lp_buf_vprintf(struct lp_buf *b, const char *format, va_list args) LP_PRINTF(2, 0);
/* The text, "" when empty; borrowed until the next change. */
const char *lp_buf_text(const struct lp_buf *b);

/* LP_OK, or the first failure with a sentence that names `what`. */
enum lp_code lp_buf_code(const struct lp_buf *b, const char *what, struct lp_err *err) LP_CHECKED;

#endif
