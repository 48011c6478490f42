/* One examination from beginning to end, and what comes of it. */
#include "deploy/doctor.h"

#include "base/clock.h"
#include "base/xml.h"
#include "deploy/examination.h"

#include <stdlib.h>

#define CLOCK_OFF_S 240

/* ---- whose keys, and do they work at all? ---- */

static enum lp_code note_endpoint(struct lp_examination *x, const char *service, struct lp_err *err)
{
    struct lp_diagnosis *d = x->d;
    LP_AUTO(lp_buf) url = {0};
    bool called = strcmp(service, "kms") != 0; /* S3 and the others call it */
    for (size_t i = 0; i < d->endpoint_count; i++) called &= strcmp(d->endpoints[i].service, service) != 0;
    if (!called || d->endpoint_count == LP_DOCTOR_SERVICES) return LP_OK;
    LP_TRY(lp_aws_put_endpoint(x->aws, service, &url, err));
    d->endpoints[d->endpoint_count].service = service;
    d->endpoints[d->endpoint_count++].url = lp_examination_text(x, "%s", lp_buf_text(&url));
    return LP_OK;
}

/* "arn:aws:sts::123456789012:assumed-role/…": who it is, and in which of AWS's partitions. */
static enum lp_code read_identity(struct lp_examination *x, const struct lp_aws_reply *reply, struct lp_err *err)
{
    struct lp_diagnosis *d = x->d;
    char *arn = NULL, *account = NULL;
    const char *body = lp_buf_text(&reply->body);
    enum lp_code code = lp_xml_find(body, reply->body.len, "Arn", &arn, err);
    if (!code) code = lp_xml_find(body, reply->body.len, "Account", &account, err);
    if (!code) {
        LP_AUTO(lp_buf) shown = {0};
        lp_text_put_visible(&shown, arn, strlen(arn));
        d->arn = lp_examination_text(x, "%s", lp_buf_text(&shown));
        if (strspn(account, "0123456789") == 12 && !account[12])
            d->account.number = lp_examination_text(x, "%s", account);
        if (!strncmp(d->arn, "arn:", 4))
            d->account.partition = lp_examination_text(x, "%.*s", (int)strcspn(d->arn + 4, ":"), d->arn + 4);
    }
    free(arn);
    free(account);
    return code == LP_NOMEM ? code : LP_OK;
}

static enum lp_code check_clock(struct lp_examination *x, const struct lp_aws_reply *reply, struct lp_err *err)
{
    struct lp_slice date;
    char text[64], off[LP_TIME_TEXT_BYTES];
    int64_t there_us;
    if (!lp_aws_reply_header(reply, "date", &date)) return LP_OK;
    snprintf(text, sizeof text, "%.*s", (int)(date.len < 63 ? date.len : 63), date.at);
    if (!lp_time_parse_http(text, &there_us)) return LP_OK;
    int64_t ahead_s = (there_us - lp_clock_now_us()) / 1000000;
    if (llabs(ahead_s) < CLOCK_OFF_S) return LP_OK;
    lp_duration_format(llabs(ahead_s) * 1000, off);
    return lp_finding_add(x, LP_VERDICT_MISSING, "clock",
                          lp_examination_text(x,
                                              "this machine's clock is %s %s AWS's; set it (timedatectl set-ntp true), "
                                              "since slots and schedules go by it",
                                              off, ahead_s > 0 ? "behind" : "ahead of"),
                          err);
}

