#include "lambda/event.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"
#include "source/each.h"

#define TREE_BYTES ((size_t)16 << 20)
#define MINUTE_US  INT64_C(60000000)

static const char *const own_keys[] = {"slot", "shard", "merge", "scheduled", "attempt", "execution", "schedule"};

static const char *type_name(const json_t *v)
{
    switch (json_typeof(v)) {
    case JSON_OBJECT: return "an object";
    case JSON_ARRAY: return "a list";
    case JSON_STRING: return "a text";
    case JSON_INTEGER:
    case JSON_REAL: return "a number";
    case JSON_TRUE:
    case JSON_FALSE: return "true or false";
    default: return "null";
    }
}

static enum lp_code wrong_text(const char *key, const char *text, const char *wanted, struct lp_err *err)
{
    LP_AUTO(lp_buf) shown = {0};
    lp_text_put_quoted(&shown, text, strlen(text));
    return lp_fail(err, LP_DATA, "event: %s \"%s\" %s", key, lp_buf_text(&shown), wanted);
}

/* The text of a key; *text is NULL when it is absent or null. */
static enum lp_code text_of(const json_t *event, const char *key, const char *wanted, const char **text,
                            struct lp_err *err)
{
    const json_t *v = json_object_get(event, key);
    *text = NULL;
    if (!v || json_is_null(v)) return LP_OK;
    if (!json_is_string(v)) return lp_fail(err, LP_DATA, "event: %s is %s; write %s", key, type_name(v), wanted);
    *text = json_string_value(v);
    if (strlen(*text) == json_string_length(v)) return LP_OK;
    return lp_fail(err, LP_DATA, "event: %s holds a zero byte; write %s", key, wanted);
}

static enum lp_code read_time(const json_t *event, const char *key, bool whole, bool *found, int64_t *us,
                              struct lp_err *err)
{
    const char *text;
    LP_TRY(text_of(event, key, "a time like \"2026-11-22T18:00:00Z\"", &text, err));
    *found = text;
    if (!text) return LP_OK;
    if (!lp_time_parse_slot(text, us))
        return wrong_text(key, text, "is no time; write it like 2026-11-22T18:00:00Z", err);
    if (*us % 1000000 && whole)
        return wrong_text(key, text, "is no slot: that is a whole second; leave the fraction out", err);
    *us -= (*us % 1000000 + 1000000) % 1000000;
    return LP_OK;
}

static enum lp_code read_shard(const json_t *event, struct lp_event *out, struct lp_err *err)
{
    const char *text;
    LP_TRY(text_of(event, "shard", "it like \"3/16\"", &text, err));
    if (!text || lp_shard_parse(text, &out->shard, &out->shards)) return LP_OK;
    return wrong_text("shard", text, "is no share; write I/N with I from 1 to N, like 3/16", err);
}

static enum lp_code read_merge(const json_t *event, struct lp_event *out, struct lp_err *err)
{
    const json_t *value = json_object_get(event, "merge");
    if (!value) return LP_OK;
    int64_t n = json_is_integer(value) ? json_integer_value(value) : 0;
    if (n < 2 || n > 10000)
        return lp_fail(err, LP_DATA, "event: merge is a number of shards, from 2 to 10000; write it like 16");
    if (out->shards) return lp_fail(err, LP_DATA, "event: merge is of all shards, and shard is one; leave one out");
    out->merge = (uint64_t)n;
    return LP_OK;
}

static enum lp_code check_keys(const json_t *event, struct lp_err *err)
{
    void *at;
    for (at = json_object_iter((json_t *)event); at; at = json_object_iter_next((json_t *)event, at)) {
        const char *key = json_object_iter_key(at);
        bool known = false;
        for (size_t i = 0; i < LP_COUNT(own_keys); i++) known |= !strcmp(key, own_keys[i]);
        if (known) continue;
        LP_AUTO(lp_buf) shown = {0};
        lp_text_put_quoted(&shown, key, strlen(key));
        const char *near = lp_text_nearest(key, strlen(key), own_keys, LP_COUNT(own_keys));
        if (near)
            return lp_fail(err, LP_DATA, "event: unknown key \"%s\"; did you mean \"%s\"?", lp_buf_text(&shown), near);
        return lp_fail(err, LP_DATA, "event: unknown key \"%s\"; an event may say slot and shard, or nothing",
                       lp_buf_text(&shown));
    }
    return LP_OK;
}

