#include "cli/tables_show.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/number.h"
#include "cli/load.h"
#include "query/script.h"

#include <stdio.h>
#include <stdlib.h>

#define COLUMNS 5

struct shown {
    uint64_t rows;
    char slot[LP_TIME_TEXT_BYTES]; /* 20121001T180000Z; "" when there is none */
};

/* One question counts them all: "0,5\n1,12\n". */
static enum lp_code count_rows(const struct lp_tables *t, struct lp_query *engine, struct shown *shown,
                               struct lp_err *err)
{
    LP_AUTO(lp_buf) sql = {0}, answer = {0};
    for (size_t i = 0; i < t->count; i++) {
        lp_buf_printf(&sql, "%sSELECT %zu, count(*) FROM ", i ? " UNION ALL " : "", i);
        lp_sql_put_name(t->list[i].database, &sql);
        lp_buf_putc(&sql, '.');
        lp_sql_put_name(t->list[i].name, &sql);
    }
    LP_TRY(lp_buf_code(&sql, "the question", err));
    LP_TRY(lp_query_duckdb_take(engine, lp_buf_text(&sql), &answer, err));
    for (const char *at = strchr(lp_buf_text(&answer), '\n'); at && at[1]; at = strchr(at + 1, '\n')) {
        char *comma;
        unsigned long long i = strtoull(at + 1, &comma, 10);
        if (*comma == ',' && i < t->count) shown[i].rows = strtoull(comma + 1, NULL, 10);
    }
    return LP_OK;
}

/* The name of a file begins with the slot that wrote it. */
static void see_key(struct shown *s, const char *key)
{
    const char *slash = strrchr(key, '/'), *name = slash ? slash + 1 : key;
    if (strlen(name) < 16 || name[8] != 'T' || name[15] != 'Z' || strncmp(name, s->slot, 16) <= 0) return;
    snprintf(s->slot, sizeof s->slot, "%.16s", name);
}

/* A table that is one file has its slots in the records of its pipeline alone. */
static enum lp_code find_slot(const struct lp_lake_table *t, struct lp_store *store, struct shown *s,
                              struct lp_err *err)
{
    LP_AUTO(lp_buf) prefix = {.max_bytes = LP_STORE_KEY_BYTES};
    LP_AUTO(lp_listing) listing = {0};
    if (t->one_file && !t->pipeline) return LP_OK;
    lp_buf_printf(&prefix, t->one_file ? "_runs/%s/" : "%s/", t->one_file ? t->pipeline : t->location);
    LP_TRY(lp_buf_code(&prefix, "a table's place", err));
    LP_TRY(store->ops->list(store, lp_buf_text(&prefix), "", &listing, err));
    for (size_t i = 0; i < listing.count; i++)
        if (t->one_file || lp_lake_table_owns(t, NULL, listing.list[i].key)) see_key(s, listing.list[i].key);
    return LP_OK;
}

static bool slot_us(const struct shown *s, int64_t *us)
{
    char iso[LP_TIME_TEXT_BYTES];
    const char *t = s->slot;
    if (!*t) return false;
    snprintf(iso, sizeof iso, "%.4s-%.2s-%.2sT%.2s:%.2s:%.2sZ", t, t + 4, t + 6, t + 9, t + 11, t + 13);
    return lp_time_parse_iso(iso, strlen(iso), us);
}

static void put_heading(const struct lp_style *style, const struct lp_lake_table *t, const struct shown *s,
                        struct lp_buf *out)
{
    char slot[LP_TIME_TEXT_BYTES];
    int64_t us;
    lp_buf_printf(out, "%s%s.%s%s %s ", style->bold, t->database, t->name, style->plain, style->dot);
    lp_put_count(out, s->rows, "row", "rows");
    if (slot_us(s, &us) && lp_time_format(us, "%Y-%m-%d %H:%MZ", slot, sizeof slot))
        lp_buf_printf(out, " %s newest slot %s", style->dot, slot);
    lp_buf_printf(out, " %s %s", style->dot, t->parquet ? "parquet" : "csv");
    for (size_t i = 0; i < t->partition_count; i++) lp_buf_printf(out, "%s%s", i ? ", " : " by ", t->partitions[i]);
    lp_buf_putc(out, '\n');
    if (t->description) lp_buf_printf(out, "%s\n", t->description);
}

