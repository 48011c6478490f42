#include "query/tables.h"

#include "base/json.h"
#include "lake/layout.h"

#include <stdlib.h>

#define CATALOG_FOLDER  "_catalog/"
#define MAX_ENTRY_BYTES ((size_t)4 << 20)
#define MAX_BYTES       ((size_t)256 << 20)

const char *lp_lake_table_ending(const struct lp_lake_table *t)
{
    return t->parquet ? ".parquet" : ".csv";
}

static bool ends_with(const char *text, size_t len, const char *ending)
{
    size_t ending_len = strlen(ending);
    return len > ending_len && !memcmp(text + len - ending_len, ending, ending_len);
}

const char *lp_where_of(const struct lp_where *w, const char *partition)
{
    for (size_t i = 0; w && i < w->count; i++)
        if (lp_text_equal_ignoring_case(w->list[i].name, partition)) return w->list[i].pattern;
    return "*";
}

enum lp_code lp_where_add(struct lp_where *w, const char *text, struct lp_err *err)
{
    const char *equals = strchr(text, '=');
    LP_AUTO(lp_buf) pattern = {.max_bytes = 4096};
    if (!equals || equals == text || !equals[1])
        return lp_fail(err, LP_USAGE, "--where %.60s: write a partition and its value, like dt=2012-10-01", text);
    if (w->count == LP_PARTITIONS_MAX)
        return lp_fail(err, LP_USAGE, "--where %.60s: there are %d already", text, LP_PARTITIONS_MAX);
    for (const char *at = equals + 1; *at;) {
        size_t plain = strcspn(at, "*");
        lp_layout_put_value(&pattern, at, plain);
        at += plain;
        if (*at) lp_buf_putc(&pattern, *at++);
    }
    LP_TRY(lp_buf_code(&pattern, "--where", err));
    char *name = strndup(text, (size_t)(equals - text)), *copy = strdup(lp_buf_text(&pattern));
    if (!name || !copy) {
        free(name);
        free(copy);
        return lp_nomem(err);
    }
    w->list[w->count].name = name;
    w->list[w->count++].pattern = copy;
    return LP_OK;
}

void lp_where_release(struct lp_where *w)
{
    for (size_t i = 0; i < w->count; i++) {
        free(w->list[i].name);
        free(w->list[i].pattern);
    }
    *w = (struct lp_where){0};
}

/* '*' is any bytes; nothing else is special. */
static bool fits(const char *pattern, const char *text, size_t len)
{
    const char *end = text + len;
    for (; *pattern; pattern++, text++) {
        if (*pattern == '*') {
            for (const char *rest = text; rest <= end; rest++)
                if (fits(pattern + 1, rest, (size_t)(end - rest))) return true;
            return false;
        }
        if (text == end || *pattern != *text) return false;
    }
    return text == end;
}

bool lp_where_fits(const struct lp_where *w, const char *partition, const char *value, size_t len)
{
    return fits(lp_where_of(w, partition), value, len);
}

void lp_lake_table_put_prefix(const struct lp_lake_table *t, struct lp_buf *out)
{
    lp_buf_printf(out, t->one_file ? "%s" : "%s/", t->location);
}

/* One folder "name=…/" per partition, then a file: exactly so deep, so that what lies elsewhere is not read. */
bool lp_lake_table_owns(const struct lp_lake_table *t, const struct lp_where *where, const char *key)
{
    size_t len = strlen(t->location);
    if (strncmp(key, t->location, len) != 0) return false;
    if (t->one_file) return !key[len];
    if (key[len] != '/') return false;
    key += len + 1;
    for (size_t i = 0; i < t->partition_count; i++) {
        size_t name = strlen(t->partitions[i]);
        const char *slash = strchr(key, '/');
        if (!slash || strncmp(key, t->partitions[i], name) != 0 || key[name] != '=') return false;
        const char *value = key + name + 1;
        if (!lp_where_fits(where, t->partitions[i], value, (size_t)(slash - value))) return false;
        key = slash + 1;
    }
    return *key != '.' && !strchr(key, '/') && ends_with(key, strlen(key), lp_lake_table_ending(t));
}

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static bool read_type(const char *name, enum lp_type *type)
{
    for (int i = 0; name && i < LP_TYPE_COUNT; i++) {
        if (strcmp(name, lp_type_name((enum lp_type)i)) != 0) continue;
        *type = (enum lp_type)i;
        return true;
    }
    return false;
}

