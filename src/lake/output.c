#include "lake/output.h"

#include "quality/quarantine.h"

#include <stdlib.h>

enum lp_code lp_output_begin(struct lp_output *o, struct lp_store *store, const struct lp_layout *layout,
                             const struct lp_columns *columns, const struct lp_each *each,
                             const struct lp_bindings *run, struct lp_err *err)
{
    *o = (struct lp_output){.store = store, .layout = *layout, .columns = columns, .each = each, .run = run};
    o->file_of_row = calloc(LP_BATCH_ROWS, sizeof *o->file_of_row);
    o->keep = calloc(LP_BATCH_ROWS, sizeof *o->keep);
    return o->file_of_row && o->keep ? LP_OK : lp_nomem(err);
}

static void release_file(struct lp_output_file *f)
{
    lp_rowfile_free(&f->writer);
    lp_upload_abort(&f->upload);
    free(f->partition);
    free(f->key);
    *f = (struct lp_output_file){0};
}

void lp_output_release(struct lp_output *o)
{
    if (!o) return;
    for (size_t i = 0; i < o->file_count; i++) release_file(&o->files[i]);
    release_file(&o->quarantine);
    free(o->files);
    free(o->by_partition);
    free(o->file_of_row);
    free(o->keep);
    lp_buf_release(&o->text);
    lp_buf_release(&o->partition);
    *o = (struct lp_output){0};
}

static enum lp_code set_key(struct lp_output *o, struct lp_output_file *f, bool quarantine, const char *partition,
                            struct lp_err *err)
{
    LP_AUTO(lp_buf) key = {.max_bytes = 1024};
    if (quarantine) lp_layout_put_quarantine_key(&o->layout, partition, &key);
    else lp_layout_put_data_key(&o->layout, partition, &key);
    LP_TRY(lp_buf_code(&key, "a file's name", err));
    f->partition = strdup(partition);
    f->key = strdup(lp_buf_text(&key));
    return f->partition && f->key ? LP_OK : lp_nomem(err);
}

/* Keeps the number of open files down: the one not written to for longest is parked. */
static enum lp_code park_oldest(struct lp_output *o, const struct lp_output_file *but, struct lp_err *err)
{
    struct lp_output_file *oldest = NULL;
    size_t open = 0;
    if (o->file_count <= LP_OUTPUT_OPEN) return LP_OK;
    for (size_t i = 0; i < o->file_count; i++) {
        struct lp_output_file *f = &o->files[i];
        if (f->parked) continue;
        open++;
        if (f != but && (!oldest || f->used < oldest->used)) oldest = f;
    }
    if (open <= LP_OUTPUT_OPEN || !oldest) return LP_OK;
    oldest->parked = true;
    return oldest->upload->ops->park(oldest->upload, err);
}

static enum lp_code write_bytes(struct lp_output *o, struct lp_output_file *f, const void *bytes, size_t len,
                                struct lp_err *err)
{
    f->used = ++o->writes;
    f->parked = false;
    f->bytes += len;
    return f->upload->ops->write(f->upload, bytes, len, err);
}

/* The target of all writers: files move when their list grows. */
static enum lp_code write_data(void *room, const void *bytes, size_t len, struct lp_err *err)
{
    struct lp_output *o = room;
    return write_bytes(o, &o->files[o->writing], bytes, len, err);
}

/* A writer was called and had held and lasting bytes before. */
static enum lp_code count_memory(struct lp_output *o, const struct lp_rowfile *w, size_t held, size_t lasting,
                                 struct lp_err *err)
{
    o->held_bytes += w->held_bytes - held;
    o->lasting_bytes += w->lasting_bytes - lasting;
    if (o->lasting_bytes <= LP_OUTPUT_LASTING_BYTES) return LP_OK;
    return lp_fail(err, LP_LIMIT,
                   "%zu files of %zu columns at a time need more than %zu MiB to be made; partition by something coarser, "
                   "or choose csv",
                   o->file_count, o->columns->count, LP_OUTPUT_LASTING_BYTES >> 20);
}

static enum lp_code begin_rows(struct lp_output *o, size_t index, struct lp_err *err)
{
    const struct lp_rowfile_setting setting = {o->columns, o->layout.pipeline, &o->text};
    const struct lp_rowfile_target target = {write_data, o};
    struct lp_output_file *f = &o->files[index];
    o->writing = index;
    f->used = ++o->writes;
    LP_TRY(lp_format_info((enum lp_format)o->layout.sink->format)->open(&setting, &target, &f->writer, err));
    return count_memory(o, f->writer, 0, 0, err);
}

