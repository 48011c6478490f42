#include "pipeline/run.h"

#include "base/cancel.h"
#include "base/clock.h"
#include "lake/catalog.h"
#include "pipeline/again.h"
#include "pipeline/tell.h"
#include "source/extract.h"

/* All that a run holds while it lasts. */
struct work {
    struct lp_pipeline *pipeline;
    const struct lp_run_options *options;
    struct lp_record *rec;
    struct lp_store *store;
    struct lp_lock *lock;
    struct lp_layout layout;
    struct lp_fetch *fetch;
    struct lp_judge judge;
    struct lp_catalogs catalogs;
    struct lp_output output;
    struct lp_batch batch;
    struct lp_earlier earlier; /* what lies in this slot already */
    struct lp_bindings bindings;
    char slot_text[LP_TIME_TEXT_BYTES];
    bool writes; /* a preview does not */
    size_t failure_bytes;
    bool intent;             /* what is published was named beforehand */
    bool recorded;           /* what is published is named by the record */
    struct lp_err lock_lost; /* while replies were waited for */
    struct lp_history history;
    struct lp_again *again; /* what the slot's last run left to do; NULL: everything */
    bool publishes;         /* from here on the slot is not as it was */
};

void lp_run_bind(const struct lp_pipeline *p, int64_t slot_us, const char *run_id, struct lp_bindings *b,
                 char slot_text[40])
{
    lp_time_format_iso(slot_us, slot_text);
    *b = (struct lp_bindings){.count = LP_VARIABLE_FIRST_ITEM, .slot_us = slot_us};
    b->values[LP_VARIABLE_SLOT] = lp_slice_of(slot_text);
    b->values[LP_VARIABLE_RUN_ID] = lp_slice_of(run_id);
    b->values[LP_VARIABLE_PIPELINE] = lp_slice_of(p->name);
}

static void begin_record(struct work *w)
{
    struct lp_record *rec = w->rec;
    char slot[LP_TIME_TEXT_BYTES];
    lp_time_format_slot(w->options->slot_us, slot);
    *rec = (struct lp_record){.pipeline = w->pipeline->name, .slot_us = w->options->slot_us, .status = LP_RUN_FAILED};
    rec->started_us = lp_clock_now_us();
    snprintf(rec->run_id, sizeof rec->run_id, "%s-%llx", slot, (unsigned long long)rec->started_us);
    lp_run_bind(w->pipeline, rec->slot_us, rec->run_id, &w->bindings, w->slot_text);
}

static enum lp_code lock_slot(struct work *w, struct lp_err *err)
{
    LP_AUTO(lp_buf) key = {.max_bytes = 1024};
    w->layout = (struct lp_layout){&w->pipeline->sink, w->pipeline->name, w->options->slot_us, w->options->shard,
                                   w->options->shards};
    LP_TRY(lp_store_open(w->pipeline->sink.root, &w->pipeline->sink.s3, w->options->aws, &w->store, err));
    lp_layout_put_lock_key(&w->layout, &key);
    LP_TRY(lp_buf_code(&key, "the lock's name", err));
    enum lp_code code = w->store->ops->lock(w->store, lp_buf_text(&key), &w->lock, err);
    if (code == LP_LOCKED)
        return lp_wrap(err, LP_LOCKED, "slot %s of %s is being run already; wait for that run to end", w->slot_text,
                       w->pipeline->name);
    return code;
}

/* A lock in a bucket is a lease; waiting for a slow source must not let it lapse. */
static void tick(void *who, const struct lp_fetch_stats *stats)
{
    struct work *w = who;
    const struct lp_fetch_watch *watch = &w->options->watch;
    if (w->lock && !w->lock_lost.code) (void)!w->lock->ops->renew(w->lock, &w->lock_lost);
    if (watch->tick) watch->tick(watch->who, stats);
}

static void say(void *who, const char *line)
{
    const struct lp_fetch_watch *watch = &((struct work *)who)->options->watch;
    if (watch->say) watch->say(watch->who, line);
}

