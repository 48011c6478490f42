#include "pipeline/merge.h"

#include "base/cancel.h"
#include "base/clock.h"
#include "lake/catalog.h"
#include "pipeline/merge_shares.h"
#include "pipeline/record_read.h"
#include "pipeline/tell.h"

#include <stdio.h>
#include <stdlib.h>

struct merging {
    struct lp_pipeline *pipeline;
    struct lp_run_options options; /* of the whole */
    struct lp_record *rec;
    struct lp_store *store;
    struct lp_lock *lock;
    struct lp_layout whole;
    struct lp_judge judge;
    struct lp_output output;   /* it has no files: it knows where quarantines lie */
    struct lp_earlier earlier; /* what lies in this slot already */
    struct lp_lines refused;
    struct lp_shares shares;
    struct lp_history history;
    struct lp_bindings bindings;
    char slot_text[LP_TIME_TEXT_BYTES];
    bool moot; /* there is nothing to merge: the slot's record stays as it is */
    bool recorded;
};

static void begin(struct merging *m)
{
    char slot[LP_TIME_TEXT_BYTES];
    struct lp_record *rec = m->rec;
    lp_time_format_slot(m->options.slot_us, slot);
    *rec = (struct lp_record){.pipeline = m->pipeline->name, .slot_us = m->options.slot_us, .status = LP_RUN_FAILED};
    rec->started_us = lp_clock_now_us();
    rec->shards = m->shares.count;
    snprintf(rec->run_id, sizeof rec->run_id, "%s-%llx", slot, (unsigned long long)rec->started_us);
    lp_run_bind(m->pipeline, rec->slot_us, rec->run_id, &m->bindings, m->slot_text);
    m->shares.pipeline = m->pipeline;
    m->shares.slot_us = rec->slot_us;
    m->shares.rec = rec;
    m->shares.judge = &m->judge;
    m->shares.refused = &m->refused;
}

static enum lp_code lock_slot(struct merging *m, struct lp_err *err)
{
    LP_AUTO(lp_buf) key = {.max_bytes = LP_STORE_KEY_BYTES};
    const struct lp_sink *sink = &m->pipeline->sink;
    m->whole = (struct lp_layout){sink, m->pipeline->name, m->options.slot_us, 0, 0};
    LP_TRY(lp_store_open(sink->root, &sink->s3, m->options.aws, &m->store, err));
    m->shares.store = m->store;
    lp_layout_put_lock_key(&m->whole, &key);
    LP_TRY(lp_buf_code(&key, "the lock's name", err));
    enum lp_code code = m->store->ops->lock(m->store, lp_buf_text(&key), &m->lock, err);
    m->shares.lock = m->lock;
    if (code == LP_LOCKED)
        return lp_wrap(err, LP_LOCKED, "slot %s of %s is being run already; wait for that run to end", m->slot_text,
                       m->pipeline->name);
    return code;
}

/* When the slot was last run whole and wrote its rows: what shares wrote before is gone or not wanted any more. */
static enum lp_code read_whole(struct merging *m, struct lp_err *err)
{
    LP_AUTO(lp_buf) key = {.max_bytes = LP_STORE_KEY_BYTES};
    LP_AUTO(lp_arena) arena = {0};
    const json_t *record = NULL;
    enum lp_run_status status;
    lp_layout_put_record_key(&m->whole, &key);
    LP_TRY(lp_buf_code(&key, "the record's name", err));
    enum lp_code code = lp_record_load(m->store, lp_buf_text(&key), &arena, &record, err);
    if (code) return code == LP_NOTFOUND || code == LP_DATA ? LP_OK : code;
    if (!lp_record_count(record, "shards") && lp_record_status(record, &status) && status != LP_RUN_FAILED)
        m->shares.whole_us = lp_record_time(record, "finished_at");
    return LP_OK;
}