static enum lp_code ask_who(struct lp_examination *x, struct lp_err *err)
{
    static const char body[] = "Action=GetCallerIdentity&Version=2011-06-15";
    const struct lp_aws_request q = {
        .service = "sts", .body = body, .body_len = sizeof body - 1, .total_ms = LP_DOCTOR_CALL_MS};
    struct lp_aws_reply reply = {0};
    struct lp_trial t = {0};
    struct lp_err local = {0};
    enum lp_code code = lp_aws_call(x->aws, &q, &reply, &local);
    enum lp_code judged = lp_trial_judge(x, &t, "sts:GetCallerIdentity", 0, code, &reply, &local);
    if (judged) lp_fail(err, judged, "%s", local.text);
    if (!judged && !code) judged = read_identity(x, &reply, err);
    if (!judged && !x->d->problem) judged = check_clock(x, &reply, err);
    if (!judged && code && !x->d->problem)
        judged = lp_finding_add(x, LP_VERDICT_UNKNOWN, "sts:GetCallerIdentity",
                                lp_examination_text(x, "the account is not known: %s", local.text), err);
    x->silence = NULL; /* without STS the account is not known, and all else goes on */
    lp_aws_reply_release(&reply);
    return judged;
}

/* Until STS says better. */
static const char *partition_of(const char *region)
{
    if (!strncmp(region, "cn-", 3)) return "aws-cn";
    return !strncmp(region, "us-gov-", 7) ? "aws-us-gov" : "aws";
}

static enum lp_code find_keys(struct lp_examination *x, struct lp_err *err)
{
    struct lp_diagnosis *d = x->d;
    const char *region;
    LP_TRY(lp_aws_identify(x->aws, &d->keys, err));
    LP_TRY(lp_aws_region(x->aws, &region, err));
    d->account.region = lp_examination_text(x, "%s", region);
    d->account.partition = partition_of(region);
    LP_TRY(note_endpoint(x, "sts", err));
    for (size_t i = 0; i < d->needs.count; i++) LP_TRY(note_endpoint(x, d->needs.list[i].service, err));
    return LP_OK;
}

/* ---- what came of the tries ---- */

static enum lp_code add_permission(struct lp_examination *x, size_t i, struct lp_err *err)
{
    const struct lp_permission *need = &x->d->needs.list[i];
    const struct lp_trial *t = &x->trials[i];
    enum lp_verdict verdict = t->tried ? t->verdict : LP_VERDICT_UNKNOWN;
    if (need->own_key && verdict != LP_VERDICT_MISSING) return LP_OK;
    const char *of = need->of ? lp_examination_text(x, " (%s)", need->of) : "";
    const char *text = lp_examination_text(x, "%s%s", need->why, of);
    if (verdict == LP_VERDICT_MISSING)
        text = lp_examination_text(x, "refused; %s%s%s", text, t->text ? "; " : "", t->text ? t->text : "");
    else if (verdict == LP_VERDICT_UNKNOWN)
        text = lp_examination_text(x, "%s; %s", text, t->text ? t->text : "not tried");
    struct lp_permission *left = lp_arena_alloc(&x->d->arena, sizeof *left);
    if (!left) return lp_arena_code(&x->d->arena, err);
    *left = *need;
    if (verdict == LP_VERDICT_MISSING) {
        left->resource_count = 0;
        for (size_t r = 0; r < need->resource_count; r++)
            if (t->refused[r]) left->resources[left->resource_count++] = need->resources[r];
    }
    LP_TRY(lp_finding_add(x, verdict, need->action, text, err));
    x->d->list[x->d->count - 1].permission = left;
    x->d->list[x->d->count - 1].forbidden = t->forbidden;
    return LP_OK;
}

static enum lp_code examine_aws(struct lp_examination *x, struct lp_err *err)
{
    struct lp_diagnosis *d = x->d;
    struct lp_err local = {0};
    enum lp_code code = find_keys(x, &local);
    if (code == LP_NOMEM || code == LP_CANCELLED) return lp_fail(err, code, "%s", local.text);
    if (code) d->problem = lp_examination_text(x, "%s", local.text);
    else LP_TRY(ask_who(x, err));
    LP_TRY(lp_permissions_fill(&d->needs, &d->account, &d->arena, err));
    if (!d->problem) LP_TRY(lp_examine_s3(x, err));
    if (!d->problem) LP_TRY(lp_examine_services(x, err));
    if (!d->problem) LP_TRY(lp_examine_by_simulation(x, err));
    for (size_t i = 0; i < d->needs.count; i++) LP_TRY(add_permission(x, i, err));
    return LP_OK;
}

