#include "serve/fire.h"

#include "base/cancel.h"
#include "base/clock.h"
#include "base/secret.h"
#include "pipeline/run.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

#define NOTICE_BYTES sizeof(((struct lp_fire_report *)0)->notice)
#define ANSWER_BYTES (sizeof(struct lp_fire_report) + 64)

struct firing {
    const struct lp_roster *roster;
    const struct lp_served *served;
    int64_t slot_us;
};

/* ---- the child ---- */

static void fill(const struct lp_record *rec, enum lp_code code, const struct lp_err *why, struct lp_fire_report *r)
{
    *r = (struct lp_fire_report){.code = code, .status = code ? LP_RUN_FAILED : rec->status, .duration_ms = rec->duration_ms};
    r->was_written = rec->was_written;
    r->rows = rec->rows.written;
    r->quarantined = rec->rows.quarantined;
    r->failed = rec->requests.failed;
    r->retries = rec->requests.retried;
    const char *label = rec->failure_count ? rec->failures[0].label : NULL;
    if (code) snprintf(r->error, sizeof r->error, "%.590s", why->text);
    else if (rec->failure_count)
        snprintf(r->error, sizeof r->error, "%s%s%s", label ? label : "", label ? ": " : "", rec->failures[0].error);
    for (size_t i = 0; i < rec->telling.count && !*r->said; i++)
        if (!rec->telling.list[i].ok)
            snprintf(r->said, sizeof r->said, "notify: %s: %s", rec->telling.list[i].to, rec->telling.list[i].error);
    lp_secret_mask_text(r->error, sizeof r->error);
    lp_secret_mask_text(r->said, sizeof r->said);
}

/* notify: { to: stderr } */
static void hear(void *who, const struct lp_notice *n, const struct lp_message *message)
{
    char *notice = who;
    (void)n;
    snprintf(notice, NOTICE_BYTES, "%s", lp_buf_text(&message->subject));
}

static enum lp_code work(void *arg, struct lp_buf *out, struct lp_err *err)
{
    const struct firing *f = arg;
    char notice[NOTICE_BYTES] = "";
    struct lp_pipeline p;
    struct lp_record rec = {0};
    struct lp_aws *aws = NULL;
    struct lp_err why = {0};
    struct lp_fire_report report = {0};
    char name[16];
    snprintf(name, sizeof name, "%s", f->served->name); /* as lists of processes show it */
    prctl(PR_SET_NAME, name);
    lp_cancel_install();
    enum lp_code code = lp_served_load(f->roster, f->served, &p, &why);
    if (!code) code = lp_aws_new(&f->roster->aws, &aws, &why);
    const struct lp_run_options o = {.slot_us = f->slot_us, .aws = aws, .unless_done = true,
                                     .replay_folder = f->roster->replay, .say = hear, .who_says = notice};
    if (!code) code = lp_run(&p, &o, &rec, &why);
    fill(&rec, code, &why, &report);
    memcpy(report.notice, notice, sizeof notice);
    lp_buf_put(out, (const char *)&report, sizeof report);
    lp_aws_free(aws);
    lp_record_release(&rec);
    lp_pipeline_release(&p);
    return lp_buf_code(out, "the report", err);
}

/* ---- the service ---- */

enum lp_code lp_firing_start(struct lp_firing *f, struct lp_errands *all, const struct lp_roster *r, int64_t now_us,
                             struct lp_err *err)
{
    struct firing what = {r, f->served, f->fire.slot_us};
    int64_t limit_ms = f->served->rules.time_limit_ms;
    const struct lp_errand_limits limits = {ANSWER_BYTES, limit_ms + 2 * LP_FIRE_GRACE_MS}; /* it is asked before */
    f->began_us = now_us;
    f->stop_us = lp_clock_monotonic_us() + limit_ms * 1000;
    f->asked = false;
    return lp_errand_start(all, work, &what, &limits, &f->errand, err);
}

void lp_firing_stop(struct lp_firing *f)
{
    if (f->asked) return;
    lp_errand_signal(f->errand, SIGTERM);
    lp_errand_end_by(f->errand, lp_clock_monotonic_us() + LP_FIRE_GRACE_MS * INT64_C(1000));
    f->asked = true;
}

int64_t lp_firing_until_us(const struct lp_firing *f)
{
    return f->asked ? lp_errand_until_us(f->errand) : f->stop_us;
}

static enum lp_fire_outcome judge(const struct lp_fire_report *r)
{
    if (!r->code) return LP_FIRE_DONE;
    if (r->code == LP_LOCKED) return r->was_written ? LP_FIRE_ELSEWHERE : LP_FIRE_BUSY;
    return r->code == LP_CONFIG || r->code == LP_USAGE ? LP_FIRE_REFUSED : LP_FIRE_FAILED;
}

/* It said nothing before it ended: it crashed, or was killed. */
static void tell_of_silence(const struct lp_firing *f, const struct lp_err *err, struct lp_fire_report *r)
{
    char limit[LP_TIME_TEXT_BYTES];
    *r = (struct lp_fire_report){.code = err->code ? err->code : LP_IO, .status = LP_RUN_FAILED};
    r->duration_ms = (lp_clock_now_us() - f->began_us) / 1000;
    lp_duration_format(f->served->rules.time_limit_ms, limit);
    if (err->code == LP_BUSY && lp_clock_monotonic_us() < f->stop_us)
        snprintf(r->error, sizeof r->error, "it was killed: it did not end within %d s when it was asked to", LP_FIRE_GRACE_MS / 1000);
    else if (err->code == LP_BUSY)
        snprintf(r->error, sizeof r->error, "it was killed: it went on past its time limit of %s", limit);
    else snprintf(r->error, sizeof r->error, "%.590s", err->text);
}

bool lp_firing_turn(struct lp_firing *f, struct lp_fire_report *report, enum lp_fire_outcome *outcome)
{
    struct lp_err err = {0};
    char limit[LP_TIME_TEXT_BYTES];
    bool too_long = lp_clock_monotonic_us() >= f->stop_us;
    if (too_long) lp_firing_stop(f);
    enum lp_errand_state state = lp_errand_turn(f->errand, &err);
    if (state == LP_ERRAND_RUNNING) return false;
    const struct lp_buf *answer = lp_errand_answer(f->errand);
    if (state == LP_ERRAND_DONE && answer->len == sizeof *report) memcpy(report, lp_buf_text(answer), sizeof *report);
    else tell_of_silence(f, &err, report);
    if (report->code == LP_CANCELLED && too_long) {
        lp_duration_format(f->served->rules.time_limit_ms, limit);
        report->code = LP_LIMIT;
        snprintf(report->error, sizeof report->error, "it was stopped at its time limit of %s; schedule: { time_limit: … } allows more",
                 limit);
    }
    *outcome = judge(report);
    return true;
}

void lp_firing_release(struct lp_firing *f)
{
    lp_errand_free(&f->errand);
}
