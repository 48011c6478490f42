#include "source/each.h"

#include "base/cancel.h"
#include "base/file.h"

#include <errno.h>
#include <stdlib.h>

#define MAX_LINE_BYTES ((size_t)1 << 20)

/* ---- the section ---- */

static enum lp_code next_file_row(struct lp_items *it, bool *more, struct lp_err *err);

static void read_list(struct lp_reading *r, const struct lp_node *n, struct lp_each *e)
{
    struct lp_each_list *list = &e->lists[e->list_count];
    *list = (struct lp_each_list){.name = n->key->text};
    if (!lp_name_is_valid(list->name))
        lp_node_fault(r, n->key, "use letters, digits and _", "\"%.60s\" cannot be a variable's name", list->name);
    if (!n->child_count)
        lp_node_fault(r, n->key, "add at least one value, or leave the key out", "the list \"%s\" is empty",
                      list->name);
    list->values = lp_arena_zalloc(r->arena, (n->child_count + 1) * sizeof *list->values);
    if (!list->values) {
        r->faults->out_of_memory = true;
        return;
    }
    for (const struct lp_node *c = n->first; c; c = c->next) {
        const char *text = lp_node_text(r, c);
        if (text) list->values[list->count++] = lp_slice_of(text);
    }
    e->list_count++;
}

/* The file's columns become variables, so its header is looked at here. */
static void read_file_names(struct lp_reading *r, const struct lp_node *n, struct lp_each *e)
{
    struct lp_items it = {0};
    struct lp_err err = {0};
    bool more = false;
    enum lp_code code = lp_items_open(&it, e, 0, 1, &err);
    if (!code && e->jsonl) code = next_file_row(&it, &more, &err);
    if (!code && e->jsonl && !more) code = lp_fail(&err, LP_DATA, "%s: the file holds no items", e->file);
    size_t count = e->jsonl ? it.row_count : it.csv.field_count;
    if (!code) e->file_names = lp_arena_zalloc(r->arena, (count + 1) * sizeof *e->file_names);
    for (size_t i = 0; e->file_names && i < count; i++) {
        struct lp_slice name = e->jsonl ? it.row[i] : it.csv.header[i];
        const char *copy = lp_arena_strndup(r->arena, name.at, name.len);
        if (!copy) r->faults->out_of_memory = true;
        if (copy) e->file_names[e->file_name_count++] = copy;
        if (copy && !lp_name_is_valid(copy))
            lp_node_fault(r, n, "use letters, digits and _ in the file's header",
                          "\"%.60s\" cannot be a variable's name", copy);
    }
    if (!code && !e->file_names) code = lp_nomem(&err);
    if (code && !lp_reading_starved(r, code))
        lp_node_fault(r, n, "a file is looked for beside the pipeline file", "each: %s", err.text);
    lp_items_release(&it);
}

static void read_file(struct lp_reading *r, const struct lp_node *n, struct lp_each *e)
{
    const char *path = lp_node_text(r, n);
    if (!path) return;
    size_t len = strlen(path);
    e->jsonl = len > 6 && !strcmp(path + len - 6, ".jsonl");
    if (!e->jsonl && !(len > 4 && !strcmp(path + len - 4, ".csv"))) {
        lp_node_fault(r, n, "name a .csv file with a header, or a .jsonl file",
                      "each: \"%.100s\" is neither CSV nor JSON lines", path);
        return;
    }
    e->file = *path == '/' ? path : lp_arena_printf(r->arena, "%s/%s", r->folder, path);
    if (!e->file) r->faults->out_of_memory = true;
    else read_file_names(r, n, e);
}

void lp_each_read(struct lp_reading *r, const struct lp_node *node, void *member)
{
    struct lp_each *e = member;
    *e = (struct lp_each){.node = node};
    if (!lp_node_expect(r, node, LP_NODE_MAP, "each: { city: [Chicago, Dallas] }")) return;
    e->lists = lp_arena_zalloc(r->arena, (node->child_count + 1) * sizeof *e->lists);
    if (!e->lists) {
        r->faults->out_of_memory = true;
        return;
    }
    for (const struct lp_node *c = node->first; c; c = c->next) {
        if (c->kind == LP_NODE_LIST) read_list(r, c, e);
        else if (!strcmp(c->key->text, "file") && c->kind == LP_NODE_SCALAR) read_file(r, c, e);
        else lp_node_expect(r, c, LP_NODE_LIST, lp_faults_text(r->faults, "%s: [a, b]", c->key->text));
    }
}

const char *lp_each_name(const struct lp_each *e, size_t value)
{
    return value < e->file_name_count ? e->file_names[value] : e->lists[value - e->file_name_count].name;
}

