#include "base/clock.h"
#include "base/number.h"
#include "cli/load.h"
#include "cli/plan_aws.h"
#include "lake/layout.h"
#include "lake/store.h"
#include "pipeline/run.h"
#include "source/request.h"

#define SHOWN_REQUESTS 3
#define INDENT         8

static void put_heading(struct lp_cli *c, const char *word, struct lp_buf *out)
{
    lp_buf_printf(out, "%s%-8s%s", c->out.accent, word, c->out.plain);
}

static void put_limits(const struct lp_source *s, uint64_t count, struct lp_buf *out)
{
    static const struct {
        int64_t us;
        const char *name;
    } periods[] = {{1000000, "s"}, {60000000, "min"}, {INT64_C(3600000000), "h"}, {LP_DAY_US, "d"}};
    char text[LP_TIME_TEXT_BYTES];
    lp_put_count(out, count, "request", "requests");
    lp_buf_printf(out, ", %lld at once", (long long)s->limit.at_once);
    for (size_t i = 0; i < LP_COUNT(periods); i++)
        if (s->limit.rate.count && s->limit.rate.period_us == periods[i].us)
            lp_buf_printf(out, ", %lld/%s", (long long)s->limit.rate.count, periods[i].name);
    lp_duration_format(s->retry.deadline_ms, text);
    lp_buf_printf(out, ", %lld %s within %s\n", (long long)s->retry.attempts, s->retry.attempts == 1 ? "try" : "tries",
                  text);
}

/* The rest of a line: whole in a pipe, on a terminal no wider than that. */
static void put_fitting(const struct lp_cli *c, const struct lp_buf *text, size_t before, struct lp_buf *out)
{
    if (c->out.terminal) lp_text_cut_middle(out, lp_buf_text(text), text->len, c->out.columns - before);
    else lp_buf_put(out, lp_buf_text(text), text->len);
    lp_buf_putc(out, '\n');
}

static enum lp_code put_requests(struct lp_cli *c, struct lp_pipeline *p, const struct lp_bindings *run,
                                 struct lp_buf *out, struct lp_err *err)
{
    uint64_t count;
    bool more = true;
    LP_AUTO(lp_items) items = {0};
    LP_AUTO(lp_item) item = {0};
    LP_TRY(lp_items_count(&p->source.each, c->shard, c->shards, &count, err));
    put_heading(c, "asks", out);
    put_limits(&p->source, count, out);
    LP_TRY(lp_items_open(&items, &p->source.each, c->shard, c->shards, err));
    for (uint64_t i = 0; i < count && i < SHOWN_REQUESTS; i++) {
        struct lp_bindings b = *run;
        LP_TRY(lp_items_next(&items, &item, &more, err));
        if (!more) break;
        for (size_t v = 0; v < item.value_count; v++) b.values[b.count++] = item.values[v];
        LP_AUTO(lp_buf) url = {0};
        LP_TRY(lp_request_shown_url(&p->source, &b, &url, err));
        lp_buf_puts(out, "        GET ");
        put_fitting(c, &url, INDENT + 4, out);
    }
    if (count > SHOWN_REQUESTS) {
        char text[LP_NUMBER_TEXT_BYTES];
        lp_count_format(count - SHOWN_REQUESTS, text);
        lp_buf_printf(out, "        %s%s %s more%s\n", c->out.grey, c->out.utf8 ? "…" : "...", text, c->out.plain);
    }
    return LP_OK;
}

static enum lp_code put_files(struct lp_cli *c, struct lp_pipeline *p, const struct lp_bindings *run,
                              struct lp_buf *out, struct lp_err *err)
{
    struct lp_layout l = {&p->sink, p->name, c->slot_us, c->shard, c->shards};
    struct lp_store *store;
    LP_AUTO(lp_buf) partition = {0}, key = {0}, url = {0};
    LP_TRY(lp_store_open(p->sink.root, &p->sink.s3, NULL, &store, err));
    if (lp_sink_one_partition(&p->sink)) {
        lp_layout_put_partition(&l, run, NULL, 0, &partition);
    } else {
        for (size_t i = 0; i < p->sink.partitions.count; i++)
            lp_buf_printf(&partition, "%s=…/", p->sink.partitions.list[i].name);
    }
    lp_layout_put_data_key(&l, lp_buf_text(&partition), &key);
    put_heading(c, "writes", out);
    store->ops->put_url(store, lp_buf_text(&key), &url);
    put_fitting(c, &url, INDENT, out);
    lp_buf_clear(&key);
    lp_buf_clear(&url);
    lp_layout_put_record_key(&l, &key);
    lp_buf_puts(out, "        ");
    store->ops->put_url(store, lp_buf_text(&key), &url);
    put_fitting(c, &url, INDENT, out);
    lp_store_free(store);
    return lp_buf_code(&key, "a file's name", err);
}

static void put_rest(struct lp_cli *c, const struct lp_pipeline *p, struct lp_buf *out)
{
    if (p->notify.to.count) {
        put_heading(c, "tells", out);
        for (size_t i = 0; i < p->notify.to.count; i++) {
            if (i) lp_buf_puts(out, ", ");
            lp_address_put_shown(&p->notify.to.list[i], false, out);
        }
        lp_buf_puts(out, " on ");
        lp_notify_put_events(&p->notify, out);
        lp_buf_puts(out, c->shards > 1 ? ", once the shards are merged\n" : "\n");
    }
    if (p->schedule.expression) {
        put_heading(c, "fires", out);
        int64_t now = lp_clock_now_us(), next;
        bool due = lp_schedule_next(&p->schedule, now, out, &next);
        lp_buf_puts(out, due ? ", next " : ", never again");
        if (due) lp_style_put_distance(now, next, out);
        lp_buf_putc(out, '\n');
    }
}

static enum lp_code put_plan(struct lp_cli *c, struct lp_pipeline *p, struct lp_buf *out, struct lp_err *err)
{
    struct lp_bindings run;
    char slot[LP_TIME_TEXT_BYTES];
    lp_run_bind(p, c->slot_us, "RUN", &run, slot);
    lp_buf_printf(out, "%s%s%s, slot %s\n", c->out.bold, p->name, c->out.plain, slot);
    LP_TRY(put_requests(c, p, &run, out, err));
    LP_TRY(put_files(c, p, &run, out, err));
    put_rest(c, p, out);
    return LP_OK;
}

int lp_cmd_plan(struct lp_cli *c)
{
    struct lp_pipeline p;
    struct lp_err err;
    LP_AUTO(lp_buf) text = {0};
    int status = lp_cli_load(c, &p);
    if (!status) {
        enum lp_code code = c->as_aws ? lp_plan_put_aws(c, &p, &text, &err) : put_plan(c, &p, &text, &err);
        status = code ? lp_cli_fail(c, &err) : lp_cli_print(c, &text, 0);
    }
    lp_pipeline_release(&p);
    return status;
}
