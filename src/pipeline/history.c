#include "pipeline/history.h"

#include "base/clock.h"
#include "pipeline/record_read.h"

#include <stdio.h>

#define SLOT_BYTES 16 /* 20261122T180000Z */
#define NEAR_US    (3 * LP_DAY_US)

enum verdict { UNKNOWN, WORKED, PARTLY, FAILED };

static enum lp_code read_verdict(struct lp_store *store, const char *key, enum verdict *out, struct lp_err *err)
{
    static const enum verdict as[] = {WORKED, PARTLY, FAILED};
    LP_AUTO(lp_arena) arena = {0};
    const json_t *record;
    enum lp_run_status status;
    *out = UNKNOWN;
    enum lp_code code = lp_record_load(store, key, &arena, &record, err);
    if (code) return code == LP_NOTFOUND || code == LP_DATA || code == LP_LIMIT ? LP_OK : code;
    if (lp_record_status(record, &status)) *out = as[status];
    return LP_OK;
}

/* Where one looks back from, and how far one has come. */
struct look {
    struct lp_store *store;
    const char *own; /* the key of this slot's record */
    size_t folder;   /* of its bytes, those before the slot */
    struct lp_history *history;
    unsigned records;
    bool row_over, success_over; /* the failures in a row are counted; whether a success recovers is decided */
};

static bool of_same_shard(const struct look *k, const char *key)
{
    return strlen(key) == strlen(k->own) && strcmp(key, k->own) < 0 &&
           !strcmp(key + k->folder + SLOT_BYTES, k->own + k->folder + SLOT_BYTES);
}

static void take(struct look *k, enum verdict v, const char *key)
{
    struct lp_history *h = k->history;
    char slot[SLOT_BYTES + 1];
    if (v == UNKNOWN) return;
    if (!k->success_over && v != PARTLY) {
        h->recovers = v == FAILED;
        k->success_over = true;
    }
    if (v == FAILED) {
        if (!k->row_over) h->failed_in_row++;
    } else if (!k->row_over) {
        k->row_over = true;
        snprintf(slot, sizeof slot, "%.16s", key + k->folder);
        (void)!lp_time_parse_format(slot, "%Y%m%dT%H%M%SZ", &h->worked_us);
    }
}

/* The records behind `after`, up to `until`, from the last to the first. */
static enum lp_code look_back(struct look *k, const char *after, const char *until, struct lp_err *err)
{
    LP_AUTO(lp_buf) folder = {.max_bytes = 1024};
    LP_AUTO(lp_listing) listing = {0};
    lp_buf_put(&folder, k->own, k->folder);
    LP_TRY(lp_buf_code(&folder, "the records' folder", err));
    LP_TRY(k->store->ops->list(k->store, lp_buf_text(&folder), after, &listing, err));
    for (size_t i = listing.count; i-- > 0;) {
        const char *key = listing.list[i].key;
        enum verdict v;
        if (strcmp(key, until) > 0 || !of_same_shard(k, key)) continue;
        if (k->row_over && k->success_over) return LP_OK;
        if (k->records++ == LP_HISTORY_RECORDS) {
            k->history->failed_more = !k->row_over;
            k->row_over = k->success_over = true;
            return LP_OK;
        }
        LP_TRY(read_verdict(k->store, key, &v, err));
        take(k, v, key);
    }
    return LP_OK;
}

enum lp_code lp_history_read(struct lp_store *store, const struct lp_layout *l, struct lp_history *out,
                             struct lp_err *err)
{
    LP_AUTO(lp_buf) own = {.max_bytes = 1024}, near = {.max_bytes = 1024};
    struct lp_history h = {.worked_us = INT64_MIN};
    struct lp_layout before = *l;
    enum verdict here;
    before.slot_us -= NEAR_US;
    lp_layout_put_record_key(l, &own);
    lp_layout_put_record_key(&before, &near);
    LP_TRY(lp_buf_code(&own, "the record's name", err));
    LP_TRY(lp_buf_code(&near, "the record's name", err));
    const char *slash = strrchr(lp_buf_text(&own), '/');
    struct look k = {.store = store, .own = lp_buf_text(&own), .history = &h};
    k.folder = slash ? (size_t)(slash + 1 - k.own) : 0;
    *out = (struct lp_history){.worked_us = INT64_MIN};
    LP_TRY(read_verdict(store, k.own, &here, err));
    if (here == WORKED || here == FAILED) {
        h.recovers = h.failed_here = here == FAILED;
        k.success_over = true;
    }
    /* Mostly the last days tell; a folder of years is listed only when they do not. */
    LP_TRY(look_back(&k, lp_buf_text(&near), k.own, err));
    if (!k.row_over || !k.success_over) LP_TRY(look_back(&k, "", lp_buf_text(&near), err));
    h.known = true;
    *out = h;
    return LP_OK;
}