/* ---- the cursor ---- */

void lp_item_release(struct lp_item *i)
{
    if (!i) return;
    lp_buf_release(&i->text);
    free(i->values);
    *i = (struct lp_item){0};
}

enum lp_code lp_items_open(struct lp_items *it, const struct lp_each *each, uint64_t shard, uint64_t shards,
                           struct lp_err *err)
{
    *it = (struct lp_items){.each = each, .shard = shard, .shards = shards ? shards : 1};
    it->line.max_bytes = it->row_text.max_bytes = MAX_LINE_BYTES;
    it->position = calloc(each->list_count + 1, sizeof *it->position);
    if (!it->position) return lp_nomem(err);
    if (!each->file) return LP_OK;
    if (!each->jsonl) {
        LP_TRY(lp_csv_open(&it->csv, each->file, err));
        it->file_open = true;
        return LP_OK;
    }
    it->lines = fopen(each->file, "re");
    return it->lines ? LP_OK : lp_fail_errno(err, "%s", each->file);
}

void lp_items_release(struct lp_items *it)
{
    if (!it) return;
    if (it->file_open) lp_csv_reader_release(&it->csv);
    if (it->lines) fclose(it->lines);
    lp_buf_release(&it->line);
    lp_buf_release(&it->row_text);
    lp_arena_release(&it->json);
    free(it->position);
    free(it->row);
    *it = (struct lp_items){0};
}

/* One line without its end; *more is false at the end of the file. Empty lines are passed over. */
static enum lp_code next_line(struct lp_items *it, bool *more, struct lp_err *err)
{
    int c = 0;
    do {
        lp_buf_clear(&it->line);
        it->line_number++;
        while ((c = getc_unlocked(it->lines)) != EOF && c != '\n') lp_buf_putc(&it->line, (char)c);
        if (it->line.failed)
            return lp_fail(err, LP_LIMIT, "%s:%zu: the line is longer than 1 MiB", it->each->file, it->line_number);
        if (ferror(it->lines)) return lp_fail_errno(err, "%s", it->each->file);
        *more = it->line.len || c != EOF;
    } while (*more && (!it->line.len || (it->line.len == 1 && it->line.data[0] == '\r')));
    return LP_OK;
}

/* Appends the text of a JSON scalar. */
static bool put_scalar(struct lp_buf *out, const json_t *value)
{
    if (json_is_string(value)) lp_buf_put(out, json_string_value(value), json_string_length(value));
    else if (value && !json_is_object(value) && !json_is_array(value) && !json_is_null(value))
        lp_json_put_value(out, value);
    else return false;
    return true;
}

/* With names known, their values in order; before that (each_read) the names of the first object as row. */
static enum lp_code read_object(struct lp_items *it, struct lp_err *err)
{
    const struct lp_each *e = it->each;
    json_t *object;
    lp_arena_reset(&it->json);
    enum lp_code code = lp_json_parse(&it->json, lp_buf_text(&it->line), it->line.len, &object, err);
    if (code) return lp_wrap(err, code, "%s:%zu", e->file, it->line_number);
    if (!json_is_object(object))
        return lp_fail(err, LP_DATA, "%s:%zu: each line must be a JSON object", e->file, it->line_number);
    bool naming = !e->file_names;
    size_t count = naming ? json_object_size(object) : e->file_name_count, i = 0;
    struct lp_slice *row = reallocarray(it->row, count + 1, sizeof *row);
    if (!row) return lp_nomem(err);
    it->row = row;
    it->row_count = count;
    lp_buf_clear(&it->row_text);
    if (naming) {
        const char *key;
        json_t *value;
        json_object_foreach (object, key, value) row[i++] = lp_slice_of(key);
        return LP_OK;
    }
    size_t start = 0;
    for (; i < count; i++) {
        if (!put_scalar(&it->row_text, json_object_get(object, e->file_names[i])))
            return lp_fail(err, LP_DATA, "%s:%zu: \"%s\" must be text or a number", e->file, it->line_number,
                           e->file_names[i]);
        row[i] = (struct lp_slice){NULL, it->row_text.len - start};
        start = it->row_text.len;
    }
    LP_TRY(lp_buf_code(&it->row_text, e->file, err));
    const char *at = lp_buf_text(&it->row_text);
    for (i = 0; i < count; at += row[i++].len) row[i].at = at;
    return LP_OK;
}

static enum lp_code next_file_row(struct lp_items *it, bool *more, struct lp_err *err)
{
    if (!it->lines) return lp_csv_next(&it->csv, more, err);
    LP_TRY(next_line(it, more, err));
    return *more ? read_object(it, err) : LP_OK;
}