enum lp_code lp_doctor_examine(const struct lp_pipeline *p, struct lp_aws *aws, struct lp_diagnosis *d,
                               struct lp_err *err)
{
    *d = (struct lp_diagnosis){.pipeline = p->name};
    struct lp_examination x = {.p = p, .aws = aws, .d = d};
    lp_arena_init(&d->arena, (size_t)16 << 20);
    LP_TRY(lp_permissions_of(p, &d->arena, &d->needs, err));
    x.trials = lp_arena_zalloc(&d->arena, (d->needs.count + 1) * sizeof *x.trials);
    if (!x.trials) return lp_arena_code(&d->arena, err);
    LP_TRY(lp_examine_here(&x, err));
    if (d->needs.count) LP_TRY(examine_aws(&x, err));
    return x.starved ? lp_arena_code(&d->arena, err) : LP_OK;
}

void lp_diagnosis_release(struct lp_diagnosis *d)
{
    free(d->list);
    lp_arena_release(&d->arena);
    *d = (struct lp_diagnosis){0};
}

/* ---- what is said of it ---- */

struct lp_tally lp_diagnosis_tally(const struct lp_diagnosis *d)
{
    struct lp_tally t = {0};
    for (size_t i = 0; i < d->count; i++) {
        const struct lp_finding *f = &d->list[i];
        if (!f->permission) {
            t.others_missing += f->verdict == LP_VERDICT_MISSING;
            continue;
        }
        t.permissions++;
        t.fine += f->verdict == LP_VERDICT_FINE;
        t.missing += f->verdict == LP_VERDICT_MISSING;
        t.unknown += f->verdict == LP_VERDICT_UNKNOWN;
    }
    return t;
}

bool lp_diagnosis_is_well(const struct lp_diagnosis *d)
{
    struct lp_tally t = lp_diagnosis_tally(d);
    return !d->problem && !t.missing && !t.others_missing;
}

static const char *first_missing(const struct lp_diagnosis *d)
{
    for (size_t i = 0; i < d->count; i++)
        if (!d->list[i].permission && d->list[i].verdict == LP_VERDICT_MISSING) return d->list[i].text;
    return "";
}

static void put_share(size_t n, size_t of, struct lp_buf *out)
{
    lp_buf_printf(out, "%zu of %zu permission%s %s", n, of, of == 1 ? "" : "s", n == 1 ? "is" : "are");
}

void lp_diagnosis_put_headline(const struct lp_diagnosis *d, struct lp_buf *out)
{
    struct lp_tally t = lp_diagnosis_tally(d);
    lp_buf_puts(out, d->pipeline);
    if (d->problem) {
        lp_buf_printf(out, " cannot run on AWS: %s", d->problem);
    } else if (t.missing) {
        lp_buf_puts(out, " cannot run on AWS yet: ");
        put_share(t.missing, t.permissions, out);
        lp_buf_puts(out, " missing");
        if (t.others_missing) lp_buf_printf(out, ", and %s", first_missing(d));
    } else if (t.others_missing) {
        lp_buf_printf(out, " is not ready: %s", first_missing(d));
    } else if (!t.permissions) {
        lp_buf_puts(out, " needs nothing from AWS, and what it needs here is there");
    } else {
        lp_buf_puts(out, t.unknown ? " can run on AWS as far as could be tried: " : " can run on AWS: ");
        put_share(t.fine, t.permissions, out);
        lp_buf_puts(out, " there");
        if (t.unknown) lp_buf_printf(out, ", %zu could not be tried", t.unknown);
    }
}

bool lp_diagnosis_put_policy(const struct lp_diagnosis *d, enum lp_verdict of, struct lp_buf *out)
{
    const struct lp_permission *list[64];
    size_t count = 0;
    for (size_t i = 0; i < d->count && count < LP_COUNT(list); i++)
        if (d->list[i].permission && d->list[i].verdict == of && !d->list[i].forbidden)
            list[count++] = d->list[i].permission;
    if (count) lp_policy_put(list, count, out);
    return count;
}