/* What EventBridge sends on its own. AWS may add to its envelope; a key of ours in it would be overlooked. */
static enum lp_code read_envelope(const json_t *event, struct lp_event *out, struct lp_err *err)
{
    const char *type;
    bool found;
    LP_TRY(text_of(event, "detail-type", "\"Scheduled Event\"", &type, err));
    if (!type || strcmp(type, "Scheduled Event") != 0)
        return wrong_text("detail-type", type ? type : "",
                          "is not understood; of EventBridge's events only \"Scheduled Event\" is", err);
    for (size_t i = 0; i < LP_COUNT(own_keys); i++)
        if (json_object_get(event, own_keys[i]))
            return lp_fail(err, LP_DATA, "event: a scheduled event says the slot by its time; leave %s out",
                           own_keys[i]);
    LP_TRY(read_time(event, "time", false, &found, &out->slot_us, err));
    return found ? LP_OK : lp_fail(err, LP_DATA, "event: a scheduled event without its time");
}

/* Each try would be a run of another now. */
static enum lp_code check_try(const json_t *event, struct lp_err *err)
{
    static const char *const keys[] = {"attempt", "execution", "schedule"};
    for (size_t i = 0; i < LP_COUNT(keys); i++) {
        const json_t *value = json_object_get(event, keys[i]);
        if (value && !json_is_null(value))
            return lp_fail(err, LP_DATA,
                           "event: %s without scheduled, so it does not say for when; write \"scheduled\": "
                           "\"<aws.scheduler.scheduled-time>\" beside it",
                           keys[i]);
    }
    return LP_OK;
}

static enum lp_code read_object(const json_t *event, struct lp_event *out, struct lp_err *err)
{
    bool slot, scheduled;
    int64_t us;
    if (json_object_get(event, "detail-type")) return read_envelope(event, out, err);
    LP_TRY(check_keys(event, err));
    LP_TRY(read_time(event, "slot", true, &slot, &us, err));
    if (slot) out->slot_us = us;
    LP_TRY(read_time(event, "scheduled", false, &scheduled, &us, err));
    if (slot && scheduled) return lp_fail(err, LP_DATA, "event: slot and scheduled say the same; leave one out");
    if (scheduled) out->slot_us = us;
    if (!slot && !scheduled) LP_TRY(check_try(event, err));
    LP_TRY(read_shard(event, out, err));
    return read_merge(event, out, err);
}

static enum lp_code read_tree(const json_t *event, int64_t now_us, struct lp_event *out, struct lp_err *err)
{
    if (json_is_null(event)) return LP_OK;
    if (!json_is_object(event))
        return lp_fail(err, LP_DATA,
                       "event: it is %s; write an object like {\"slot\": \"2026-11-22T18:00:00Z\"}, or nothing",
                       type_name(event));
    LP_TRY(read_object(event, out, err));
    if (out->slot_us <= now_us + LP_EVENT_AHEAD_US) return LP_OK;
    char slot[LP_TIME_TEXT_BYTES];
    lp_time_format_iso(out->slot_us, slot);
    return lp_fail(err, LP_DATA, "event: the slot %s has not come yet; name one that has", slot);
}

void lp_event_trim(const char **text, size_t *len)
{
    while (*len && memchr(" \t\r\n", **text, 4)) {
        ++*text;
        --*len;
    }
}

enum lp_code lp_event_read(const char *text, size_t len, int64_t now_us, struct lp_event *out, struct lp_err *err)
{
    LP_AUTO(lp_arena) tree = {.max_bytes = TREE_BYTES};
    struct lp_err local;
    json_t *root;
    *out = (struct lp_event){.slot_us = now_us - now_us % MINUTE_US};
    if (len > LP_EVENT_BYTES)
        return lp_fail(err, LP_DATA, "event: it has %zu bytes, and at most %zu are read", len, LP_EVENT_BYTES);
    lp_event_trim(&text, &len);
    if (!len) return LP_OK;
    enum lp_code code = lp_json_parse_once(&tree, text, len, &root, &local);
    if (code == LP_NOMEM) return lp_nomem(err);
    if (code) return lp_fail(err, LP_DATA, "event: %s", local.text);
    return read_tree(root, now_us, out, err);
}
