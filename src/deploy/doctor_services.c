/* The services beside S3, each asked for something that it refuses for another reason once it is allowed. */
#include "base/json.h"
#include "base/xml.h"
#include "deploy/examination.h"

/* One call, judged. *found: false when it answered that what was asked for is not there. */
static enum lp_code ask(struct lp_examination *x, const struct lp_aws_request *q, struct lp_trial *t,
                        const char *action, bool *found, struct lp_err *err)
{
    struct lp_aws_reply reply = {0};
    struct lp_err local = {0};
    enum lp_code answer = lp_aws_call(x->aws, q, &reply, &local);
    enum lp_code code = lp_trial_judge(x, t, action, LP_ALL_RESOURCES, answer, &reply, &local);
    *found = answer != LP_NOTFOUND;
    lp_aws_reply_release(&reply);
    return code ? lp_fail(err, code, "%s", local.text) : LP_OK;
}

/* ---- Glue ---- */

static enum lp_code try_table(struct lp_examination *x, const char *arn, struct lp_err *err)
{
    const char *database = strstr(arn, ":table/"), *name = database ? strchr(database + 7, '/') : NULL;
    struct lp_json_writer w;
    bool found;
    LP_AUTO(lp_buf) body = {0}, part = {0};
    if (!name) return LP_OK;
    w = (struct lp_json_writer){.out = &body};
    lp_buf_put(&part, database + 7, (size_t)(name - database - 7));
    lp_json_open(&w, NULL, '{');
    lp_json_text(&w, "DatabaseName", lp_buf_text(&part));
    lp_json_text(&w, "Name", name + 1);
    lp_json_close(&w, '}');
    LP_TRY(lp_buf_code(&body, "what is asked of Glue", err));
    const struct lp_aws_request q = {.service = "glue",
                                     .target = "AWSGlue.GetTable",
                                     .body = lp_buf_text(&body),
                                     .body_len = body.len,
                                     .total_ms = LP_DOCTOR_CALL_MS};
    return ask(x, &q, lp_trial_of(x, "glue:GetTable", NULL), "glue:GetTable", &found, err);
}

static enum lp_code try_glue(struct lp_examination *x, struct lp_err *err)
{
    const struct lp_trial *t = lp_trial_of(x, "glue:GetTable", NULL);
    const struct lp_permission *need = t ? &x->d->needs.list[t - x->trials] : NULL;
    for (size_t i = 0; need && i < need->resource_count && !x->d->problem && !x->silence; i++)
        LP_TRY(try_table(x, need->resources[i], err));
    return lp_examination_note_silence(x, "glue", err);
}

/* ---- SNS ---- */

/* The topic's own region stands in its ARN. */
static const char *region_of(struct lp_examination *x, const char *arn)
{
    const char *at = arn;
    for (int colons = 0; colons < 3 && at; colons++) {
        at = strchr(at, ':');
        if (at) at++;
    }
    return at && strchr(at, ':') > at ? lp_examination_text(x, "%.*s", (int)strcspn(at, ":"), at) : NULL;
}

/* Neither an empty message is ever sent nor one that claims to be JSON and is none. */
static enum lp_code try_topic(struct lp_examination *x, const struct lp_permission *need, struct lp_err *err)
{
    bool found;
    LP_AUTO(lp_buf) body = {0};
    lp_buf_puts(&body, "Action=Publish&Version=2010-03-31&TopicArn=");
    lp_percent_encode(&body, need->of, strlen(need->of), "");
    lp_buf_puts(&body, "&MessageStructure=json&Message=");
    LP_TRY(lp_buf_code(&body, "what is asked of SNS", err));
    const struct lp_aws_request q = {.service = "sns",
                                     .region = region_of(x, need->of),
                                     .body = lp_buf_text(&body),
                                     .body_len = body.len,
                                     .total_ms = LP_DOCTOR_CALL_MS,
                                     .once = true};
    LP_TRY(ask(x, &q, lp_trial_of(x, "sns:Publish", need->of), "sns:Publish", &found, err));
    if (found) return LP_OK;
    return lp_finding_add(x, LP_VERDICT_MISSING, "notify.to",
                          lp_examination_text(x, "there is no topic %s; create it, or mend notify.to", need->of), err);
}

/* ---- secrets ---- */

/* Where no action is named, services say in their own words that a key was refused to them. */
static bool speaks_of_key(const char *text, const char *place)
{
    const char *words = strstr(text, place), *action = strstr(text, "to perform: ");
    if (action) return !strncmp(action + strlen("to perform: "), "kms:", 4);
    words = words ? words + strlen(place) : text;
    return strcasestr(words, "kms") || strcasestr(words, "ciphertext");
}

