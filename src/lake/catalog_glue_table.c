#include "base/clock.h"
#include "lake/catalog_glue.h"

#include <ctype.h>

#define COMMENT_BYTES     255
#define DESCRIPTION_BYTES 2048

/* Athena's reader takes a backslash away unless another character escapes. Ours escapes nothing, so it is one that no line
 * of a file can hold. */
#define NO_ESCAPE "\n"

void lp_glue_put_name(const char *name, const char *ending, char out[LP_GLUE_NAME_BYTES])
{
    snprintf(out, LP_GLUE_NAME_BYTES, "%s%s", name, ending);
    for (char *at = out; *at; at++) *at = *at == '-' ? '_' : (char)tolower((unsigned char)*at);
}

bool lp_glue_is_csv(const struct lp_glue_shape *s)
{
    return s->table->layout->sink->format == LP_FORMAT_CSV;
}

void lp_glue_put_location(const struct lp_glue_shape *s, struct lp_buf *out)
{
    size_t len = strlen(s->root);
    while (len && s->root[len - 1] == '/') len--;
    lp_buf_put(out, s->root, len);
    lp_buf_printf(out, "/%s/", lp_table_location(s->table));
}

/* One line, cut between characters. */
static void put_line(struct lp_buf *out, const char *text, size_t most)
{
    size_t len = strlen(text);
    if (len > most) {
        len = most;
        while (len && ((unsigned char)text[len] & 0xC0) == 0x80) len--;
    }
    for (size_t i = 0; i < len; i++) lp_buf_putc(out, (unsigned char)text[i] < 0x20 || text[i] == 0x7F ? ' ' : text[i]);
}

void lp_glue_put_comment(const struct lp_column *c, struct lp_buf *out)
{
    LP_AUTO(lp_buf) whole = {0};
    if (c->unit) lp_buf_puts(&whole, lp_unit_symbol(c->unit));
    if (c->unit && c->description) lp_buf_puts(&whole, "; ");
    if (c->description) lp_buf_puts(&whole, c->description);
    put_line(out, lp_buf_text(&whole), COMMENT_BYTES);
    if (whole.failed) out->failed = whole.failed;
}

static void put_parameters(struct lp_json_writer *w, const char *const *pairs, size_t count)
{
    for (size_t i = 0; i < count; i++) lp_json_text(w, pairs[2 * i], pairs[2 * i + 1]);
}

/* A column as the files have it: all text in CSV. */
static void put_column(struct lp_json_writer *w, const struct lp_glue_shape *s, const struct lp_column *c)
{
    char name[LP_GLUE_NAME_BYTES];
    LP_AUTO(lp_buf) comment = {0};
    lp_glue_put_name(c->name, "", name);
    lp_glue_put_comment(c, &comment);
    lp_json_open(w, NULL, '{');
    lp_json_text(w, "Name", name);
    lp_json_text(w, "Type", lp_glue_is_csv(s) ? "string" : lp_type_name(c->type));
    lp_json_text(w, "Comment", lp_buf_text(&comment));
    lp_json_open(w, "Parameters", '{');
    lp_json_text(w, "type", lp_type_name(c->type));
    lp_json_text(w, "nullable", lp_schema_nullable(s->known, c) ? "true" : "false");
    if (c->unit) lp_json_text(w, "unit", c->unit);
    lp_json_close(w, '}');
    lp_json_close(w, '}');
    if (comment.failed) w->out->failed = comment.failed;
}

static void put_columns(struct lp_json_writer *w, const struct lp_glue_shape *s)
{
    const struct lp_column *c;
    lp_json_open(w, "Columns", '[');
    for (size_t i = 0; (c = lp_schema_column(s->table, s->known, i)); i++) put_column(w, s, c);
    lp_json_close(w, ']');
}

static const char *const csv_parameters[] = {"classification",
                                             "csv",
                                             "compressionType",
                                             "none",
                                             "typeOfData",
                                             "file",
                                             "delimiter",
                                             ",",
                                             "columnsOrdered",
                                             "true",
                                             "areColumnsQuoted",
                                             "false",
                                             "skip.header.line.count",
                                             "1"};
static const char *const parquet_parameters[] = {"classification", "parquet",    "compressionType",
                                                 "zstd",           "typeOfData", "file"};

static void put_format_parameters(struct lp_json_writer *w, const struct lp_glue_shape *s)
{
    if (lp_glue_is_csv(s)) put_parameters(w, csv_parameters, LP_COUNT(csv_parameters) / 2);
    else put_parameters(w, parquet_parameters, LP_COUNT(parquet_parameters) / 2);
}

