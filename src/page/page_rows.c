#include "page/page_rows.h"

#include "base/cancel.h"
#include "base/clock.h"
#include "pipeline/record.h"
#include "pipeline/run.h"
#include "query/query.h"
#include "query/script.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define ANSWER_BYTES ((size_t)32 << 20)
#define FILE_ROWS    20000 /* of one Parquet file */

void lp_page_put_key(const struct lp_pipeline *p, int64_t slot_us, bool quarantine, struct lp_buf *out)
{
    const struct lp_layout l = {&p->sink, p->name, slot_us, 0, 0};
    struct lp_bindings b;
    char slot_text[40];
    LP_AUTO(lp_buf) partition = {.max_bytes = LP_STORE_KEY_BYTES};
    lp_run_bind(p, slot_us, "", &b, slot_text);
    if (lp_sink_one_partition(&p->sink)) lp_layout_put_partition(&l, &b, NULL, 0, &partition);
    if (partition.failed) out->failed = partition.failed;
    if (quarantine) lp_layout_put_quarantine_key(&l, lp_buf_text(&partition), out);
    else lp_layout_put_data_key(&l, lp_buf_text(&partition), out);
}

static enum lp_code put_keys_of_record(const struct lp_page_rows *r, size_t slot, struct lp_buf *keys, struct lp_err *err)
{
    const struct lp_layout l = {&r->pipeline->sink, r->pipeline->name, r->slots[slot], 0, 0};
    struct lp_earlier earlier = {0};
    enum lp_code code = lp_record_read_earlier(r->store, &l, true, &earlier, err);
    if (!code) lp_buf_put(keys, lp_buf_text(&earlier.keys), earlier.keys.len);
    lp_buf_release(&earlier.keys);
    return code;
}

/* ---- CSV ---- */

/* Which field of the file is the pipeline's column; -1: the file has none of it. */
static void match_header(const struct lp_columns *c, const struct lp_csv_reader *csv, int *field_of)
{
    for (size_t i = 0; i < c->count; i++) {
        field_of[i] = -1;
        for (size_t k = 0; k < csv->field_count; k++)
            if (lp_slice_is(csv->header[k], c->list[i].name)) field_of[i] = (int)k;
    }
}

static enum lp_code see_csv(struct lp_page_rows *r, size_t slot, const struct lp_buf *text, const char *key, bool *enough,
                            struct lp_err *err)
{
    const struct lp_columns *c = &r->pipeline->columns;
    LP_AUTO(lp_arena) arena = {0};
    struct lp_csv_reader csv;
    bool more = true;
    int *field_of = lp_arena_alloc(&arena, c->count * sizeof *field_of);
    struct lp_slice *cells = lp_arena_alloc(&arena, c->count * sizeof *cells);
    if (!field_of || !cells) return lp_nomem(err);
    LP_TRY(lp_csv_open_bytes(&csv, lp_buf_text(text), text->len, key, err));
    match_header(c, &csv, field_of);
    enum lp_code code;
    while (!(code = lp_csv_next(&csv, &more, err)) && more && !*enough) {
        for (size_t i = 0; i < c->count; i++) {
            cells[i] = field_of[i] < 0 ? (struct lp_slice){NULL, 0} : csv.fields[field_of[i]];
            if (!cells[i].len) cells[i].at = NULL;
        }
        *enough = !r->see(r->who, slot, cells);
    }
    lp_csv_reader_release(&csv);
    return code;
}

