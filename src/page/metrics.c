#include "page/metrics.h"

#include "base/number.h"

enum kind { COUNTER, GAUGE };

/* One family with one sample for each pipeline. */
struct family {
    const char *name, *help;
    enum kind kind;
    bool (*value)(const struct lp_board_pipeline *p, double *out); /* false: not known */
};

static bool last_success(const struct lp_board_pipeline *p, double *out)
{
    *out = (double)p->last_success_us / 1e6;
    return p->last_success_us != INT64_MIN;
}

static bool last_duration(const struct lp_board_pipeline *p, double *out)
{
    *out = (double)p->last_duration_ms / 1e3;
    return p->last_duration_ms >= 0;
}

static bool lateness(const struct lp_board_pipeline *p, double *out)
{
    *out = (double)p->last_lateness_ms / 1e3;
    return p->last_lateness_ms >= 0;
}

static bool next_fire(const struct lp_board_pipeline *p, double *out)
{
    *out = (double)p->next_us / 1e6;
    return p->next_us != INT64_MAX;
}

static bool running(const struct lp_board_pipeline *p, double *out)
{
    *out = p->running_us != INT64_MIN;
    return true;
}

static bool waiting(const struct lp_board_pipeline *p, double *out)
{
    *out = (double)p->waiting;
    return true;
}

static bool faulty(const struct lp_board_pipeline *p, double *out)
{
    *out = p->fault != NULL;
    return true;
}

static bool rows(const struct lp_board_pipeline *p, double *out)
{
    *out = (double)p->rows_written;
    return true;
}

static bool quarantined(const struct lp_board_pipeline *p, double *out)
{
    *out = (double)p->rows_quarantined;
    return true;
}

static bool retries(const struct lp_board_pipeline *p, double *out)
{
    *out = (double)p->retries;
    return true;
}

static bool skipped(const struct lp_board_pipeline *p, double *out)
{
    *out = (double)p->slots_skipped;
    return true;
}

static const struct family families[] = {
    {"lambda_pipeline_last_success_timestamp_seconds", "Slot of the last run that went well.", GAUGE, last_success},
    {"lambda_pipeline_last_duration_seconds", "How long the last run took.", GAUGE, last_duration},
    {"lambda_pipeline_last_lateness_seconds", "From the last run's slot to its start.", GAUGE, lateness},
    {"lambda_pipeline_next_fire_timestamp_seconds", "The next slot that is due.", GAUGE, next_fire},
    {"lambda_pipeline_running", "1 while a run is at work.", GAUGE, running},
    {"lambda_pipeline_waiting_slots", "Slots that wait for their turn.", GAUGE, waiting},
    {"lambda_pipeline_fault", "1 while the pipeline's file or its lake has a fault.", GAUGE, faulty},
    {"lambda_pipeline_rows_written_total", "Rows written since the service began.", COUNTER, rows},
    {"lambda_pipeline_rows_quarantined_total", "Rows quarantined since the service began.", COUNTER, quarantined},
    {"lambda_pipeline_retries_total", "Requests that were sent again since the service began.", COUNTER, retries},
    {"lambda_pipeline_slots_skipped_total", "Slots that were due and not run, since the service began.", COUNTER, skipped},
};

static void put_family(struct lp_buf *out, const char *name, const char *help, enum kind kind)
{
    lp_buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind == COUNTER ? "counter" : "gauge");
}

/* In quotes: backslash, quote and line feed are escaped, what is not UTF-8 is made so elsewhere. */
static void put_label(struct lp_buf *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '\n') lp_buf_puts(out, "\\n");
        else if (*text == '\\' || *text == '"') lp_buf_printf(out, "\\%c", *text);
        else lp_buf_putc(out, *text);
    }
}

static void put_number(struct lp_buf *out, double value)
{
    char text[LP_NUMBER_TEXT_BYTES];
    lp_double_format(value, text);
    lp_buf_printf(out, " %s\n", text);
}

static void put_runs(const struct lp_board *b, struct lp_buf *out)
{
    static const char name[] = "lambda_pipeline_runs_total", *const words[] = {"ok", "partial", "failed"};
    put_family(out, name, "Runs that have ended since the service began.", COUNTER);
    for (size_t i = 0; i < b->count; i++) {
        const struct lp_board_pipeline *p = &b->list[i];
        const uint64_t counts[] = {p->runs_ok, p->runs_partial, p->runs_failed};
        for (size_t k = 0; k < LP_COUNT(counts); k++) {
            lp_buf_printf(out, "%s{pipeline=\"", name);
            put_label(out, p->name);
            lp_buf_printf(out, "\",status=\"%s\"}", words[k]);
            put_number(out, (double)counts[k]);
        }
    }
}

static void put_one(struct lp_buf *out, const char *name, const char *help, double value)
{
    put_family(out, name, help, GAUGE);
    lp_buf_puts(out, name);
    put_number(out, value);
}

void lp_metrics_put(const struct lp_board *b, struct lp_buf *out)
{
    put_family(out, "lambda_pipeline_build_info", "1; the version is a label.", GAUGE);
    lp_buf_puts(out, "lambda_pipeline_build_info{version=\"");
    put_label(out, b->version ? b->version : "");
    lp_buf_puts(out, "\"} 1\n");
    put_one(out, "lambda_pipeline_up", "1 while the schedule runs.", b->ready && !b->stopping);
    put_one(out, "lambda_pipeline_leader", "1 when this service fires, 0 when it stands by for another.",
            b->ready && !b->standing_by);
    put_one(out, "lambda_pipeline_start_timestamp_seconds", "When the service began.", (double)b->started_us / 1e6);
    put_one(out, "lambda_pipeline_served", "Pipelines that are served.", (double)b->count);
    put_one(out, "lambda_pipeline_runs_at_work", "Runs at this moment.", (double)b->at_work);
    for (size_t i = 0; i < LP_COUNT(families); i++) {
        const struct family *f = &families[i];
        put_family(out, f->name, f->help, f->kind);
        for (size_t k = 0; k < b->count; k++) {
            double value;
            if (!f->value(&b->list[k], &value)) continue;
            lp_buf_printf(out, "%s{pipeline=\"", f->name);
            put_label(out, b->list[k].name);
            lp_buf_puts(out, "\"}");
            put_number(out, value);
        }
    }
    put_runs(b, out);
}