static enum lp_code prepare(struct merging *m, struct lp_err *err)
{
    struct lp_pipeline *p = m->pipeline;
    LP_TRY(lp_record_read_earlier(m->store, &m->whole, m->lock->orderly, &m->earlier, err));
    LP_TRY(lp_lines_init(&m->refused, lp_buf_text(&m->earlier.refused), err));
    if (m->earlier.shards == m->shares.count) m->earlier.shards = 0; /* their quarantines are those of now */
    LP_TRY(lp_record_read_shares(m->store, &m->whole, &m->earlier, err));
    if (m->earlier.any) LP_TRY(read_whole(m, err));
    LP_TRY(lp_judge_init(&m->judge, &p->quality, &p->checks, &p->columns, err));
    if (lp_catalog_in_glue_as_csv(&p->sink)) lp_judge_require_one_line(&m->judge);
    return lp_output_begin(&m->output, m->store, &m->whole, &p->columns, &p->source.each, &m->bindings, err);
}

/* ---- judging ---- */

static enum lp_code fail_all(const struct merging *m, struct lp_err *err)
{
    const struct lp_record *rec = m->rec;
    return lp_fail(err, LP_REMOTE, "none of the %llu shards wrote anything; %s", (unsigned long long)m->shares.count,
                   rec->failure_count ? rec->failures[0].error : "their records say why");
}

static void count(struct merging *m)
{
    struct lp_record *rec = m->rec;
    rec->rows.read = m->judge.rows_read;
    rec->rows.quarantined = m->judge.rows_bad;
    if (m->judge.quality) lp_judge_rules(&m->judge, &rec->checks_passed, &rec->checks_failed);
    rec->warnings = m->judge.warnings;
    rec->shards_failed = m->shares.of_state[LP_SHARE_ABSENT] + m->shares.of_state[LP_SHARE_FAILED] +
                         m->shares.of_state[LP_SHARE_OUTDATED];
    if (m->shares.of_state[LP_SHARE_COUNTS]) rec->shards_failed += m->shares.of_state[LP_SHARE_REFUSED];
}

/* Why there are no rows is said by those who brought none, not by min_rows. */
static enum lp_code gate(struct merging *m, struct lp_err *err)
{
    const struct lp_record *rec = m->rec;
    const uint64_t *of = m->shares.of_state;
    bool again = !of[LP_SHARE_COUNTS];
    count(m);
    if (again && !of[LP_SHARE_REFUSED]) {
        m->moot = of[LP_SHARE_OUTDATED];
        if (!m->moot) return fail_all(m, err);
        return lp_fail(err, LP_DATA, "the slot was run whole after its shards, and stays so; run the shards again first");
    }
    if (!rec->requests.ok && rec->requests.failed)
        return lp_fail(err, LP_REMOTE, "no item was answered: %s", rec->failure_count ? rec->failures[0].error : "");
    if (!rec->rows.read && rec->shards_failed && m->pipeline->quality.min_rows) return fail_all(m, err);
    LP_TRY(lp_quality_gate(&m->judge, err));
    if (!again) return LP_OK;
    return lp_fail(err, LP_GATE, "the rows of its shards were refused before, and are gone; run the shards again");
}

/* ---- what stands, and what does not ---- */

static void put_file_keys(const struct merging *m, struct lp_buf *out)
{
    for (size_t i = 0; i < m->rec->file_count; i++) lp_record_put_key(&m->whole, m->rec->files[i].url, out);
}

/* As a run does: what an earlier one left and this one does not have. */
static enum lp_code remove_stale(struct merging *m, struct lp_err *err)
{
    LP_AUTO(lp_buf) ours = {0};
    LP_AUTO(lp_lines) have = {0}, before = {0};
    put_file_keys(m, &ours);
    lp_buf_puts(&ours, lp_buf_text(&m->shares.kept));
    LP_TRY(lp_buf_code(&ours, "the names of the files", err));
    LP_TRY(lp_lines_init(&have, lp_buf_text(&ours), err));
    LP_TRY(lp_lines_init(&before, lp_buf_text(&m->earlier.keys), err));
    for (size_t i = 0; i < before.count; i++) {
        if (lp_lines_have(&have, before.list[i])) continue;
        LP_TRY(m->lock->ops->renew(m->lock, err));
        LP_TRY(m->store->ops->remove(m->store, before.list[i], err));
    }
    LP_TRY(lp_shares_withdraw(&m->shares, LP_SHARE_OUTDATED, err));
    LP_TRY(lp_shares_withdraw(&m->shares, LP_SHARE_REFUSED, err));
    return lp_output_publish_quarantine(&m->output, &m->earlier, err);
}

