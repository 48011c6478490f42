#include "base/clock.h"
#include "base/json.h"
#include "cli/load.h"
#include "deploy/doctor.h"

#define HEADING 8

static void put_heading(const struct lp_style *s, const char *word, struct lp_buf *out)
{
    lp_buf_printf(out, "%s%-*s%s", s->accent, HEADING, word, s->plain);
}

/* Who asks, where. */
static void put_account(const struct lp_style *s, const struct lp_diagnosis *d, struct lp_buf *out)
{
    size_t width = 0;
    if (d->arn) {
        put_heading(s, "as", out);
        lp_buf_printf(out, "%s\n", d->arn);
    }
    if (*d->keys.access_key) {
        put_heading(s, "keys", out);
        lp_buf_printf(out, "%s, from %s", d->keys.access_key, d->keys.source);
        if (d->keys.expires_us) {
            lp_buf_puts(out, "; they expire ");
            lp_style_put_distance(lp_clock_now_us(), d->keys.expires_us, out);
        }
        lp_buf_putc(out, '\n');
    }
    if (d->account.region) {
        put_heading(s, "region", out);
        lp_buf_printf(out, "%s\n", d->account.region);
    }
    for (size_t i = 0; i < d->endpoint_count; i++)
        if (strlen(d->endpoints[i].service) > width) width = strlen(d->endpoints[i].service);
    for (size_t i = 0; i < d->endpoint_count; i++) {
        put_heading(s, i ? "" : "asks", out);
        lp_buf_printf(out, "%-*s  %s\n", (int)width, d->endpoints[i].service, d->endpoints[i].url);
    }
    if (d->arn || *d->keys.access_key || d->account.region) lp_buf_putc(out, '\n');
}

/* Broken at words, on a terminal alone. */
static void put_words(const struct lp_style *s, const char *text, size_t indent, struct lp_buf *out)
{
    size_t column = indent;
    for (bool first = true; *text; first = false) {
        size_t len = strcspn(text, " "), cells = lp_text_columns(text, len);
        bool breaks = !first && s->terminal && column + 1 + cells > s->columns;
        if (breaks) lp_buf_printf(out, "\n%*s", (int)indent, "");
        else if (!first) lp_buf_putc(out, ' ');
        column = breaks ? indent + cells : column + cells + !first;
        lp_buf_put(out, text, len);
        text += len + (text[len] == ' ');
    }
    lp_buf_putc(out, '\n');
}

static void put_findings(const struct lp_style *s, const struct lp_diagnosis *d, struct lp_buf *out)
{
    const char *const marks[] = {[LP_VERDICT_FINE] = s->ok, [LP_VERDICT_MISSING] = s->bad, [LP_VERDICT_UNKNOWN] = "-"};
    const char *const colours[] = {
        [LP_VERDICT_FINE] = s->green, [LP_VERDICT_MISSING] = s->red, [LP_VERDICT_UNKNOWN] = s->grey};
    size_t width = 0, mark_width = lp_text_columns(s->ok, strlen(s->ok));
    for (size_t i = 0; i < d->count; i++) {
        size_t cells = lp_text_columns(d->list[i].name, strlen(d->list[i].name));
        if (cells > width && cells <= 40) width = cells;
    }
    for (size_t i = 0; i < d->count; i++) {
        const struct lp_finding *f = &d->list[i];
        const char *mark = f->verdict == LP_VERDICT_UNKNOWN && s->utf8 ? "–" : marks[f->verdict];
        size_t name = lp_text_columns(f->name, strlen(f->name)), shown = lp_text_columns(mark, strlen(mark));
        lp_buf_printf(out, "%s%s%s%*s %s%*s  ", colours[f->verdict], mark, s->plain,
                      (int)(mark_width > shown ? mark_width - shown : 0), "", f->name,
                      (int)(name < width ? width - name : 0), "");
        put_words(s, f->text, mark_width + 1 + (name > width ? name : width) + 2, out);
    }
}

static void put_policy(const struct lp_style *s, const struct lp_diagnosis *d, enum lp_verdict of, const char *heading,
                       struct lp_buf *out)
{
    LP_AUTO(lp_buf) policy = {0};
    if (lp_diagnosis_put_policy(d, of, &policy))
        lp_buf_printf(out, "\n%s%s%s\n%s\n", s->bold, heading, s->plain, lp_buf_text(&policy));
    if (policy.failed) out->failed = policy.failed;
}

static void put_report(struct lp_cli *c, const struct lp_diagnosis *d, struct lp_buf *out)
{
    const struct lp_style *s = &c->out;
    bool well = lp_diagnosis_is_well(d);
    LP_AUTO(lp_buf) headline = {0}, missing = {0};
    lp_diagnosis_put_headline(d, &headline);
    if (headline.failed) out->failed = headline.failed;
    lp_buf_printf(out, "%s%s%s ", well ? s->green : s->red, well ? s->ok : s->bad, s->plain);
    put_words(s, lp_buf_text(&headline), 2, out);
    lp_buf_putc(out, '\n');
    put_account(s, d, out);
    put_findings(s, d, out);
    lp_buf_printf(&missing, "What is missing, as a policy for %s", d->arn ? d->arn : "the user or role");
    put_policy(s, d, LP_VERDICT_MISSING, lp_buf_text(&missing), out);
    if (!d->problem) put_policy(s, d, LP_VERDICT_UNKNOWN, "What could not be tried, should it be missing", out);
    if (missing.failed) out->failed = missing.failed;
}

/* ---- --json ---- */

