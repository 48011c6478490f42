#include "pipeline/tell.h"

#include "base/clock.h"

#include <stdio.h>

bool lp_run_wants_history(const struct lp_pipeline *p, enum lp_code code)
{
    return code != LP_CANCELLED && lp_tell_wants(&p->notify, code ? LP_ON_FAILURE : LP_ON_RECOVERY);
}

/* 0: of this nobody is told. */
static unsigned event_of(const struct lp_notify *notify, const struct lp_record *rec, const struct lp_history *h,
                         enum lp_code code)
{
    if (code == LP_LOCKED || code == LP_CANCELLED) return 0;
    if (code) return LP_ON_FAILURE & notify->when;
    if (rec->status == LP_RUN_PARTIAL) return LP_ON_PARTIAL & notify->when;
    if (h->known && h->recovers && notify->when & LP_ON_RECOVERY) return LP_ON_RECOVERY;
    return LP_ON_SUCCESS & notify->when;
}

/* That of a shard begins with its label. */
static const char *error_of(const struct lp_record_failure *f)
{
    return f->item ? f->error : f->error + strlen(f->label) + 2;
}

static void take_record(struct lp_notice *n, const struct lp_record *rec)
{
    n->requests.total = rec->requests.total;
    n->requests.ok = rec->requests.ok;
    n->requests.failed = rec->requests.failed;
    n->requests.retried = rec->requests.retried;
    n->rows.read = rec->rows.read;
    n->rows.written = rec->rows.written;
    n->rows.quarantined = rec->rows.quarantined;
    n->shards = rec->shards;
    n->shards_failed = rec->shards_failed;
    n->record_url = rec->record_url;
    n->file_total = rec->file_count;
    for (size_t i = 0; i < rec->file_count && i < LP_NOTICE_FILES; i++)
        n->files[n->file_count++] = (struct lp_notice_file){rec->files[i].url, rec->files[i].rows, rec->files[i].bytes};
    for (size_t i = 0; i < rec->failure_count && n->failure_count < LP_NOTICE_FAILURES; i++)
        if (rec->failures[i].label)
            n->failures[n->failure_count++] =
                (struct lp_notice_failure){rec->failures[i].label, error_of(&rec->failures[i])};
}

/* The rules that most rows broke; names lie in `names`, one behind the other. */
static void take_reasons(struct lp_notice *n, const struct lp_judge *j, struct lp_buf names[LP_NOTICE_REASONS])
{
    size_t rules[LP_NOTICE_REASONS];
    for (size_t i = 0; j->rule_failures && i < j->rule_count; i++) {
        if (!j->rule_failures[i]) continue;
        n->reason_total++;
        size_t at = n->reason_count;
        while (at > 0 && j->rule_failures[rules[at - 1]] < j->rule_failures[i]) at--;
        if (at == LP_NOTICE_REASONS) continue;
        if (n->reason_count < LP_NOTICE_REASONS) n->reason_count++;
        for (size_t k = n->reason_count - 1; k > at; k--) rules[k] = rules[k - 1];
        rules[at] = i;
    }
    for (size_t i = 0; i < n->reason_count; i++) {
        lp_judge_put_rule(j, rules[i], &names[i]);
        n->reasons[i] = (struct lp_notice_reason){lp_buf_text(&names[i]), j->rule_failures[rules[i]]};
    }
}

/* A word for a shell. */
static void put_word(struct lp_buf *out, const char *word)
{
    if (*word && !word[strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-+:@%,")]) {
        lp_buf_puts(out, word);
        return;
    }
    lp_buf_putc(out, '\'');
    for (; *word; word++) {
        if (*word == '\'') lp_buf_puts(out, "'\\''");
        else lp_buf_putc(out, *word);
    }
    lp_buf_putc(out, '\'');
}

/* Of a slot that was run whole and is partial, only what failed is asked again. */
static void put_command(const struct lp_pipeline *p, const struct lp_run_options *o, const struct lp_record *rec,
                        struct lp_buf *out)
{
    char slot[LP_TIME_TEXT_BYTES];
    lp_time_format_iso(o->slot_us, slot);
    lp_buf_puts(out, rec->status == LP_RUN_PARTIAL && !rec->shards ? "lambda-pipeline retry " : "lambda-pipeline run ");
    put_word(out, p->path);
    lp_buf_printf(out, " --slot %s", slot);
}

void lp_run_note_telling(struct lp_record *rec, const char *what, const struct lp_err *err)
{
    struct lp_telling *t = &rec->telling;
    if (t->count == LP_COUNT(t->list)) t->count--;
    struct lp_told *told = &t->list[t->count++];
    *told = (struct lp_told){.event = LP_ON_FAILURE};
    snprintf(told->to, sizeof told->to, "%s", what);
    snprintf(told->error, sizeof told->error, "%.590s", err->text);
}

void lp_run_tell(const struct lp_pipeline *p, const struct lp_run_options *o, const struct lp_judge *judge,
                 const struct lp_output *output, const struct lp_history *h, enum lp_code code,
                 const struct lp_err *why, struct lp_record *rec)
{
    unsigned event = event_of(&p->notify, rec, h, code);
    if (!event || !lp_tell_wants(&p->notify, event)) return;
    LP_AUTO(lp_buf) again = {0}, quarantine = {0};
    struct lp_buf names[LP_NOTICE_REASONS] = {0};
    struct lp_err err = {0};
    struct lp_notice n = {.event = event,
                          .pipeline = p->name,
                          .status = lp_run_status_name(rec->status),
                          .run_id = rec->run_id,
                          .slot_us = rec->slot_us,
                          .duration_ms = rec->duration_ms,
                          .code = code,
                          .error = code ? why->text : NULL,
                          .history_known = h->known,
                          .failed_more = h->failed_more,
                          .failed_in_row = h->failed_in_row + (code || h->failed_here ? 1 : 0),
                          .worked_us = h->worked_us,
                          .next_us = INT64_MIN};
    const struct lp_messenger_means means = {.folder = p->folder, .aws = o->aws, .say = o->say, .who = o->who_says};
    put_command(p, o, rec, &again);
    n.again = lp_buf_text(&again);
    take_record(&n, rec);
    if (n.rows.quarantined) take_reasons(&n, judge, names);
    if (output->quarantine.published) {
        output->store->ops->put_url(output->store, output->quarantine.key, &quarantine);
        n.quarantine_url = lp_buf_text(&quarantine);
    }
    enum lp_code told = lp_tell(&p->notify, &means, &n, &rec->telling, &err);
    if (told && told != LP_CANCELLED) lp_run_note_telling(rec, "all who are to be told", &err);
    for (size_t i = 0; i < LP_COUNT(names); i++) lp_buf_release(&names[i]);
}