static void put_serde(struct lp_json_writer *w, const struct lp_glue_shape *s)
{
    static const char *const csv[] = {"separatorChar", ",", "quoteChar", "\"", "escapeChar", NO_ESCAPE};
    static const char *const parquet[] = {"serialization.format", "1"};
    bool is_csv = lp_glue_is_csv(s);
    lp_json_open(w, "SerdeInfo", '{');
    lp_json_text(w, "SerializationLibrary",
                 is_csv ? "org.apache.hadoop.hive.serde2.OpenCSVSerde"
                        : "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe");
    lp_json_open(w, "Parameters", '{');
    if (is_csv) put_parameters(w, csv, LP_COUNT(csv) / 2);
    else put_parameters(w, parquet, LP_COUNT(parquet) / 2);
    lp_json_close(w, '}');
    lp_json_close(w, '}');
}

/* partition "": the whole table. */
static void put_storage(struct lp_json_writer *w, const struct lp_glue_shape *s, const char *partition)
{
    LP_AUTO(lp_buf) location = {0};
    bool csv = lp_glue_is_csv(s);
    lp_glue_put_location(s, &location);
    lp_buf_puts(&location, partition);
    lp_json_open(w, "StorageDescriptor", '{');
    put_columns(w, s);
    lp_json_text(w, "Location", lp_buf_text(&location));
    lp_json_text(w, "InputFormat",
                 csv ? "org.apache.hadoop.mapred.TextInputFormat"
                     : "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat");
    lp_json_text(w, "OutputFormat",
                 csv ? "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat"
                     : "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat");
    lp_json_bool(w, "Compressed", !csv);
    lp_json_int(w, "NumberOfBuckets", -1);
    put_serde(w, s);
    lp_json_open(w, "BucketColumns", '[');
    lp_json_close(w, ']');
    lp_json_open(w, "SortColumns", '[');
    lp_json_close(w, ']');
    lp_json_bool(w, "StoredAsSubDirectories", false);
    lp_json_open(w, "Parameters", '{');
    put_format_parameters(w, s);
    lp_json_close(w, '}');
    lp_json_close(w, '}');
    if (location.failed) w->out->failed = location.failed;
}

/* ---- partitions ---- */

/* Appends to a pattern; false when it is full. */
static bool add(char pattern[LP_GLUE_PATTERN_BYTES], const char *text, size_t len)
{
    size_t before = strlen(pattern);
    if (before + len >= LP_GLUE_PATTERN_BYTES) return false;
    memcpy(pattern + before, text, len);
    pattern[before + len] = '\0';
    return true;
}

/* Letters have a meaning in Java's patterns unless they are quoted; what layout.c would escape cannot be computed. */
static bool add_literal(char pattern[LP_GLUE_PATTERN_BYTES], char c)
{
    char quoted[] = {'\'', c, '\''};
    if (isalpha((unsigned char)c)) return add(pattern, quoted, sizeof quoted);
    return (isdigit((unsigned char)c) || strchr("-_.", c)) && add(pattern, &c, 1);
}

/* Java's pattern for a time format that runs from the year down, without leaving a part out, so that its texts sort as
 * the times do. */
static bool translate(const char *format, char pattern[LP_GLUE_PATTERN_BYTES], const char **unit)
{
    static const char order[] = "YmdH";
    static const char *const patterns[] = {"yyyy", "MM", "dd", "HH"};
    static const char *const units[] = {NULL, "MONTHS", "DAYS", "HOURS"};
    size_t parts = 0;
    pattern[0] = '\0';
    for (const char *at = format; *at; at++) {
        if (*at != '%') {
            if (!add_literal(pattern, *at)) return false;
        } else if (*++at == 'F' && !parts) {
            if (!add(pattern, "yyyy-MM-dd", 10)) return false;
            parts = 3;
        } else if (parts < 4 && *at == order[parts]) {
            if (!add(pattern, patterns[parts], strlen(patterns[parts]))) return false;
            parts++;
        } else {
            return false;
        }
    }
    *unit = parts ? units[parts - 1] : NULL;
    return *unit;
}

bool lp_glue_project(const struct lp_sink *s, struct lp_glue_projection *out)
{
    const struct lp_partition *p = s->partitions.list;
    if (s->partitions.count != 1 || p->column >= 0) return false;
    out->column = p->name;
    out->format = lp_partition_time_format(p);
    return out->format && translate(out->format, out->pattern, &out->unit);
}

/* "2012-10-01,NOW+1DAY": from the earliest slot that was written. What somebody else set for its end, or relative to
 * now for its begin, stays. */
static void put_range(const struct lp_glue_shape *s, const struct lp_glue_projection *p, struct lp_buf *out)
{
    char slot[128];
    size_t len = lp_time_format(s->table->layout->slot_us, p->format, slot, sizeof slot);
    const char *end = s->range ? strchr(s->range, ',') : NULL;
    bool keep = end && (!strncmp(s->range, "NOW", 3) || strncmp(s->range, slot, (size_t)(end - s->range)) <= 0);
    if (keep) lp_buf_puts(out, s->range);
    else lp_buf_printf(out, "%.*s%s", (int)len, slot, end ? end : ",NOW+1DAY");
}