static enum lp_code begin_judge(struct work *w, struct lp_err *err)
{
    struct lp_pipeline *p = w->pipeline;
    if (w->judge.quality) return LP_OK; /* it has seen the rows that stand */
    LP_TRY(lp_judge_init(&w->judge, &p->quality, &p->checks, &p->columns, err));
    if (lp_catalog_in_glue_as_csv(&p->sink)) lp_judge_require_one_line(&w->judge);
    return LP_OK;
}

static enum lp_code plan(struct work *w, uint64_t most_items, struct lp_err *err)
{
    const struct lp_run_options *o = w->options;
    struct lp_pipeline *p = w->pipeline;
    struct lp_fetch_options f = {.slot_us = o->slot_us,
                                 .run = &w->bindings,
                                 .replay_folder = o->replay_folder,
                                 .record_folder = o->record_folder,
                                 .shard = o->shard,
                                 .shards = o->shards,
                                 .most_items = most_items,
                                 .http = o->http,
                                 .wants = w->again ? lp_again_wants : NULL,
                                 .who_wants = w->again,
                                 .watch = {.tick = tick, .say = o->watch.say ? say : NULL, .who = w}};
    if (!o->replay_folder) LP_TRY(lp_source_load_secret(&p->source, o->aws, p->folder, err));
    if (o->count_items) LP_TRY(lp_items_count(&p->source.each, o->shard, o->shards, &f.expected, err));
    if (o->count_items && w->again) f.expected = w->again->item_count;
    LP_TRY(begin_judge(w, err));
    LP_TRY(lp_batch_init(&w->batch, &p->columns, 1, err));
    return lp_fetch_new(&p->source, &f, &w->fetch, err);
}

static enum lp_code note_failed_item(struct work *w, const struct lp_reply *reply, const char *error, struct lp_err *err)
{
    LP_AUTO(lp_buf) json = {0}, label = {0};
    if (w->rec->failure_count == LP_RECORD_FAILURES) return LP_OK;
    lp_item_put_json(&w->pipeline->source.each, reply->item, &json);
    lp_item_put_label(reply->item, &label);
    LP_TRY(lp_buf_code(&json, "an item", err));
    /* All are counted; those that would make the record too large are not listed. */
    w->failure_bytes += json.len + strlen(error);
    if (w->failure_bytes > LP_RECORD_FAILURE_BYTES) return LP_OK;
    LP_TRY(lp_record_add_failure(w->rec, lp_buf_text(&json), lp_buf_text(&label), error, err));
    /* Its rows belong here, should a retry bring them. */
    struct lp_record_failure *f = &w->rec->failures[w->rec->failure_count - 1];
    f->placed = w->writes && lp_output_place(&w->output, &reply->bindings, &f->rows_before, &f->quarantined_before);
    return LP_OK;
}

/* A reply's rows, batch by batch: checked and written. */
static enum lp_code take_rows(struct work *w, const struct lp_reply *reply, struct lp_err *err)
{
    struct lp_extract rows;
    struct lp_err local;
    bool more = true;
    enum lp_code code = lp_extract_begin(&rows, &w->pipeline->source, reply, &local);
    if (code) {
        lp_fetch_disown(w->fetch);
        return code == LP_DATA ? note_failed_item(w, reply, local.text, err)
                               : lp_fail(err, code, "%s", local.text);
    }
    for (;;) {
        LP_TRY(lp_cancel_check(err));
        LP_TRY(lp_extract_next(&rows, &w->batch, &more, err));
        if (!more) return LP_OK;
        LP_TRY(lp_quality_judge(&w->judge, &w->batch, err));
        if (w->options->see_rows) w->options->see_rows(w->options->who, &w->batch);
        if (w->writes) LP_TRY(lp_output_write(&w->output, &w->batch, reply->item, &reply->bindings, err));
    }
}

static enum lp_code take_replies(struct work *w, struct lp_err *err)
{
    struct lp_reply reply;
    bool more = true;
    for (;;) {
        LP_TRY(lp_fetch_next(w->fetch, &reply, &more, err));
        if (!more) return w->again ? lp_again_copy_rest(w->again, &w->output, err) : LP_OK;
        if (w->again) LP_TRY(lp_again_copy_before(w->again, &w->output, &reply.bindings, err));
        LP_TRY(reply.ok ? take_rows(w, &reply, err) : note_failed_item(w, &reply, reply.error, err));
        if (w->lock_lost.code) return lp_fail(err, w->lock_lost.code, "%s", w->lock_lost.text);
        LP_TRY(lp_cancel_check(err));
    }
}

