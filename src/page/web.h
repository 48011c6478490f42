/* web.h — the service seen from outside: its pages, /healthz, /readyz and /metrics, over HTTP.
 * Model:   read only: GET and HEAD. What the board knows is answered at once; what needs the lake is written in a child
 *          (errand.h), while its connection waits: LP_WEB_AT_WORK children at a time, LP_WEB_WAITING requests behind them,
 *          LP_WEB_MOST_MS each. Nothing here blocks: poll lp_web_fd for reading, no longer than lp_web_timeout_ms, then call
 *          lp_web_run. At most LP_WEB_CONNECTIONS are open; a client that does not come to an end of its request is cut off
 *          after some seconds, sooner when others wait for its place. On loopback only requests that name this machine are
 *          answered, so that a page of somebody else cannot read ours through a name it made up.
 * Owns:    the server, until lp_web_free; host, board, lake are borrowed until then.
 * Units:   milliseconds.
 * Errors:  LP_USAGE (the address is none), LP_IO (the port cannot be had; the sentence names --port), LP_NOMEM.
 * Threads: one thread.
 */
#ifndef LP_PAGE_WEB_H
#define LP_PAGE_WEB_H

#include "net/listen.h"
#include "page/page.h"

#define LP_WEB_CONNECTIONS 256
#define LP_WEB_AT_WORK     4
#define LP_WEB_WAITING     64
#define LP_WEB_MOST_MS     20000

struct lp_web_options {
    const char *host; /* an address of this machine, or localhost */
    uint16_t port;    /* 0: any that is free */
    const struct lp_board *board;
    struct lp_page_lake lake;
};

struct lp_web;
enum lp_code lp_web_open(const struct lp_web_options *o, struct lp_web **out, char url[LP_LISTEN_URL_BYTES],
                         struct lp_err *err) LP_CHECKED;
int lp_web_fd(const struct lp_web *w);
int lp_web_timeout_ms(const struct lp_web *w); /* -1: as long as it likes */
void lp_web_run(struct lp_web *w);
void lp_web_free(struct lp_web *w); /* may be NULL */

/* A connection that somebody else accepted, as if it had come in: for tests. The socket is the server's from then on. */
enum lp_code lp_web_adopt(struct lp_web *w, int fd, struct lp_err *err) LP_CHECKED;

#endif
