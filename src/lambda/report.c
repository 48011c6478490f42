#include "lambda/report.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/number.h"
#include "lambda/cause.h"

#include <stdio.h>
#include <stdlib.h>

#define SHOWN_FAILURES 10
#define ERROR_ROOM     ((size_t)16 << 10) /* of an answer, for what stands around the record */

/* ---- the log ---- */

static void put_members(const struct lp_record *rec, const struct lp_outcome *o, const struct lp_err *err,
                        struct lp_buf *out)
{
    LP_AUTO(lp_buf) text = {0};
    struct lp_json_writer w = {.out = &text};
    char slot[LP_TIME_TEXT_BYTES];
    lp_time_format_iso(rec->slot_us, slot);
    if (rec->pipeline) {
        lp_json_text(&w, "pipeline", rec->pipeline);
        lp_json_text(&w, "slot", slot);
        lp_json_text(&w, "status", lp_run_status_name(rec->status));
        lp_json_int(&w, "durationMs", rec->duration_ms);
        lp_json_int(&w, "rowsWritten", (int64_t)rec->rows.written);
        lp_json_int(&w, "rowsQuarantined", (int64_t)rec->rows.quarantined);
        lp_json_int(&w, "failedItems", (int64_t)rec->requests.failed);
        lp_json_int(&w, "retries", (int64_t)rec->requests.retried);
    }
    if (o->error_type) {
        lp_json_text(&w, "errorType", o->error_type);
        lp_json_text(&w, "errorMessage", err->text);
    }
    lp_buf_put(out, lp_buf_text(&text), text.len);
}

static void put_success(const struct lp_record *rec, struct lp_buf *out)
{
    char count[LP_NUMBER_TEXT_BYTES], took[LP_TIME_TEXT_BYTES];
    lp_count_format(rec->rows.written, count);
    lp_duration_format(rec->duration_ms, took);
    lp_buf_printf(out, "%s %s written in %s", count, rec->rows.written == 1 ? "row" : "rows", took);
    if (rec->requests.failed)
        lp_buf_printf(out, ", %llu of %llu items failed", (unsigned long long)rec->requests.failed,
                      (unsigned long long)rec->requests.total);
    if (rec->rows.quarantined) lp_buf_printf(out, ", %llu quarantined", (unsigned long long)rec->rows.quarantined);
    if (rec->file_count) lp_buf_printf(out, " to %s", rec->files[0].url);
    if (rec->file_count > 1) lp_buf_printf(out, " and %zu more", rec->file_count - 1);
}

static void log_items(const struct lp_function *f, const struct lp_record *rec)
{
    size_t said = 0;
    for (size_t i = 0; i < rec->failure_count && said < SHOWN_FAILURES; i++) {
        if (!rec->failures[i].item) continue;
        lp_log_say(f->log, LP_LOG_WARN, "%s: %s", rec->failures[i].label, rec->failures[i].error);
        said++;
    }
    for (size_t i = 0; i < rec->telling.count; i++)
        if (!rec->telling.list[i].ok)
            lp_log_say(f->log, LP_LOG_WARN, "notify: %s: %s", rec->telling.list[i].to, rec->telling.list[i].error);
}

void lp_report_log(const struct lp_function *f, const struct lp_record *rec, const struct lp_outcome *o,
                   const struct lp_err *err)
{
    LP_AUTO(lp_buf) line = {0}, members = {0};
    char slot[LP_TIME_TEXT_BYTES];
    log_items(f, rec);
    if (rec->pipeline) {
        lp_time_format_iso(rec->slot_us, slot);
        lp_buf_printf(&line, "%s, slot %s: ", rec->pipeline, slot);
    }
    if (o->error_type) lp_buf_puts(&line, err->text);
    else put_success(rec, &line);
    put_members(rec, o, err, &members);
    lp_log_put(f->log,
               o->error_type ? LP_LOG_ERROR
               : o->partial  ? LP_LOG_WARN
                             : LP_LOG_INFO,
               lp_buf_text(&members), lp_buf_text(&line));
}

/* ---- metrics ---- */

struct metric {
    const char *name, *unit;
    int64_t value;
};

static void put_directive(struct lp_json_writer *w, const struct metric *list, size_t count)
{
    lp_json_open(w, "_aws", '{');
    lp_json_int(w, "Timestamp", lp_clock_now_us() / 1000);
    lp_json_open(w, "CloudWatchMetrics", '[');
    lp_json_open(w, NULL, '{');
    lp_json_text(w, "Namespace", "lambda-pipeline");
    lp_json_open(w, "Dimensions", '[');
    lp_json_open(w, NULL, '[');
    lp_json_text(w, NULL, "FunctionName");
    lp_json_text(w, NULL, "Pipeline");
    lp_json_close(w, ']');
    lp_json_close(w, ']');
    lp_json_open(w, "Metrics", '[');
    for (size_t i = 0; i < count; i++) {
        lp_json_open(w, NULL, '{');
        lp_json_text(w, "Name", list[i].name);
        lp_json_text(w, "Unit", list[i].unit);
        lp_json_close(w, '}');
    }
    lp_json_close(w, ']');
    lp_json_close(w, '}');
    lp_json_close(w, ']');
    lp_json_close(w, '}');
}