static void put_projection(struct lp_json_writer *w, const struct lp_glue_shape *s)
{
    struct lp_glue_projection p;
    char column[LP_GLUE_NAME_BYTES], key[LP_GLUE_NAME_BYTES + 40];
    LP_AUTO(lp_buf) value = {0};
    bool projects = !s->registers && lp_glue_project(s->table->layout->sink, &p);
    lp_json_text(w, "projection.enabled", projects ? "true" : "false");
    if (!projects) return;
    lp_glue_put_name(p.column, "", column);
    put_range(s, &p, &value);
    const char *const pairs[] = {"type",     "date", "format",        p.pattern, "range", lp_buf_text(&value),
                                 "interval", "1",    "interval.unit", p.unit};
    for (size_t i = 0; i < LP_COUNT(pairs); i += 2) {
        snprintf(key, sizeof key, "projection.%s.%s", column, pairs[i]);
        lp_json_text(w, key, pairs[i + 1]);
    }
    LP_AUTO(lp_buf) place = {0};
    lp_glue_put_location(s, &place);
    lp_buf_printf(&place, "%s=${%s}/", p.column, column);
    lp_json_text(w, "storage.location.template", lp_buf_text(&place));
    if (value.failed || place.failed) w->out->failed = LP_NOMEM;
}

static void put_partition_keys(struct lp_json_writer *w, const struct lp_sink *s)
{
    lp_json_open(w, "PartitionKeys", '[');
    for (size_t i = 0; i < s->partitions.count; i++) {
        const char *format = lp_partition_time_format(&s->partitions.list[i]);
        char name[LP_GLUE_NAME_BYTES];
        lp_glue_put_name(s->partitions.list[i].name, "", name);
        lp_json_open(w, NULL, '{');
        lp_json_text(w, "Name", name);
        lp_json_text(w, "Type", "string");
        if (format) {
            lp_json_open(w, "Parameters", '{');
            lp_json_text(w, "format", format);
            lp_json_close(w, '}');
        }
        lp_json_close(w, '}');
    }
    lp_json_close(w, ']');
}

void lp_glue_put_files(const struct lp_glue_shape *s, struct lp_buf *out)
{
    struct lp_json_writer w = {.out = out};
    const struct lp_table *t = s->table;
    LP_AUTO(lp_buf) description = {0};
    if (lp_glue_is_csv(s))
        lp_buf_printf(&description, "The files of %s as text; ask %s, whose columns have types. ", s->name, s->name);
    if (t->description) lp_buf_puts(&description, t->description);
    LP_AUTO(lp_buf) line = {0};
    put_line(&line, lp_buf_text(&description), DESCRIPTION_BYTES);
    lp_json_open(&w, NULL, '{');
    lp_json_text(&w, "Name", s->files_name);
    lp_json_text(&w, "Description", lp_buf_text(&line));
    lp_json_text(&w, "TableType", "EXTERNAL_TABLE");
    put_partition_keys(&w, t->layout->sink);
    lp_json_open(&w, "Parameters", '{');
    lp_json_text(&w, LP_GLUE_MARK, s->mark ? s->mark : t->layout->pipeline);
    put_format_parameters(&w, s);
    put_projection(&w, s);
    lp_json_close(&w, '}');
    put_storage(&w, s, "");
    lp_json_close(&w, '}');
    if (description.failed || line.failed) out->failed = LP_NOMEM;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* A value as it was before layout.c made a folder's name of it. */
static void put_value(struct lp_json_writer *w, const char *from, size_t len)
{
    LP_AUTO(lp_buf) value = {0};
    for (size_t i = 0; i < len; i++) {
        bool escaped = from[i] == '%' && i + 2 < len && hex_digit(from[i + 1]) >= 0 && hex_digit(from[i + 2]) >= 0;
        lp_buf_putc(&value, escaped ? (char)(hex_digit(from[i + 1]) * 16 + hex_digit(from[i + 2])) : from[i]);
        i += escaped ? 2 : 0;
    }
    lp_json_text(w, NULL, lp_buf_text(&value));
    if (value.failed) w->out->failed = value.failed;
}

void lp_glue_put_values(struct lp_json_writer *w, const char *key, const char *partition)
{
    lp_json_open(w, key, '[');
    for (const char *at = partition; *at;) {
        const char *value = strchr(at, '='), *end = strchr(at, '/');
        if (!value || !end) break;
        put_value(w, value + 1, (size_t)(end - value - 1));
        at = end + 1;
    }
    lp_json_close(w, ']');
}

void lp_glue_put_partition(const struct lp_glue_shape *s, const char *partition, struct lp_buf *out)
{
    struct lp_json_writer w = {.out = out};
    lp_json_open(&w, NULL, '{');
    lp_glue_put_values(&w, "Values", partition);
    put_storage(&w, s, partition);
    lp_json_open(&w, "Parameters", '{');
    lp_json_close(&w, '}');
    lp_json_close(&w, '}');
}
