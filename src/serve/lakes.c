#include "base/clock.h"
#include "base/text.h"
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
        if (!s->name || s->gone || strcmp(s->lake, lake) != 0) continue;
        uint64_t h = lp_text_hash(s->name);
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
        LP_AUTO(lp_buf) why = {0};
        lp_buf_printf(&why, "the lock cannot be asked for: %s", err.text);
        lp_keeper_fail(k, lp_buf_text(&why));
    }
}

void lp_service_set_keepers(struct lp_service *v)
{
    v->roster_readings++;
    for (size_t i = 0; i < v->keeper_count; i++) v->keepers[i].wanted = false;
    const char *last = NULL; /* most share one lake: it is looked for once */
    struct lp_keeper *k = NULL;
    for (size_t i = 0; i < v->roster.count; i++) {
        struct lp_served *s = v->roster.list[i];
        if (!s->name || !s->scheduled || s->gone) continue;
        if (!last || strcmp(last, s->lake) != 0) {
            last = s->lake;
            k = keeper_of(v, last);
            if (!k) k = add_keeper(v, last);
            if (!k) return; /* no memory: the next reading tries again */
            if (!k->wanted && k->group != group_of(v, last)) {
                /* Others are served now: another lock. Until that is held, nothing of this lake is fired. */
                lp_keeper_reset(k);
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
    s->look_us = 0;
    lp_agenda_begin_at(&s->agenda, v->now_us); /* what waits stays: nobody else was known to fire */
}

/* Once per change. */
static void tell_state(struct lp_service *v, struct lp_keeper *k)
{
    LP_AUTO(lp_buf) text = {0};
    enum lp_serve_level level = k->state == LP_KEEPER_AWAY ? LP_SERVE_ERROR : LP_SERVE_INFO;
    const char *why = k->why ? k->why : "";
    if (k->state == LP_KEEPER_ASKS) return;
    if (k->state == LP_KEEPER_HOLDS) lp_buf_printf(&text, "%s: this service fires", k->lake);
    else if (k->state == LP_KEEPER_WAITS) lp_buf_printf(&text, "%s: standing by, %s", k->lake, why);
    else lp_buf_printf(&text, "%s: %s; nothing is fired until it is back", k->lake, why);
    if (k->told && !strcmp(k->told, lp_buf_text(&text))) return;
    lp_served_set(&k->told, lp_buf_text(&text));
    lp_service_say(v, level, NULL, INT64_MIN, "%s", lp_buf_text(&text));
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
        if (waits && !s->stands_by) {
            s->looked = false;
            s->look_us = 0;
            lp_agenda_restart(&s->agenda, v->now_us); /* another service is at it */
        }
        if (s->stands_by != waits) s->stands_by = waits;
        lp_served_set(&s->lake_fault, k->state == LP_KEEPER_AWAY ? k->why : NULL);
    }
}

void lp_service_hear_keepers(struct lp_service *v)
{
    bool ended = false;
    for (size_t i = 0; i < v->keeper_count; i++) {
        struct lp_keeper *k = &v->keepers[i];
        bool news = lp_keeper_turn(k);
        if (news) tell_state(v, k);
        if (news || v->followed != v->roster_readings) follow(v, k);
        ended = ended || (!k->errand && lp_clock_monotonic_us() >= k->again_us);
    }
    v->followed = v->roster_readings;
    if (ended && !v->stopping) lp_service_set_keepers(v);
}

/* ---- the past ---- */

/* Of one lake, so that one that does not answer holds up no other; returns when the next one is to be looked at. */
static int64_t fill(struct lp_service *v, struct lp_look *l, int64_t now)
{
    int64_t again_us = INT64_MAX;
    l->count = 0;
    for (size_t i = 0; i < v->roster.count && l->count < LP_LOOK_BATCH; i++) {
        struct lp_served *s = v->roster.list[i];
        bool settled = !s->scheduled || s->fires || s->stands_by;
        if (!s->name || !settled || s->looked || s->in_look) continue;
        if (s->look_us > now) {
            if (s->look_us < again_us) again_us = s->look_us;
        } else if (!l->count || !strcmp(s->lake, l->list[0]->lake)) {
            l->list[l->count++] = s;
        }
    }
    return again_us;
}

/* What could not be read is told once, for all of the lake. */
static void end_look(struct lp_service *v, struct lp_look *l, int64_t now)
{
    const char *told = NULL;
    for (size_t i = 0; i < l->count; i++) {
        struct lp_served *s = l->list[i];
        bool too_early = !s->looked && !s->past_fault && s->active_us != l->active_us[i]; /* it began to fire meanwhile */
        s->look_us = too_early ? now : now + AGAIN_US;
        if (s->past_fault && !s->told_past && (!told || strcmp(told, s->past_fault) != 0))
            lp_service_say(v, LP_SERVE_ERROR, s, INT64_MIN, "its records cannot be read: %s", told = s->past_fault);
        if (s->told_past && !s->past_fault) lp_service_say(v, LP_SERVE_INFO, s, INT64_MIN, "its records can be read again");
        s->told_past = s->past_fault != NULL;
    }
    lp_look_release(l);
}

/* What has no schedule is run by others, whenever they like: its records are read again when somebody wants to see them. */
static void look_anew(struct lp_service *v, int64_t now)
{
    for (size_t i = 0; i < v->roster.count; i++) {
        struct lp_served *s = v->roster.list[i];
        if (s->looked && !s->scheduled && s->look_us <= now) s->looked = false;
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
        s->look_us = 0;
    }
}

void lp_service_look(struct lp_service *v)
{
    struct lp_err err;
    int64_t now = lp_clock_monotonic_us();
    follow_the_other(v);
    if (v->asked) look_anew(v, now);
    v->look_again_us = INT64_MAX;
    for (size_t i = 0; i < LP_SERVICE_LOOKS; i++) {
        struct lp_look *l = &v->looks[i];
        if (l->errand && lp_look_turn(l)) end_look(v, l, now);
        if (l->errand || v->stopping) continue;
        int64_t again_us = fill(v, l, now);
        if (again_us < v->look_again_us) v->look_again_us = again_us;
        if (!l->count || !lp_look_start(l, &v->errands, &v->roster, v->now_us, &err)) continue;
        for (size_t n = 0; n < l->count; n++) l->list[n]->look_us = now + AGAIN_US;
        v->look_again_us = now + AGAIN_US;
        lp_look_release(l);
    }
}