static void put_table(const struct lp_style *style, const struct lp_lake_table *t, struct lp_buf *out)
{
    static const struct lp_grid_column columns[COLUMNS] = {
        {.name = "column"}, {.name = "type"}, {.name = "nullable"}, {.name = "unit"}, {.name = "meaning"}};
    size_t count = t->column_count + t->partition_count;
    char **cells = calloc(count * COLUMNS, sizeof *cells);
    if (!cells) {
        out->failed = LP_NOMEM;
        return;
    }
    for (size_t i = 0; i < count; i++) {
        bool column = i < t->column_count;
        const struct lp_lake_column *c = column ? &t->columns[i] : NULL;
        const char *row[COLUMNS] = {column ? c->name : t->partitions[i - t->column_count],
                                    column ? lp_type_name(c->type) : "string", column && c->nullable ? "nullable" : "",
                                    column && c->unit ? c->unit : "",
                                    !column          ? "partition"
                                    : c->description ? c->description
                                                     : ""};
        for (size_t k = 0; k < COLUMNS; k++) memcpy(&cells[i * COLUMNS + k], &row[k], sizeof row[k]);
    }
    lp_grid_put(style, columns, COLUMNS, cells, count, out);
    free(cells);
}

static void put_json(const struct lp_tables *t, const struct shown *shown, struct lp_buf *out)
{
    struct lp_json_writer w = {.out = out};
    lp_json_open(&w, NULL, '[');
    for (size_t i = 0; i < t->count; i++) {
        const struct lp_lake_table *it = &t->list[i];
        char iso[LP_TIME_TEXT_BYTES];
        int64_t us;
        bool slot = slot_us(&shown[i], &us);
        if (slot) lp_time_format_iso(us, iso);
        lp_json_open(&w, NULL, '{');
        lp_json_text(&w, "database", it->database);
        lp_json_text(&w, "table", it->name);
        lp_json_text(&w, "description", it->description);
        lp_json_text(&w, "format", it->parquet ? "parquet" : "csv");
        lp_json_int(&w, "rows", (int64_t)shown[i].rows);
        lp_json_text(&w, "newest_slot", slot ? iso : NULL);
        lp_json_open(&w, "partitions", '[');
        for (size_t k = 0; k < it->partition_count; k++) lp_json_text(&w, NULL, it->partitions[k]);
        lp_json_close(&w, ']');
        lp_json_open(&w, "columns", '[');
        for (size_t k = 0; k < it->column_count; k++) {
            lp_json_open(&w, NULL, '{');
            lp_json_text(&w, "name", it->columns[k].name);
            lp_json_text(&w, "type", lp_type_name(it->columns[k].type));
            lp_json_bool(&w, "nullable", it->columns[k].nullable);
            lp_json_text(&w, "unit", it->columns[k].unit);
            lp_json_text(&w, "description", it->columns[k].description);
            lp_json_close(&w, '}');
        }
        lp_json_close(&w, ']');
        lp_json_close(&w, '}');
    }
    lp_json_close(&w, ']');
    lp_buf_putc(out, '\n');
}

static enum lp_code put_all(struct lp_cli *c, const struct lp_tables *t, const struct shown *shown, struct lp_buf *out,
                            struct lp_err *err)
{
    if (c->format && !strcmp(c->format, "csv"))
        return lp_fail(err, LP_USAGE,
                       "a list of tables has no CSV form; write --format json, or ask in SQL: from "
                       "information_schema.columns");
    if (c->format && !strcmp(c->format, "json")) {
        put_json(t, shown, out);
        return LP_OK;
    }
    for (size_t i = 0; i < t->count; i++) {
        if (i) lp_buf_putc(out, '\n');
        put_heading(&c->out, &t->list[i], &shown[i], out);
        put_table(&c->out, &t->list[i], out);
    }
    return LP_OK;
}

enum lp_code lp_tables_show(struct lp_cli *c, const struct lp_tables *t, struct lp_store *store,
                            struct lp_query *engine, struct lp_err *err)
{
    LP_AUTO(lp_buf) out = {0};
    struct shown *shown = calloc(t->count + 1, sizeof *shown);
    enum lp_code code = shown ? count_rows(t, engine, shown, err) : lp_nomem(err);
    for (size_t i = 0; i < t->count && !code; i++) code = find_slot(&t->list[i], store, &shown[i], err);
    if (!code) code = put_all(c, t, shown, &out, err);
    free(shown);
    LP_TRY(code);
    if (!lp_cli_print(c, &out, 0)) return LP_OK;
    (void)!lp_fail(err, LP_IO, "%s", ""); /* it has been told */
    return LP_IO;
}
