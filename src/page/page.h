/* page.h — the pages of the service, as HTML.
 * Model:   the front page, /metrics' neighbour, is written from the board alone. All that needs the lake is written in a child
 *          of the process (errand.h): a pipeline's own page, a run's record, what was quarantined. Nothing on any page is a
 *          script; every text that others wrote is escaped.
 * Owns:    nothing; pages are appended to the caller's buffer.
 * Units:   microseconds UTC.
 * Errors:  LP_NOTFOUND (no such record), LP_DATA (it cannot be read), LP_USAGE, what the lake says; a full buffer.
 * Threads: one thread.
 */
#ifndef LP_PAGE_PAGE_H
#define LP_PAGE_PAGE_H

#include "lake/store.h"
#include "pipeline/definition.h"
#include "page/board.h"

#define LP_PAGE_SLOT_BYTES   48
#define LP_PAGE_COLUMN_BYTES 256

/* How the child comes to a pipeline's definition and its lake. Both may be left behind: the child ends soon. */
struct lp_page_lake {
    enum lp_code (*open)(void *who, size_t index, const struct lp_pipeline **p, struct lp_store **store, struct lp_err *err);
    void *who;
};

struct lp_page_request {
    const struct lp_board *board;
    const struct lp_page_lake *lake;
    size_t index;                        /* of the pipeline, on the board */
    char slot[LP_PAGE_SLOT_BYTES];       /* as file names have it, "" for none: 20261122T180000Z, or with -1of4 behind it */
    char column[LP_PAGE_COLUMN_BYTES];   /* whose chart is wanted, "" for the first number */
};

/* page_front.c */
void lp_page_put_front(const struct lp_board *b, struct lp_buf *out);
/* A page of one sentence. */
void lp_page_put_error(unsigned status, const char *sentence, struct lp_buf *out);

/* In the child. */
enum lp_code lp_page_put_pipeline(const struct lp_page_request *q, struct lp_buf *out, struct lp_err *err) LP_CHECKED;
enum lp_code lp_page_put_run(const struct lp_page_request *q, struct lp_buf *out, struct lp_err *err) LP_CHECKED;
enum lp_code lp_page_put_record(const struct lp_page_request *q, struct lp_buf *out, struct lp_err *err) LP_CHECKED; /* JSON */
enum lp_code lp_page_put_quarantine(const struct lp_page_request *q, struct lp_buf *out, struct lp_err *err) LP_CHECKED;

/* page_style.c */
extern const char lp_page_style[], lp_page_icon[];
/* "/style-0123456789abcdef.css": another name for another content. */
const char *lp_page_style_path(void);

#endif
