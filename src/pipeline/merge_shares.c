#include "pipeline/merge_shares.h"

#include "base/cancel.h"
#include "pipeline/record_read.h"
#include "quality/tally.h"

#include <stdio.h>
#include <stdlib.h>

static struct lp_layout layout_of(const struct lp_shares *s, uint64_t share)
{
    return (struct lp_layout){&s->pipeline->sink, s->pipeline->name, s->slot_us, share, s->count};
}

static enum lp_code load(const struct lp_shares *s, uint64_t share, struct lp_arena *arena, const json_t **record,
                         struct lp_err *err)
{
    LP_AUTO(lp_buf) key = {.max_bytes = LP_STORE_KEY_BYTES};
    const struct lp_layout l = layout_of(s, share);
    lp_layout_put_record_key(&l, &key);
    LP_TRY(lp_buf_code(&key, "the record's name", err));
    enum lp_code code = lp_record_load(s->store, lp_buf_text(&key), arena, record, err);
    return code && code != LP_NOTFOUND ? lp_wrap(err, code, "the record %s", lp_buf_text(&key)) : code;
}

/* ---- failures ---- */

static enum lp_code fail_share(struct lp_shares *s, uint64_t share, const char *error, struct lp_err *err)
{
    LP_AUTO(lp_buf) label = {0}, text = {0};
    if (s->rec->failure_count >= LP_RECORD_FAILURES) return LP_OK;
    lp_buf_printf(&label, "shard %llu/%llu", (unsigned long long)share + 1, (unsigned long long)s->count);
    lp_buf_printf(&text, "%s: %s", lp_buf_text(&label), error);
    LP_TRY(lp_buf_code(&text, "an error", err));
    return lp_record_add_failure(s->rec, NULL, lp_buf_text(&label), lp_buf_text(&text), err);
}

static enum lp_code fail_item(struct lp_shares *s, const json_t *item, const char *error, struct lp_err *err)
{
    LP_AUTO(lp_buf) json = {0}, label = {0};
    lp_json_put_value(&json, item);
    lp_record_put_label(item, &label);
    LP_TRY(lp_buf_code(&json, "an item", err));
    /* As in a run: all are counted, those that would make the record too large are not listed. */
    s->failure_bytes += json.len + strlen(error);
    if (s->failure_bytes > LP_RECORD_FAILURE_BYTES) return LP_OK;
    return lp_record_add_failure(s->rec, lp_buf_text(&json), lp_buf_text(&label), error, err);
}

static enum lp_code add_failures(struct lp_shares *s, uint64_t share, const json_t *record, struct lp_err *err)
{
    const json_t *failure;
    size_t i;
    json_array_foreach (json_object_get(record, "failures"), i, failure) {
        const json_t *item = json_object_get(failure, "item");
        const char *error = json_string_value(json_object_get(failure, "error"));
        if (!error) error = "it failed";
        LP_TRY(json_is_object(item) ? fail_item(s, item, error, err) : fail_share(s, share, error, err));
    }
    return LP_OK;
}

/* ---- sums ---- */

static enum lp_code add_files(struct lp_record *rec, const json_t *files, struct lp_err *err)
{
    const json_t *file;
    size_t i, more = json_array_size(files);
    struct lp_record_file *list = reallocarray(rec->files, rec->file_count + more + 1, sizeof *list);
    if (!list) return lp_nomem(err);
    rec->files = list;
    json_array_foreach (files, i, file) {
        const char *url = json_string_value(json_object_get(file, "url"));
        if (!url) continue;
        struct lp_record_file *f = &rec->files[rec->file_count++];
        *f = (struct lp_record_file){strdup(url), lp_record_count(file, "rows"), lp_record_count(file, "bytes")};
        if (!f->url) return lp_nomem(err);
    }
    return LP_OK;
}

static void add_requests(struct lp_record *rec, const json_t *record)
{
    const json_t *requests = json_object_get(record, "requests");
    int64_t started = lp_record_time(record, "started_at"), finished = lp_record_time(record, "finished_at");
    rec->requests.total += lp_record_count(requests, "total");
    rec->requests.ok += lp_record_count(requests, "ok");
    rec->requests.failed += lp_record_count(requests, "failed");
    rec->requests.retried += lp_record_count(requests, "retried");
    rec->requests.waited_ms += (int64_t)lp_record_count(requests, "waited_ms");
    if (started && started < rec->started_us) rec->started_us = started;
    if (finished > rec->finished_us) rec->finished_us = finished;
}

static enum lp_code add_rows(struct lp_shares *s, const json_t *record, struct lp_err *err)
{
    const json_t *rows = json_object_get(record, "rows");
    s->judge->rows_read += lp_record_count(rows, "read");
    s->judge->rows_bad += lp_record_count(rows, "quarantined");
    LP_TRY(lp_tally_add(s->judge, json_object_get(record, "share"), err));
    return add_files(s->rec, json_object_get(record, "files"), err);
}

static enum lp_share_state state_of(const struct lp_shares *s, const json_t *record, const char *run_id)
{
    enum lp_run_status status;
    if (!lp_record_status(record, &status) || status == LP_RUN_FAILED) return LP_SHARE_FAILED;
    if (s->whole_us > lp_record_time(record, "finished_at")) return LP_SHARE_OUTDATED;
    return lp_lines_have(s->refused, run_id) ? LP_SHARE_REFUSED : LP_SHARE_COUNTS;
}