static void count(struct work *w)
{
    struct lp_record *rec = w->rec;
    if (w->fetch) rec->requests = *lp_fetch_stats(w->fetch);
    if (w->fetch && w->again) { /* the others were answered before */
        rec->requests.total = w->again->before.total;
        rec->requests.ok += w->again->before.ok;
        rec->requests.retried += w->again->before.retried;
        rec->requests.waited_ms += w->again->before.waited_ms;
    }
    rec->rows.read = w->judge.rows_read;
    rec->rows.quarantined = w->judge.rows_bad;
    if (w->judge.quality) lp_judge_rules(&w->judge, &rec->checks_passed, &rec->checks_failed);
    rec->warnings = w->judge.warnings;
}

/* Nothing answered: there are no rows to judge, and saying "too few rows" would hide why. */
static enum lp_code require_answers(const struct lp_record *rec, struct lp_err *err)
{
    if (rec->requests.ok || !rec->requests.failed) return LP_OK;
    const char *first = rec->failure_count ? rec->failures[0].error : "";
    return lp_fail(err, LP_REMOTE, "no item was answered: %s", first);
}

static bool is_share(const struct work *w)
{
    return w->options->shards > 1;
}

/* A share is not judged by what only the whole can be: see merge.h. */
static enum lp_code gate(struct work *w, struct lp_err *err)
{
    count(w);
    if (is_share(w)) return LP_OK;
    LP_TRY(require_answers(w->rec, err));
    enum lp_code code = lp_quality_gate(&w->judge, err);
    if (code != LP_GATE || !w->writes) return code;
    w->publishes = true;
    struct lp_err local;
    /* The rows are refused, the reasons are kept. */
    if (lp_output_publish_quarantine(&w->output, &w->earlier, &local)) return lp_fail(err, local.code, "%s", local.text);
    return code;
}

static enum lp_code publish(struct work *w, struct lp_err *err)
{
    struct lp_pipeline *p = w->pipeline;
    LP_TRY(lp_cancel_check(err));
    LP_TRY(w->lock->ops->renew(w->lock, err));
    /* Where the rows choose their files, another run may choose others: see lp_record_put_intent. */
    w->publishes = true;
    w->intent = !lp_sink_one_partition(&p->sink);
    if (w->intent) LP_TRY(lp_record_put_intent(w->store, &w->layout, &w->output, lp_buf_text(&w->earlier.keys), err));
    LP_TRY(lp_output_publish(&w->output, &w->earlier, err)); /* data, then quarantine */
    w->rec->rows.written = w->rec->rows.read - w->rec->rows.quarantined;
    LP_TRY(lp_record_set_files(w->rec, &w->output, err));
    return lp_catalogs_publish(&w->catalogs, &w->output, err);
}

/* Do the pipeline's columns fit the table that is there? Asked before anything is fetched. */
static enum lp_code inspect(struct work *w, struct lp_err *err)
{
    struct lp_pipeline *p = w->pipeline;
    struct lp_table table = {&w->layout, &p->columns, p->description};
    LP_TRY(lp_catalogs_open(&w->catalogs, &table, w->store, w->options->aws, err));
    return lp_catalogs_inspect(&w->catalogs, err);
}

static enum lp_code flow(struct work *w, struct lp_err *err)
{
    struct lp_pipeline *p = w->pipeline;
    LP_TRY(plan(w, 0, err));
    LP_TRY(inspect(w, err));
    LP_TRY(lp_output_begin(&w->output, w->store, &w->layout, &p->columns, &p->source.each, &w->bindings, err));
    LP_TRY(take_replies(w, err));
    LP_TRY(gate(w, err));
    LP_TRY(publish(w, err));
    w->rec->status = w->rec->requests.failed ? LP_RUN_PARTIAL : LP_RUN_OK;
    return LP_OK;
}

static void finish_record(struct lp_record *rec)
{
    rec->finished_us = lp_clock_now_us();
    rec->duration_ms = (rec->finished_us - rec->started_us + 500) / 1000;
}

