#include "page/page.h"

#include "base/clock.h"
#include "base/number.h"
#include "pipeline/record_read.h"
#include "page/page_rows.h"
#include "page/page_text.h"

#include <stdio.h>

#define RAW_BYTES        ((size_t)4 << 20)
#define QUARANTINE_BYTES ((size_t)8 << 20)
#define TREE_BYTES       ((size_t)128 << 20)
#define FAILURES_LISTED  100
#define ROWS_LISTED      50
#define FILES_LISTED     50
#define PAIRS_LISTED     60

static enum lp_code open_lake(const struct lp_page_request *q, const struct lp_pipeline **p, struct lp_store **store,
                              struct lp_err *err)
{
    return q->lake->open(q->lake->who, q->index, p, store, err);
}

static void put_record_key(const struct lp_page_request *q, const struct lp_pipeline *p, struct lp_buf *out)
{
    lp_buf_printf(out, "_runs/%s/%s.json", p->name, q->slot);
}

static enum lp_code not_there(const struct lp_page_request *q, const char *what, struct lp_err *err)
{
    return lp_fail(err, LP_NOTFOUND, "%s has no %s of slot %s", q->board->list[q->index].name, what, q->slot);
}

enum lp_code lp_page_put_record(const struct lp_page_request *q, struct lp_buf *out, struct lp_err *err)
{
    LP_AUTO(lp_buf) key = {.max_bytes = LP_STORE_KEY_BYTES};
    const struct lp_pipeline *p;
    struct lp_store *store;
    LP_TRY(open_lake(q, &p, &store, err));
    put_record_key(q, p, &key);
    LP_TRY(lp_buf_code(&key, "the record's name", err));
    enum lp_code code = store->ops->read(store, lp_buf_text(&key), out, err);
    if (code == LP_LIMIT)
        return lp_fail(err, LP_LIMIT, "the record is larger than %zu MiB; it lies at %s", RAW_BYTES >> 20, lp_buf_text(&key));
    return code == LP_NOTFOUND ? not_there(q, "record", err) : code;
}

/* ---- the record for people ---- */

static void put_back(const struct lp_page_request *q, struct lp_buf *out)
{
    const char *name = q->board->list[q->index].name;
    lp_buf_puts(out, "<p class=\"back\"><a href=\"/\">All pipelines</a> › <a href=\"/pipelines/");
    lp_html_puts(out, name);
    lp_buf_puts(out, "\">");
    lp_html_puts(out, name);
    lp_buf_puts(out, "</a></p>\n");
}

static void put_title(const struct lp_page_request *q, const char *word, struct lp_buf *out)
{
    int64_t us;
    char slot[17];
    LP_AUTO(lp_buf) title = {0};
    lp_buf_printf(&title, "%s%s", q->board->list[q->index].name, word);
    snprintf(slot, sizeof slot, "%.16s", q->slot);
    if (lp_time_parse_slot(slot, &us)) lp_page_put_instant(&title, us);
    if (q->slot[16] == '-') lp_buf_printf(&title, ", shard %s", q->slot + 17);
    lp_page_begin(out, lp_buf_text(&title), 0);
    lp_buf_puts(out, "<main>\n");
    put_back(q, out);
    lp_buf_puts(out, "<h1>");
    lp_html_puts(out, lp_buf_text(&title));
    lp_buf_puts(out, "</h1>\n");
}

static void put_term(const char *term, struct lp_buf *out)
{
    lp_buf_printf(out, "<dt>%s</dt><dd>", term);
}

static void put_value(const json_t *value, size_t most, struct lp_buf *out)
{
    LP_AUTO(lp_buf) text = {0};
    if (json_is_string(value)) lp_buf_put(&text, json_string_value(value), json_string_length(value));
    else lp_json_put_value(&text, value);
    lp_html_put_cut(out, lp_buf_text(&text), most);
}

/* An object's members beside each other. */
static void put_pairs(const json_t *object, struct lp_buf *out)
{
    const char *key;
    json_t *value;
    size_t count = 0;
    lp_buf_puts(out, "<p class=\"pairs\">");
    json_object_foreach ((json_t *)(uintptr_t)object, key, value) {
        if (count++ == PAIRS_LISTED) break;
        lp_buf_puts(out, "<span><b>");
        lp_html_put_cut(out, key, 100);
        lp_buf_puts(out, "</b>");
        if (json_is_null(value)) lp_buf_puts(out, "–");
        else put_value(value, 300, out);
        lp_buf_puts(out, "</span> ");
    }
    lp_buf_puts(out, "</p>");
}

