#include "base/clock.h"
#include "serve/service.h"

#include <stdlib.h>
#include <string.h>

#define AGAIN_US  INT64_C(60000000) /* a lake that could not be read is asked again */
#define FOLLOW_US INT64_C(60000000) /* so long after a slot one that stands by looks for its record */

/* ---- the locks: one per lake ---- */

static uint64_t group_of(const struct lp_service *v, const char *lake)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < v->roster.count; i++) {
        const struct lp_served *s = v->roster.list[i];
        uint64_t h = UINT64_C(0xCBF29CE484222325);
        if (!s->name || strcmp(s->lake, lake) != 0) continue;
        for (const char *at = s->name; *at; at++) h = (h ^ (unsigned char)*at) * UINT64_C(0x100000001B3);
        sum += h * h; /* in whatever order they are named */
    }
    return sum;
}

static struct lp_keeper *keeper_of(const struct lp_service *v, const char *lake)
{
    for (size_t i = 0; i < v->keeper_count; i++)
        if (!strcmp(v->keepers[i].lake, lake)) return &v->keepers[i];
    return NULL;
}

static struct lp_keeper *add_keeper(struct lp_service *v, const char *lake)
{
    struct lp_keeper *list = reallocarray(v->keepers, v->keeper_count + 1, sizeof *list);
    if (!list) return NULL;
    v->keepers = list;
    struct lp_keeper *k = &v->keepers[v->keeper_count];
    *k = (struct lp_keeper){.lake = strdup(lake)};
    if (!k->lake) return NULL;
    v->keeper_count++;
    return k;
}

static void drop_unwanted(struct lp_service *v)
{
    size_t kept = 0;
    for (size_t i = 0; i < v->keeper_count; i++) {
        if (v->keepers[i].wanted) v->keepers[kept++] = v->keepers[i];
        else lp_keeper_release(&v->keepers[i]);
    }
    v->keeper_count = kept;
}

static void start_keeper(struct lp_service *v, struct lp_keeper *k, const struct lp_served *any)
{
    struct lp_err err;
    if (k->errand || lp_clock_monotonic_us() < k->again_us) return;
    if (lp_keeper_start(k, &v->errands, &v->roster, any, &err)) {
        k->again_us = lp_clock_monotonic_us() + AGAIN_US / 6;
        lp_service_say(v, LP_SERVE_ERROR, any, INT64_MIN, "the lake's lock cannot be asked for: %s", err.text);
    }
}

void lp_service_set_keepers(struct lp_service *v)
{
    for (size_t i = 0; i < v->keeper_count; i++) v->keepers[i].wanted = false;
    const char *last = NULL; /* most share one lake: it is looked for once */
    struct lp_keeper *k = NULL;
    for (size_t i = 0; i < v->roster.count; i++) {
        struct lp_served *s = v->roster.list[i];
        if (!s->name || !s->scheduled) continue;
        if (!last || strcmp(last, s->lake) != 0) {
            last = s->lake;
            k = keeper_of(v, last);
            if (!k) k = add_keeper(v, last);
            if (!k) return; /* no memory: the next reading tries again */
            if (!k->wanted && k->group != group_of(v, last)) {
                /* Others are served now: another lock. Until that is held, nothing of this lake is fired. */
                char *lake = strdup(last);
                lp_keeper_release(k);
                *k = (struct lp_keeper){.lake = lake};
                if (!lake) return;
                k->group = group_of(v, last);
            }
            k->wanted = true;
        }
        start_keeper(v, k, s);
    }
    drop_unwanted(v);
}

/* ---- who fires ---- */

static void begin_to_fire(struct lp_service *v, struct lp_served *s)
{
    s->fires = true;
    s->looked = false;
    s->active_us = v->now_us;
    lp_agenda_restart(&s->agenda, v->now_us);
}

