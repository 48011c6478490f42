#include "pipeline/past.h"

#include "base/cancel.h"
#include "base/clock.h"
#include "base/text.h"
#include "pipeline/record_read.h"

#include <stdlib.h>

#define SLOT_BYTES 16 /* 20261122T180000Z */
#define NEAR_US    (3 * LP_DAY_US)

const char *lp_past_status_name(enum lp_past_status s)
{
    switch (s) {
    case LP_PAST_OK: return lp_run_status_name(LP_RUN_OK);
    case LP_PAST_PARTIAL: return lp_run_status_name(LP_RUN_PARTIAL);
    case LP_PAST_FAILED: return lp_run_status_name(LP_RUN_FAILED);
    case LP_PAST_UNREADABLE: break;
    }
    return "unreadable";
}

/* ---- names ---- */

static bool take_number(const char **at, uint64_t *out)
{
    uint64_t n = 0;
    const char *begin = *at;
    while (**at >= '0' && **at <= '9' && *at - begin < 18) n = n * 10 + (uint64_t)(*(*at)++ - '0');
    *out = n;
    return *at > begin && *begin != '0';
}

/* Which slot a record's name means; false when it is not one that a run would write. */
static bool parse_name(const char *name, struct lp_past_run *r)
{
    char slot[SLOT_BYTES + 1] = "", again[LP_TIME_TEXT_BYTES];
    if (strlen(name) < SLOT_BYTES) return false;
    memcpy(slot, name, SLOT_BYTES);
    if (!lp_time_parse_slot(slot, &r->slot_us)) return false;
    lp_time_format_slot(r->slot_us, again);
    if (strcmp(slot, again) != 0) return false;
    const char *at = name + SLOT_BYTES;
    if (*at == '-') {
        at++;
        if (!take_number(&at, &r->shard) || strncmp(at, "of", 2) != 0) return false;
        at += 2;
        if (!take_number(&at, &r->shards) || r->shards < 2 || r->shard > r->shards) return false;
        r->shard--;
    }
    return !strcmp(at, ".json");
}

/* The shards of a slot by number, what is said of the whole behind them. */
static int by_slot(const void *left, const void *right)
{
    const struct lp_past_run *a = left, *b = right;
    if (a->slot_us != b->slot_us) return a->slot_us < b->slot_us ? -1 : 1;
    if (!a->shards != !b->shards) return a->shards ? -1 : 1;
    if (a->shards != b->shards) return a->shards < b->shards ? -1 : 1;
    return a->shard < b->shard ? -1 : a->shard > b->shard;
}

/* ---- records ---- */

struct look {
    struct lp_store *store;
    const struct lp_past_wanted *wanted;
    struct lp_past *out; /* the newest first, until all are there */
    size_t cap;
    const char *folder;
    struct lp_arena record; /* of the one that is being read */
};

static enum lp_code take_text(struct look *k, const char *text, const char **out, struct lp_err *err)
{
    size_t len = text ? strlen(text) : 0;
    if (len > LP_PAST_ERROR_BYTES) {
        len = LP_PAST_ERROR_BYTES;
        while (len && ((unsigned char)text[len] & 0xC0) == 0x80) len--;
    }
    *out = len ? lp_arena_strndup(&k->out->arena, text, len) : "";
    return *out ? LP_OK : lp_arena_code(&k->out->arena, err);
}

/* "Portland: 404; not retried" */
static enum lp_code take_failure(struct look *k, const json_t *failure, const char **out, struct lp_err *err)
{
    const json_t *item = json_object_get(failure, "item");
    const char *error = json_string_value(json_object_get(failure, "error"));
    LP_AUTO(lp_buf) text = {0};
    if (!error || !json_object_size(item)) return take_text(k, error, out, err);
    lp_record_put_label(item, &text);
    lp_buf_printf(&text, ": %s", error);
    LP_TRY(lp_buf_code(&text, "a failure", err));
    return take_text(k, lp_buf_text(&text), out, err);
}

static enum lp_code fill(struct look *k, const json_t *record, struct lp_past_run *r, struct lp_err *err)
{
    static const enum lp_past_status as[] = {LP_PAST_OK, LP_PAST_PARTIAL, LP_PAST_FAILED};
    const json_t *requests = json_object_get(record, "requests"), *rows = json_object_get(record, "rows");
    const json_t *failures = json_object_get(record, "failures");
    enum lp_run_status status;
    if (!lp_record_status(record, &status)) return take_text(k, "it does not say how the run ended", &r->error, err);
    r->status = as[status];
    r->started_us = lp_record_time(record, "started_at");
    r->finished_us = lp_record_time(record, "finished_at");
    r->duration_ms = (int64_t)lp_record_count(record, "duration_ms");
    r->requests = lp_record_count(requests, "total");
    r->requests_ok = lp_record_count(requests, "ok");
    r->requests_failed = lp_record_count(requests, "failed");
    r->retries = lp_record_count(requests, "retried");
    r->rows_read = lp_record_count(rows, "read");
    r->rows_written = lp_record_count(rows, "written");
    r->rows_quarantined = lp_record_count(rows, "quarantined");
    r->failures = json_array_size(failures);
    return take_failure(k, json_array_get(failures, 0), &r->error, err);
}

