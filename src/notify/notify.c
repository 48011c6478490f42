#include "notify/notify.h"

static const char *const events[] = {"success", "failure", "partial", "recovery"};

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

static void read_address(struct lp_reading *r, const struct lp_node *n, struct lp_addresses *to)
{
    static const struct {
        const char *prefix, *what;
    } later[] = {{"arn:", "Amazon SNS"},
                 {"smtp://", "e-mail"},
                 {"smtps://", "e-mail"},
                 {"https://", "a webhook"},
                 {"http://", "a webhook"}};
    const char *text = lp_node_text(r, n);
    if (!text) return;
    for (size_t i = 0; i < LP_COUNT(later); i++) {
        if (strncmp(text, later[i].prefix, strlen(later[i].prefix))) continue;
        lp_node_fault(r, n, "write stderr for now", "telling by %s is not built into this version", later[i].what);
        return;
    }
    if (strcmp(text, "stderr"))
        lp_node_fault(r, n, "write stderr, a topic's ARN, smtp://… or https://…",
                      "\"%.100s\" is nobody who can be told", text);
    else if (to->count == LP_NOTIFY_MAX) lp_node_fault(r, n, "leave some out", "more than %d addresses", LP_NOTIFY_MAX);
    else to->list[to->count++] = text;
}

static void read_to(struct lp_reading *r, const struct lp_node *n, void *member)
{
    if (n->kind == LP_NODE_SCALAR) read_address(r, n, member);
    else if (lp_node_expect(r, n, LP_NODE_LIST, "to: [stderr]"))
        for (const struct lp_node *c = n->first; c; c = c->next) read_address(r, c, member);
}

#define WORDS "{\"enum\":[\"success\",\"failure\",\"partial\",\"recovery\"]}"

static const struct lp_field fields[] = {
    {.name = "when",
     .kind = LP_FIELD_CUSTOM,
     .offset = offsetof(struct lp_notify, when),
     .fallback = "failure",
     .read = read_when,
     .schema = "{\"anyOf\":[" WORDS ",{\"type\":\"array\",\"items\":" WORDS "}]}",
     .example = "[success, failure, recovery]",
     .help =
         "The outcomes somebody is told of: `success`, `failure`, `partial`, `recovery` (the first success after failures). Standard error hears of every failure, and in this version of a recovery as of any success."},
    {.name = "to",
     .kind = LP_FIELD_CUSTOM,
     .offset = offsetof(struct lp_notify, to),
     .read = read_to,
     .schema = "{\"anyOf\":[{\"type\":\"string\"},{\"type\":\"array\",\"items\":{\"type\":\"string\"}}]}",
     .example = "[stderr]",
     .help = "Who is told: `stderr`. Topics, mail and webhooks are understood and refused by this version."},
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
