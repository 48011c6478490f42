#include "pipeline/record_read.h"

#include "base/clock.h"
#include "base/text.h"

#define RECORD_BYTES       ((size_t)32 << 20)
#define RECORD_ARENA_BYTES ((size_t)256 << 20)

enum lp_code lp_record_load(struct lp_store *store, const char *key, struct lp_arena *arena, const json_t **out,
                            struct lp_err *err)
{
    LP_AUTO(lp_buf) text = {.max_bytes = RECORD_BYTES};
    json_t *record;
    if (!arena->max_bytes) arena->max_bytes = RECORD_ARENA_BYTES;
    LP_TRY(store->ops->read(store, key, &text, err));
    LP_TRY(lp_json_parse(arena, lp_buf_text(&text), text.len, &record, err));
    if (!json_is_object(record)) return lp_fail(err, LP_DATA, "it is not a JSON object");
    *out = record;
    return LP_OK;
}

bool lp_record_status(const json_t *record, enum lp_run_status *out)
{
    static const enum lp_run_status all[] = {LP_RUN_OK, LP_RUN_PARTIAL, LP_RUN_FAILED};
    const char *status = json_string_value(json_object_get(record, "status"));
    for (size_t i = 0; status && i < LP_COUNT(all); i++) {
        if (strcmp(status, lp_run_status_name(all[i])) != 0) continue;
        *out = all[i];
        return true;
    }
    return false;
}

uint64_t lp_record_count(const json_t *map, const char *key)
{
    int64_t n = json_integer_value(json_object_get(map, key));
    return n > 0 ? (uint64_t)n : 0;
}

int64_t lp_record_time(const json_t *record, const char *key)
{
    const char *text = json_string_value(json_object_get(record, key));
    int64_t us = 0;
    return text && lp_time_parse_iso(text, strlen(text), &us) ? us : 0;
}

void lp_record_put_label(const json_t *item, struct lp_buf *out)
{
    const char *key;
    json_t *value;
    bool more = false;
    if (!json_object_size(item)) lp_buf_puts(out, "the request");
    json_object_foreach ((json_t *)(uintptr_t)item, key, value) {
        LP_AUTO(lp_buf) visible = {0};
        const char *text = json_string_value(value);
        if (more) lp_buf_puts(out, ", ");
        if (text) lp_text_put_visible(&visible, text, strlen(text));
        else lp_json_put_value(&visible, value);
        lp_text_cut(out, lp_buf_text(&visible), visible.len, 60);
        more = true;
    }
}
