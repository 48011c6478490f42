#include "quality/tally.h"

static void put_rule(const struct lp_judge *j, size_t rule, struct lp_json_writer *w)
{
    LP_AUTO(lp_buf) text = {0};
    lp_judge_put_rule(j, rule, &text);
    if (text.failed) w->out->failed = text.failed;
    lp_json_text(w, "rule", lp_buf_text(&text));
}

static void put_unseen(const struct lp_judge *j, const struct lp_check *c, struct lp_json_writer *w)
{
    size_t seen = 0;
    for (size_t i = 0; i < c->value_count; i++) seen += j->values_seen[c->rule][i];
    if (seen == c->value_count) return;
    lp_json_open(w, NULL, '{');
    put_rule(j, c->rule, w);
    lp_json_open(w, "values", '[');
    for (size_t i = 0; i < c->value_count; i++)
        if (!j->values_seen[c->rule][i]) lp_json_text(w, NULL, c->words[i]);
    lp_json_close(w, ']');
    lp_json_close(w, '}');
}

void lp_tally_put(const struct lp_judge *j, struct lp_json_writer *w)
{
    lp_json_open(w, "broken", '[');
    for (size_t i = 0; j->rule_failures && i < j->rule_count; i++) {
        if (!j->rule_failures[i]) continue;
        lp_json_open(w, NULL, '{');
        put_rule(j, i, w);
        lp_json_int(w, "rows", (int64_t)j->rule_failures[i]);
        lp_json_close(w, '}');
    }
    lp_json_close(w, ']');
    lp_json_open(w, "unseen", '[');
    for (const struct lp_check *c = j->values_seen ? j->checks->first : NULL; c; c = c->next)
        if (c->kind == LP_CHECK_VALUES_EQ) put_unseen(j, c, w);
    lp_json_close(w, ']');
    lp_json_int(w, "warnings", (int64_t)j->warnings);
}

/* The element of a list whose rule is this one; NULL: there is none. */
static enum lp_code find_rule(const struct lp_judge *j, size_t rule, const json_t *list, const json_t **found,
                              struct lp_err *err)
{
    LP_AUTO(lp_buf) text = {0};
    const json_t *it;
    size_t i;
    *found = NULL;
    if (!json_array_size(list)) return LP_OK;
    lp_judge_put_rule(j, rule, &text);
    LP_TRY(lp_buf_code(&text, "a rule", err));
    json_array_foreach (list, i, it) {
        const char *name = json_string_value(json_object_get(it, "rule"));
        if (!name || strcmp(name, lp_buf_text(&text)) != 0) continue;
        *found = it;
        return LP_OK;
    }
    return LP_OK;
}

/* Values stand in the list in the check's own order. */
static enum lp_code add_seen(struct lp_judge *j, const struct lp_check *c, const json_t *unseen, struct lp_err *err)
{
    const json_t *entry;
    size_t next = 0;
    LP_TRY(find_rule(j, c->rule, unseen, &entry, err));
    const json_t *values = json_object_get(entry, "values");
    for (size_t i = 0; i < c->value_count; i++) {
        const char *missed = json_string_value(json_array_get(values, next));
        if (missed && !strcmp(missed, c->words[i])) next++;
        else j->values_seen[c->rule][i] = true;
    }
    return LP_OK;
}

static uint64_t count_of(const json_t *map, const char *key)
{
    int64_t n = json_integer_value(json_object_get(map, key));
    return n > 0 ? (uint64_t)n : 0;
}

enum lp_code lp_tally_add(struct lp_judge *j, const json_t *tally, struct lp_err *err)
{
    const json_t *broken = json_object_get(tally, "broken"), *unseen = json_object_get(tally, "unseen"), *entry;
    for (size_t i = 0; i < j->rule_count; i++) {
        LP_TRY(find_rule(j, i, broken, &entry, err));
        j->rule_failures[i] += count_of(entry, "rows");
    }
    for (const struct lp_check *c = j->checks->first; c; c = c->next)
        if (c->kind == LP_CHECK_VALUES_EQ) LP_TRY(add_seen(j, c, unseen, err));
    j->warnings += count_of(tally, "warnings");
    return LP_OK;
}