static enum lp_code read_share(struct lp_shares *s, uint64_t i, struct lp_err *err)
{
    LP_AUTO(lp_arena) arena = {0};
    const json_t *record = NULL, *key;
    struct lp_share *share = &s->list[i];
    const struct lp_layout l = layout_of(s, i);
    size_t k;
    LP_TRY(s->lock->ops->renew(s->lock, err));
    enum lp_code code = load(s, i, &arena, &record, err);
    if (code == LP_NOTFOUND) return fail_share(s, i, "it left no record: it did not run, or was cut off", err);
    LP_TRY(code);
    const char *run_id = json_string_value(json_object_get(record, "run_id"));
    snprintf(share->run_id, sizeof share->run_id, "%s", run_id ? run_id : "");
    share->state = state_of(s, record, share->run_id);
    switch (share->state) {
    case LP_SHARE_OUTDATED: return fail_share(s, i, "the slot was run whole since; run this shard again", err);
    case LP_SHARE_FAILED:
        json_array_foreach (json_object_get(record, "kept"), k, key)
            lp_record_put_key(&l, json_string_value(key), &s->kept);
        break;
    case LP_SHARE_COUNTS: LP_TRY(add_rows(s, record, err)); break;
    default: return LP_OK; /* later, once it is known whether others count */
    }
    add_requests(s->rec, record);
    return add_failures(s, i, record, err);
}

enum lp_code lp_shares_read(struct lp_shares *s, struct lp_err *err)
{
    s->list = calloc(s->count, sizeof *s->list);
    if (!s->list) return lp_nomem(err);
    for (uint64_t i = 0; i < s->count; i++) {
        LP_TRY(lp_cancel_check(err));
        LP_TRY(read_share(s, i, err));
        s->of_state[s->list[i].state]++;
    }
    LP_TRY(lp_buf_code(&s->kept, "the names of what stands", err));
    for (uint64_t i = 0; s->of_state[LP_SHARE_COUNTS] && i < s->count; i++)
        if (s->list[i].state == LP_SHARE_REFUSED)
            LP_TRY(fail_share(s, i, "its rows were refused with those of the others; run this shard again", err));
    return LP_OK;
}

enum lp_code lp_shares_add_refused(struct lp_shares *s, struct lp_err *err)
{
    for (uint64_t i = 0; i < s->count; i++) {
        LP_AUTO(lp_arena) arena = {0};
        const json_t *record = NULL;
        if (s->list[i].state != LP_SHARE_REFUSED) continue;
        LP_TRY(lp_cancel_check(err));
        LP_TRY(s->lock->ops->renew(s->lock, err));
        LP_TRY(load(s, i, &arena, &record, err));
        add_requests(s->rec, record);
        LP_TRY(add_rows(s, record, err));
        LP_TRY(add_failures(s, i, record, err));
    }
    return LP_OK;
}

/* ---- taking back ---- */

static enum lp_code remove_files(struct lp_shares *s, uint64_t i, struct lp_err *err)
{
    LP_AUTO(lp_arena) arena = {0};
    LP_AUTO(lp_buf) keys = {0};
    LP_AUTO(lp_lines) lines = {0};
    const struct lp_layout l = layout_of(s, i);
    const json_t *record = NULL, *file;
    size_t k;
    enum lp_code code = load(s, i, &arena, &record, err);
    if (code) return code == LP_NOTFOUND ? LP_OK : code;
    const char *run_id = json_string_value(json_object_get(record, "run_id"));
    if (!run_id || strcmp(run_id, s->list[i].run_id) != 0) return LP_OK; /* it was run again */
    json_array_foreach (json_object_get(record, "files"), k, file)
        lp_record_put_key(&l, json_string_value(json_object_get(file, "url")), &keys);
    LP_TRY(lp_buf_code(&keys, "the names of a shard's files", err));
    LP_TRY(lp_lines_init(&lines, lp_buf_text(&keys), err));
    for (k = 0; k < lines.count; k++) {
        LP_TRY(s->store->ops->remove(s->store, lines.list[k], err));
        lp_buf_printf(&s->gone, "%s\n", lines.list[k]);
    }
    return lp_buf_code(&s->gone, "the names of what was removed", err);
}

static enum lp_code withdraw(struct lp_shares *s, uint64_t i, struct lp_err *err)
{
    LP_AUTO(lp_buf) key = {.max_bytes = LP_STORE_KEY_BYTES};
    const struct lp_layout l = layout_of(s, i);
    struct lp_lock *lock = NULL;
    lp_layout_put_lock_key(&l, &key);
    LP_TRY(lp_buf_code(&key, "the lock's name", err));
    LP_TRY(s->lock->ops->renew(s->lock, err));
    enum lp_code code = s->store->ops->lock(s->store, lp_buf_text(&key), &lock, err);
    if (code) return code == LP_LOCKED ? LP_OK : code; /* it is being run again */
    code = remove_files(s, i, err);
    lock->unfinished = !lock->orderly; /* what a killed run left is still there */
    lp_lock_release(&lock);
    return code;
}

enum lp_code lp_shares_withdraw(struct lp_shares *s, enum lp_share_state of, struct lp_err *err)
{
    struct lp_err why;
    for (uint64_t i = 0; i < s->count; i++) {
        if (s->list[i].state != of || !withdraw(s, i, &why)) continue;
        LP_AUTO(lp_buf) text = {0};
        lp_buf_printf(&text, "its files could not be removed: %s; merge again", why.text);
        LP_TRY(lp_buf_code(&text, "an error", err));
        LP_TRY(fail_share(s, i, lp_buf_text(&text), err));
        return lp_fail(err, why.code, "%s", why.text);
    }
    return LP_OK;
}

void lp_shares_release(struct lp_shares *s)
{
    free(s->list);
    lp_buf_release(&s->kept);
    lp_buf_release(&s->gone);
    s->list = NULL;
}
