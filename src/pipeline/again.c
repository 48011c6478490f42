#include "pipeline/again.h"

#include "base/cancel.h"
#include "base/clock.h"
#include "pipeline/past.h"
#include "quality/tally.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static enum lp_code LP_PRINTF(2, 3) run_whole(struct lp_again *a, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(a->reason, sizeof a->reason, format, args);
    va_end(args);
    a->whole = true;
    return LP_OK;
}

/* What of a file or record cannot be used is no error: the slot is run whole then. */
static enum lp_code doubt(struct lp_again *a, enum lp_code code, const char *what, const struct lp_err *why, struct lp_err *err)
{
    if (code == LP_NOTFOUND) return run_whole(a, "%s is not there any more", what);
    if (code == LP_DATA || code == LP_LIMIT) return run_whole(a, "%s: %s", what, why->text);
    if (err) *err = *why;
    return code;
}

/* ---- the record ---- */

static void put_slot(const struct lp_again *a, struct lp_buf *out)
{
    char slot[LP_TIME_TEXT_BYTES];
    lp_time_format_iso(a->layout->slot_us, slot);
    lp_buf_puts(out, slot);
}

static enum lp_code run_in_shards(const struct lp_again *a, uint64_t shards, struct lp_err *err)
{
    LP_AUTO(lp_buf) slot = {0};
    put_slot(a, &slot);
    return lp_fail(err, LP_USAGE,
                   "it was run in %llu shards; retry those that failed, each with --shard I/%llu, and make the record of the whole "
                   "again: lambda-pipeline merge %s --slot %s --shards %llu",
                   (unsigned long long)shards, (unsigned long long)shards, a->pipeline->path, lp_buf_text(&slot),
                   (unsigned long long)shards);
}

static enum lp_code no_record(const struct lp_again *a, struct lp_err *err)
{
    LP_AUTO(lp_past) past = {0};
    LP_AUTO(lp_buf) slot = {0};
    const struct lp_past_wanted wanted = {
        .from_us = a->layout->slot_us, .until_us = a->layout->slot_us + 1, .names_only = true};
    if (!a->layout->shards) LP_TRY(lp_past_read(a->store, a->pipeline->name, &wanted, &past, err));
    if (past.count && past.list[0].shards) return run_in_shards(a, past.list[0].shards, err);
    put_slot(a, &slot);
    if (a->layout->shards)
        lp_buf_printf(&slot, " --shard %llu/%llu", (unsigned long long)a->layout->shard + 1, (unsigned long long)a->layout->shards);
    LP_TRY(lp_buf_code(&slot, "a slot", err));
    return lp_fail(err, LP_NOTFOUND,
                   "it has no record in this lake, so there is nothing to retry; run it: lambda-pipeline run %s --slot %s",
                   a->pipeline->path, lp_buf_text(&slot));
}

static enum lp_code take_failures(struct lp_again *a, struct lp_err *err)
{
    const json_t *failures = json_object_get(a->record, "failures"), *it;
    uint64_t failed = lp_record_count(json_object_get(a->record, "requests"), "failed");
    size_t i;
    a->items = lp_arena_alloc(&a->arena, (json_array_size(failures) + 1) * sizeof *a->items);
    if (!a->items) return lp_arena_code(&a->arena, err);
    json_array_foreach (failures, i, it) {
        const json_t *item = json_object_get(it, "item"), *before = json_object_get(it, "before");
        LP_AUTO(lp_buf) text = {0};
        if (!json_is_object(item)) continue;
        if (!json_is_object(before)) return run_whole(a, "its record does not say where the rows of the failed items belong");
        lp_json_put_value(&text, item);
        struct lp_again_item *to = &a->items[a->item_count++];
        *to = (struct lp_again_item){lp_arena_strdup(&a->arena, lp_buf_text(&text)), lp_record_count(before, "rows"),
                                     lp_record_count(before, "quarantined")};
        if (text.failed) return lp_nomem(err);
        if (!to->item) return lp_arena_code(&a->arena, err);
    }
    if (a->item_count == failed && failed) return LP_OK;
    return run_whole(a, "its record names %zu of the %llu items that failed", a->item_count, (unsigned long long)failed);
}

static bool rows_choose(const struct lp_sink *s)
{
    for (size_t i = 0; i < s->partitions.count; i++)
        if (s->partitions.list[i].column >= 0) return true;
    return false;
}