/* Moves the lists on by one; false when they have all come round. */
static bool advance_lists(struct lp_items *it)
{
    for (size_t i = it->each->list_count; i-- > 0;) {
        if (++it->position[i] < it->each->lists[i].count) return true;
        it->position[i] = 0;
    }
    return false;
}

/* To the next combination; it->done at the end. */
static enum lp_code advance(struct lp_items *it, struct lp_err *err)
{
    bool more = it->started && advance_lists(it);
    if (!more && it->each->file) LP_TRY(next_file_row(it, &more, err));
    else if (!it->started) more = true;
    it->started = true;
    it->done = !more;
    return LP_OK;
}

static struct lp_slice value_of(const struct lp_items *it, size_t i, size_t file_count)
{
    if (i >= file_count) {
        const struct lp_each_list *list = &it->each->lists[i - file_count];
        return list->values[it->position[i - file_count]];
    }
    return it->lines ? it->row[i] : it->csv.fields[i];
}

static enum lp_code copy_values(const struct lp_items *it, struct lp_item *item, struct lp_err *err)
{
    const struct lp_each *e = it->each;
    size_t file_count = e->file_name_count, count = file_count + e->list_count;
    if (count > item->value_count || !item->values) {
        struct lp_slice *values = reallocarray(item->values, count + 1, sizeof *values);
        if (!values) return lp_nomem(err);
        item->values = values;
    }
    item->value_count = count;
    lp_buf_clear(&item->text);
    for (size_t i = 0; i < count; i++) {
        struct lp_slice v = value_of(it, i, file_count);
        item->values[i].len = v.len;
        lp_buf_put(&item->text, v.at, v.len);
    }
    const char *at = lp_buf_text(&item->text);
    for (size_t i = 0; i < count; at += item->values[i++].len) item->values[i].at = at;
    return lp_buf_code(&item->text, "an item", err);
}

enum lp_code lp_items_next(struct lp_items *it, struct lp_item *item, bool *more, struct lp_err *err)
{
    *more = false;
    do {
        LP_TRY(advance(it, err));
        if (it->done) return LP_OK;
    } while (it->next_index++ % it->shards != it->shard);
    *more = true;
    item->index = it->next_index - 1;
    return copy_values(it, item, err);
}

bool lp_shard_parse(const char *text, uint64_t *shard, uint64_t *shards)
{
    char *end;
    unsigned long long i = strtoull(text, &end, 10), n = *end == '/' ? strtoull(end + 1, &end, 10) : 0;
    if (*end || !i || i > n || n > LP_SHARDS_MAX || *text < '0' || *text > '9') return false;
    *shard = i - 1;
    *shards = n;
    return true;
}

enum lp_code lp_items_count(const struct lp_each *each, uint64_t shard, uint64_t shards, uint64_t *count,
                            struct lp_err *err)
{
    uint64_t total = 1, rows = 0;
    bool more = true;
    for (size_t i = 0; i < each->list_count; i++)
        if (__builtin_mul_overflow(total, each->lists[i].count, &total)) total = UINT64_MAX;
    if (each->file) {
        LP_AUTO(lp_items) it = {0};
        LP_TRY(lp_items_open(&it, each, 0, 1, err));
        for (;; rows++) {
            if (rows % 1024 == 0) LP_TRY(lp_cancel_check(err));
            LP_TRY(next_file_row(&it, &more, err));
            if (!more) break;
        }
        if (__builtin_mul_overflow(total, rows, &total)) total = UINT64_MAX;
    }
    shards = shards ? shards : 1;
    *count = total / shards + (total % shards > shard);
    return LP_OK;
}

void lp_item_put_json(const struct lp_each *each, const struct lp_item *item, struct lp_buf *out)
{
    lp_buf_putc(out, '{');
    for (size_t i = 0; i < item->value_count; i++) {
        const char *name = lp_each_name(each, i);
        if (i) lp_buf_putc(out, ',');
        lp_json_put_text(out, name, strlen(name));
        lp_buf_putc(out, ':');
        lp_json_put_text(out, item->values[i].at, item->values[i].len);
    }
    lp_buf_putc(out, '}');
}

void lp_item_put_label(const struct lp_item *item, struct lp_buf *out)
{
    if (!item->value_count) lp_buf_puts(out, "the request");
    for (size_t i = 0; i < item->value_count; i++) {
        if (i) lp_buf_puts(out, ", ");
        LP_AUTO(lp_buf) visible = {0};
        lp_text_put_visible(&visible, item->values[i].at, item->values[i].len);
        lp_text_cut(out, lp_buf_text(&visible), visible.len, 60);
    }
}