/* What stands in the lake after a failed run: the files of an earlier one, and those that were published before it failed. */
static void note_kept(struct work *w)
{
    for (size_t i = 0; i < w->output.file_count; i++)
        if (w->output.files[i].published) lp_buf_printf(&w->earlier.keys, "%s\n", w->output.files[i].key);
    if (w->rec->file_count) return;
    w->rec->kept_keys = strdup(lp_buf_text(&w->earlier.keys));
    if (w->earlier.refused.len) w->rec->refused = strdup(lp_buf_text(&w->earlier.refused));
}

/* The record tells of a failure too. That it cannot be written does not hide why the run failed. */
static enum lp_code write_record(struct work *w, enum lp_code code, struct lp_err *err)
{
    struct lp_err local = {0};
    count(w);
    finish_record(w->rec);
    if (code) {
        w->rec->status = LP_RUN_FAILED;
        note_kept(w);
        if (lp_record_add_failure(w->rec, NULL, NULL, err->text, &local)) return code;
    }
    enum lp_code written = is_share(w) ? lp_record_set_share(w->rec, &w->layout, &w->judge, &local) : LP_OK;
    if (!written) written = lp_record_publish(w->rec, w->store, &w->layout, &local);
    if (!written && w->intent) written = lp_record_drop_intent(w->store, &w->layout, &local);
    w->recorded = !written;
    if (code || !written) return code;
    w->rec->status = LP_RUN_FAILED;
    return lp_fail(err, written, "the rows are written, the run record is not: %s", local.text);
}

/* What came before, where somebody wants to hear of it; that it cannot be read is no fault of the run. */
static void read_history(struct work *w, enum lp_code code)
{
    struct lp_err ignored;
    if (is_share(w) || !lp_run_wants_history(w->pipeline, code)) return;
    if (lp_history_read(w->store, &w->layout, &w->history, &ignored)) w->history = (struct lp_history){0};
}

/* The record stands before anybody is told; how that went is written into it afterwards, as long as the slot is ours:
 * telling may take a minute. Of a share nobody is told: who merges them tells of the whole, once. */
static void tell(struct work *w, enum lp_code code, const struct lp_err *why)
{
    struct lp_err err;
    struct lp_record *rec = w->rec;
    if (is_share(w)) return;
    if (w->lock) (void)!w->lock->ops->renew(w->lock, &err);
    if (!lp_cancel_signal()) lp_cancel_heed(); /* telling may take long */
    lp_run_tell(w->pipeline, w->options, &w->judge, &w->output, &w->history, code, why, rec);
    lp_cancel_wind_up();
    if (!rec->telling.count || !rec->record_url) return;
    enum lp_code noted = w->lock->ops->renew(w->lock, &err);
    if (!noted) noted = lp_record_publish(rec, w->store, &w->layout, &err);
    if (noted) lp_run_note_telling(rec, "the run record", &err);
}

static enum lp_code conclude(struct work *w, enum lp_code code, struct lp_err *err)
{
    lp_cancel_wind_up(); /* what follows is the tidying up */
    read_history(w, code);
    code = write_record(w, code, err);
    tell(w, code, err);
    return code;
}

/* A run that could not begin tells why as well; the record in the lake is another run's. */
static enum lp_code tell_without_record(struct work *w, enum lp_code code, const struct lp_err *err)
{
    struct lp_err ignored;
    lp_cancel_wind_up();
    finish_record(w->rec);
    if (lp_record_add_failure(w->rec, NULL, NULL, err->text, &ignored)) return LP_NOMEM;
    tell(w, code, err);
    return code;
}

/* Is there something that no record names, and that only who knows of it looks for? */
static bool leaves_work(const struct work *w)
{
    return !w->recorded && (w->intent || w->rec->rows.quarantined || !w->lock->orderly);
}

static void release(struct work *w)
{
    if (w->again) lp_again_release(w->again);
    if (w->lock) w->lock->unfinished = leaves_work(w);
    lp_fetch_free(w->fetch);
    lp_output_release(&w->output);
    lp_catalogs_release(&w->catalogs);
    lp_judge_release(&w->judge);
    lp_batch_release(&w->batch);
    lp_earlier_release(&w->earlier);
    lp_lock_release(&w->lock);
    lp_store_free(w->store);
}

