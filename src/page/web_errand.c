#include "page/web_parts.h"

#include "base/cancel.h"
#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>

#define PAGE_BYTES ((size_t)4 << 20)
#define LAKE_US    INT64_C(12000000)
#define HELD_BYTES ((size_t)64 << 20) /* of pages on their way, in all */

void lp_web_answer_error(struct request *q, unsigned status, const char *sentence)
{
    LP_AUTO(lp_buf) page = {0};
    lp_page_put_error(status, sentence, &page);
    free(q->body);
    q->state = REQUEST_ANSWERED;
    q->status = status;
    q->len = page.failed ? 0 : page.len;
    q->body = page.failed ? NULL : page.data;
    if (!page.failed) page = (struct lp_buf){0};
    if (q->route.kind == LP_ROUTE_RECORD) q->route.kind = LP_ROUTE_RUN; /* the sentence is a page */
}

static bool find(const struct lp_board *b, const char *name, size_t *index)
{
    for (*index = 0; *index < b->count; (*index)++)
        if (!strcmp(b->list[*index].name, name)) return true;
    return false;
}

/* ---- in the child ---- */

static enum lp_code write_page(void *arg, struct lp_buf *out, struct lp_err *err)
{
    const struct request *q = arg;
    const struct lp_web_options *o = &q->web->o;
    int64_t now_us = lp_clock_monotonic_us();
    struct lp_page_request page = {.board = o->board, .lake = &o->lake};
    if (!find(o->board, q->route.name, &page.index)) return lp_fail(err, LP_NOTFOUND, "no such pipeline");
    snprintf(page.slot, sizeof page.slot, "%s", q->route.slot);
    snprintf(page.column, sizeof page.column, "%s", q->column);
    lp_cancel_at(now_us + LAKE_US, now_us + LAKE_US); /* what the lake has not said by then is left out of the page */
    switch (q->route.kind) {
    case LP_ROUTE_RUN: return lp_page_put_run(&page, out, err);
    case LP_ROUTE_RECORD: return lp_page_put_record(&page, out, err);
    case LP_ROUTE_QUARANTINE: return lp_page_put_quarantine(&page, out, err);
    default: return lp_page_put_pipeline(&page, out, err);
    }
}

/* ---- in the parent ---- */

static void begin(struct lp_web *w, struct request *q, size_t place)
{
    static const struct lp_errand_limits limits = {PAGE_BYTES, LP_WEB_MOST_MS};
    struct lp_err err;
    struct epoll_event e = {.events = EPOLLIN};
    if (lp_errand_start(&w->errands, write_page, q, &limits, &q->errand, &err)) {
        lp_web_answer_error(q, 503, err.text);
        return;
    }
    if (epoll_ctl(w->fd, EPOLL_CTL_ADD, lp_errand_fd(q->errand), &e)) {
        lp_errand_free(&q->errand);
        lp_web_answer_error(q, 503, "The machine has no room to watch one more file; try again in a moment.");
        return;
    }
    q->state = REQUEST_AT_WORK;
    w->at_work[place] = q;
}

static unsigned status_of(enum lp_code code)
{
    switch (code) {
    case LP_NOTFOUND: return 404;
    case LP_BUSY: return 504;
    case LP_NOMEM: return 503;
    case LP_REMOTE:
    case LP_AUTH: return 502;
    default: return 500;
    }
}

static void end_errand(struct lp_web *w, struct request *q)
{
    for (size_t i = 0; i < LP_WEB_AT_WORK; i++)
        if (w->at_work[i] == q) w->at_work[i] = NULL;
    if (!q->errand) return;
    epoll_ctl(w->fd, EPOLL_CTL_DEL, lp_errand_fd(q->errand), NULL);
    lp_errand_free(&q->errand);
}

static void take_answer(struct lp_web *w, struct request *q, enum lp_errand_state state, const struct lp_err *err)
{
    struct lp_buf *text = lp_errand_answer(q->errand);
    char sentence[LP_ERR_TEXT_BYTES + 100];
    if (state == LP_ERRAND_FAILED) {
        snprintf(sentence, sizeof sentence, err->code == LP_BUSY ? "The lake has not answered: %s." : "%s.", err->text);
        lp_web_answer_error(q, status_of(err->code), sentence);
    } else if (w->held + text->len > HELD_BYTES) {
        lp_web_answer_error(q, 503, "Too many pages are on their way to slow readers; try again in a moment.");
    } else {
        q->state = REQUEST_ANSWERED;
        q->status = 200;
        q->body = text->data;
        q->len = q->held = text->len;
        w->held += q->held;
        *text = (struct lp_buf){0};
    }
    end_errand(w, q);
}

static struct request *first_of_waiting(struct lp_web *w)
{
    struct request *q = w->first_waiting;
    if (!q) return NULL;
    w->first_waiting = q->next;
    if (!q->next) w->last_waiting = NULL;
    w->waiting--;
    q->next = NULL;
    return q;
}

bool lp_web_attend(struct lp_web *w)
{
    bool any = false;
    for (size_t i = 0; i < LP_WEB_AT_WORK; i++) {
        struct request *q = w->at_work[i];
        struct lp_err err;
        if (q) {
            enum lp_errand_state state = lp_errand_turn(q->errand, &err);
            if (state == LP_ERRAND_RUNNING) continue;
            take_answer(w, q, state, &err);
            lp_web_go_on(w, q->connection);
            any = true;
        }
        while (!w->at_work[i] && (q = first_of_waiting(w))) {
            begin(w, q, i);
            if (q->state != REQUEST_ANSWERED) continue;
            lp_web_go_on(w, q->connection);
            any = true;
        }
    }
    return any;
}

void lp_web_ask_lake(struct lp_web *w, struct request *q)
{
    size_t ignored, free_place = LP_WEB_AT_WORK;
    if (!find(w->o.board, q->route.name, &ignored)) {
        char sentence[LP_ROUTE_NAME_BYTES + 100];
        snprintf(sentence, sizeof sentence, "No pipeline that is served here is called \"%s\".", q->route.name);
        lp_web_answer_error(q, 404, sentence);
        return;
    }
    for (size_t i = LP_WEB_AT_WORK; i-- > 0;)
        if (!w->at_work[i]) free_place = i;
    if (free_place < LP_WEB_AT_WORK) {
        begin(w, q, free_place);
    } else if (w->waiting == LP_WEB_WAITING) {
        lp_web_answer_error(q, 503, "Many pages are being written already; try again in a moment.");
    } else {
        *(w->last_waiting ? &w->last_waiting->next : &w->first_waiting) = q;
        w->last_waiting = q;
        w->waiting++;
        q->state = REQUEST_WAITING;
    }
    if (q->state != REQUEST_ANSWERED) lp_web_pause(w, q->connection);
}

void lp_web_leave(struct lp_web *w, struct request *q)
{
    struct request **at = &w->first_waiting, *before = NULL;
    end_errand(w, q);
    while (*at && *at != q) {
        before = *at;
        at = &before->next;
    }
    if (!*at) return;
    *at = q->next;
    if (w->last_waiting == q) w->last_waiting = before;
    w->waiting--;
}

void lp_web_give_up(struct lp_web *w)
{
    for (size_t i = 0; i < LP_WEB_AT_WORK; i++) {
        struct request *q = w->at_work[i];
        if (!q) continue;
        lp_web_answer_error(q, 503, "The service is stopping.");
        end_errand(w, q);
        lp_web_go_on(w, q->connection);
    }
    for (struct request *q; (q = first_of_waiting(w));) {
        lp_web_answer_error(q, 503, "The service is stopping.");
        lp_web_go_on(w, q->connection);
    }
}
