#include "source/answer.h"

#include "base/json.h"
#include "base/secret.h"
#include "net/retry.h"

#include <stdio.h>

void lp_answer_fail(struct lp_answer *a, const char *format, ...)
{
    char text[LP_ERR_TEXT_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    LP_AUTO(lp_buf) masked = {0};
    lp_secret_mask(text, strlen(text), &masked);
    lp_buf_clear(&a->error);
    lp_text_put_visible(&a->error, lp_buf_text(&masked), masked.len);
}

static void put_value_text(struct lp_buf *out, const json_t *value)
{
    if (!value) lp_buf_puts(out, "absent");
    else if (json_is_string(value)) lp_buf_put(out, json_string_value(value), json_string_length(value));
    else lp_json_put_value(out, value);
}

/* What the API says about its own trouble, in the fields that APIs use for it. */
static void put_message(struct lp_buf *out, const json_t *root)
{
    static const char *const names[] = {"message", "reason", "error_description", "detail", "error"};
    for (size_t i = 0; i < LP_COUNT(names); i++) {
        const json_t *value = json_object_get(root, names[i]);
        if (!json_is_string(value) || !json_string_length(value)) continue;
        lp_buf_puts(out, " \"");
        lp_text_cut(out, json_string_value(value), json_string_length(value), 200);
        lp_buf_putc(out, '"');
        return;
    }
}

static enum lp_fate meet_expectations(const struct lp_source *s, struct lp_answer *a)
{
    for (size_t i = 0; i < s->expect.count; i++) {
        const struct lp_expectation *x = &s->expect.list[i];
        LP_AUTO(lp_buf) text = {0}, message = {0};
        const json_t *value = lp_path_find(&x->path, a->root);
        put_value_text(&text, value);
        if (text.failed) return LP_FATE_STARVED;
        if (value && !strcmp(lp_buf_text(&text), x->text)) continue;
        put_message(&message, a->root);
        lp_answer_fail(a, "%s is %.200s, not %.200s%s", x->name, lp_buf_text(&text), x->text, lp_buf_text(&message));
        return LP_FATE_GIVE_UP;
    }
    return LP_FATE_KEEP;
}

/* A reply that repeats the secret is masked before anybody reads it. */
static enum lp_code parse_body(struct lp_answer *a, struct lp_slice body, struct lp_err *err)
{
    if (!lp_secret_found(body.at, body.len)) return lp_json_parse(&a->json, body.at, body.len, &a->root, err);
    LP_AUTO(lp_buf) masked = {.max_bytes = body.len * 3 + 64};
    lp_secret_mask(body.at, body.len, &masked);
    LP_TRY(lp_buf_code(&masked, "the reply", err));
    return lp_json_parse(&a->json, masked.data, masked.len, &a->root, err);
}

static void describe_status(struct lp_answer *a, const struct lp_http_reply *r)
{
    struct lp_err ignored;
    LP_AUTO(lp_buf) message = {0};
    if (r->body.len && r->body.len < 64 * 1024 && !parse_body(a, r->body, &ignored)) put_message(&message, a->root);
    lp_answer_fail(a, "%d%s", r->status, lp_buf_text(&message));
}

static void describe_not_json(struct lp_answer *a, const struct lp_http_reply *r, const struct lp_err *err)
{
    bool html = r->content_type.len >= 9 && !strncasecmp(r->content_type.at, "text/html", 9);
    lp_answer_fail(a, "%d, but %s%s", r->status, err->text, html ? " (it is an HTML page)" : "");
}

enum lp_fate lp_answer_read(struct lp_answer *a, const struct lp_source *s, const struct lp_http_reply *r)
{
    struct lp_err err;
    enum lp_status_action action;
    a->status = r->status;
    a->broke = r->outcome != LP_HTTP_ANSWERED;
    if (r->outcome != LP_HTTP_ANSWERED) {
        lp_answer_fail(a, "%s", r->error);
        return lp_retry_outcome(r->outcome, r->status) ? LP_FATE_TRY_AGAIN : LP_FATE_GIVE_UP;
    }
    bool ruled = lp_source_status(s, r->status, &action);
    if (ruled || r->status < 200 || r->status > 299) {
        describe_status(a, r);
        if (!ruled) return lp_retry_outcome(r->outcome, r->status) ? LP_FATE_TRY_AGAIN : LP_FATE_GIVE_UP;
        return action == LP_STATUS_RETRY  ? LP_FATE_TRY_AGAIN
               : action == LP_STATUS_STOP ? LP_FATE_STOP
                                          : LP_FATE_GIVE_UP;
    }
    if (parse_body(a, r->body, &err)) {
        describe_not_json(a, r, &err);
        return err.code == LP_NOMEM ? LP_FATE_STARVED : err.code == LP_DATA ? LP_FATE_TRY_AGAIN : LP_FATE_GIVE_UP;
    }
    return meet_expectations(s, a);
}