void lp_report_metrics(const struct lp_function *f, const struct lp_record *rec, const struct lp_outcome *o,
                       bool of_share)
{
    const struct metric list[] = {{"Duration", "Milliseconds", rec->duration_ms},
                                  {"RowsWritten", "Count", (int64_t)rec->rows.written},
                                  {"RowsQuarantined", "Count", (int64_t)rec->rows.quarantined},
                                  {"FilesWritten", "Count", (int64_t)rec->file_count},
                                  {"Retries", "Count", (int64_t)rec->requests.retried},
                                  {"FailedItems", "Count", (int64_t)rec->requests.failed},
                                  {"FailedRuns", "Count", o->error_type != NULL},
                                  {"ColdStarts", "Count", !f->warm}};
    const struct metric *first = of_share ? &list[LP_COUNT(list) - 1] : list;
    size_t count = of_share ? 1 : LP_COUNT(list);
    LP_AUTO(lp_buf) line = {0};
    struct lp_json_writer w = {.out = &line};
    const char *name = getenv("AWS_LAMBDA_FUNCTION_NAME");
    lp_json_open(&w, NULL, '{');
    put_directive(&w, first, count);
    lp_json_text(&w, "FunctionName", name && *name ? name : f->pipeline.name);
    lp_json_text(&w, "Pipeline", f->pipeline.name);
    lp_json_text(&w, "requestId", f->log->request_id);
    for (size_t i = 0; i < count; i++) lp_json_int(&w, first[i].name, first[i].value);
    lp_json_close(&w, '}');
    lp_log_raw(f->log, &line);
}

/* ---- the answer ---- */

/* The record without its last newline, so that it can stand within something; of its lists at most so many entries. */
static void put_record(const struct lp_record *rec, size_t entries, struct lp_buf *out)
{
    struct lp_record some = *rec;
    bool shortened = entries != SIZE_MAX;
    if (shortened) {
        if (some.failure_count > entries) some.failure_count = entries;
        if (some.file_count > entries) some.file_count = entries;
        some.kept_keys = some.share = some.refused = NULL;
    }
    lp_record_put_json(&some, out);
    if (out->failed || out->len < 2) return;
    out->len -= 2;
    lp_buf_puts(out, shortened ? ",\"shortened\":true}" : "}");
}

/* As much of the record as there is room for. */
static void put_what_fits(const struct lp_record *rec, struct lp_buf *out)
{
    static const size_t entries[] = {SIZE_MAX, 100, 10, 0};
    for (size_t i = 0; i < LP_COUNT(entries); i++) {
        lp_buf_clear(out);
        put_record(rec, entries[i], out);
        if (out->failed != LP_LIMIT) return;
    }
}

void lp_error_put_json(const char *type, const char *message, const char *request_id, const char *record,
                       struct lp_buf *out)
{
    struct lp_json_writer w = {.out = out};
    lp_json_open(&w, NULL, '{');
    lp_json_text(&w, "errorMessage", message);
    lp_json_text(&w, "errorType", type);
    lp_json_open(&w, "stackTrace", '[');
    lp_json_close(&w, ']');
    if (request_id && *request_id) lp_json_text(&w, "requestId", request_id);
    if (record) {
        lp_json_key(&w, "record", 6);
        lp_buf_puts(out, record);
    }
    lp_json_close(&w, '}');
}

static void put_error(const struct lp_record *rec, const char *record, const char *request_id, struct lp_outcome *o,
                      const struct lp_err *err)
{
    LP_AUTO(lp_buf) message = {0};
    char slot[LP_TIME_TEXT_BYTES];
    if (rec->pipeline) {
        lp_time_format_iso(rec->slot_us, slot);
        lp_buf_printf(&message, "%s, slot %s: ", rec->pipeline, slot);
    }
    lp_buf_puts(&message, err->text);
    lp_error_put_json(o->error_type, lp_buf_text(&message), request_id, record, &o->body);
    lp_cause_put_header(o->error_type, lp_buf_text(&message), &o->cause);
}

void lp_report_answer(const struct lp_record *rec, const char *request_id, struct lp_outcome *o,
                      const struct lp_err *err)
{
    LP_AUTO(lp_buf) record = {.max_bytes = o->body.max_bytes - ERROR_ROOM};
    if (rec->pipeline) put_what_fits(rec, &record);
    if (o->error_type)
        put_error(rec, rec->pipeline && !record.failed ? lp_buf_text(&record) : NULL, request_id, o, err);
    else if (record.failed) o->body.failed = record.failed;
    else lp_buf_put(&o->body, lp_buf_text(&record), record.len);
    if (!o->body.failed) {
        o->text = o->body.data;
        o->text_len = o->body.len;
        return;
    }
    static const char starved[] =
        "{\"errorMessage\":\"out of memory for the answer\",\"errorType\":\"Function.OutOfMemory\",\"stackTrace\":[]}";
    o->error_type = "Function.OutOfMemory";
    lp_buf_clear(&o->cause); /* it would name another type */
    if (!o->code) o->code = LP_NOMEM;
    o->text = starved;
    o->text_len = sizeof starved - 1;
}