static const char *read_columns(struct lp_lake_table *t, const json_t *columns, struct lp_arena *a)
{
    t->column_count = json_array_size(columns);
    if (!t->column_count) return "columns are missing";
    t->columns = lp_arena_zalloc(a, t->column_count * sizeof *t->columns);
    if (!t->columns) return "";
    for (size_t i = 0; i < t->column_count; i++) {
        const json_t *it = json_array_get(columns, i);
        struct lp_lake_column *c = &t->columns[i];
        c->name = text_of(it, "name");
        c->unit = text_of(it, "unit");
        c->description = text_of(it, "description");
        c->nullable = json_is_true(json_object_get(it, "nullable"));
        if (!c->name || !*c->name) return "a column has no name";
        if (!read_type(text_of(it, "type"), &c->type)) return "a column has no type that is known";
    }
    return NULL;
}

/* A place that leads out of the lake, or into what is the runs' own, is none. */
static bool is_location(const char *text)
{
    struct lp_err ignored;
    return text && *text != '_' && *text != '/' && lp_store_check_key(text, &ignored) == LP_OK;
}

/* NULL, or what is wrong; "" when memory is out. */
static const char *read_entry(struct lp_lake_table *t, const json_t *root, struct lp_arena *a)
{
    const json_t *partitions = json_object_get(root, "partitions");
    const char *format = text_of(root, "format");
    t->database = text_of(root, "database");
    t->name = text_of(root, "table");
    t->description = text_of(root, "description");
    t->pipeline = text_of(root, "pipeline");
    t->location = text_of(root, "location");
    if (!t->database || !t->name || !*t->database || !*t->name) return "database or table is missing";
    if (!is_location(t->location)) return "location is no place in the lake";
    if (!format || (strcmp(format, "csv") != 0 && strcmp(format, "parquet") != 0))
        return "format is neither csv nor parquet";
    t->parquet = !strcmp(format, "parquet");
    t->one_file = ends_with(t->location, strlen(t->location), lp_lake_table_ending(t));
    if (!json_is_array(partitions) || json_array_size(partitions) > LP_PARTITIONS_MAX)
        return "partitions are missing, or too many";
    for (size_t i = 0; i < json_array_size(partitions); i++) {
        t->partitions[i] = text_of(json_array_get(partitions, i), "name");
        if (!t->partitions[i] || !*t->partitions[i]) return "a partition has no name";
        t->partition_count++;
    }
    return read_columns(t, json_object_get(root, "columns"), a);
}

static enum lp_code grow(struct lp_tables *t, struct lp_err *err)
{
    if (t->count < t->cap) return LP_OK;
    size_t cap = t->cap ? t->cap * 2 : 16;
    struct lp_lake_table *list = lp_arena_zalloc(&t->arena, cap * sizeof *list);
    if (!list) return lp_arena_code(&t->arena, err);
    if (t->count) memcpy(list, t->list, t->count * sizeof *list);
    t->list = list;
    t->cap = cap;
    return LP_OK;
}

static enum lp_code read_table(struct lp_tables *t, struct lp_store *store, const char *key, struct lp_err *err)
{
    LP_AUTO(lp_buf) text = {.max_bytes = MAX_ENTRY_BYTES}, url = {.max_bytes = 4096};
    json_t *root;
    enum lp_code code = store->ops->read(store, key, &text, err);
    if (code == LP_NOTFOUND) return LP_OK; /* gone since it was listed */
    LP_TRY(code);
    LP_TRY(grow(t, err));
    struct lp_lake_table *table = &t->list[t->count];
    *table = (struct lp_lake_table){0};
    store->ops->put_url(store, key, &url);
    code = lp_json_parse(&t->arena, lp_buf_text(&text), text.len, &root, err);
    const char *wrong = code ? NULL : read_entry(table, root, &t->arena);
    if (wrong && !*wrong) return lp_arena_code(&t->arena, err);
    if (wrong) code = lp_fail(err, LP_DATA, "%s", wrong);
    if (code == LP_DATA)
        return lp_wrap(err, code, "%.600s is not the entry of a table; run its pipeline again, or remove it",
                       lp_buf_text(&url));
    LP_TRY(code);
    t->count++;
    return LP_OK;
}

