#include "pipeline/merge.h"

#include "base/cancel.h"
#include "base/clock.h"
#include "pipeline/record_read.h"

#include <stdio.h>
#include <stdlib.h>

struct merging {
    const struct lp_pipeline *pipeline;
    struct lp_store *store;
    struct lp_record *rec;
    int64_t slot_us;
    uint64_t shards, went_well;
};

/* Failures of a whole shard say which. */
static enum lp_code add_failure(struct merging *m, uint64_t shard, const json_t *item, const char *error,
                                struct lp_err *err)
{
    LP_AUTO(lp_buf) json = {0}, text = {0};
    bool whole = !json_is_object(item);
    if (whole) lp_buf_printf(&text, "shard %llu/%llu: ", (unsigned long long)shard + 1, (unsigned long long)m->shards);
    else lp_json_put_value(&json, item);
    lp_buf_puts(&text, error);
    LP_TRY(lp_buf_code(&json, "an item", err));
    LP_TRY(lp_buf_code(&text, "an error", err));
    return lp_record_add_failure(m->rec, whole ? NULL : lp_buf_text(&json), whole ? NULL : lp_buf_text(&json),
                                 lp_buf_text(&text), err);
}

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

static enum lp_code add_record(struct merging *m, uint64_t shard, const json_t *record, struct lp_err *err)
{
    struct lp_record *rec = m->rec;
    const json_t *requests = json_object_get(record, "requests"), *rows = json_object_get(record, "rows"), *it;
    int64_t started = lp_record_time(record, "started_at"), finished = lp_record_time(record, "finished_at");
    enum lp_run_status status;
    size_t i;
    rec->requests.total += lp_record_count(requests, "total");
    rec->requests.ok += lp_record_count(requests, "ok");
    rec->requests.failed += lp_record_count(requests, "failed");
    rec->requests.retried += lp_record_count(requests, "retried");
    rec->requests.waited_ms += (int64_t)lp_record_count(requests, "waited_ms");
    rec->rows.read += lp_record_count(rows, "read");
    rec->rows.written += lp_record_count(rows, "written");
    rec->rows.quarantined += lp_record_count(rows, "quarantined");
    if (started && started < rec->started_us) rec->started_us = started;
    if (finished > rec->finished_us) rec->finished_us = finished;
    m->went_well += lp_record_status(record, &status) && status == LP_RUN_OK;
    LP_TRY(add_files(rec, json_object_get(record, "files"), err));
    json_array_foreach (json_object_get(record, "failures"), i, it) {
        const char *error = json_string_value(json_object_get(it, "error"));
        LP_TRY(add_failure(m, shard, json_object_get(it, "item"), error ? error : "it failed", err));
    }
    return LP_OK;
}

static enum lp_code add_shard(struct merging *m, uint64_t shard, struct lp_err *err)
{
    LP_AUTO(lp_buf) key = {.max_bytes = 1024};
    LP_AUTO(lp_arena) arena = {0};
    const struct lp_layout l = {&m->pipeline->sink, m->pipeline->name, m->slot_us, shard, m->shards};
    const json_t *record;
    LP_TRY(lp_cancel_check(err));
    lp_layout_put_record_key(&l, &key);
    LP_TRY(lp_buf_code(&key, "the record's name", err));
    enum lp_code code = lp_record_load(m->store, lp_buf_text(&key), &arena, &record, err);
    if (code == LP_NOTFOUND)
        return add_failure(m, shard, NULL, "it left no record: it did not run, or was cut off", err);
    if (code) return lp_wrap(err, code, "the record %s", lp_buf_text(&key));
    return add_record(m, shard, record, err);
}

static void begin(struct merging *m)
{
    char slot[LP_TIME_TEXT_BYTES];
    struct lp_record *rec = m->rec;
    lp_time_format_slot(m->slot_us, slot);
    *rec = (struct lp_record){.pipeline = m->pipeline->name, .slot_us = m->slot_us, .status = LP_RUN_FAILED};
    rec->started_us = lp_clock_now_us();
    snprintf(rec->run_id, sizeof rec->run_id, "%s-%llx", slot, (unsigned long long)rec->started_us);
}

static enum lp_code merge(struct merging *m, const struct lp_layout *whole, struct lp_err *err)
{
    struct lp_record *rec = m->rec;
    for (uint64_t i = 0; i < m->shards; i++) LP_TRY(add_shard(m, i, err));
    if (!rec->finished_us) rec->finished_us = lp_clock_now_us();
    rec->duration_ms = (rec->finished_us - rec->started_us) / 1000;
    if (rec->duration_ms < 0) rec->duration_ms = 0;
    rec->status = m->went_well == m->shards ? LP_RUN_OK : rec->rows.written ? LP_RUN_PARTIAL : LP_RUN_FAILED;
    LP_TRY(lp_record_publish(rec, m->store, whole, err));
    if (rec->status != LP_RUN_FAILED) return LP_OK;
    return lp_fail(err, LP_REMOTE, "none of the %llu shards wrote anything; %s", (unsigned long long)m->shards,
                   rec->failure_count ? rec->failures[0].error : "their records say why");
}

enum lp_code lp_merge(const struct lp_pipeline *p, int64_t slot_us, uint64_t shards, struct lp_aws *aws,
                      struct lp_record *rec, struct lp_err *err)
{
    struct merging m = {.pipeline = p, .rec = rec, .slot_us = slot_us, .shards = shards};
    const struct lp_layout whole = {&p->sink, p->name, slot_us, 0, 0};
    LP_AUTO(lp_buf) key = {.max_bytes = 1024};
    struct lp_lock *lock = NULL;
    begin(&m);
    lp_layout_put_lock_key(&whole, &key);
    enum lp_code code = lp_buf_code(&key, "the lock's name", err);
    if (!code) code = lp_store_open(p->sink.root, &p->sink.s3, aws, &m.store, err);
    if (!code) code = m.store->ops->lock(m.store, lp_buf_text(&key), &lock, err);
    if (!code) code = merge(&m, &whole, err);
    lp_lock_release(&lock);
    lp_store_free(m.store);
    return code;
}
