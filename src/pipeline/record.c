#include "pipeline/record.h"

#include "base/cancel.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/secret.h"
#include "quality/tally.h"

#include <stdlib.h>

#define MAX_RECORD_BYTES ((size_t)32 << 20)

const char *lp_run_status_name(enum lp_run_status s)
{
    return s == LP_RUN_OK ? "ok" : s == LP_RUN_PARTIAL ? "partial" : "failed";
}

void lp_record_release(struct lp_record *r)
{
    if (!r) return;
    for (size_t i = 0; i < r->file_count; i++) free(r->files[i].url);
    for (size_t i = 0; i < r->failure_count; i++) {
        free(r->failures[i].item);
        free(r->failures[i].label);
        free(r->failures[i].error);
    }
    free(r->files);
    free(r->kept_keys);
    free(r->share);
    free(r->refused);
    free(r->failures);
    free(r->record_url);
    *r = (struct lp_record){0};
}

enum lp_code lp_record_add_failure(struct lp_record *r, const char *item_json, const char *label, const char *error,
                                   struct lp_err *err)
{
    /* Why the run as a whole failed is always told. */
    if (r->failure_count >= LP_RECORD_FAILURES + (item_json ? 0 : 1)) return LP_OK;
    if (!(r->failure_count & (r->failure_count - 1))) { /* at each power of two */
        size_t cap = r->failure_count ? r->failure_count * 2 : 4;
        struct lp_record_failure *list = reallocarray(r->failures, cap, sizeof *list);
        if (!list) return lp_nomem(err);
        r->failures = list;
    }
    struct lp_record_failure *f = &r->failures[r->failure_count++];
    *f = (struct lp_record_failure){.item = item_json ? strdup(item_json) : NULL,
                                    .label = label ? strdup(label) : NULL,
                                    .error = strdup(error)};
    return (item_json && !f->item) || (label && !f->label) || !f->error ? lp_nomem(err) : LP_OK;
}

enum lp_code lp_record_set_share(struct lp_record *r, const struct lp_layout *l, const struct lp_judge *j,
                                 struct lp_err *err)
{
    LP_AUTO(lp_buf) text = {.max_bytes = MAX_RECORD_BYTES};
    struct lp_json_writer w = {.out = &text};
    lp_json_open(&w, NULL, '{');
    lp_json_int(&w, "number", (int64_t)l->shard + 1);
    lp_json_int(&w, "of", (int64_t)l->shards);
    if (j->quality) lp_tally_put(j, &w);
    lp_json_close(&w, '}');
    LP_TRY(lp_buf_code(&text, "what a share was judged by", err));
    free(r->share);
    r->share = strdup(lp_buf_text(&text));
    return r->share ? LP_OK : lp_nomem(err);
}

static char *url_of(struct lp_store *s, const char *key)
{
    LP_AUTO(lp_buf) url = {0};
    s->ops->put_url(s, key, &url);
    return url.failed ? NULL : strdup(lp_buf_text(&url));
}

enum lp_code lp_record_set_files(struct lp_record *r, const struct lp_output *o, struct lp_err *err)
{
    r->files = calloc(o->file_count + 1, sizeof *r->files);
    if (!r->files) return lp_nomem(err);
    for (size_t i = 0; i < o->file_count; i++) {
        struct lp_record_file *f = &r->files[r->file_count++];
        *f = (struct lp_record_file){url_of(o->store, o->files[i].key), o->files[i].rows, o->files[i].bytes};
        if (!f->url) return lp_nomem(err);
    }
    return LP_OK;
}

static void put_time(struct lp_json_writer *w, const char *key, int64_t us)
{
    char text[LP_TIME_TEXT_BYTES];
    lp_time_format_iso(us, text);
    lp_json_text(w, key, text);
}

