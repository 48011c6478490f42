#include "notify/notify.h"

#include "base/secret.h"
#include "source/url.h"

static const char *const events[] = {"success", "failure", "partial", "recovery"};

const char *lp_notify_event_name(enum lp_notify_event e)
{
    size_t i = 0;
    while (i + 1 < LP_COUNT(events) && e != 1u << i) i++;
    return events[i];
}

static void read_event(struct lp_reading *r, const struct lp_node *n, unsigned *when)
{
    static const struct lp_field word = {
        .name = "when", .kind = LP_FIELD_WORD, .words = events, .word_count = LP_COUNT(events)};
    int event = -1;
    lp_field_read(r, &word, n, &event);
    if (event >= 0) *when |= 1u << event;
}

static void read_when(struct lp_reading *r, const struct lp_node *n, void *member)
{
    unsigned *when = member;
    *when = 0;
    if (n->kind == LP_NODE_SCALAR) read_event(r, n, when);
    else if (lp_node_expect(r, n, LP_NODE_LIST, "when: [success, failure, recovery]"))
        for (const struct lp_node *c = n->first; c; c = c->next) read_event(r, c, when);
}

static void read_to(struct lp_reading *r, const struct lp_node *n, void *member)
{
    struct lp_addresses *to = member;
    *to = (struct lp_addresses){.list = lp_arena_zalloc(r->arena, LP_NOTIFY_MAX * sizeof *to->list)};
    if (!to->list) r->faults->out_of_memory = true;
    else if (n->kind != LP_NODE_LIST) lp_address_read(r, n, to);
    else
        for (const struct lp_node *c = n->first; c; c = c->next) lp_address_read(r, c, to);
}

#define WORDS "{\"enum\":[\"success\",\"failure\",\"partial\",\"recovery\"]}"
#define TEXTS "{\"anyOf\":[{\"type\":\"string\"},{\"type\":\"array\",\"items\":{\"type\":\"string\"}}]}"
#define ADDRESS                                                                                                        \
    "{\"anyOf\":[{\"type\":\"string\"},"                                                                               \
    "{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"mail\",\"server\",\"from\"],\"properties\":{" \
    "\"mail\":" TEXTS ",\"server\":{\"type\":\"string\"},\"from\":{\"type\":\"string\"},\"user\":{\"type\":"           \
    "\"string\"},\"secret\":{\"$ref\":\"#/$defs/secret\"},\"tls\":{\"enum\":[\"auto\",\"required\"]}}},"               \
    "{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"webhook\"],\"properties\":{\"webhook\":"      \
    "{\"type\":\"string\"}}}]}"

static const struct lp_field fields[] = {
    {.name = "when",
     .kind = LP_FIELD_CUSTOM,
     .offset = offsetof(struct lp_notify, when),
     .fallback = "failure",
     .read = read_when,
     .schema = "{\"anyOf\":[" WORDS ",{\"type\":\"array\",\"items\":" WORDS "}]}",
     .example = "[success, failure, recovery]",
     .help =
         "The outcomes somebody is told of: `success`, `failure`, `partial` (some requests failed), `recovery` (the first "
         "success after a failure, known from the run records; without `success`, of successes only these). A run that "
         "finds its slot locked, or that a signal stops, tells nobody."},
    {.name = "to",
     .kind = LP_FIELD_CUSTOM,
     .offset = offsetof(struct lp_notify, to),
     .read = read_to,
     .schema = "{\"anyOf\":[" ADDRESS ",{\"type\":\"array\",\"items\":" ADDRESS "}]}",
     .example = "[stderr]",
     .help =
         "Who is told, one or a list of at most 16: `stderr`; a topic of Amazon SNS, by its ARN; a webhook, `https://…`, or the mapping below; mail, the "
         "mapping below, or on one line `smtps://mail.example.com?to=a@example.org&from=b@example.org` (also `user`, "
         "`secret`, `tls`). Telling takes at most 30 s for each and 60 s for all; that it fails is a warning and is kept "
         "in the run record, and the run's status stays as it is."},
};
const struct lp_fields lp_notify_fields = {"notify", "Who is told of a run, and when.", fields, LP_COUNT(fields)};

void lp_notify_put_events(const struct lp_notify *n, struct lp_buf *out)
{
    bool more = false;
    for (size_t i = 0; i < LP_COUNT(events); i++) {
        if (!(n->when & 1u << i)) continue;
        lp_buf_printf(out, "%s%s", more ? ", " : "", events[i]);
        more = true;
    }
}

/* arn:aws:sns:region:account:topic without the account. */
static void put_topic(const char *arn, struct lp_buf *out)
{
    const char *account = arn, *topic = strrchr(arn, ':');
    for (int colons = 0; colons < 4 && account; colons++) {
        account = strchr(account, ':');
        if (account) account++;
    }
    if (!account || !topic || topic < account) lp_buf_puts(out, arn);
    else lp_buf_printf(out, "%.*s…%s", (int)(account - arn), arn, topic);
}

static void put_webhook(const char *url, struct lp_buf *out)
{
    const char *host = strstr(url, "://");
    size_t origin = host ? (size_t)(host + 3 - url) + strcspn(host + 3, "/?#") : 0;
    lp_buf_put(out, url, origin);
    if (strlen(url + origin) > 1) lp_buf_puts(out, "/" LP_SECRET_MASK);
}

static void put_mailbox(const char *mailbox, bool private, struct lp_buf *out)
{
    const char *at = strrchr(mailbox, '@');
    if (private && at) lp_buf_printf(out, "%c…%s", *mailbox, at);
    else lp_buf_puts(out, mailbox);
}

void lp_address_put_shown(const struct lp_address *a, bool private, struct lp_buf *out)
{
    switch (a->kind) {
    case LP_TO_STDERR: lp_buf_puts(out, "stderr"); return;
    case LP_TO_TOPIC: put_topic(a->text, out); return;
    case LP_TO_WEBHOOK:
        if (a->text) put_webhook(a->text, out);
        else lp_buf_printf(out, "webhook %s", a->secret);
        return;
    case LP_TO_MAIL:
        for (size_t i = 0; i < a->mail.count; i++) {
            if (i) lp_buf_puts(out, ", ");
            put_mailbox(a->mail.list[i], private, out);
        }
    }
}

void lp_address_put_private(const struct lp_address *a, const char *text, struct lp_buf *out)
{
    while (*text) {
        size_t i = 0, len = 0;
        for (; i < a->mail.count; i++) {
            len = strlen(a->mail.list[i]);
            if (!strncasecmp(text, a->mail.list[i], len)) break;
        }
        if (i < a->mail.count) put_mailbox(a->mail.list[i], true, out);
        else lp_buf_put(out, text, len = 1);
        text += len;
    }
}
