/* web_parts.h — what the files of the server share: web.c (connections), web_answer.c (answers), web_errand.c (pages from the
 *               lake).
 * Model:   a request is fresh, waits for a place, is at work in a child, or has its answer.
 * Owns:    a request is its connection's; lp_web_drop frees it. The errand of one at work is the request's.
 * Errors:  a status and a page of one sentence.
 * Threads: one thread.
 */
#ifndef LP_PAGE_WEB_PARTS_H
#define LP_PAGE_WEB_PARTS_H

#include "base/errand.h"
#include "page/route.h"
#include "page/web.h"

#include <microhttpd.h>

struct client {
    struct client *prev, *next;
    int fd;
    int64_t since_us; /* monotonic: its request has been coming, or its answer going, since then */
    bool answering;   /* its request has come whole */
    bool listed;      /* false while it waits for us, and once it is cut off */
};

enum request_state { REQUEST_FRESH, REQUEST_WAITING, REQUEST_AT_WORK, REQUEST_ANSWERED };

struct request {
    struct MHD_Connection *connection;
    struct lp_web *web;
    struct lp_route route;
    char column[LP_PAGE_COLUMN_BYTES];
    enum request_state state;
    struct lp_errand *errand;
    struct request *next; /* of those waiting */
    unsigned status;
    char *body; /* owned, malloc'd */
    size_t len;
    size_t held; /* counted in web->held */
};

/* An answer made from the board, good for many who ask at about the same time. */
struct kept {
    struct MHD_Response *response;
    int64_t made_us; /* monotonic */
};

struct lp_web {
    struct lp_web_options o;
    struct MHD_Daemon *daemon;
    int fd; /* epoll: the library's own, and the pipes of errands */
    bool ending;
    size_t connections;
    struct client *clients;
    struct lp_errands errands;
    struct request *at_work[LP_WEB_AT_WORK];
    struct request *first_waiting, *last_waiting;
    size_t waiting;
    size_t held; /* bytes of answers that are on their way */
    struct kept kept[LP_ROUTE_QUARANTINE + 1];
};

/* web.c */
void lp_web_pause(struct lp_web *w, struct MHD_Connection *c);
void lp_web_go_on(struct lp_web *w, struct MHD_Connection *c);
/* Its request has come whole. */
void lp_web_has_asked(struct MHD_Connection *c);

/* web_answer.c */
enum MHD_Result lp_web_take(void *web, struct MHD_Connection *c, const char *path, const char *method, const char *version,
                            const char *data, size_t *len, void **own);
void lp_web_drop(struct lp_web *w, struct request *q); /* q may be NULL */

/* web_errand.c */
void lp_web_ask_lake(struct lp_web *w, struct request *q); /* the connection pauses, or has its answer already */
bool lp_web_attend(struct lp_web *w); /* true: somebody goes on */
void lp_web_give_up(struct lp_web *w); /* all of them */
void lp_web_leave(struct lp_web *w, struct request *q); /* one whose connection has gone */
void lp_web_answer_error(struct request *q, unsigned status, const char *sentence);

#endif