/* *found is false when there is no such file. */
static enum lp_code read_csv(struct lp_page_rows *r, size_t slot, const char *key, bool *found, bool *enough,
                             struct lp_err *err)
{
    LP_AUTO(lp_buf) text = {.max_bytes = LP_PAGE_FILE_BYTES};
    struct lp_err why;
    enum lp_code code = r->store->ops->read(r->store, key, &text, err);
    *found = code != LP_NOTFOUND;
    if (code == LP_NOTFOUND) return LP_OK;
    if (code == LP_LIMIT && lp_cancel_was_over()) {
        r->until_us = 0; /* is_over tells */
        return LP_OK;
    }
    if (code == LP_LIMIT) r->too_large++;
    if (code) return code == LP_LIMIT ? LP_OK : code;
    r->files++;
    if (!text.len) return LP_OK;
    code = see_csv(r, slot, &text, key, enough, &why);
    if (code == LP_DATA) r->gone++; /* damaged: its good rows were seen */
    if (code && code != LP_DATA) *err = why;
    return code == LP_DATA ? LP_OK : code;
}

static bool is_over(struct lp_page_rows *r, size_t slot)
{
    if (lp_clock_monotonic_us() < r->until_us && r->files < LP_PAGE_FILES) return false;
    r->late = r->count - slot;
    return true;
}

static enum lp_code read_slot(struct lp_page_rows *r, size_t slot, bool *enough, struct lp_err *err)
{
    LP_AUTO(lp_buf) keys = {.max_bytes = (size_t)4 << 20};
    bool found = false;
    if (lp_sink_one_partition(&r->pipeline->sink)) {
        lp_page_put_key(r->pipeline, r->slots[slot], false, &keys);
        LP_TRY(lp_buf_code(&keys, "the name of a file", err));
        LP_TRY(read_csv(r, slot, lp_buf_text(&keys), &found, enough, err));
        if (found) return LP_OK;
        lp_buf_clear(&keys);
    }
    LP_TRY(put_keys_of_record(r, slot, &keys, err));
    for (char *key = keys.data, *end; key && (end = strchr(key, '\n')) && !*enough; key = end + 1) {
        *end = '\0';
        if (is_over(r, slot)) return LP_OK;
        LP_TRY(read_csv(r, slot, key, &found, enough, err));
        if (!found) r->gone++;
    }
    return LP_OK;
}

/* ---- Parquet ---- */

static enum lp_code add_table(const struct lp_page_rows *r, struct lp_tables *t, const char *key, struct lp_err *err)
{
    const struct lp_columns *c = &r->pipeline->columns;
    struct lp_lake_table *it = &t->list[t->count];
    *it = (struct lp_lake_table){.database = "page",
                                 .name = lp_arena_printf(&t->arena, "f%zu", t->count),
                                 .location = lp_arena_strdup(&t->arena, key),
                                 .parquet = true,
                                 .one_file = true,
                                 .columns = lp_arena_zalloc(&t->arena, c->count * sizeof *it->columns),
                                 .column_count = c->count};
    if (!it->name || !it->location || !it->columns) return lp_arena_code(&t->arena, err);
    for (size_t i = 0; i < c->count; i++)
        it->columns[i] = (struct lp_lake_column){.name = c->list[i].name, .type = c->list[i].type, .nullable = true};
    t->count++;
    return LP_OK;
}

/* SELECT the slot's number, the columns, of each file. */
static void put_select(const struct lp_page_rows *r, size_t slot, size_t file, struct lp_buf *sql)
{
    const struct lp_columns *c = &r->pipeline->columns;
    if (file) lp_buf_puts(sql, " UNION ALL ");
    lp_buf_printf(sql, "(SELECT %zu", slot);
    for (size_t i = 0; i < c->count; i++) {
        lp_buf_putc(sql, ',');
        lp_sql_put_name(c->list[i].name, sql);
    }
    lp_buf_printf(sql, " FROM page.f%zu LIMIT %d)", file, FILE_ROWS);
}