/* The values of an item, as in "Portland, metric". */
static void put_item(const json_t *item, struct lp_buf *out)
{
    const char *key;
    json_t *value;
    size_t count = 0;
    json_object_foreach ((json_t *)(uintptr_t)item, key, value) {
        if (count == PAIRS_LISTED) break;
        if (count++) lp_buf_puts(out, ", ");
        put_value(value, 100, out);
    }
}

static void put_status(const json_t *record, struct lp_buf *out)
{
    enum lp_run_status s;
    bool known = lp_record_status(record, &s);
    enum lp_mood mood = !known ? LP_MOOD_FAULT : s == LP_RUN_OK ? LP_MOOD_OK : s == LP_RUN_PARTIAL ? LP_MOOD_PARTIAL : LP_MOOD_FAILED;
    lp_buf_printf(out, "<p><span class=\"state is-%s\">", lp_mood_word(mood));
    lp_mood_put_mark(mood, out);
    lp_buf_puts(out, known ? lp_run_status_name(s) : "unknown");
    lp_buf_puts(out, "</span></p>\n");
}

static void put_times(const json_t *record, struct lp_buf *out)
{
    int64_t started_us = lp_record_time(record, "started_at"), slot_us = lp_record_time(record, "slot");
    put_term("started", out);
    lp_page_put_time(out, started_us - started_us % 1000000);
    if (started_us > slot_us && started_us - slot_us < LP_DAY_US) {
        lp_buf_puts(out, " <span class=\"soft\">");
        lp_page_put_duration(out, (started_us - slot_us) / 1000);
        lp_buf_puts(out, " after its slot</span>");
    }
    lp_buf_puts(out, "</dd>\n");
    put_term("took", out);
    lp_page_put_duration(out, (int64_t)lp_record_count(record, "duration_ms"));
    lp_buf_puts(out, "</dd>\n");
}

static void put_counts(const struct lp_page_request *q, const json_t *record, struct lp_buf *out)
{
    const json_t *requests = json_object_get(record, "requests"), *rows = json_object_get(record, "rows");
    uint64_t quarantined = lp_record_count(rows, "quarantined"), retried = lp_record_count(requests, "retried");
    put_term("requests", out);
    lp_page_put_count(out, lp_record_count(requests, "total"), "request", "requests");
    lp_buf_printf(out, ", %llu failed", (unsigned long long)lp_record_count(requests, "failed"));
    if (retried) lp_buf_printf(out, ", %llu sent again", (unsigned long long)retried);
    lp_buf_puts(out, "</dd>\n");
    put_term("rows", out);
    lp_page_put_count(out, lp_record_count(rows, "written"), "row", "rows");
    lp_buf_puts(out, " written");
    if (quarantined) {
        lp_buf_puts(out, ", <a href=\"/pipelines/");
        lp_html_puts(out, q->board->list[q->index].name);
        lp_buf_printf(out, "/quarantine/%s\">%llu quarantined</a>", q->slot, (unsigned long long)quarantined);
    } else {
        lp_buf_puts(out, ", none quarantined");
    }
    lp_buf_puts(out, "</dd>\n");
}

static void put_files(const json_t *record, struct lp_buf *out)
{
    const json_t *files = json_object_get(record, "files");
    size_t count = json_array_size(files);
    char bytes[LP_NUMBER_TEXT_BYTES];
    put_term("files", out);
    for (size_t i = 0; i < count && i < FILES_LISTED; i++) {
        const json_t *f = json_array_get(files, i);
        lp_bytes_format(lp_record_count(f, "bytes"), bytes);
        lp_buf_puts(out, i ? "<br><code>" : "<code>");
        put_value(json_object_get(f, "url"), 1500, out);
        lp_buf_puts(out, "</code> <span class=\"soft\">");
        lp_page_put_count(out, lp_record_count(f, "rows"), "row", "rows");
        lp_buf_printf(out, ", %s</span>", bytes);
    }
    if (!count) lp_buf_puts(out, "none");
    if (count > FILES_LISTED) lp_buf_printf(out, "<br>… and %zu more", count - FILES_LISTED);
    lp_buf_puts(out, "</dd>\n");
}