/* Read for real, as a run reads it; the value is masked from then on, and not kept here. */
static enum lp_code try_secret(struct lp_examination *x, const struct lp_permission *need, struct lp_err *err)
{
    struct lp_trial *t = lp_trial_of(x, need->action, need->of);
    struct lp_err local = {0};
    const char *value;
    enum lp_code code = lp_aws_secret(x->aws, need->of, &value, &local);
    if (code == LP_NOMEM || code == LP_CANCELLED || code == LP_BUG) return lp_fail(err, code, "%s", local.text);
    if (code == LP_AUTH && !speaks_of_key(local.text, need->of)) {
        lp_trial_set_refused(t, LP_ALL_RESOURCES);
    } else if (code == LP_AUTH) {
        lp_trial_set_fine(t);
        lp_trial_set_refused(lp_trial_of(x, "kms:Decrypt", need->of), LP_ALL_RESOURCES);
    } else if (code == LP_BUSY || code == LP_IO || code == LP_REMOTE) {
        lp_trial_set_unknown(t, lp_examination_text(x, "%s", local.text));
    } else {
        lp_trial_set_fine(t);
        if (code) return lp_finding_add(x, LP_VERDICT_MISSING, need->of, lp_examination_text(x, "%s", local.text), err);
    }
    return LP_OK;
}

enum lp_code lp_examine_services(struct lp_examination *x, struct lp_err *err)
{
    LP_TRY(try_glue(x, err));
    for (size_t i = 0; i < x->d->needs.count && !x->d->problem; i++) {
        const struct lp_permission *need = &x->d->needs.list[i];
        bool topic = !strcmp(need->service, "sns");
        if (topic && !x->silence) LP_TRY(try_topic(x, need, err));
        else if (need->of && !topic && !need->own_key) LP_TRY(try_secret(x, need, err));
    }
    return lp_examination_note_silence(x, "sns", err);
}

/* ---- what changes something when it is tried: IAM is asked instead ---- */

/* A role's keys are those of a session; IAM knows the role. */
static const char *principal_of(struct lp_examination *x)
{
    const char *arn = x->d->arn, *role = arn ? strstr(arn, ":assumed-role/") : NULL;
    if (!role) return arn;
    role += strlen(":assumed-role/");
    return lp_examination_text(x, "arn:%s:iam::%s:role/%.*s", x->d->account.partition, x->d->account.number,
                               (int)strcspn(role, "/"), role);
}

static enum lp_code take_decision(void *who, const char *path, const char *text, size_t len, struct lp_err *err)
{
    struct lp_trial *t = who;
    const char *name = strrchr(path, '/');
    (void)err;
    if (!name || (strcmp(name, "/EvalDecision") && strcmp(name, "/EvalResourceDecision"))) return LP_OK;
    if (len == 7 && !memcmp(text, "allowed", 7)) lp_trial_set_fine(t);
    else lp_trial_set_refused(t, LP_ALL_RESOURCES);
    if (len == 12 && !memcmp(text, "explicitDeny", 12)) lp_trial_set_forbidden(t);
    return LP_OK;
}

static enum lp_code simulate(struct lp_examination *x, const char *principal, size_t i, bool *may_ask,
                             struct lp_err *err)
{
    const struct lp_permission *need = &x->d->needs.list[i];
    struct lp_aws_reply reply = {0};
    struct lp_err local = {0};
    LP_AUTO(lp_buf) body = {0};
    lp_buf_puts(&body, "Action=SimulatePrincipalPolicy&Version=2010-05-08&PolicySourceArn=");
    lp_percent_encode(&body, principal, strlen(principal), "");
    lp_buf_puts(&body, "&ActionNames.member.1=");
    lp_percent_encode(&body, need->action, strlen(need->action), "");
    for (size_t r = 0; r < need->resource_count; r++) {
        lp_buf_printf(&body, "&ResourceArns.member.%zu=", r + 1);
        lp_percent_encode(&body, need->resources[r], strlen(need->resources[r]), "");
    }
    LP_TRY(lp_buf_code(&body, "what is asked of IAM", err));
    const struct lp_aws_request q = {.service = "iam",
                                     .body = lp_buf_text(&body),
                                     .body_len = body.len,
                                     .total_ms = LP_DOCTOR_CALL_MS,
                                     .once = true};
    enum lp_code code = lp_aws_call(x->aws, &q, &reply, &local);
    if (!code) code = lp_xml_read(lp_buf_text(&reply.body), reply.body.len, take_decision, &x->trials[i], &local);
    lp_aws_reply_release(&reply);
    if (code == LP_NOMEM || code == LP_CANCELLED) return lp_fail(err, code, "%s", local.text);
    *may_ask = !code;
    return LP_OK;
}

enum lp_code lp_examine_by_simulation(struct lp_examination *x, struct lp_err *err)
{
    const char *principal = principal_of(x), *root = principal ? strstr(principal, ":root") : NULL;
    bool may_ask = principal != NULL;
    for (size_t i = 0; i < x->d->needs.count; i++) {
        struct lp_trial *t = &x->trials[i];
        if (t->tried || x->d->needs.list[i].own_key) continue;
        if (root && !root[5]) lp_trial_set_fine(t); /* the account itself */
        else if (may_ask) LP_TRY(simulate(x, principal, i, &may_ask, err));
        if (!t->tried)
            lp_trial_set_unknown(t, "not tried, since that changes something, and IAM cannot be asked instead "
                                    "(iam:SimulatePrincipalPolicy)");
    }
    return LP_OK;
}