static void put_failures(struct lp_json_writer *w, const struct lp_record *r)
{
    lp_json_open(w, "failures", '[');
    for (size_t i = 0; i < r->failure_count; i++) {
        const struct lp_record_failure *f = &r->failures[i];
        lp_json_open(w, NULL, '{');
        lp_json_key(w, "item", 4);
        lp_buf_puts(w->out, f->item ? f->item : "null");
        w->more = true;
        lp_json_text(w, "error", f->error);
        if (f->placed) {
            lp_json_open(w, "before", '{');
            lp_json_int(w, "rows", (int64_t)f->rows_before);
            lp_json_int(w, "quarantined", (int64_t)f->quarantined_before);
            lp_json_close(w, '}');
        }
        lp_json_close(w, '}');
    }
    lp_json_close(w, ']');
}

static void put_retry(struct lp_json_writer *w, const struct lp_record *r)
{
    if (!r->retries) return;
    lp_json_open(w, "retry", '{');
    lp_json_text(w, "of", *r->retry_of ? r->retry_of : NULL);
    lp_json_bool(w, "whole", r->retried_whole);
    lp_json_close(w, '}');
}

static void put_requests(struct lp_json_writer *w, const struct lp_fetch_stats *s)
{
    lp_json_open(w, "requests", '{');
    lp_json_int(w, "total", (int64_t)s->total);
    lp_json_int(w, "ok", (int64_t)s->ok);
    lp_json_int(w, "failed", (int64_t)s->failed);
    lp_json_int(w, "retried", (int64_t)s->retried);
    lp_json_int(w, "waited_ms", s->waited_ms);
    lp_json_close(w, '}');
}

static void put_lines(struct lp_json_writer *w, const char *name, const char *lines)
{
    if (!lines || !*lines) return;
    lp_json_open(w, name, '[');
    while (*lines) {
        size_t len = strcspn(lines, "\n");
        LP_AUTO(lp_buf) line = {0};
        lp_buf_put(&line, lines, len);
        if (len) lp_json_text(w, NULL, lp_buf_text(&line));
        lines += len + (lines[len] == '\n');
    }
    lp_json_close(w, ']');
}

/* What only a share has, or only what shares were merged into. */
static void put_shares(struct lp_json_writer *w, const struct lp_record *r)
{
    if (r->share) {
        lp_json_key(w, "share", 5);
        lp_buf_puts(w->out, r->share);
        w->more = true;
    }
    if (r->shards) lp_json_int(w, "shards", (int64_t)r->shards);
    put_lines(w, "refused", r->refused);
}

static void put_notifications(struct lp_json_writer *w, const struct lp_telling *t)
{
    lp_json_open(w, "notifications", '[');
    for (size_t i = 0; i < t->count; i++) {
        lp_json_open(w, NULL, '{');
        lp_json_text(w, "to", t->list[i].to);
        lp_json_text(w, "event", lp_notify_event_name(t->list[i].event));
        lp_json_bool(w, "ok", t->list[i].ok);
        lp_json_text(w, "error", t->list[i].ok ? NULL : t->list[i].error);
        lp_json_close(w, '}');
    }
    lp_json_close(w, ']');
}

void lp_record_put_json(const struct lp_record *r, struct lp_buf *out)
{
    LP_AUTO(lp_buf) text = {.max_bytes = MAX_RECORD_BYTES};
    struct lp_json_writer w = {.out = &text};
    lp_json_open(&w, NULL, '{');
    lp_json_text(&w, "pipeline", r->pipeline);
    lp_json_text(&w, "run_id", r->run_id);
    put_time(&w, "slot", r->slot_us);
    put_retry(&w, r);
    lp_json_text(&w, "status", lp_run_status_name(r->status));
    put_time(&w, "started_at", r->started_us);
    put_time(&w, "finished_at", r->finished_us);
    lp_json_int(&w, "duration_ms", r->duration_ms);
    put_requests(&w, &r->requests);
    lp_json_open(&w, "rows", '{');
    lp_json_int(&w, "read", (int64_t)r->rows.read);
    lp_json_int(&w, "written", (int64_t)r->rows.written);
    lp_json_int(&w, "quarantined", (int64_t)r->rows.quarantined);
    lp_json_close(&w, '}');
    lp_json_open(&w, "files", '[');
    for (size_t i = 0; i < r->file_count; i++) {
        lp_json_open(&w, NULL, '{');
        lp_json_text(&w, "url", r->files[i].url);
        lp_json_int(&w, "rows", (int64_t)r->files[i].rows);
        lp_json_int(&w, "bytes", (int64_t)r->files[i].bytes);
        lp_json_close(&w, '}');
    }
    lp_json_close(&w, ']');
    put_lines(&w, "kept", r->kept_keys);
    put_shares(&w, r);
    put_failures(&w, r);
    put_notifications(&w, &r->telling);
    lp_json_text(&w, "version", LP_VERSION);
    lp_json_close(&w, '}');
    lp_buf_putc(&text, '\n');
    if (text.failed) out->failed = text.failed;
    lp_secret_mask(lp_buf_text(&text), text.len, out);
}