static void put_told(const json_t *record, struct lp_buf *out)
{
    const json_t *told = json_object_get(record, "notifications");
    size_t count = json_array_size(told);
    if (!count) return;
    put_term("told", out);
    for (size_t i = 0; i < count && i < FILES_LISTED; i++) {
        const json_t *n = json_array_get(told, i), *error = json_object_get(n, "error");
        if (i) lp_buf_puts(out, "<br>");
        put_value(json_object_get(n, "to"), 300, out);
        if (!json_is_string(error)) continue;
        lp_buf_puts(out, " <span class=\"error\">could not be told: ");
        put_value(error, 400, out);
        lp_buf_puts(out, "</span>");
    }
    lp_buf_puts(out, "</dd>\n");
}

/* What to do about items that failed. */
static void put_remedy(const struct lp_page_request *q, const json_t *record, struct lp_buf *out)
{
    enum lp_run_status status;
    char slot[17], iso[LP_TIME_TEXT_BYTES];
    unsigned shard, shards;
    int64_t us;
    snprintf(slot, sizeof slot, "%.16s", q->slot);
    if (!lp_record_status(record, &status) || status != LP_RUN_PARTIAL || lp_record_count(record, "shards")) return;
    if (!lp_time_parse_slot(slot, &us)) return;
    lp_time_format_iso(us, iso);
    lp_buf_puts(out, "<p class=\"soft\"><code>lambda-pipeline retry ");
    lp_html_puts(out, q->board->list[q->index].path);
    lp_buf_printf(out, " --slot %s", iso);
    if (sscanf(q->slot + 16, "-%uof%u", &shard, &shards) == 2) lp_buf_printf(out, " --shard %u/%u", shard, shards);
    lp_buf_puts(out, "</code> asks again for what failed.</p>\n");
}

static void put_failures(const struct lp_page_request *q, const json_t *record, struct lp_buf *out)
{
    const json_t *failures = json_object_get(record, "failures");
    size_t count = json_array_size(failures);
    if (!count) return;
    lp_buf_puts(out, "<h2>Failures</h2>\n<ol class=\"rows\">\n");
    for (size_t i = 0; i < count && i < FAILURES_LISTED; i++) {
        const json_t *f = json_array_get(failures, i), *item = json_object_get(f, "item");
        lp_buf_puts(out, "<li>");
        if (json_object_size(item)) {
            lp_buf_puts(out, "<p><strong>");
            put_item(item, out);
            lp_buf_puts(out, "</strong></p>");
        }
        lp_buf_puts(out, "<p>");
        put_value(json_object_get(f, "error"), 2000, out);
        lp_buf_puts(out, "</p>");
        lp_buf_puts(out, "</li>\n");
    }
    lp_buf_puts(out, "</ol>\n");
    if (count > FAILURES_LISTED) lp_buf_printf(out, "<p class=\"soft\">… and %zu more in the record.</p>\n", count - FAILURES_LISTED);
    put_remedy(q, record, out);
}

enum lp_code lp_page_put_run(const struct lp_page_request *q, struct lp_buf *out, struct lp_err *err)
{
    LP_AUTO(lp_arena) arena = {.max_bytes = TREE_BYTES};
    LP_AUTO(lp_buf) key = {.max_bytes = LP_STORE_KEY_BYTES};
    const struct lp_pipeline *p;
    const json_t *record;
    struct lp_store *store;
    LP_TRY(open_lake(q, &p, &store, err));
    put_record_key(q, p, &key);
    LP_TRY(lp_buf_code(&key, "the record's name", err));
    enum lp_code code = lp_record_load(store, lp_buf_text(&key), &arena, &record, err);
    if (code == LP_DATA) return lp_wrap(err, code, "The record %s cannot be read", lp_buf_text(&key));
    if (code) return code == LP_NOTFOUND ? not_there(q, "record", err) : code;
    put_title(q, ", ", out);
    put_status(record, out);
    lp_buf_puts(out, "<dl>\n");
    put_times(record, out);
    put_counts(q, record, out);
    put_files(record, out);
    put_told(record, out);
    put_term("run", out);
    put_value(json_object_get(record, "run_id"), 100, out);
    lp_buf_puts(out, " <span class=\"soft\">by version ");
    put_value(json_object_get(record, "version"), 40, out);
    lp_buf_puts(out, "</span></dd>\n");
    put_term("record", out);
    lp_buf_puts(out, "<a href=\"/pipelines/");
    lp_html_puts(out, q->board->list[q->index].name);
    lp_buf_printf(out, "/runs/%s.json\">as JSON</a>, <code>", q->slot);
    lp_html_puts(out, lp_buf_text(&key));
    lp_buf_puts(out, "</code></dd>\n</dl>\n");
    put_failures(q, record, out);
    lp_buf_puts(out, "</main>\n");
    lp_page_end(out, q->board);
    return lp_buf_code(out, "the page", err);
}

