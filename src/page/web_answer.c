#include "page/web_parts.h"

#include "base/clock.h"
#include "page/metrics.h"

#include <stdio.h>
#include <stdlib.h>

#define BOARD_BYTES ((size_t)32 << 20) /* of a page made from the board */
#define KEEP_US     1000000            /* so long it serves all who ask */

static const char html[] = "text/html; charset=utf-8", text_plain[] = "text/plain; charset=utf-8";

/* What no answer goes without. */
static void add_headers(struct MHD_Response *r, const char *type)
{
    static const char *const all[][2] = {
        {"Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src 'self'; frame-ancestors 'none'; "
                                    "base-uri 'none'; form-action 'none'"},
        {"X-Content-Type-Options", "nosniff"},
        {"Referrer-Policy", "no-referrer"},
        {"Cross-Origin-Resource-Policy", "same-origin"},
        {"Cross-Origin-Opener-Policy", "same-origin"},
    };
    for (size_t i = 0; i < LP_COUNT(all); i++) MHD_add_response_header(r, all[i][0], all[i][1]);
    MHD_add_response_header(r, "Content-Type", type);
}

static struct MHD_Response *make(char *owned, size_t len, const char *type)
{
    struct MHD_Response *r = MHD_create_response_from_buffer(len, owned ? owned : "", owned ? MHD_RESPMEM_MUST_FREE
                                                                                              : MHD_RESPMEM_PERSISTENT);
    if (!r) free(owned);
    else add_headers(r, type);
    return r;
}

static enum MHD_Result hand_over(struct MHD_Connection *c, unsigned status, struct MHD_Response *r)
{
    if (!r) return MHD_NO;
    enum MHD_Result result = MHD_queue_response(c, status, r);
    MHD_destroy_response(r);
    return result;
}

/* One that is not to be kept anywhere. */
static enum MHD_Result send_fresh(struct MHD_Connection *c, unsigned status, char *owned, size_t len, const char *type)
{
    struct MHD_Response *r = make(owned, len, type);
    if (r) MHD_add_response_header(r, "Cache-Control", "no-store");
    if (r && status == MHD_HTTP_METHOD_NOT_ALLOWED) MHD_add_response_header(r, "Allow", "GET, HEAD");
    if (r && status == MHD_HTTP_SERVICE_UNAVAILABLE) MHD_add_response_header(r, "Retry-After", "2");
    return hand_over(c, status, r);
}

static enum MHD_Result refuse(struct MHD_Connection *c, unsigned status, const char *sentence)
{
    struct lp_buf page = {0}; /* given to the response */
    lp_page_put_error(status, sentence, &page);
    if (!page.failed) return send_fresh(c, status, page.data, page.len, html);
    lp_buf_release(&page);
    return MHD_NO;
}

static enum MHD_Result say(struct MHD_Connection *c, unsigned status, const char *word)
{
    return send_fresh(c, status, strdup(word), strlen(word), text_plain);
}

/* Never changes under its name. */
static enum MHD_Result send_file(struct MHD_Connection *c, const char *text, const char *type)
{
    struct MHD_Response *r =
        MHD_create_response_from_buffer(strlen(text), (void *)(uintptr_t)text, MHD_RESPMEM_PERSISTENT);
    if (!r) return MHD_NO;
    add_headers(r, type);
    MHD_add_response_header(r, "Cache-Control", "public, max-age=31536000, immutable");
    return hand_over(c, MHD_HTTP_OK, r);
}

/* From the board; made at most once in a second, however many ask. */
static enum MHD_Result send_board(struct lp_web *w, struct MHD_Connection *c, const struct lp_route *route)
{
    struct kept *k = &w->kept[route->kind];
    int64_t now_us = lp_clock_monotonic_us();
    bool metrics = route->kind == LP_ROUTE_METRICS;
    if (k->response && now_us - k->made_us < KEEP_US) return MHD_queue_response(c, MHD_HTTP_OK, k->response);
    struct lp_buf page = {.max_bytes = BOARD_BYTES}; /* given to the response */
    if (metrics) lp_metrics_put(w->o.board, &page);
    else lp_page_put_front(w->o.board, &page);
    if (page.failed) {
        lp_buf_release(&page);
        return refuse(c, MHD_HTTP_SERVICE_UNAVAILABLE, "There is not enough memory for this page at this moment.");
    }
    if (k->response) MHD_destroy_response(k->response);
    *k = (struct kept){make(page.data, page.len, metrics ? "text/plain; version=0.0.4; charset=utf-8" : html), now_us};
    if (!k->response) return MHD_NO;
    MHD_add_response_header(k->response, "Cache-Control", "no-store");
    return MHD_queue_response(c, MHD_HTTP_OK, k->response);
}