/* Takes the slot, and what an earlier run left of it. */
static enum lp_code take_slot(struct work *w, struct lp_err *err)
{
    begin_record(w);
    LP_TRY(lock_slot(w, err));
    /* Before anything that may fail: the record of a failed run takes the place of the one that names these files. */
    return lp_record_read_earlier(w->store, &w->layout, w->lock->orderly, &w->earlier, err);
}

enum lp_code lp_run(struct lp_pipeline *p, const struct lp_run_options *o, struct lp_record *rec, struct lp_err *err)
{
    struct work w = {.pipeline = p, .options = o, .rec = rec, .writes = true};
    struct lp_err local;
    if (!err) err = &local;
    enum lp_code code = take_slot(&w, err);
    if (!code && !is_share(&w)) code = lp_record_read_shares(w.store, &w.layout, &w.earlier, err);
    rec->was_written = !code && o->unless_done && w.earlier.written;
    if (rec->was_written)
        code = lp_fail(err, LP_LOCKED, "slot %s of %s was written already", w.slot_text, p->name);
    if (!code) code = conclude(&w, flow(&w, err), err);
    else code = tell_without_record(&w, code, err);
    release(&w);
    return code;
}

/* Reads what is to be done again; without failed items that could be asked by themselves w->again is NULL. */
static enum lp_code take_up(struct work *w, struct lp_again *again, struct lp_retry *how, struct lp_err *err)
{
    LP_TRY(begin_judge(w, err));
    LP_TRY(lp_again_read(again, &w->bindings, &w->judge, err));
    how->kind = again->nothing ? LP_RETRY_NOTHING : again->whole ? LP_RETRY_WHOLE : LP_RETRY_ITEMS;
    how->items = again->item_count;
    snprintf(how->reason, sizeof how->reason, "%s", again->reason);
    snprintf(w->rec->retry_of, sizeof w->rec->retry_of, "%s", again->run_id);
    w->rec->retries = true;
    w->rec->retried_whole = again->whole;
    if (again->nothing) {
        lp_json_put_value(&how->found, again->record);
        return lp_buf_code(&how->found, "the run record", err);
    }
    if (again->whole) lp_judge_release(&w->judge);
    else w->again = again;
    return LP_OK;
}

/* What failed before anything was published leaves the slot and its record as they were. */
static enum lp_code conclude_retry(struct work *w, enum lp_code code, struct lp_err *err)
{
    bool untouched = code && w->again && !w->publishes;
    return untouched ? tell_without_record(w, code, err) : conclude(w, code, err);
}

enum lp_code lp_retry(struct lp_pipeline *p, const struct lp_run_options *o, struct lp_record *rec, struct lp_retry *how,
                      struct lp_err *err)
{
    struct work w = {.pipeline = p, .options = o, .rec = rec, .writes = true};
    struct lp_again again = {.pipeline = p, .layout = &w.layout};
    struct lp_err local;
    if (!err) err = &local;
    *how = (struct lp_retry){0};
    enum lp_code code = take_slot(&w, err);
    again.store = w.store;
    if (!code) code = take_up(&w, &again, how, err);
    bool runs = !code && how->kind != LP_RETRY_NOTHING;
    if (runs) code = conclude_retry(&w, flow(&w, err), err);
    else if (code) finish_record(rec);
    if (!w.again) lp_again_release(&again);
    release(&w);
    return code;
}

enum lp_code lp_preview(struct lp_pipeline *p, const struct lp_run_options *o, uint64_t n, struct lp_record *rec,
                        struct lp_err *err)
{
    struct work w = {.pipeline = p, .options = o, .rec = rec};
    begin_record(&w);
    enum lp_code code = plan(&w, n, err);
    if (!code) code = take_replies(&w, err);
    count(&w);
    if (!code) code = require_answers(rec, err);
    if (!code) rec->status = rec->requests.failed ? LP_RUN_PARTIAL : LP_RUN_OK;
    finish_record(rec);
    release(&w);
    return code;
}