static int compare(const void *left, const void *right)
{
    const struct lp_lake_table *a = left, *b = right;
    int it = strcmp(a->database, b->database);
    return it ? it : strcmp(a->name, b->name);
}

static enum lp_code read_all(struct lp_tables *t, struct lp_store *store, const struct lp_listing *listing,
                             struct lp_err *err)
{
    for (size_t i = 0; i < listing->count; i++) {
        const char *key = listing->list[i].key, *rest = key + strlen(CATALOG_FOLDER), *slash = strchr(rest, '/');
        if (slash && !strchr(slash + 1, '/') && ends_with(key, strlen(key), ".json"))
            LP_TRY(read_table(t, store, key, err));
    }
    qsort(t->list, t->count, sizeof *t->list, compare);
    return LP_OK;
}

enum lp_code lp_tables_read(struct lp_tables *t, struct lp_store *store, struct lp_err *err)
{
    LP_AUTO(lp_listing) listing = {0};
    lp_arena_init(&t->arena, MAX_BYTES);
    t->list = NULL;
    t->count = t->cap = 0;
    LP_TRY(store->ops->list(store, CATALOG_FOLDER, "", &listing, err));
    return listing.count ? read_all(t, store, &listing, err) : LP_OK;
}

enum lp_code lp_tables_add(struct lp_tables *t, const struct lp_sink *sink, const char *pipeline,
                           const char *description, const struct lp_columns *columns, struct lp_err *err)
{
    for (size_t i = 0; i < t->count; i++)
        if (!strcmp(t->list[i].database, sink->catalog.database) && !strcmp(t->list[i].name, sink->catalog.table))
            return LP_OK;
    LP_TRY(grow(t, err));
    struct lp_lake_column *list = lp_arena_zalloc(&t->arena, (columns->count + 1) * sizeof *list);
    if (!list) return lp_arena_code(&t->arena, err);
    for (size_t i = 0; i < columns->count; i++) {
        const struct lp_column *c = &columns->list[i];
        list[i] = (struct lp_lake_column){c->name, c->unit, c->description, c->type, c->nullable};
    }
    struct lp_lake_table *table = &t->list[t->count++];
    *table = (struct lp_lake_table){.database = sink->catalog.database,
                                    .name = sink->catalog.table,
                                    .description = description,
                                    .pipeline = pipeline,
                                    .location = sink->file_name ? sink->file_name : sink->catalog.table,
                                    .parquet = sink->format == LP_FORMAT_PARQUET,
                                    .one_file = sink->file_name,
                                    .columns = list,
                                    .column_count = columns->count};
    for (size_t i = 0; i < sink->partitions.count; i++)
        table->partitions[table->partition_count++] = sink->partitions.list[i].name;
    qsort(t->list, t->count, sizeof *t->list, compare);
    return LP_OK;
}

void lp_tables_release(struct lp_tables *t)
{
    lp_arena_release(&t->arena);
    *t = (struct lp_tables){0};
}

bool lp_tables_is_ambiguous(const struct lp_tables *t, size_t index)
{
    for (size_t i = 0; i < t->count; i++)
        if (i != index && lp_text_equal_ignoring_case(t->list[i].name, t->list[index].name)) return true;
    return false;
}

static bool is_word_byte(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (c & 0x80);
}

/* As a word, in any case: whatever else stands around a name in SQL is none of its bytes. */
static bool occurs(const char *name, const char *sql)
{
    size_t len = strlen(name);
    for (const char *at = strcasestr(sql, name); at; at = strcasestr(at + 1, name))
        if ((at == sql || !is_word_byte(at[-1])) && !is_word_byte(at[len])) return true;
    return false;
}

enum lp_code lp_tables_named(const struct lp_tables *t, const char *sql, struct lp_tables *out, struct lp_err *err)
{
    *out = (struct lp_tables){0};
    out->list = lp_arena_zalloc(&out->arena, (t->count + 1) * sizeof *out->list);
    if (!out->list) return lp_arena_code(&out->arena, err);
    for (size_t i = 0; i < t->count; i++)
        if (!sql || occurs(t->list[i].name, sql)) out->list[out->count++] = t->list[i];
    if (!out->count && t->count) memcpy(out->list, t->list, t->count * sizeof *t->list);
    if (!out->count) out->count = t->count;
    return LP_OK;
}
