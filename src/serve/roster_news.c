#include "serve/roster_parts.h"

#include "base/text.h"

#include <stdlib.h>
#include <string.h>

/* The name that the file is going to stand for; NULL: none. */
static const char *name_to_be(const struct lp_served *s)
{
    return s->news ? s->news->name : s->gone ? NULL : s->name;
}

static bool has_had_it(const struct lp_served *s)
{
    return s->name && !strcmp(s->name, name_to_be(s));
}

/* By name; of one name first who has had it, then in the order in which they were met. */
static int by_name(const void *a, const void *b)
{
    const struct lp_served *x = *(struct lp_served *const *)a, *y = *(struct lp_served *const *)b;
    int order = strcmp(name_to_be(x), name_to_be(y));
    if (order) return order;
    if (has_had_it(x) != has_had_it(y)) return has_had_it(x) ? -1 : 1;
    return x->place < y->place ? -1 : 1;
}

static void refuse(struct lp_roster *r, struct lp_served *s, const struct lp_served *other)
{
    LP_AUTO(lp_buf) what = {0};
    lp_buf_printf(&what, "%s: its pipeline is named \"%s\", as that of %s is; name it differently%s", s->path, s->news->name,
                  other->path, s->text.len ? LP_KEPT : "");
    lp_served_drop_news(s);
    lp_roster_fault(r, s, lp_buf_text(&what));
}

/* Whoever is refused keeps the name it had, which somebody else may have taken: so until nobody is. */
static enum lp_code refuse_doubles(struct lp_roster *r, struct lp_err *err)
{
    bool again = true;
    struct lp_served **list = calloc(r->count + 1, sizeof *list);
    if (!list) return lp_nomem(err);
    while (again) {
        size_t count = 0, first = 0;
        again = false;
        for (size_t i = 0; i < r->count; i++) {
            r->list[i]->place = i;
            if (name_to_be(r->list[i])) list[count++] = r->list[i];
        }
        qsort(list, count, sizeof *list, by_name);
        for (size_t i = 1; i < count; i++) {
            if (strcmp(name_to_be(list[first]), name_to_be(list[i])) != 0) first = i;
            else if (list[i]->news) refuse(r, list[i], list[first]), again = true;
        }
    }
    free(list);
    return LP_OK;
}

static void exchange(struct lp_served *a, struct lp_served *b)
{
    const struct lp_served was = *a;
    a->path = b->path, b->path = was.path;
    a->fault = b->fault, b->fault = was.fault;
    a->news = b->news, b->news = was.news;
    a->gone = b->gone, b->gone = was.gone;
    a->seen = b->seen, b->seen = was.seen;
    a->named = b->named, b->named = was.named;
}

/* Agenda, past and runs at work go with the name, wherever its file is now. */
static void exchange_files(struct lp_roster *r)
{
    for (size_t i = 0; i < r->count; i++) {
        struct lp_served *s = r->list[i], *other;
        while (s->news && (!s->name || strcmp(s->name, s->news->name) != 0) && (other = lp_roster_find(r, s->news->name)))
            exchange(s, other);
    }
}

/* What is left of a file that was renamed, and of a folder that was away and counted as a file. */
static void drop_remains(struct lp_roster *r)
{
    size_t kept = 0;
    for (size_t i = 0; i < r->count; i++) {
        struct lp_served *s = r->list[i];
        if (s->gone && !s->name && !(s->named && s->seen)) lp_served_free(s);
        else r->list[kept++] = s;
    }
    r->count = kept;
}

static enum lp_code take_schedule(struct lp_served *s, struct lp_served_news *n, int64_t now_us, struct lp_err *err)
{
    bool first = !s->agenda.rules, same = s->scheduled && n->scheduled && s->zone == n->zone &&
                                          !memcmp(&s->expression, &n->expression, sizeof s->expression);
    if (s->fires && s->scheduled && !same) LP_TRY(lp_agenda_look(&s->agenda, now_us, err)); /* by the old one, up to now */
    s->rules = n->rules;
    s->expression = n->expression;
    s->zone = n->zone;
    s->scheduled = n->scheduled;
    if (!n->scheduled) {
        s->fires = s->told_unscheduled = false;
        lp_agenda_stop(&s->agenda);
    } else if (first) {
        lp_agenda_init(&s->agenda, &s->rules, &s->expression, s->zone, lp_text_hash(n->name), now_us);
    } else if (!same) {
        lp_agenda_begin_at(&s->agenda, now_us);
    }
    return LP_OK;
}

static enum lp_code take_news(struct lp_roster *r, struct lp_served *s, int64_t now_us, struct lp_err *err)
{
    struct lp_served_news *n = s->news;
    bool other_name = s->name && strcmp(s->name, n->name) != 0, other_lake = s->lake && strcmp(s->lake, n->lake) != 0;
    LP_TRY(take_schedule(s, n, now_us, err));
    if (other_name || other_lake) lp_served_forget_past(s, now_us);
    if (other_name && s->scheduled) {
        lp_agenda_restart(&s->agenda, now_us);
        s->agenda.seed = lp_text_hash(n->name);
    }
    free(s->name);
    free(s->lake);
    free(s->words);
    lp_buf_release(&s->text);
    s->name_hash = lp_text_hash(n->name);
    s->name = n->name, n->name = NULL;
    s->lake = n->lake, n->lake = NULL;
    s->words = n->words, n->words = NULL;
    s->text = n->text, n->text = (struct lp_buf){0};
    lp_served_drop_news(s);
    r->changes++;
    lp_roster_fault(r, s, NULL);
    return LP_OK;
}

enum lp_code lp_roster_take_news(struct lp_roster *r, int64_t now_us, struct lp_err *err)
{
    bool any_named = false;
    LP_TRY(refuse_doubles(r, err));
    for (size_t i = 0; i < r->count && !any_named; i++) any_named = r->list[i]->name != NULL;
    if (any_named) exchange_files(r);
    drop_remains(r);
    for (size_t i = 0; i < r->count; i++)
        if (r->list[i]->news) LP_TRY(take_news(r, r->list[i], now_us, err));
    return LP_OK;
}