static enum lp_code flow(struct merging *m, struct lp_err *err)
{
    struct lp_record *rec = m->rec;
    LP_TRY(lp_shares_read(&m->shares, err));
    if (!m->shares.of_state[LP_SHARE_COUNTS]) LP_TRY(lp_shares_add_refused(&m->shares, err));
    LP_TRY(gate(m, err));
    LP_TRY(lp_cancel_check(err));
    LP_TRY(remove_stale(m, err));
    rec->rows.written = rec->rows.read - rec->rows.quarantined;
    if (m->shares.kept.len && !(rec->kept_keys = strdup(lp_buf_text(&m->shares.kept)))) return lp_nomem(err);
    rec->status = rec->shards_failed || rec->requests.failed ? LP_RUN_PARTIAL : LP_RUN_OK;
    return LP_OK;
}

/* ---- the record ---- */

static void finish_times(struct lp_record *rec)
{
    if (!rec->finished_us) rec->finished_us = lp_clock_now_us();
    rec->duration_ms = (rec->finished_us - rec->started_us + 500) / 1000;
    if (rec->duration_ms < 0) rec->duration_ms = 0;
}

/* The runs that count no more: as before where it failed otherwise, else those that were refused then or are now. */
static enum lp_code note_refused(struct merging *m, enum lp_code code, struct lp_err *err)
{
    LP_AUTO(lp_buf) runs = {0};
    if (code && code != LP_GATE) lp_buf_puts(&runs, lp_buf_text(&m->earlier.refused));
    else
        for (uint64_t i = 0; i < m->shares.count; i++) {
            const struct lp_share *s = &m->shares.list[i];
            if (s->state == LP_SHARE_REFUSED || (code && s->state == LP_SHARE_COUNTS))
                lp_buf_printf(&runs, "%s\n", s->run_id);
        }
    LP_TRY(lp_buf_code(&runs, "the refused shards", err));
    if (!runs.len) return LP_OK;
    m->rec->refused = strdup(lp_buf_text(&runs));
    return m->rec->refused ? LP_OK : lp_nomem(err);
}

/* Of a slot that failed no file is written; those that stand all the same are kept: what an earlier run left, what shares
 * have. */
static enum lp_code note_kept(struct merging *m, struct lp_err *err)
{
    struct lp_record *rec = m->rec;
    LP_AUTO(lp_buf) all = {0}, kept = {0};
    LP_AUTO(lp_lines) lines = {0}, gone = {0};
    lp_buf_puts(&all, lp_buf_text(&m->earlier.keys));
    lp_buf_puts(&all, lp_buf_text(&m->shares.kept));
    put_file_keys(m, &all);
    LP_TRY(lp_buf_code(&all, "the names of what stands", err));
    LP_TRY(lp_lines_init(&lines, lp_buf_text(&all), err));
    LP_TRY(lp_lines_init(&gone, lp_buf_text(&m->shares.gone), err));
    for (size_t i = 0; i < lines.count; i++)
        if ((!i || strcmp(lines.list[i - 1], lines.list[i]) != 0) && !lp_lines_have(&gone, lines.list[i]))
            lp_buf_printf(&kept, "%s\n", lines.list[i]);
    LP_TRY(lp_buf_code(&kept, "the names of what stands", err));
    free(rec->kept_keys);
    rec->kept_keys = strdup(lp_buf_text(&kept));
    return rec->kept_keys ? LP_OK : lp_nomem(err);
}

static enum lp_code publish_record(struct merging *m, struct lp_err *err)
{
    struct lp_record shown = *m->rec;
    if (shown.status == LP_RUN_FAILED) shown.file_count = 0; /* they are known until they are removed */
    LP_TRY(m->lock->ops->renew(m->lock, err));
    enum lp_code code = lp_record_publish(&shown, m->store, &m->whole, err);
    m->rec->record_url = shown.record_url;
    m->recorded |= !code;
    return code;
}

static void forget_files(struct lp_record *rec)
{
    for (size_t i = 0; i < rec->file_count; i++) free(rec->files[i].url);
    rec->file_count = 0;
}

/* The record that says so comes first, then the files go: see merge.h. */
static enum lp_code refuse(struct merging *m, struct lp_err *err)
{
    struct lp_err ignored;
    LP_TRY(publish_record(m, err));
    enum lp_code code = lp_shares_withdraw(&m->shares, LP_SHARE_COUNTS, err);
    if (!code) code = lp_shares_withdraw(&m->shares, LP_SHARE_REFUSED, err);
    if (!code) code = lp_output_publish_quarantine(&m->output, &m->earlier, err);
    enum lp_code kept = note_kept(m, code ? &ignored : err);
    return code ? code : kept;
}