/* LP_NOTFOUND: removed since it was listed. */
static enum lp_code read_record(struct look *k, struct lp_past_run *r, struct lp_err *err)
{
    const json_t *record;
    struct lp_err why = {0};
    lp_arena_reset(&k->record);
    enum lp_code code = lp_record_load(k->store, r->key, &k->record, &record, &why);
    if (!code) return fill(k, record, r, err);
    if (code == LP_DATA || code == LP_LIMIT) return take_text(k, why.text, &r->error, err);
    if (err) *err = why;
    return code;
}

static enum lp_code keep(struct look *k, const struct lp_past_run *r, struct lp_err *err)
{
    struct lp_past *p = k->out;
    if (p->count == k->cap) {
        size_t cap = k->cap ? k->cap * 2 : 32;
        struct lp_past_run *list = lp_arena_alloc(&p->arena, cap * sizeof *list);
        if (!list) return lp_arena_code(&p->arena, err);
        if (p->count) memcpy(list, p->list, p->count * sizeof *list);
        p->list = list;
        k->cap = cap;
    }
    p->list[p->count++] = *r;
    return LP_OK;
}

static bool is_full(const struct look *k)
{
    return k->wanted->last && k->out->count >= k->wanted->last;
}

static enum lp_code take(struct look *k, const struct lp_past_run *candidate, struct lp_err *err)
{
    struct lp_past_run r = *candidate;
    r.error = "";
    r.key = lp_arena_strdup(&k->out->arena, candidate->key);
    if (!r.key) return lp_arena_code(&k->out->arena, err);
    if (!k->wanted->names_only) {
        LP_TRY(lp_cancel_check(err));
        enum lp_code code = read_record(k, &r, err);
        if (code) return code == LP_NOTFOUND ? LP_OK : code;
        if (k->wanted->failed_only && r.status == LP_PAST_OK) return LP_OK;
    }
    return keep(k, &r, err);
}

/* ---- the folder ---- */

/* Which of the listed are asked for; candidates has room for all. */
static size_t choose(const struct look *k, const struct lp_listing *l, int64_t from_us, int64_t until_us,
                     struct lp_past_run *candidates)
{
    size_t count = 0, folder = strlen(k->folder);
    for (size_t i = 0; i < l->count; i++) {
        struct lp_past_run r = {.key = l->list[i].key};
        if (!parse_name(r.key + folder, &r) || r.slot_us < from_us || r.slot_us >= until_us) continue;
        if (k->wanted->whole_only && r.shards) continue;
        candidates[count++] = r;
    }
    if (count) qsort(candidates, count, sizeof *candidates, by_slot);
    return count;
}

/* Slots from … until …, from the last to the first. */
static enum lp_code look_back(struct look *k, int64_t from_us, int64_t until_us, struct lp_err *err)
{
    LP_AUTO(lp_buf) after = {.max_bytes = LP_STORE_KEY_BYTES};
    LP_AUTO(lp_listing) listing = {0};
    struct lp_civil begin = from_us == INT64_MIN ? (struct lp_civil){0} : lp_civil_of(from_us);
    char slot[LP_TIME_TEXT_BYTES];
    if (begin.year >= 0 && begin.year <= 9999 && from_us != INT64_MIN) {
        lp_time_format_slot(from_us, slot);
        lp_buf_printf(&after, "%s%s", k->folder, slot); /* names go on behind the slot: its own come after this */
    }
    LP_TRY(lp_buf_code(&after, "the records' folder", err));
    LP_TRY(k->store->ops->list(k->store, k->folder, lp_buf_text(&after), &listing, err));
    struct lp_past_run *candidates = calloc(listing.count + 1, sizeof *candidates);
    if (!candidates) return lp_nomem(err);
    size_t left = choose(k, &listing, from_us, until_us, candidates);
    enum lp_code code = LP_OK;
    while (!code && left && !is_full(k)) code = take(k, &candidates[--left], err);
    k->out->more |= left > 0;
    free(candidates);
    return code;
}

static void turn_round(struct lp_past *p)
{
    for (size_t i = 0; i < p->count / 2; i++) {
        struct lp_past_run other = p->list[i];
        p->list[i] = p->list[p->count - 1 - i];
        p->list[p->count - 1 - i] = other;
    }
}

enum lp_code lp_past_read(struct lp_store *store, const char *pipeline, const struct lp_past_wanted *wanted,
                          struct lp_past *out, struct lp_err *err)
{
    LP_AUTO(lp_buf) folder = {.max_bytes = LP_STORE_KEY_BYTES};
    struct look k = {.store = store, .wanted = wanted, .out = out};
    int64_t now = lp_clock_now_us(), until = wanted->until_us;
    *out = (struct lp_past){.arena.max_bytes = LP_LISTING_BYTES};
    lp_buf_printf(&folder, "_runs/%s/", pipeline);
    LP_TRY(lp_buf_code(&folder, "the records' folder", err));
    k.folder = lp_buf_text(&folder);
    /* The last ones mostly lie in the last days: a folder of years is listed only when they do not. */
    int64_t near = wanted->last ? (until < now ? until : now) : INT64_MIN;
    near = near < INT64_MIN + NEAR_US || near - NEAR_US < wanted->from_us ? wanted->from_us : near - NEAR_US;
    enum lp_code code = look_back(&k, near, until, err);
    if (!code && near > wanted->from_us && (!is_full(&k) || !out->more)) code = look_back(&k, wanted->from_us, near, err);
    lp_arena_release(&k.record);
    turn_round(out);
    return code;
}

void lp_past_release(struct lp_past *p)
{
    if (!p) return;
    lp_arena_release(&p->arena);
    *p = (struct lp_past){0};
}