static enum lp_code read_record(struct lp_again *a, struct lp_err *err)
{
    LP_AUTO(lp_buf) key = {.max_bytes = LP_STORE_KEY_BYTES};
    struct lp_err why = {0};
    enum lp_run_status status;
    lp_layout_put_record_key(a->layout, &key);
    LP_TRY(lp_buf_code(&key, "the record's name", err));
    enum lp_code code = lp_record_load(a->store, lp_buf_text(&key), &a->arena, &a->record, &why);
    if (code == LP_NOTFOUND) return no_record(a, err);
    if (code) return doubt(a, code, "its record", &why, err);
    const char *run_id = json_string_value(json_object_get(a->record, "run_id"));
    const json_t *requests = json_object_get(a->record, "requests");
    snprintf(a->run_id, sizeof a->run_id, "%s", run_id ? run_id : "");
    if (!lp_record_status(a->record, &status)) return run_whole(a, "its record does not say how the run ended");
    a->nothing = status == LP_RUN_OK;
    if (a->nothing) return LP_OK;
    uint64_t shards = lp_record_count(a->record, "shards");
    if (shards) return run_in_shards(a, shards, err);
    if (status == LP_RUN_FAILED) return run_whole(a, "that run failed as a whole");
    if (a->pipeline->sink.file_name) return run_whole(a, "its one file may hold the rows of another slot by now");
    if (rows_choose(&a->pipeline->sink)) return run_whole(a, "rows choose their partitions by themselves");
    a->before = (struct lp_fetch_stats){.total = lp_record_count(requests, "total"),
                                        .ok = lp_record_count(requests, "ok"),
                                        .retried = lp_record_count(requests, "retried"),
                                        .waited_ms = (int64_t)lp_record_count(requests, "waited_ms")};
    return take_failures(a, err);
}

/* ---- items ---- */

bool lp_again_wants(void *again, const struct lp_item *item)
{
    struct lp_again *a = again;
    LP_AUTO(lp_buf) json = {0};
    if (a->asked == a->item_count) return false;
    lp_item_put_json(&a->pipeline->source.each, item, &json);
    a->starved |= json.failed != LP_OK;
    if (json.failed || strcmp(lp_buf_text(&json), a->items[a->asked].item) != 0) return false;
    a->asked++;
    return true;
}

/* Are the items those of that run, and the failed ones among them in this order? */
static enum lp_code find_items(struct lp_again *a, struct lp_err *err)
{
    LP_AUTO(lp_items) items = {0};
    LP_AUTO(lp_item) item = {0};
    uint64_t total = 0;
    LP_TRY(lp_items_open(&items, &a->pipeline->source.each, a->layout->shard, a->layout->shards, err));
    for (bool more = true;; total++) {
        if (total % 1024 == 0) LP_TRY(lp_cancel_check(err));
        LP_TRY(lp_items_next(&items, &item, &more, err));
        if (!more) break;
        lp_again_wants(a, &item);
    }
    if (a->starved) return lp_nomem(err);
    bool same = a->asked == a->item_count && total == a->before.total;
    a->asked = 0;
    return same ? LP_OK : run_whole(a, "the pipeline's items are not those of that run");
}

/* ---- the rows that stand ---- */

static enum lp_code judge_file(struct lp_again *a, struct lp_again_file *f, struct lp_judge *judge, struct lp_err *err)
{
    enum lp_format format = (enum lp_format)a->pipeline->sink.format;
    struct lp_rowback *back;
    struct lp_err why = {0};
    uint64_t rows = 0;
    bool more = true;
    enum lp_code code = lp_rowback_open(format, &a->pipeline->columns, lp_buf_text(&f->bytes), f->bytes.len, &back, &why);
    while (!code) {
        if ((code = lp_cancel_check(&why))) break;
        if ((code = back->ops->next(back, LP_BATCH_ROWS, &a->batch, &more, &why)) || !more) break;
        if ((code = lp_quality_judge(judge, &a->batch, &why))) break;
        rows += a->batch.row_count;
        if (!a->batch.bad_count) continue;
        lp_rowback_free(&back);
        return run_whole(a, "%s has rows that its checks would refuse now", f->key);
    }
    lp_rowback_free(&back);
    if (code) return doubt(a, code, f->key, &why, err);
    return rows == f->rows ? LP_OK : run_whole(a, "%s does not hold the rows that the record names", f->key);
}