enum lp_code lp_record_publish(struct lp_record *r, struct lp_store *store, const struct lp_layout *l,
                               struct lp_err *err)
{
    LP_AUTO(lp_buf) key = {.max_bytes = 1024}, text = {.max_bytes = MAX_RECORD_BYTES};
    lp_layout_put_record_key(l, &key);
    lp_record_put_json(r, &text);
    LP_TRY(lp_buf_code(&key, "the record's name", err));
    LP_TRY(lp_buf_code(&text, "the run record", err));
    LP_TRY(lp_store_put(store, lp_buf_text(&key), text.data, text.len, err));
    free(r->record_url);
    r->record_url = url_of(store, lp_buf_text(&key));
    return r->record_url ? LP_OK : lp_nomem(err);
}

/* The lake may be named in another way now than in the URL; where the table's folder begins, the key begins. */
void lp_record_put_key(const struct lp_layout *l, const char *url, struct lp_buf *keys)
{
    LP_AUTO(lp_buf) folder = {0};
    const char *key = NULL;
    lp_buf_printf(&folder, "%s/", l->sink->catalog.table);
    if (folder.failed) { /* an empty text is found everywhere */
        keys->failed = folder.failed;
        return;
    }
    for (const char *at = url; at && (at = strstr(at, lp_buf_text(&folder))); at++)
        if (at == url || at[-1] == '/') key = at;
    struct lp_err ignored;
    if (!key || strchr(key, '\n') || lp_store_check_key(key, &ignored)) return;
    lp_buf_printf(keys, "%s\n", key);
}

/* What a killed run was about to publish. */
static enum lp_code read_intent(struct lp_store *store, const struct lp_layout *l, struct lp_earlier *out,
                                struct lp_err *err)
{
    LP_AUTO(lp_buf) key = {.max_bytes = 1024}, text = {.max_bytes = MAX_RECORD_BYTES};
    lp_layout_put_intent_key(l, &key);
    LP_TRY(lp_buf_code(&key, "the intent's name", err));
    enum lp_code code = store->ops->read(store, lp_buf_text(&key), &text, err);
    if (code) return code == LP_NOTFOUND ? LP_OK : code;
    out->any = true;
    for (char *line = text.data, *end; line && (end = strchr(line, '\n')); line = end + 1) {
        *end = '\0';
        lp_record_put_key(l, line, &out->keys);
    }
    return LP_OK;
}

enum lp_code lp_record_put_intent(struct lp_store *store, const struct lp_layout *l, const struct lp_output *o,
                                  const char *earlier_keys, struct lp_err *err)
{
    LP_AUTO(lp_buf) key = {.max_bytes = 1024}, text = {.max_bytes = MAX_RECORD_BYTES};
    lp_buf_puts(&text, earlier_keys);
    for (size_t i = 0; i < o->file_count; i++) lp_buf_printf(&text, "%s\n", o->files[i].key);
    lp_layout_put_intent_key(l, &key);
    LP_TRY(lp_buf_code(&key, "the intent's name", err));
    LP_TRY(lp_buf_code(&text, "the names of what is published", err));
    return lp_store_put(store, lp_buf_text(&key), lp_buf_text(&text), text.len, err);
}