static void tell_state(struct lp_service *v, const struct lp_keeper *k)
{
    switch (k->state) {
    case LP_KEEPER_HOLDS: lp_service_say(v, LP_SERVE_INFO, NULL, INT64_MIN, "%s: this service fires", k->lake); break;
    case LP_KEEPER_WAITS:
        lp_service_say(v, LP_SERVE_INFO, NULL, INT64_MIN, "%s: standing by, %s", k->lake, k->why ? k->why : "another service fires");
        break;
    case LP_KEEPER_AWAY:
        lp_service_say(v, LP_SERVE_ERROR, NULL, INT64_MIN, "%s: %s; nothing is fired until it is back", k->lake, k->why ? k->why : "");
        break;
    case LP_KEEPER_ASKS: break;
    }
}

/* Writes nothing where nothing has changed: each write to a page that a child of this process shares costs a copy of it, and
 * this looks at all pipelines, each time a run begins or ends. */
static void follow(struct lp_service *v, const struct lp_keeper *k)
{
    bool holds = k->state == LP_KEEPER_HOLDS, waits = k->state == LP_KEEPER_WAITS;
    for (size_t i = 0; i < v->roster.count; i++) {
        struct lp_served *s = v->roster.list[i];
        if (!s->name || !s->scheduled || strcmp(s->lake, k->lake) != 0) continue;
        if (holds && !s->fires) begin_to_fire(v, s);
        if (!holds && s->fires) s->fires = false;
        if (s->stands_by != waits) s->stands_by = waits;
        lp_served_set(&s->lake_fault, k->state == LP_KEEPER_AWAY ? k->why : NULL);
    }
}

void lp_service_hear_keepers(struct lp_service *v)
{
    bool ended = false;
    for (size_t i = 0; i < v->keeper_count; i++) {
        struct lp_keeper *k = &v->keepers[i];
        enum lp_keeper_state before = k->state;
        LP_AUTO(lp_buf) why = {0};
        lp_buf_puts(&why, k->why ? k->why : "");
        if (lp_keeper_turn(k) && (k->state != before || strcmp(lp_buf_text(&why), k->why ? k->why : "") != 0)) tell_state(v, k);
        follow(v, k);
        ended = ended || (!k->errand && lp_clock_monotonic_us() >= k->again_us);
    }
    if (ended && !v->stopping) lp_service_set_keepers(v);
}

/* ---- the past ---- */

static void fill(struct lp_service *v, struct lp_look *l)
{
    l->count = 0;
    for (size_t i = 0; i < v->roster.count && l->count < LP_LOOK_BATCH; i++) {
        struct lp_served *s = v->roster.list[i];
        bool settled = !s->scheduled || s->fires || s->stands_by;
        if (s->name && settled && !s->looked && !s->in_look) l->list[l->count++] = s;
    }
}

int64_t lp_service_follow_us(const struct lp_served *s)
{
    bool follows = s->scheduled && s->stands_by && !s->fires && !s->gone && !s->in_look && s->agenda.next_us != INT64_MAX;
    return follows ? s->agenda.next_us + FOLLOW_US : INT64_MAX;
}

/* So that the page of one that stands by shows what is so. */
static void follow_the_other(struct lp_service *v)
{
    for (size_t i = 0; i < v->roster.count; i++) {
        struct lp_served *s = v->roster.list[i];
        if (lp_service_follow_us(s) > v->now_us) continue;
        lp_agenda_restart(&s->agenda, v->now_us);
        s->looked = false;
    }
}

void lp_service_look(struct lp_service *v)
{
    struct lp_err err;
    int64_t now = lp_clock_monotonic_us();
    follow_the_other(v);
    for (size_t i = 0; i < LP_SERVICE_LOOKS; i++) {
        struct lp_look *l = &v->looks[i];
        if (l->errand && lp_look_turn(l)) {
            for (size_t n = 0; n < l->count; n++)
                if (!l->list[n]->looked) v->look_again_us = now + AGAIN_US;
            lp_look_release(l);
        }
        if (l->errand || v->stopping || now < v->look_again_us) continue;
        fill(v, l);
        if (l->count && lp_look_start(l, &v->errands, &v->roster, v->now_us, &err)) lp_look_release(l);
    }
}
