/* A topic of Amazon SNS: Publish. */
#include "base/clock.h"
#include "base/number.h"
#include "notify/messenger.h"

#include <stdio.h>
#include <stdlib.h>

#define MESSAGE_BYTES ((size_t)256 << 10) /* SNS takes no more, encoding not counted */
#define SUBJECT_BYTES 99
#define BODY_BYTES    (4 * MESSAGE_BYTES)

struct sns {
    struct lp_messenger messenger;
    struct lp_aws *aws;
    const char *arn;
    char region[33];
};

/* Form encoding as AWS's own: a space is '+'. */
static void put_value(struct lp_buf *out, const char *text, size_t len)
{
    while (len) {
        size_t n = 0;
        while (n < len && text[n] != ' ') n++;
        lp_percent_encode(out, text, n, "");
        if (n < len) lp_buf_putc(out, '+');
        n += n < len;
        text += n;
        len -= n;
    }
}

static void put_parameter(struct lp_buf *out, const char *name, const char *text, size_t len)
{
    lp_buf_printf(out, "&%s=", name);
    put_value(out, text, len);
}

static void put_attribute(struct lp_buf *out, unsigned number, const char *name, const char *type, const char *text)
{
    lp_buf_printf(out, "&MessageAttributes.entry.%u.Name=%s", number, name);
    lp_buf_printf(out, "&MessageAttributes.entry.%u.Value.DataType=%s", number, type);
    lp_buf_printf(out, "&MessageAttributes.entry.%u.Value.StringValue=", number);
    put_value(out, text, strlen(text));
}

/* What a subscription can filter by. */
static void put_attributes(const struct lp_notice *n, struct lp_buf *out)
{
    char slot[LP_TIME_TEXT_BYTES], rows[LP_NUMBER_TEXT_BYTES];
    lp_time_format_iso(n->slot_us, slot);
    lp_int64_format((int64_t)n->rows.written, rows);
    put_attribute(out, 1, "pipeline", "String", n->pipeline);
    put_attribute(out, 2, "status", "String", n->status);
    put_attribute(out, 3, "slot", "String", slot);
    put_attribute(out, 4, "rows", "Number", rows);
    put_attribute(out, 5, "event", "String", lp_notify_event_name(n->event));
}

static void put_body(const struct sns *s, const struct lp_notice *n, const struct lp_message *m, struct lp_buf *out)
{
    LP_AUTO(lp_buf) subject = {.max_bytes = 1024};
    size_t len = strlen(s->arn);
    lp_message_put_ascii(lp_buf_text(&m->subject), SUBJECT_BYTES, &subject);
    lp_buf_puts(out, "Action=Publish&Version=2010-03-31");
    put_parameter(out, "TopicArn", s->arn, len);
    put_parameter(out, "Subject", lp_buf_text(&subject), subject.len);
    put_parameter(out, "Message", lp_buf_text(&m->text), m->text.len);
    put_attributes(n, out);
    if (len > 5 && !strcmp(s->arn + len - 5, ".fifo")) {
        /* In the order of the pipeline's runs; the same outcome of the same run only once. */
        put_parameter(out, "MessageGroupId", n->pipeline, strlen(n->pipeline));
        put_parameter(out, "MessageDeduplicationId", n->run_id, strlen(n->run_id));
    }
    if (subject.failed) out->failed = subject.failed;
}

static enum lp_code sns_send(struct lp_messenger *messenger, const struct lp_notice *n,
                             const struct lp_message *message, int64_t limit_ms, struct lp_err *err)
{
    const struct sns *s = (const struct sns *)messenger;
    struct lp_aws_reply reply = {0};
    LP_AUTO(lp_buf) body = {.max_bytes = BODY_BYTES};
    put_body(s, n, message, &body);
    LP_TRY(lp_buf_code(&body, "the message", err));
    const struct lp_aws_request q = {.service = "sns",
                                     .region = s->region,
                                     .body = body.data,
                                     .body_len = body.len,
                                     .total_ms = limit_ms > 10000 ? 10000 : limit_ms,
                                     .within_ms = limit_ms};
    enum lp_code code = lp_aws_call(s->aws, &q, &reply, err);
    lp_aws_reply_release(&reply);
    if (code == LP_NOTFOUND && err)
        return lp_fail(err, code, "%.800s; make the topic, or name one that is there", err->text);
    return code;
}

static void sns_free(struct lp_messenger *messenger)
{
    free(messenger);
}

enum lp_code lp_messenger_sns_new(const struct lp_address *a, const struct lp_messenger_means *means,
                                  struct lp_messenger **out, struct lp_err *err)
{
    static const struct lp_messenger_ops ops = {"sns", sns_send, sns_free};
    if (!means->aws) return lp_fail(err, LP_BUG, "a topic is to be told without a session of AWS");
    struct sns *s = calloc(1, sizeof *s);
    if (!s) return lp_nomem(err);
    s->messenger.ops = &ops;
    s->aws = means->aws;
    s->arn = a->text;
    /* arn:aws:sns:REGION:…; that it is well-formed was judged when the file was read. */
    const char *region = a->text;
    for (int i = 0; i < 3; i++) region += strcspn(region, ":") + (region[strcspn(region, ":")] == ':');
    snprintf(s->region, sizeof s->region, "%.*s", (int)strcspn(region, ":"), region);
    *out = &s->messenger;
    return LP_OK;
}