enum lp_code lp_record_drop_intent(struct lp_store *store, const struct lp_layout *l, struct lp_err *err)
{
    LP_AUTO(lp_buf) key = {.max_bytes = 1024};
    lp_layout_put_intent_key(l, &key);
    LP_TRY(lp_buf_code(&key, "the intent's name", err));
    return store->ops->remove(store, lp_buf_text(&key), err);
}

static void put_keys(const struct lp_layout *l, const json_t *record, struct lp_buf *keys)
{
    const json_t *file;
    size_t i;
    json_array_foreach (json_object_get(record, "files"), i, file)
        lp_record_put_key(l, json_string_value(json_object_get(file, "url")), keys);
    json_array_foreach (json_object_get(record, "kept"), i, file)
        lp_record_put_key(l, json_string_value(file), keys);
}

enum lp_code lp_record_read_shares(struct lp_store *store, const struct lp_layout *l, struct lp_earlier *out,
                                   struct lp_err *err)
{
    struct lp_layout share = *l;
    share.shards = out->shards;
    for (share.shard = 0; share.shard < out->shards; share.shard++) {
        LP_AUTO(lp_buf) key = {.max_bytes = 1024}, text = {.max_bytes = MAX_RECORD_BYTES};
        LP_AUTO(lp_arena) arena = {.max_bytes = (size_t)256 << 20};
        json_t *record;
        LP_TRY(lp_cancel_check(err));
        lp_layout_put_record_key(&share, &key);
        LP_TRY(lp_buf_code(&key, "the record's name", err));
        enum lp_code code = store->ops->read(store, lp_buf_text(&key), &text, err);
        if (code == LP_NOTFOUND) continue;
        LP_TRY(code);
        code = lp_json_parse(&arena, lp_buf_text(&text), text.len, &record, err);
        if (code == LP_NOMEM) return code;
        if (!code) put_keys(l, record, &out->keys);
    }
    return lp_buf_code(&out->keys, "the earlier records", err);
}

/* A record of an earlier run tells where its files are; one that cannot be read tells nothing. */
enum lp_code lp_record_read_earlier(struct lp_store *store, const struct lp_layout *l, bool orderly,
                                    struct lp_earlier *out, struct lp_err *err)
{
    LP_AUTO(lp_buf) key = {.max_bytes = 1024}, text = {.max_bytes = MAX_RECORD_BYTES};
    LP_AUTO(lp_arena) arena = {.max_bytes = (size_t)256 << 20};
    json_t *record, *run_id;
    size_t i;
    lp_layout_put_record_key(l, &key);
    LP_TRY(lp_buf_code(&key, "the record's name", err));
    out->any = !orderly;
    if (!orderly || !lp_sink_one_partition(l->sink)) LP_TRY(read_intent(store, l, out, err));
    enum lp_code code = store->ops->read(store, lp_buf_text(&key), &text, err);
    if (code == LP_NOTFOUND) return LP_OK;
    LP_TRY(code);
    out->any = true;
    code = lp_json_parse(&arena, lp_buf_text(&text), text.len, &record, err);
    if (code) return code == LP_NOMEM ? code : LP_OK;
    const char *status = json_string_value(json_object_get(record, "status"));
    out->written = status && (!strcmp(status, "ok") || !strcmp(status, "partial"));
    put_keys(l, record, &out->keys);
    int64_t shards = json_integer_value(json_object_get(record, "shards"));
    json_array_foreach (json_object_get(record, "refused"), i, run_id) {
        const char *run = json_string_value(run_id);
        if (run && !strchr(run, '\n')) lp_buf_printf(&out->refused, "%s\n", run);
    }
    LP_TRY(lp_buf_code(&out->refused, "the earlier record", err));
    out->shards = shards > 1 && shards <= LP_SHARDS_MAX ? (uint64_t)shards : 0;
    return lp_buf_code(&out->keys, "the earlier record", err);
}