/* On one line, as all of it. */
static enum lp_code put_policy_member(struct lp_json_writer *w, const char *key, const struct lp_diagnosis *d,
                                      enum lp_verdict of, struct lp_err *err)
{
    LP_AUTO(lp_buf) policy = {0};
    LP_AUTO(lp_arena) arena = {0};
    json_t *value;
    if (!lp_diagnosis_put_policy(d, of, &policy)) {
        lp_json_null(w, key);
        return LP_OK;
    }
    LP_TRY(lp_buf_code(&policy, "the policy", err));
    LP_TRY(lp_json_parse(&arena, policy.data, policy.len, &value, err));
    lp_json_key(w, key, strlen(key));
    lp_json_put_value(w->out, value);
    w->more = true;
    return LP_OK;
}

static void put_finding_json(struct lp_json_writer *w, const struct lp_finding *f)
{
    static const char *const words[] = {
        [LP_VERDICT_FINE] = "fine", [LP_VERDICT_MISSING] = "missing", [LP_VERDICT_UNKNOWN] = "not tried"};
    lp_json_open(w, NULL, '{');
    lp_json_text(w, "name", f->name);
    lp_json_text(w, "verdict", words[f->verdict]);
    lp_json_text(w, "text", f->text);
    if (f->permission) {
        lp_json_open(w, "resources", '[');
        for (size_t i = 0; i < f->permission->resource_count; i++) lp_json_text(w, NULL, f->permission->resources[i]);
        lp_json_close(w, ']');
    }
    lp_json_close(w, '}');
}

static enum lp_code put_json(const struct lp_diagnosis *d, struct lp_buf *out, struct lp_err *err)
{
    struct lp_json_writer w = {.out = out};
    char expires[LP_TIME_TEXT_BYTES];
    LP_AUTO(lp_buf) headline = {0};
    lp_diagnosis_put_headline(d, &headline);
    LP_TRY(lp_buf_code(&headline, "the summary", err));
    lp_json_open(&w, NULL, '{');
    lp_json_text(&w, "pipeline", d->pipeline);
    lp_json_bool(&w, "well", lp_diagnosis_is_well(d));
    lp_json_text(&w, "summary", lp_buf_text(&headline));
    lp_json_text(&w, "arn", d->arn);
    lp_json_text(&w, "account", d->account.number);
    lp_json_text(&w, "access_key", *d->keys.access_key ? d->keys.access_key : NULL);
    lp_json_text(&w, "keys_from", *d->keys.source ? d->keys.source : NULL);
    if (d->keys.expires_us) lp_time_format_iso(d->keys.expires_us, expires);
    lp_json_text(&w, "keys_expire_at", d->keys.expires_us ? expires : NULL);
    lp_json_text(&w, "region", d->account.region);
    lp_json_open(&w, "endpoints", '{');
    for (size_t i = 0; i < d->endpoint_count; i++) lp_json_text(&w, d->endpoints[i].service, d->endpoints[i].url);
    lp_json_close(&w, '}');
    lp_json_open(&w, "findings", '[');
    for (size_t i = 0; i < d->count; i++) put_finding_json(&w, &d->list[i]);
    lp_json_close(&w, ']');
    LP_TRY(put_policy_member(&w, "missing_policy", d, LP_VERDICT_MISSING, err));
    LP_TRY(put_policy_member(&w, "not_tried_policy", d, LP_VERDICT_UNKNOWN, err));
    lp_json_close(&w, '}');
    lp_buf_putc(out, '\n');
    return LP_OK;
}

/* That it is needed, AWS has told. */
static bool is_missing(const struct lp_diagnosis *d, const struct lp_permission *need)
{
    for (size_t i = 0; i < d->count; i++) {
        const struct lp_permission *it = d->list[i].permission;
        if (it && it->of == need->of && !strcmp(it->action, need->action)) return true;
    }
    return false;
}

/* All that it needs, whoever asks: for a role that is to be made. */
static enum lp_code put_whole_policy(const struct lp_diagnosis *d, struct lp_buf *out, struct lp_err *err)
{
    const struct lp_permission *list[64];
    size_t count = 0;
    for (size_t i = 0; i < d->needs.count && count < LP_COUNT(list); i++) {
        const struct lp_permission *need = &d->needs.list[i];
        if (!need->own_key || is_missing(d, need)) list[count++] = need;
    }
    if (!count) return lp_fail(err, LP_NOTFOUND, "%s needs nothing from AWS: there is no policy to print", d->pipeline);
    lp_policy_put(list, count, out);
    lp_buf_putc(out, '\n');
    return LP_OK;
}

static int examine(struct lp_cli *c, const struct lp_pipeline *p, struct lp_aws *aws)
{
    struct lp_diagnosis d;
    struct lp_err err;
    LP_AUTO(lp_buf) text = {0};
    enum lp_code code = lp_doctor_examine(p, aws, &d, &err);
    int status = c->policy || lp_diagnosis_is_well(&d) ? 0 : 1;
    if (!code && c->policy) code = put_whole_policy(&d, &text, &err);
    else if (!code && c->json) code = put_json(&d, &text, &err);
    else if (!code && (status || !c->quiet)) put_report(c, &d, &text);
    status = code ? lp_cli_fail(c, &err) : lp_cli_print(c, &text, status);
    lp_diagnosis_release(&d);
    return status;
}

int lp_cmd_doctor(struct lp_cli *c)
{
    struct lp_pipeline p;
    struct lp_err err;
    struct lp_aws *aws = NULL;
    int status = lp_cli_load(c, &p);
    if (!status && lp_aws_new(&c->aws, &aws, &err)) status = lp_cli_fail(c, &err);
    if (!status) status = examine(c, &p, aws);
    lp_aws_free(aws);
    lp_pipeline_release(&p);
    return status;
}