/* Hands on what the file with the most rows held back has, as long as all together have too many. */
static enum lp_code bound_held(struct lp_output *o, struct lp_err *err)
{
    while (o->held_bytes > LP_OUTPUT_HELD_BYTES) {
        size_t most = 0;
        for (size_t i = 1; i < o->file_count; i++)
            if (o->files[i].writer->held_bytes > o->files[most].writer->held_bytes) most = i;
        struct lp_rowfile *w = o->files[most].writer;
        size_t held = w->held_bytes, lasting = w->lasting_bytes;
        o->writing = most;
        LP_TRY(w->ops->shed(w, err));
        LP_TRY(count_memory(o, w, held, lasting, err));
        LP_TRY(park_oldest(o, &o->files[most], err));
    }
    return LP_OK;
}

/* Where the partition stands, or would stand, among those in the order of their names. */
static size_t place_of(const struct lp_output *o, const char *partition)
{
    size_t low = 0, high = o->file_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(o->files[o->by_partition[middle]].partition, partition) < 0) low = middle + 1;
        else high = middle;
    }
    return low;
}

static enum lp_code make_room(struct lp_output *o, struct lp_err *err)
{
    if (o->file_count == LP_OUTPUT_PARTITIONS)
        return lp_fail(err, LP_LIMIT, "more than %d partitions in one run; partition by something coarser",
                       LP_OUTPUT_PARTITIONS);
    if (o->file_count < o->file_cap) return LP_OK;
    size_t cap = o->file_cap ? o->file_cap * 2 : 8;
    struct lp_output_file *files = reallocarray(o->files, cap, sizeof *files);
    if (files) o->files = files;
    size_t *by_partition = files ? reallocarray(o->by_partition, cap, sizeof *by_partition) : NULL;
    if (!by_partition) return lp_nomem(err);
    o->by_partition = by_partition;
    o->file_cap = cap;
    return LP_OK;
}

static enum lp_code add_file(struct lp_output *o, const char *partition, struct lp_err *err)
{
    LP_TRY(make_room(o, err));
    size_t place = place_of(o, partition), index = o->file_count;
    struct lp_output_file *f = &o->files[index];
    *f = (struct lp_output_file){0};
    enum lp_code code = set_key(o, f, false, partition, err);
    if (code) {
        release_file(f);
        return code;
    }
    memmove(o->by_partition + place + 1, o->by_partition + place, (index - place) * sizeof *o->by_partition);
    o->by_partition[place] = index;
    o->file_count++;
    LP_TRY(o->store->ops->begin(o->store, f->key, &f->upload, err));
    LP_TRY(begin_rows(o, index, err));
    return park_oldest(o, f, err);
}

static enum lp_code find_file(struct lp_output *o, const char *partition, size_t *index, struct lp_err *err)
{
    if (o->last < o->file_count && !strcmp(o->files[o->last].partition, partition)) {
        *index = o->last;
        return LP_OK;
    }
    size_t place = place_of(o, partition);
    if (place < o->file_count && !strcmp(o->files[o->by_partition[place]].partition, partition)) {
        *index = o->last = o->by_partition[place];
        return LP_OK;
    }
    *index = o->last = o->file_count;
    return add_file(o, partition, err);
}

static enum lp_code write_rows(struct lp_output *o, size_t index, const struct lp_batch *b, const bool *keep,
                               size_t rows, struct lp_err *err)
{
    struct lp_output_file *f = &o->files[index];
    struct lp_rowfile *w = f->writer;
    f->rows += rows;
    f->used = ++o->writes;
    size_t held = w->held_bytes, lasting = w->lasting_bytes;
    o->writing = index;
    LP_TRY(w->ops->write(w, b, keep, err));
    LP_TRY(count_memory(o, w, held, lasting, err));
    LP_TRY(park_oldest(o, f, err));
    return bound_held(o, err);
}

