/* page_text.h — the small parts that all pages are made of.
 * Model:   texts escaped for HTML, instants and durations in words, the frame around a page.
 * Owns:    nothing; all is appended to the caller's buffer.
 * Units:   microseconds UTC, milliseconds.
 * Errors:  none but a full buffer.
 * Threads: no shared state.
 */
#ifndef LP_PAGE_PAGE_TEXT_H
#define LP_PAGE_PAGE_TEXT_H

#include "base/buf.h"
#include "base/text.h"
#include "page/board.h"

/* For content and for values of attributes in quotes; what moves the direction of text, or is no character, is made visible. */
void lp_html_put(struct lp_buf *out, const char *text, size_t len);
void lp_html_puts(struct lp_buf *out, const char *text);
/* At most so many bytes of it, then "…". */
void lp_html_put_cut(struct lp_buf *out, const char *text, size_t most);

/* "6 h 24 min", "3 days": as exactly as one plans by it. */
void lp_page_put_span(struct lp_buf *out, int64_t us);
/* "2026-11-22 18:00Z", with seconds where they are not 0. */
void lp_page_put_instant(struct lp_buf *out, int64_t us);
/* <time> with the instant; `away` beside it says "in 6 h" or "3 days ago". */
void lp_page_put_time(struct lp_buf *out, int64_t us);
void lp_page_put_away(struct lp_buf *out, int64_t us, int64_t now_us); /* <time> in words, the instant as its title */
void lp_page_put_count(struct lp_buf *out, uint64_t n, const char *one, const char *many);
void lp_page_put_duration(struct lp_buf *out, int64_t ms);

/* What all begin and end with. refresh_s 0: it stays as it is. */
void lp_page_begin(struct lp_buf *out, const char *title, unsigned refresh_s);
void lp_page_end(struct lp_buf *out, const struct lp_board *b); /* b may be NULL */

/* How a pipeline is, in one word, and the class of its mark. */
enum lp_mood { LP_MOOD_OK, LP_MOOD_PARTIAL, LP_MOOD_FAILED, LP_MOOD_RUNNING, LP_MOOD_MISSED, LP_MOOD_NEVER, LP_MOOD_FAULT };
enum lp_mood lp_page_mood(const struct lp_board_pipeline *p);
const char *lp_mood_word(enum lp_mood m);
void lp_mood_put_mark(enum lp_mood m, struct lp_buf *out); /* a small drawing, for eyes alone */
/* "next in 6 h", "not due any more", "no schedule" */
void lp_page_put_next(const struct lp_board_pipeline *p, int64_t now_us, struct lp_buf *out);

#endif
