/* What an answer of AWS says of the permission it was asked for. */
#include "deploy/examination.h"

#include <stdlib.h>

struct lp_trial *lp_trial_of(const struct lp_examination *x, const char *action, const char *of)
{
    for (size_t i = 0; i < x->d->needs.count; i++) {
        const struct lp_permission *need = &x->d->needs.list[i];
        bool same = !of || (need->of && !strcmp(need->of, of));
        if (same && !strcmp(need->action, action)) return &x->trials[i];
    }
    return NULL;
}

const char *lp_examination_text(struct lp_examination *x, const char *format, ...)
{
    char made[4096];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(made, sizeof made, format, args);
    va_end(args);
    const char *copy = n < 0 ? NULL : lp_arena_strdup(&x->d->arena, made);
    if (!copy) x->starved = true;
    return copy ? copy : "";
}

enum lp_code lp_finding_add(struct lp_examination *x, enum lp_verdict verdict, const char *name, const char *text,
                            struct lp_err *err)
{
    struct lp_diagnosis *d = x->d;
    if (d->count == d->cap) {
        size_t cap = d->cap ? d->cap * 2 : 32;
        struct lp_finding *list = reallocarray(d->list, cap, sizeof *list);
        if (!list) return lp_nomem(err);
        d->list = list;
        d->cap = cap;
    }
    d->list[d->count++] = (struct lp_finding){.verdict = verdict, .name = name, .text = text};
    return LP_OK;
}

/* What no single permission mends. */
static const char *general_problem(struct lp_examination *x, enum lp_code code, const struct lp_aws_reply *reply,
                                   const struct lp_err *err)
{
    static const struct {
        const char *code, *sentence;
    } known[] = {
        {"RequestTimeTooSkewed",
         "this machine's clock is wrong by more than AWS takes; set it (timedatectl set-ntp true)"},
        {"RequestExpired", "this machine's clock is wrong by more than AWS takes; set it (timedatectl set-ntp true)"},
        {"RequestInTheFuture",
         "this machine's clock is wrong by more than AWS takes; set it (timedatectl set-ntp true)"},
        {"SignatureDoesNotMatch", "AWS refuses the signature; the secret key does not go with the access key"},
        {"InvalidSignatureException", "AWS refuses the signature; the secret key does not go with the access key"},
        {"InvalidClientTokenId", "AWS does not know this access key; it was removed, or belongs to another endpoint"},
        {"InvalidAccessKeyId", "AWS does not know this access key; it was removed, or belongs to another endpoint"},
        {"UnrecognizedClientException",
         "AWS does not know this access key; it was removed, or belongs to another endpoint"},
        {"ExpiredToken", "the credentials have expired; renew them"},
        {"ExpiredTokenException", "the credentials have expired; renew them"},
    };
    for (size_t i = 0; i < LP_COUNT(known); i++)
        if (!strcmp(reply->error_code, known[i].code))
            return lp_examination_text(x, "%s (%s)", known[i].sentence, known[i].code);
    if (!reply->status && (code == LP_AUTH || code == LP_CONFIG)) return lp_examination_text(x, "%s", err->text);
    return NULL;
}