/* Rows whose partition is their own: found row by row, written file by file. */
static enum lp_code write_by_row(struct lp_output *o, const struct lp_batch *b, const struct lp_bindings *bind,
                                 struct lp_err *err)
{
    for (size_t row = 0; row < b->row_count; row++) {
        if (b->failures[row]) continue;
        lp_buf_clear(&o->partition);
        lp_layout_put_partition(&o->layout, bind, b, row, &o->partition);
        LP_TRY(lp_buf_code(&o->partition, "a partition", err));
        LP_TRY(find_file(o, lp_buf_text(&o->partition), &o->file_of_row[row], err));
    }
    for (size_t first = 0; first < b->row_count; first++) {
        if (b->failures[first] || o->file_of_row[first] == SIZE_MAX) continue;
        size_t file = o->file_of_row[first], rows = 0;
        memset(o->keep, 0, b->row_count * sizeof *o->keep);
        for (size_t row = first; row < b->row_count; row++) {
            if (b->failures[row] || o->file_of_row[row] != file) continue;
            o->keep[row] = true;
            o->file_of_row[row] = SIZE_MAX;
            rows++;
        }
        LP_TRY(write_rows(o, file, b, o->keep, rows, err));
    }
    return LP_OK;
}

static enum lp_code begin_bad(struct lp_output *o, struct lp_err *err)
{
    struct lp_output_file *q = &o->quarantine;
    if (q->upload) return LP_OK;
    lp_buf_clear(&o->partition);
    /* A bad row's own values are not to be trusted with choosing a folder. */
    if (lp_sink_one_partition(o->layout.sink)) lp_layout_put_partition(&o->layout, o->run, NULL, 0, &o->partition);
    LP_TRY(lp_buf_code(&o->partition, "a partition", err));
    LP_TRY(set_key(o, q, true, lp_buf_text(&o->partition), err));
    return o->store->ops->begin(o->store, q->key, &q->upload, err);
}

static enum lp_code write_bad(struct lp_output *o, const struct lp_batch *b, const struct lp_item *item,
                              struct lp_err *err)
{
    struct lp_output_file *q = &o->quarantine;
    if (!b->bad_count) return LP_OK;
    LP_TRY(begin_bad(o, err));
    lp_buf_clear(&o->text);
    for (size_t row = 0; row < b->row_count; row++) {
        if (!b->failures[row]) continue;
        LP_AUTO(lp_buf) item_json = {0};
        lp_item_put_json(o->each, item, &item_json);
        LP_TRY(lp_buf_code(&item_json, "an item", err));
        lp_quarantine_put(b, row, lp_buf_text(&item_json), &o->text);
        q->rows++;
    }
    LP_TRY(lp_buf_code(&o->text, "the rows that are quarantined", err));
    return write_bytes(o, q, o->text.data, o->text.len, err);
}

enum lp_code lp_output_write(struct lp_output *o, const struct lp_batch *b, const struct lp_item *item,
                             const struct lp_bindings *bind, struct lp_err *err)
{
    size_t index, good = b->row_count - b->bad_count;
    LP_TRY(write_bad(o, b, item, err));
    if (!good) return LP_OK;
    for (size_t i = 0; i < o->layout.sink->partitions.count; i++)
        if (o->layout.sink->partitions.list[i].column >= 0) return write_by_row(o, b, bind, err);
    lp_buf_clear(&o->partition);
    lp_layout_put_partition(&o->layout, bind, b, 0, &o->partition);
    LP_TRY(lp_buf_code(&o->partition, "a partition", err));
    LP_TRY(find_file(o, lp_buf_text(&o->partition), &index, err));
    return write_rows(o, index, b, NULL, good, err);
}

void lp_earlier_release(struct lp_earlier *e)
{
    lp_buf_release(&e->keys);
    lp_buf_release(&e->refused);
    *e = (struct lp_earlier){0};
}

bool lp_output_place(struct lp_output *o, const struct lp_bindings *bind, uint64_t *rows, uint64_t *quarantined)
{
    for (size_t i = 0; i < o->layout.sink->partitions.count; i++)
        if (o->layout.sink->partitions.list[i].column >= 0) return false;
    lp_buf_clear(&o->partition);
    lp_layout_put_partition(&o->layout, bind, NULL, 0, &o->partition);
    if (o->partition.failed) return false;
    size_t place = place_of(o, lp_buf_text(&o->partition));
    const struct lp_output_file *f = place < o->file_count ? &o->files[o->by_partition[place]] : NULL;
    *rows = f && !strcmp(f->partition, lp_buf_text(&o->partition)) ? f->rows : 0;
    *quarantined = o->quarantine.rows;
    return true;
}