/* "weather/dt=2012-10-01/20121001T180000Z.csv": what stands between the table and the name. */
static enum lp_code take_key(struct lp_again *a, struct lp_again_file *f, const char *url, struct lp_err *err)
{
    LP_AUTO(lp_buf) keys = {0}, bare = {0}, again = {0};
    lp_record_put_key(a->layout, url, &keys);
    lp_layout_put_data_key(a->layout, "", &bare);
    size_t folder = strlen(a->pipeline->sink.catalog.table) + 1;
    LP_TRY(lp_buf_code(&keys, "a file's name", err));
    LP_TRY(lp_buf_code(&bare, "a file's name", err));
    if (keys.len <= bare.len) return run_whole(a, "its record names a file of another table: %.200s", url);
    keys.data[--keys.len] = '\0'; /* the line's end */
    f->key = strdup(keys.data);
    f->partition = strndup(keys.data + folder, keys.len - bare.len);
    if (!f->key || !f->partition) return lp_nomem(err);
    lp_layout_put_data_key(a->layout, f->partition, &again);
    LP_TRY(lp_buf_code(&again, "a file's name", err));
    if (!strcmp(lp_buf_text(&again), f->key)) return LP_OK;
    return run_whole(a, "its record names a file of another slot or format: %.200s", url);
}

static enum lp_code read_file(struct lp_again *a, const json_t *file, struct lp_judge *judge, struct lp_err *err)
{
    const char *url = json_string_value(json_object_get(file, "url"));
    struct lp_again_file *f = &a->files[a->file_count++];
    struct lp_err why = {0};
    if (!url) return run_whole(a, "its record does not name its files");
    LP_TRY(take_key(a, f, url, err));
    if (a->whole) return LP_OK;
    f->rows = lp_record_count(file, "rows");
    f->bytes.max_bytes = LP_AGAIN_BYTES - a->file_bytes + 1;
    enum lp_code code = a->store->ops->read(a->store, f->key, &f->bytes, &why);
    if (code) return doubt(a, code, f->key, &why, err);
    a->file_bytes += f->bytes.len;
    if (a->file_bytes > LP_AGAIN_BYTES) return run_whole(a, "its files are larger than %zu MiB", LP_AGAIN_BYTES >> 20);
    if (f->bytes.len != lp_record_count(file, "bytes")) return run_whole(a, "%s is not as the record has it", f->key);
    return judge_file(a, f, judge, err);
}

static enum lp_code read_files(struct lp_again *a, struct lp_judge *judge, struct lp_err *err)
{
    const json_t *files = json_object_get(a->record, "files"), *file;
    size_t i;
    a->files = calloc(json_array_size(files) + 1, sizeof *a->files);
    if (!a->files) return lp_nomem(err);
    LP_TRY(lp_batch_init(&a->batch, &a->pipeline->columns, 1, err));
    json_array_foreach (files, i, file) {
        LP_TRY(read_file(a, file, judge, err));
        if (a->whole) return LP_OK;
    }
    return LP_OK;
}

static enum lp_code read_quarantine(struct lp_again *a, const struct lp_bindings *run, struct lp_judge *judge,
                                    struct lp_err *err)
{
    LP_AUTO(lp_buf) key = {.max_bytes = LP_STORE_KEY_BYTES}, partition = {0};
    struct lp_err why = {0};
    uint64_t expected = lp_record_count(json_object_get(a->record, "rows"), "quarantined");
    if (!expected) return LP_OK;
    if (lp_sink_one_partition(&a->pipeline->sink)) lp_layout_put_partition(a->layout, run, NULL, 0, &partition);
    lp_layout_put_quarantine_key(a->layout, lp_buf_text(&partition), &key);
    LP_TRY(lp_buf_code(&key, "a file's name", err));
    a->quarantine.max_bytes = LP_AGAIN_BYTES;
    enum lp_code code = a->store->ops->read(a->store, lp_buf_text(&key), &a->quarantine, &why);
    if (code) return doubt(a, code, lp_buf_text(&key), &why, err);
    for (size_t i = 0; i < a->quarantine.len; i++) a->quarantine_lines += a->quarantine.data[i] == '\n';
    if (a->quarantine_lines != expected || a->quarantine.data[a->quarantine.len - 1] != '\n')
        return run_whole(a, "%s does not hold the rows that the record names", lp_buf_text(&key));
    judge->rows_read += expected;
    judge->rows_bad += expected;
    return LP_OK;
}