/* "Nothing was published" is not so as long as files of shares stand. */
static enum lp_code not_removed(struct lp_err *err, const struct lp_err *why)
{
    struct lp_err said = *err;
    return lp_fail(err, said.code, "%.300s; but files of its shards may still stand: %.200s; merge again", said.text,
                   why->text);
}

static enum lp_code write_record(struct merging *m, enum lp_code code, struct lp_err *err)
{
    struct lp_record *rec = m->rec;
    struct lp_err local = {0}, ignored;
    count(m);
    finish_times(rec);
    enum lp_code noted = LP_OK;
    if (code) {
        rec->status = LP_RUN_FAILED;
        noted = lp_record_add_failure(rec, NULL, NULL, err->text, &local);
        if (!noted) noted = note_kept(m, &local);
    }
    if (!noted) noted = note_refused(m, code, &local);
    if (!noted && code == LP_GATE) noted = refuse(m, &local);
    if (code) forget_files(rec);
    if (!noted) noted = publish_record(m, &local);
    else if (m->recorded) (void)!publish_record(m, &ignored);
    if (!noted && (!m->lock->orderly || !lp_sink_one_partition(m->whole.sink)))
        noted = lp_record_drop_intent(m->store, &m->whole, &local);
    if (code == LP_GATE && noted) return not_removed(err, &local);
    if (code || !noted) return code;
    rec->status = LP_RUN_FAILED;
    return lp_fail(err, noted, "the rows are written, the run record is not: %s", local.text);
}

static void tell(struct merging *m, enum lp_code code, const struct lp_err *why)
{
    struct lp_err err;
    struct lp_record *rec = m->rec;
    if (m->lock) (void)!m->lock->ops->renew(m->lock, &err);
    if (!lp_cancel_signal()) lp_cancel_heed(); /* telling may take long */
    lp_run_tell(m->pipeline, &m->options, &m->judge, &m->output, &m->history, code, why, rec);
    lp_cancel_wind_up();
    if (!rec->telling.count || !m->recorded) return;
    if (publish_record(m, &err)) lp_run_note_telling(rec, "the run record", &err);
}

/* As run.c does: the record stands before anybody is told. */
static enum lp_code conclude(struct merging *m, enum lp_code code, struct lp_err *err)
{
    struct lp_err ignored;
    lp_cancel_wind_up();
    if (m->moot) return code;
    if (lp_run_wants_history(m->pipeline, code) && lp_history_read(m->store, &m->whole, &m->history, &ignored))
        m->history = (struct lp_history){0};
    code = write_record(m, code, err);
    tell(m, code, err);
    return code;
}

/* What could not begin tells why as well; the record in the lake is another's. */
static enum lp_code tell_without_record(struct merging *m, enum lp_code code, const struct lp_err *err)
{
    struct lp_err ignored;
    lp_cancel_wind_up();
    finish_times(m->rec);
    if (lp_record_add_failure(m->rec, NULL, NULL, err->text, &ignored)) return LP_NOMEM;
    tell(m, code, err);
    return code;
}

static void release(struct merging *m)
{
    if (m->lock) m->lock->unfinished = !m->recorded && !m->lock->orderly;
    lp_shares_release(&m->shares);
    lp_output_release(&m->output);
    lp_judge_release(&m->judge);
    lp_lines_release(&m->refused);
    lp_earlier_release(&m->earlier);
    lp_lock_release(&m->lock);
    lp_store_free(m->store);
}

enum lp_code lp_merge(struct lp_pipeline *p, const struct lp_run_options *o, struct lp_record *rec, struct lp_err *err)
{
    struct merging m = {.pipeline = p, .options = *o, .rec = rec, .shares.count = o->shards};
    struct lp_err local;
    if (!err) err = &local;
    m.options.shards = 0;
    begin(&m);
    enum lp_code code = lock_slot(&m, err);
    if (!code) code = prepare(&m, err);
    if (!code) code = conclude(&m, flow(&m, err), err);
    else code = tell_without_record(&m, code, err);
    release(&m);
    return code;
}
