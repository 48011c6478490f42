/* text.h — small questions about text.
 * Model:   UTF-8 in, UTF-8 out; no locale.
 * Owns:    nothing; results go into the caller's buffer.
 * Units:   bytes, unless a name says columns (terminal cells).
 * Errors:  none but a full buffer.
 * Threads: no shared state.
 */
#ifndef LP_BASE_TEXT_H
#define LP_BASE_TEXT_H

#include "base/buf.h"

#include <stdint.h>

/* A borrowed piece of text; not NUL-terminated unless its maker says so. */
struct lp_slice {
    const char *at;
    size_t len;
};
struct lp_slice lp_slice_of(const char *text);
bool lp_slice_is(struct lp_slice s, const char *text);

/* Offset of the first byte that is not valid UTF-8, or len. */
size_t lp_utf8_check(const char *text, size_t len);
/* Code points in valid UTF-8. */
size_t lp_utf8_length(const char *text, size_t len);
/* Decodes one code point, moving *at; 0xFFFD for a bad byte. */
uint32_t lp_utf8_next(const char **at, const char *end);
/* Writes a code point, unchecked, and returns its bytes, 1 to 4. */
size_t lp_utf8_put(uint32_t code, char out[4]);
/* Terminal cells: wide East Asian characters and emoji count two, combining marks none. */
size_t lp_text_columns(const char *text, size_t len);
/* Control characters, and those that turn the direction of text, as \\u00XX: what others wrote moves no terminal. */
void lp_text_put_visible(struct lp_buf *out, const char *text, size_t len);
/* Visible, and at most 60 cells of it: how an error quotes what somebody wrote. */
void lp_text_put_quoted(struct lp_buf *out, const char *text, size_t len);
/* Appends at most `columns` cells of text; longer text ends in "…". */
void lp_text_cut(struct lp_buf *out, const char *text, size_t len, size_t columns);
/* The same, cutting in the middle: for paths. */
void lp_text_cut_middle(struct lp_buf *out, const char *text, size_t len, size_t columns);

/* Percent-encodes all but A-Z a-z 0-9 - _ . ~ and the bytes in `also`. */
void lp_percent_encode(struct lp_buf *out, const char *bytes, size_t len, const char *also);
/* Undoes it; '%' without two digits stays. In a form '+' is a space. */
void lp_percent_decode(struct lp_buf *out, const char *text, size_t len, bool form);

/* Base64 with padding (RFC 4648, 4). */
void lp_base64_put(struct lp_buf *out, const void *bytes, size_t len);

/* The candidate nearest to word by edits, NULL when none is near enough to be meant. */
const char *lp_text_nearest(const char *word, size_t len, const char *const *candidates, size_t count);

bool lp_text_equal_ignoring_case(const char *a, const char *b);
/* FNV-1a: the same everywhere and in every version, but no secret. */
uint64_t lp_text_hash(const char *text);

#endif