/* ---- what was quarantined ---- */

static void put_reasons(const json_t *row, struct lp_buf *out)
{
    const json_t *failures = json_object_get(row, "failures");
    for (size_t i = 0; i < json_array_size(failures) && i < 10; i++) {
        const json_t *f = json_array_get(failures, i), *column = json_object_get(f, "column");
        lp_buf_puts(out, "<p class=\"error\">");
        if (json_is_string(column)) {
            put_value(column, 100, out);
            lp_buf_puts(out, ": ");
        }
        put_value(json_object_get(f, "check"), 200, out);
        lp_buf_puts(out, ", but it is <code>");
        put_value(json_object_get(f, "failure_case"), 200, out);
        lp_buf_puts(out, "</code></p>");
    }
}

static void put_row(const json_t *row, struct lp_buf *out)
{
    const json_t *source = json_object_get(row, "source");
    lp_buf_puts(out, "<li>");
    if (json_object_size(json_object_get(row, "item"))) {
        lp_buf_puts(out, "<p><strong>");
        put_item(json_object_get(row, "item"), out);
        lp_buf_puts(out, "</strong></p>");
    }
    put_reasons(row, out);
    put_pairs(json_object_get(row, "row"), out);
    if (source && !json_is_null(source)) {
        lp_buf_puts(out, "<details><summary>what came</summary><pre>");
        put_value(source, 4000, out);
        lp_buf_puts(out, "</pre></details>");
    }
    lp_buf_puts(out, "</li>\n");
}

/* Where a shard's rows lie: the slot's name is followed by the shard's. */
static enum lp_code put_quarantine_key(const struct lp_page_request *q, const struct lp_pipeline *p, struct lp_buf *key,
                                       struct lp_err *err)
{
    LP_AUTO(lp_buf) whole = {.max_bytes = LP_STORE_KEY_BYTES};
    static const char ending[] = ".jsonl";
    int64_t us = 0;
    char slot[17];
    snprintf(slot, sizeof slot, "%.16s", q->slot);
    if (!lp_time_parse_slot(slot, &us)) return not_there(q, "quarantine", err);
    lp_page_put_key(p, us, true, &whole);
    LP_TRY(lp_buf_code(&whole, "the quarantine's name", err));
    lp_buf_put(key, whole.data, whole.len - strlen(ending));
    lp_buf_printf(key, "%s%s", q->slot + 16, ending);
    return lp_buf_code(key, "the quarantine's name", err);
}

enum lp_code lp_page_put_quarantine(const struct lp_page_request *q, struct lp_buf *out, struct lp_err *err)
{
    LP_AUTO(lp_buf) key = {.max_bytes = LP_STORE_KEY_BYTES}, text = {.max_bytes = QUARANTINE_BYTES};
    const struct lp_pipeline *p;
    struct lp_store *store;
    size_t shown = 0, count = 0;
    LP_TRY(open_lake(q, &p, &store, err));
    LP_TRY(put_quarantine_key(q, p, &key, err));
    enum lp_code code = store->ops->read(store, lp_buf_text(&key), &text, err);
    if (code == LP_NOTFOUND) return not_there(q, "quarantined row", err);
    if (code == LP_LIMIT)
        return lp_fail(err, LP_LIMIT, "the quarantined rows are more than %zu MiB; they lie at %s", QUARANTINE_BYTES >> 20,
                       lp_buf_text(&key));
    LP_TRY(code);
    put_title(q, ", quarantined ", out);
    lp_buf_puts(out, "<p>These rows broke a rule of the pipeline and were set aside. They lie at "
                     "<code>");
    lp_html_puts(out, lp_buf_text(&key));
    lp_buf_puts(out, "</code>.</p>\n<ol class=\"rows\">\n");
    for (const char *line = text.data, *end; line && (end = strchr(line, '\n')); line = end + 1) {
        LP_AUTO(lp_arena) arena = {.max_bytes = TREE_BYTES};
        json_t *row;
        if (count++ >= ROWS_LISTED || lp_json_parse(&arena, line, (size_t)(end - line), &row, NULL)) continue;
        put_row(row, out);
        shown++;
    }
    lp_buf_puts(out, "</ol>\n");
    if (shown < count) lp_buf_printf(out, "<p class=\"soft\">… and %zu more in that file.</p>\n", count - shown);
    lp_buf_puts(out, "</main>\n");
    lp_page_end(out, q->board);
    return lp_buf_code(out, "the page", err);
}