static enum lp_code name_files(struct lp_page_rows *r, size_t slots, struct lp_tables *t, struct lp_buf *sql, struct lp_err *err)
{
    bool one = lp_sink_one_partition(&r->pipeline->sink);
    for (size_t slot = 0; slot < slots && !is_over(r, slot); slot++) {
        LP_AUTO(lp_buf) keys = {.max_bytes = (size_t)4 << 20};
        if (one) lp_page_put_key(r->pipeline, r->slots[slot], false, &keys), lp_buf_putc(&keys, '\n');
        else LP_TRY(put_keys_of_record(r, slot, &keys, err));
        LP_TRY(lp_buf_code(&keys, "the names of files", err));
        for (char *key = keys.data, *end; key && (end = strchr(key, '\n')) && t->count < LP_PAGE_FILES; key = end + 1) {
            *end = '\0';
            LP_TRY(add_table(r, t, key, err));
            put_select(r, slot, t->count - 1, sql);
        }
    }
    r->files = t->count;
    return lp_buf_code(sql, "the question", err);
}

static enum lp_code see_answer(struct lp_page_rows *r, const struct lp_buf *answer, struct lp_err *err)
{
    struct lp_csv_reader csv;
    bool more = true;
    enum lp_code code;
    if (!answer->len) return LP_OK;
    LP_TRY(lp_csv_open_bytes(&csv, lp_buf_text(answer), answer->len, "DuckDB's answer", err));
    while (!(code = lp_csv_next(&csv, &more, err)) && more) {
        size_t slot = strtoul(csv.fields[0].at, NULL, 10);
        if (csv.field_count != r->pipeline->columns.count + 1 || slot >= r->count) break;
        for (size_t i = 1; i < csv.field_count; i++)
            if (!csv.fields[i].len) csv.fields[i].at = NULL;
        if (!r->see(r->who, slot, csv.fields + 1)) break;
    }
    lp_csv_reader_release(&csv);
    return code;
}

/* What the shell has to say on standard error is not for the service's log. */
static void be_silent(void)
{
    int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (nowhere < 0) return;
    dup2(nowhere, STDERR_FILENO);
    close(nowhere);
}

static enum lp_code ask_duckdb(struct lp_page_rows *r, size_t slots, struct lp_buf *answer, struct lp_err *err)
{
    LP_AUTO(lp_buf) sql = {.max_bytes = (size_t)4 << 20};
    LP_AUTO(lp_tables) tables = {0};
    struct lp_query *engine = NULL;
    tables.list = lp_arena_zalloc(&tables.arena, LP_PAGE_FILES * sizeof *tables.list);
    if (!tables.list) return lp_nomem(err);
    LP_TRY(name_files(r, slots, &tables, &sql, err));
    if (!tables.count) return LP_OK;
    const struct lp_duckdb_options o = {.tables = &tables, .store = r->store, .place = r->pipeline->sink.root};
    LP_TRY(lp_query_duckdb_new(&o, &engine, err));
    be_silent();
    enum lp_code code = lp_query_duckdb_take(engine, lp_buf_text(&sql), answer, err);
    lp_query_free(engine);
    return code;
}

static enum lp_code read_parquet(struct lp_page_rows *r, struct lp_err *err)
{
    LP_AUTO(lp_buf) answer = {.max_bytes = ANSWER_BYTES};
    enum lp_code code = ask_duckdb(r, r->count, &answer, err);
    if (code == LP_DATA && r->count > 1) { /* older files may have other columns */
        lp_buf_clear(&answer);
        r->late = r->count - 1;
        code = ask_duckdb(r, 1, &answer, err);
    }
    if (code == LP_DATA && !*err->text) return lp_fail(err, LP_DATA, "DuckDB cannot read the newest file");
    return code ? code : see_answer(r, &answer, err);
}

enum lp_code lp_page_rows_read(struct lp_page_rows *r, struct lp_err *err)
{
    bool enough = false;
    if (r->pipeline->sink.file_name && r->count > 1) r->count = 1; /* each run replaces it */
    if (r->pipeline->sink.format == LP_FORMAT_PARQUET) return read_parquet(r, err);
    for (size_t slot = 0; slot < r->count && !enough && !is_over(r, slot); slot++)
        LP_TRY(read_slot(r, slot, &enough, err));
    return LP_OK;
}