/* What the rows in quarantine were to the judge: a share's record says it. Of others only unique_values_eq would miss them. */
static enum lp_code judge_quarantine(struct lp_again *a, struct lp_judge *judge, struct lp_err *err)
{
    const json_t *share = json_object_get(a->record, "share");
    if (share) {
        judge->warnings = 0; /* all are in there */
        LP_TRY(lp_tally_add(judge, share, err));
    }
    for (const struct lp_check *c = share || !a->quarantine_lines ? NULL : judge->checks->first; c; c = c->next)
        if (c->kind == LP_CHECK_VALUES_EQ) return run_whole(a, "unique_values_eq has to see its quarantined rows as well");
    return LP_OK;
}

enum lp_code lp_again_read(struct lp_again *a, const struct lp_bindings *run, struct lp_judge *judge, struct lp_err *err)
{
    LP_TRY(read_record(a, err));
    if (!a->whole && !a->nothing) LP_TRY(find_items(a, err));
    if (!a->whole && !a->nothing) LP_TRY(read_files(a, judge, err));
    if (!a->whole && !a->nothing) LP_TRY(read_quarantine(a, run, judge, err));
    if (!a->whole && !a->nothing) LP_TRY(judge_quarantine(a, judge, err));
    return LP_OK;
}

/* ---- put together with the new ones ---- */

static enum lp_code copy_rows(struct lp_again *a, struct lp_again_file *f, uint64_t until, struct lp_output *o,
                              struct lp_err *err)
{
    enum lp_format format = (enum lp_format)a->pipeline->sink.format;
    bool more = true;
    if (until > f->rows) until = f->rows;
    if (f->taken < until && !f->back)
        LP_TRY(lp_rowback_open(format, &a->pipeline->columns, lp_buf_text(&f->bytes), f->bytes.len, &f->back, err));
    while (f->taken < until) {
        LP_TRY(lp_cancel_check(err));
        LP_TRY(f->back->ops->next(f->back, until - f->taken, &a->batch, &more, err));
        if (!more) return lp_fail(err, LP_BUG, "%s has fewer rows than before", f->key);
        LP_TRY(lp_output_write_kept(o, f->partition, &a->batch, err));
        f->taken += a->batch.row_count;
    }
    return LP_OK;
}

static enum lp_code copy_bad(struct lp_again *a, uint64_t until, struct lp_output *o, struct lp_err *err)
{
    size_t from = a->quarantine_at;
    uint64_t lines = 0;
    for (; a->quarantine_taken < until && a->quarantine_taken < a->quarantine_lines; a->quarantine_taken++, lines++) {
        const char *at = a->quarantine.data + a->quarantine_at;
        a->quarantine_at += (size_t)((const char *)memchr(at, '\n', a->quarantine.len - a->quarantine_at) - at) + 1;
    }
    return lines ? lp_output_write_kept_bad(o, a->quarantine.data + from, a->quarantine_at - from, lines, err) : LP_OK;
}

enum lp_code lp_again_copy_before(struct lp_again *a, struct lp_output *o, const struct lp_bindings *b, struct lp_err *err)
{
    LP_AUTO(lp_buf) partition = {0};
    if (a->answered == a->item_count) return lp_fail(err, LP_BUG, "more items were answered than asked");
    const struct lp_again_item *item = &a->items[a->answered++];
    lp_layout_put_partition(a->layout, b, NULL, 0, &partition);
    LP_TRY(lp_buf_code(&partition, "a partition", err));
    for (size_t i = 0; i < a->file_count; i++)
        if (!strcmp(a->files[i].partition, lp_buf_text(&partition))) LP_TRY(copy_rows(a, &a->files[i], item->rows, o, err));
    return copy_bad(a, item->quarantined, o, err);
}

enum lp_code lp_again_copy_rest(struct lp_again *a, struct lp_output *o, struct lp_err *err)
{
    if (a->starved) return lp_nomem(err);
    if (a->answered != a->item_count)
        return lp_fail(err, LP_DATA, "the items changed while they were asked; nothing was changed, retry once more");
    for (size_t i = 0; i < a->file_count; i++) {
        LP_TRY(copy_rows(a, &a->files[i], UINT64_MAX, o, err));
        lp_rowback_free(&a->files[i].back);
    }
    return copy_bad(a, UINT64_MAX, o, err);
}

void lp_again_release(struct lp_again *a)
{
    for (size_t i = 0; i < a->file_count; i++) {
        lp_rowback_free(&a->files[i].back);
        lp_buf_release(&a->files[i].bytes);
        free(a->files[i].key);
        free(a->files[i].partition);
    }
    free(a->files);
    lp_buf_release(&a->quarantine);
    lp_batch_release(&a->batch);
    lp_arena_release(&a->arena);
    *a = (struct lp_again){0};
}