enum lp_code lp_output_write_kept(struct lp_output *o, const char *partition, const struct lp_batch *b, struct lp_err *err)
{
    size_t index;
    LP_TRY(find_file(o, partition, &index, err));
    return write_rows(o, index, b, NULL, b->row_count, err);
}

enum lp_code lp_output_write_kept_bad(struct lp_output *o, const char *lines, size_t len, uint64_t rows, struct lp_err *err)
{
    LP_TRY(begin_bad(o, err));
    o->quarantine.rows += rows;
    return write_bytes(o, &o->quarantine, lines, len, err);
}

static bool still_there(const struct lp_output *o, const char *key, size_t len)
{
    for (size_t i = 0; i < o->file_count; i++)
        if (strlen(o->files[i].key) == len && !memcmp(o->files[i].key, key, len)) return true;
    return false;
}

static enum lp_code remove_stale(struct lp_output *o, const char *before, struct lp_err *err)
{
    while (before && *before) {
        size_t len = strcspn(before, "\n");
        if (len && !still_there(o, before, len)) {
            char *key = strndup(before, len);
            enum lp_code code = key ? o->store->ops->remove(o->store, key, err) : lp_nomem(err);
            free(key);
            LP_TRY(code);
        }
        before += len + (before[len] == '\n');
    }
    return LP_OK;
}

/* The slot was run in other shares before: their quarantines are not true any more. */
static enum lp_code remove_quarantines(struct lp_output *o, uint64_t shards, struct lp_err *err)
{
    LP_AUTO(lp_buf) key = {.max_bytes = LP_STORE_KEY_BYTES};
    struct lp_layout l = o->layout;
    lp_buf_clear(&o->partition);
    if (lp_sink_one_partition(l.sink)) lp_layout_put_partition(&l, o->run, NULL, 0, &o->partition);
    LP_TRY(lp_buf_code(&o->partition, "a partition", err));
    l.shards = shards;
    for (l.shard = 0; l.shard < shards; l.shard++) {
        lp_buf_clear(&key);
        lp_layout_put_quarantine_key(&l, lp_buf_text(&o->partition), &key);
        LP_TRY(lp_buf_code(&key, "a quarantine's name", err));
        LP_TRY(o->store->ops->remove(o->store, lp_buf_text(&key), err));
    }
    return LP_OK;
}

enum lp_code lp_output_publish_quarantine(struct lp_output *o, const struct lp_earlier *before, struct lp_err *err)
{
    struct lp_output_file *q = &o->quarantine;
    if (before->shards > 1) LP_TRY(remove_quarantines(o, before->shards, err));
    if (q->upload) {
        LP_TRY(lp_upload_commit(&q->upload, err));
        q->published = true;
        return LP_OK;
    }
    if (!before->any) return LP_OK;
    /* No bad rows now: what an earlier run of the slot left there is not true any more. */
    lp_buf_clear(&o->partition);
    if (lp_sink_one_partition(o->layout.sink)) lp_layout_put_partition(&o->layout, o->run, NULL, 0, &o->partition);
    LP_TRY(set_key(o, q, true, lp_buf_text(&o->partition), err));
    return o->store->ops->remove(o->store, q->key, err);
}

/* All files are complete before the first is seen. */
static enum lp_code finish_rows(struct lp_output *o, struct lp_err *err)
{
    for (size_t i = 0; i < o->file_count; i++) {
        struct lp_output_file *f = &o->files[i];
        o->writing = i;
        enum lp_code code = f->writer->ops->finish(f->writer, err);
        if (code) return lp_wrap(err, code, "publish %s", f->key);
        lp_rowfile_free(&f->writer);
        LP_TRY(park_oldest(o, f, err));
    }
    return LP_OK;
}

enum lp_code lp_output_publish(struct lp_output *o, const struct lp_earlier *before, struct lp_err *err)
{
    /* A file of a name of its own is there after every run, without rows as well. */
    if (o->layout.sink->file_name && !o->file_count) LP_TRY(add_file(o, "", err));
    LP_TRY(finish_rows(o, err));
    for (size_t i = 0; i < o->file_count; i++) {
        enum lp_code code = lp_upload_commit(&o->files[i].upload, err);
        if (code) return lp_wrap(err, code, "publish %s", o->files[i].key);
        o->files[i].published = true;
    }
    LP_TRY(remove_stale(o, lp_buf_text(&before->keys), err));
    return lp_output_publish_quarantine(o, before, err);
}