static enum MHD_Result say_ready(const struct lp_board *b, struct MHD_Connection *c)
{
    if (b->stopping) return say(c, MHD_HTTP_SERVICE_UNAVAILABLE, "stopping\n");
    if (!b->ready) return say(c, MHD_HTTP_SERVICE_UNAVAILABLE, "starting\n");
    return say(c, MHD_HTTP_OK, b->standing_by ? "standing by\n" : "ok\n");
}

static enum MHD_Result send_answer(struct MHD_Connection *c, struct request *q)
{
    char *body = q->body;
    q->body = NULL;
    return send_fresh(c, q->status, body, q->len, q->route.kind == LP_ROUTE_RECORD ? "application/json" : html);
}

static enum MHD_Result answer(struct lp_web *w, struct MHD_Connection *c, struct request *q)
{
    const char *column;
    if (q->state == REQUEST_ANSWERED) return send_answer(c, q);
    if (w->ending) return MHD_NO;
    switch (q->route.kind) {
    case LP_ROUTE_FRONT:
    case LP_ROUTE_METRICS: return send_board(w, c, &q->route);
    case LP_ROUTE_STYLE: return send_file(c, lp_page_style, "text/css; charset=utf-8");
    case LP_ROUTE_ICON: return send_file(c, lp_page_icon, "image/svg+xml");
    case LP_ROUTE_HEALTH: return say(c, MHD_HTTP_OK, "ok\n");
    case LP_ROUTE_READY: return say_ready(w->o.board, c);
    case LP_ROUTE_NONE: return refuse(c, MHD_HTTP_NOT_FOUND, "Nothing lies at this address. All pipelines are on the front page.");
    default: break;
    }
    if (q->state != REQUEST_FRESH) return MHD_YES;
    column = MHD_lookup_connection_value(c, MHD_GET_ARGUMENT_KIND, "column");
    if (column) snprintf(q->column, sizeof q->column, "%s", column);
    lp_web_ask_lake(w, q);
    return q->state == REQUEST_ANSWERED ? send_answer(c, q) : MHD_YES;
}

static bool brings_a_body(struct MHD_Connection *c)
{
    const char *len = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Content-Length");
    return MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Transfer-Encoding") || (len && strcmp(len, "0") != 0);
}

enum MHD_Result lp_web_take(void *web, struct MHD_Connection *c, const char *path, const char *method, const char *version,
                            const char *data, size_t *len, void **own)
{
    struct lp_web *w = web;
    struct request *q = *own;
    (void)version;
    (void)data;
    if (q) {
        *len = 0;
        return answer(w, c, q);
    }
    lp_web_has_asked(c);
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
        return refuse(c, MHD_HTTP_METHOD_NOT_ALLOWED, "The pages are read only: GET and HEAD.");
    if (brings_a_body(c)) return refuse(c, MHD_HTTP_BAD_REQUEST, "A request for a page has no body.");
    if (!lp_route_host_is_ours(MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Host"), w->o.host))
        return refuse(c, MHD_HTTP_MISDIRECTED_REQUEST,
                      "The name in this address is not one of this machine's own. Use localhost, or let serve listen at that "
                      "address with --host.");
    q = calloc(1, sizeof *q);
    if (!q) return MHD_NO;
    q->web = w;
    q->connection = c;
    lp_route_of(path, &q->route);
    *own = q;
    return MHD_YES;
}

void lp_web_drop(struct lp_web *w, struct request *q)
{
    if (!q) return;
    lp_web_leave(w, q);
    w->held -= q->held;
    free(q->body);
    free(q);
}