/* "… is not authorized to perform: kms:GenerateDataKey on resource: …" */
static struct lp_slice action_in(const char *message)
{
    const char *at = strstr(message, "not authorized to perform: ");
    if (!at) return (struct lp_slice){"", 0};
    at += strlen("not authorized to perform: ");
    return (struct lp_slice){at, strspn(at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:")};
}

static void set(struct lp_trial *t, enum lp_verdict verdict, const char *text)
{
    static const int weight[] = {[LP_VERDICT_FINE] = 0, [LP_VERDICT_UNKNOWN] = 1, [LP_VERDICT_MISSING] = 2};
    if (t->tried && weight[verdict] <= weight[t->verdict]) return;
    *t = (struct lp_trial){.tried = true, .verdict = verdict, .text = text};
}

void lp_trial_set_fine(struct lp_trial *t)
{
    if (t) set(t, LP_VERDICT_FINE, NULL);
}

void lp_trial_set_unknown(struct lp_trial *t, const char *why)
{
    if (t) set(t, LP_VERDICT_UNKNOWN, why);
}

void lp_trial_set_refused(struct lp_trial *t, size_t resource)
{
    if (!t) return;
    set(t, LP_VERDICT_MISSING, NULL);
    for (size_t i = 0; i < LP_PERMISSION_RESOURCES; i++) t->refused[i] |= i == resource || resource == LP_ALL_RESOURCES;
}

void lp_trial_set_forbidden(struct lp_trial *t)
{
    if (!t) return;
    t->forbidden = true;
    t->text = "a statement that denies it has to go, in a policy of the account, the organisation or the resource";
}

/* Lake Formation has rights of its own, beside those of IAM. */
static enum lp_code note_lake_formation(struct lp_examination *x, struct lp_trial *t, const char *words,
                                        struct lp_err *err)
{
    lp_trial_set_unknown(t, "refused by Lake Formation, not by IAM");
    for (size_t i = 0; i < x->d->count; i++)
        if (!strcmp(x->d->list[i].name, "Lake Formation")) return LP_OK;
    return lp_finding_add(x, LP_VERDICT_MISSING, "Lake Formation",
                          lp_examination_text(x, "Lake Formation refuses it: %s; grant it there", words), err);
}

static void refuse_key(struct lp_examination *x, struct lp_slice action)
{
    for (size_t i = 0; i < x->d->needs.count; i++)
        if (lp_slice_is(action, x->d->needs.list[i].action) && !x->d->needs.list[i].own_key)
            lp_trial_set_refused(&x->trials[i], LP_ALL_RESOURCES);
}

enum lp_code lp_trial_judge(struct lp_examination *x, struct lp_trial *t, const char *action, size_t resource,
                            enum lp_code code, const struct lp_aws_reply *reply, struct lp_err *err)
{
    if (code == LP_NOMEM || code == LP_CANCELLED || code == LP_BUG) return code;
    const char *problem = code ? general_problem(x, code, reply, err) : NULL;
    struct lp_slice named = action_in(reply->message);
    if (problem) {
        x->d->problem = problem;
    } else if (!reply->status) {
        x->silence = lp_examination_text(x, "%s", err->text);
        lp_trial_set_unknown(t, "not tried, since the service cannot be reached");
    } else if (code == LP_BUSY) {
        lp_trial_set_unknown(t, lp_examination_text(x, "AWS is busy (%s)", reply->error_code));
    } else if (code != LP_AUTH) {
        lp_trial_set_fine(t);
    } else if (strstr(reply->message, "Lake Formation")) {
        return note_lake_formation(x, t, reply->message, err);
    } else if (named.len > 4 && !strncmp(named.at, "kms:", 4) && strncmp(action, "kms:", 4)) {
        lp_trial_set_fine(t); /* the service had nothing against it, and was refused the key itself */
        refuse_key(x, named);
    } else if (named.len && !lp_slice_is(named, action)) {
        lp_trial_set_unknown(t,
                             lp_examination_text(x, "cannot be told before %.*s is there", (int)named.len, named.at));
    } else {
        lp_trial_set_refused(t, resource);
        if (strstr(reply->message, "explicit deny")) lp_trial_set_forbidden(t);
    }
    return LP_OK;
}

enum lp_code lp_examination_note_silence(struct lp_examination *x, const char *service, struct lp_err *err)
{
    if (!x->silence) return LP_OK;
    const char *text = lp_examination_text(
        x, "%s cannot be reached: %s; look at the network, the region and the endpoint", service, x->silence);
    x->silence = NULL;
    for (size_t i = 0; i < x->d->needs.count; i++)
        if (!strcmp(x->d->needs.list[i].service, service))
            lp_trial_set_unknown(&x->trials[i], "not tried, since the service cannot be reached");
    return lp_finding_add(x, LP_VERDICT_MISSING, service, text, err);
}
