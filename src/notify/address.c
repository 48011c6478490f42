/* One element of notify.to, read: as a text or as a mapping. */
#include "aws/secret_place.h"
#include "base/secret.h"
#include "notify/notify.h"
#include "source/url.h"

#include <stdio.h>

#define HIDDEN_BYTES 12 /* a webhook's path is no secret when it is shorter, and may be a common word */

/* ---- parts ---- */

/* What was written, on one line and not too long. */
static const char *shown(struct lp_reading *r, const char *text)
{
    LP_AUTO(lp_buf) visible = {0};
    lp_text_put_visible(&visible, text, strnlen(text, 200));
    return lp_faults_text(r->faults, "%.200s", lp_buf_text(&visible));
}

static void add_recipient(struct lp_reading *r, const struct lp_node *n, const char *text, struct lp_recipients *to)
{
    const char *what = lp_mailbox_objection(text);
    if (what) lp_node_fault(r, n, "write it like ops@example.org", "\"%s\" %s", shown(r, text), what);
    else if (to->count == LP_NOTIFY_RECIPIENTS)
        lp_node_fault(r, n, "write a second mail for the others", "more than %d recipients", LP_NOTIFY_RECIPIENTS);
    else to->list[to->count++] = text;
}

static void read_recipients(struct lp_reading *r, const struct lp_node *n, void *member)
{
    const char *text;
    if (n->kind == LP_NODE_LIST) {
        for (const struct lp_node *c = n->first; c; c = c->next)
            if ((text = lp_node_text(r, c))) add_recipient(r, c, text, member);
    } else if ((text = lp_node_text(r, n))) {
        add_recipient(r, n, text, member);
    }
}

static void set_server(struct lp_reading *r, const struct lp_node *n, const char *text, struct lp_address *a)
{
    const char *remedy, *what = lp_server_objection(text, &remedy);
    if (what) lp_node_fault(r, n, remedy, "mail: %s", what);
    else a->server = text;
}

static void set_sender(struct lp_reading *r, const struct lp_node *n, const char *text, struct lp_address *a)
{
    const char *what = lp_sender_objection(text);
    if (what) lp_node_fault(r, n, "write it like weather@example.org", "from: \"%s\" %s", shown(r, text), what);
    else a->from = text;
}

static void read_server(struct lp_reading *r, const struct lp_node *n, void *member)
{
    const char *text = lp_node_text(r, n);
    if (text) set_server(r, n, text, (struct lp_address *)((char *)member - offsetof(struct lp_address, server)));
}

static void read_sender(struct lp_reading *r, const struct lp_node *n, void *member)
{
    const char *text = lp_node_text(r, n);
    if (text) set_sender(r, n, text, (struct lp_address *)((char *)member - offsetof(struct lp_address, from)));
}

static void read_secret(struct lp_reading *r, const struct lp_node *n, void *member)
{
    *(const char **)member = lp_secret_place_read(r, n);
}

/* ---- mail as a mapping ---- */

static const char *const tls_words[] = {"auto", "required"};

static const struct lp_field mail_list[] = {
    {.name = "mail",
     .kind = LP_FIELD_CUSTOM,
     .offset = offsetof(struct lp_address, mail),
     .required = true,
     .read = read_recipients,
     .example = "[ops@example.org]",
     .help = "Who gets the mail: one address or a list. One that the server refuses is told of; the others get it."},
    {.name = "server",
     .kind = LP_FIELD_CUSTOM,
     .offset = offsetof(struct lp_address, server),
     .required = true,
     .read = read_server,
     .example = "\"smtps://mail.example.com\"",
     .help = "The mail server: `smtps://` speaks TLS from the start (port 465 unless named), `smtp://` begins it with "
             "STARTTLS (port 587; to this machine 25)."},
    {.name = "from",
     .kind = LP_FIELD_CUSTOM,
     .offset = offsetof(struct lp_address, from),
     .required = true,
     .read = read_sender,
     .example = "weather@example.org",
     .help = "The sender: an address, or `Weather <weather@example.org>`."},
    {.name = "user",
     .kind = LP_FIELD_TEXT,
     .offset = offsetof(struct lp_address, user),
     .example = "weather",
     .help = "Who the server is told we are; left out, it is told nothing."},
    {.name = "secret",
     .kind = LP_FIELD_CUSTOM,
     .offset = offsetof(struct lp_address, secret),
     .read = read_secret,
     .example = "\"env:SMTP_PASSWORD\"",
     .help = "Where the user's password is kept, as `source.auth` says."},
    {.name = "tls",
     .kind = LP_FIELD_WORD,
     .offset = offsetof(struct lp_address, tls),
     .fallback = "auto",
     .words = tls_words,
     .word_count = LP_COUNT(tls_words),
     .example = "required",
     .help = "Whether `smtp://` must speak TLS to this machine as well. To any other it must: where the server offers "
             "none, nothing is sent."},
};
const struct lp_fields lp_notify_mail_fields = {
    "notify.to: mail",
    "`{ mail: [ops@example.org], server: \"smtps://mail.example.com\", from: weather@example.org, user: weather, secret: "
    "\"env:SMTP_PASSWORD\" }`",
    mail_list, LP_COUNT(mail_list)};

static void check_mail(struct lp_reading *r, const struct lp_node *n, const struct lp_address *a)
{
    if (a->user && strpbrk(a->user, "\r\n")) lp_node_fault(r, n, "write the bare name", "user: it holds a line break");
    if (a->user && !a->secret) lp_node_fault(r, n, "add secret: \"env:NAME\"", "mail has a user and no secret");
    if (a->secret && !a->user) lp_node_fault(r, n, "add user: NAME", "mail has a secret and no user");
}

/* ---- mail on one line ---- */

static int hex_digit(char c)
{
    const char *digits = "0123456789abcdef", *at = c ? strchr(digits, c | 32) : NULL;
    return at ? (int)(at - digits) : -1;
}

/* A part of the query without its percent signs; '+' stays, as mail addresses have it. NULL: not well-formed. */
static char *decode(struct lp_arena *arena, const char *at, size_t len)
{
    char *out = lp_arena_alloc(arena, len + 1), *to = out;
    for (size_t i = 0; out && i < len; i++) {
        *to = at[i];
        if (at[i] == '%') {
            int high = i + 2 < len ? hex_digit(at[i + 1]) : -1, low = i + 2 < len ? hex_digit(at[i + 2]) : -1;
            if (high < 0 || low < 0 || !(high + low)) return NULL;
            *to = (char)(high * 16 + low);
            i += 2;
        }
        to++;
    }
    if (out) *to = '\0';
    return out;
}

static void set_part(struct lp_reading *r, const struct lp_node *n, const char *name, size_t name_len,
                     const char *value, struct lp_address *a)
{
    static const char *const names[] = {"to", "from", "user", "secret", "tls"};
    struct lp_slice key = {name, name_len};
    if (lp_slice_is(key, "to")) {
        add_recipient(r, n, value, &a->mail);
    } else if (lp_slice_is(key, "from")) {
        set_sender(r, n, value, a);
    } else if (lp_slice_is(key, "user")) {
        a->user = value;
    } else if (lp_slice_is(key, "secret")) {
        a->secret = lp_secret_place_of(r, n, value);
    } else if (lp_slice_is(key, "tls")) {
        if (strcmp(value, "auto") && strcmp(value, "required"))
            lp_node_fault(r, n, "it is one of auto, required", "tls: \"%.60s\" is not known", value);
        a->tls = strcmp(value, "required") ? LP_TLS_AUTO : LP_TLS_REQUIRED;
    } else {
        const char *near = lp_text_nearest(name, name_len, names, LP_COUNT(names));
        lp_node_fault(r, n,
                      near ? lp_faults_text(r->faults, "did you mean \"%s\"?", near)
                           : "it knows to, from, user, secret, tls",
                      "mail: \"%.*s\" is not known", (int)(name_len < 60 ? name_len : 60), name);
    }
}

static void read_mail_text(struct lp_reading *r, const struct lp_node *n, const char *text, struct lp_address *a)
{
    size_t before = r->faults->count, end = strcspn(text, "?#");
    const char *server = lp_arena_strndup(r->arena, text, end), *at = text + end;
    if (!server) r->faults->out_of_memory = true;
    else set_server(r, n, server, a);
    while (*at == '?' || *at == '&') {
        size_t len = strcspn(++at, "&"), name = strcspn(at, "=&");
        char *value = name < len ? decode(r->arena, at + name + 1, len - name - 1) : NULL;
        if (value) set_part(r, n, at, name, value, a);
        else if (len)
            lp_node_fault(r, n, "write NAME=VALUE, joined by &", "mail: \"%.*s\" cannot be read",
                          (int)(len < 60 ? len : 60), at);
        at += len;
    }
    if (r->faults->count > before) return;
    if (*at) lp_node_fault(r, n, "write smtps://mail.example.com?to=…&from=…", "mail: \"#\" has no place here");
    else if (!a->mail.count || !a->from)
        lp_node_fault(r, n, "write smtps://mail.example.com?to=ops@example.org&from=weather@example.org",
                      "mail: %s is missing", a->mail.count ? "the sender (from=)" : "the recipient (to=)");
    else check_mail(r, n, a);
}

/* ---- webhooks ---- */

/* Whoever knows a webhook's path can write to it: it is hidden like a key, and so is the key that ends it. */
static enum lp_code hide_webhook(const char *url, struct lp_err *err)
{
    const char *at = strstr(url, "://");
    if (!at) return LP_OK;
    at += 3;
    at += strcspn(at, "/?");
    at += *at == '/';
    const char *last = strrchr(at, '/');
    if (strlen(at) >= HIDDEN_BYTES) LP_TRY(lp_secret_add(at, strlen(at), err));
    if (last && strlen(last + 1) >= HIDDEN_BYTES) LP_TRY(lp_secret_add(last + 1, strlen(last + 1), err));
    return LP_OK;
}

enum lp_code lp_webhook_check(const char *url, struct lp_err *err)
{
    const char *host = strstr(url, "://");
    LP_TRY(hide_webhook(url, err));
    for (const char *c = url; *c; c++)
        if (*c <= ' ' || *c >= 0x7F)
            return lp_fail(err, LP_CONFIG, "the webhook's address has a character that must be percent-encoded");
    if (host && memchr(host + 3, '@', strcspn(host + 3, "/?#")))
        return lp_fail(err, LP_CONFIG, "the webhook's address holds a user; leave it out");
    if (strchr(url, '#'))
        return lp_fail(err, LP_CONFIG, "the webhook's address holds a \"#\"; leave it and the rest out");
    if (lp_url_check(url, err)) return lp_wrap(err, LP_CONFIG, "webhook");
    return LP_OK;
}

static void set_webhook(struct lp_reading *r, const struct lp_node *n, const char *url, struct lp_address *a)
{
    struct lp_err err;
    enum lp_code code = lp_webhook_check(url, &err);
    if (code == LP_LIMIT) lp_node_fault(r, n, "leave some out", "%s", err.text);
    else if (code && !lp_reading_starved(r, code))
        lp_node_fault(r, n, "write https://host/path, or { webhook: \"env:NAME\" }", "%s", err.text);
    a->text = url;
}

static void read_webhook(struct lp_reading *r, const struct lp_node *n, void *member)
{
    struct lp_address *a = (struct lp_address *)((char *)member - offsetof(struct lp_address, text));
    const char *text = NULL;
    if (!lp_node_expect(r, n, LP_NODE_SCALAR, "webhook: \"env:SLACK_URL\"")) return;
    if (!strstr(n->text, "://") && !strchr(n->text, '$')) a->secret = lp_secret_place_read(r, n);
    else if ((text = lp_node_text(r, n))) set_webhook(r, n, text, a);
}

static const struct lp_field webhook_list[] = {
    {.name = "webhook",
     .kind = LP_FIELD_CUSTOM,
     .offset = offsetof(struct lp_address, text),
     .required = true,
     .read = read_webhook,
     .example = "\"env:SLACK_URL\"",
     .help =
         "Where the address is kept, as `source.auth` says, or the address itself: `https://…`, or `http://` to this "
         "machine. It gets JSON by POST, with a text that Slack (`text`), Discord (`content`) and Teams (`text`) "
         "show. Redirects are not followed; 429 and 5xx are tried again for a while."},
};
const struct lp_fields lp_notify_webhook_fields = {
    "notify.to: webhook",
    "`{ webhook: \"env:SLACK_URL\" }`: who knows a webhook's address can write to it, so it is kept like a secret, and "
    "masked but for its host wherever it is shown.",
    webhook_list, LP_COUNT(webhook_list)};

/* ---- either way ---- */

static void read_text(struct lp_reading *r, const struct lp_node *n, const char *text, struct lp_address *a)
{
    if (!strcmp(text, "stderr")) {
        a->kind = LP_TO_STDERR;
    } else if (!strncmp(text, "arn:", 4)) {
        const char *what = lp_topic_objection(text);
        a->kind = LP_TO_TOPIC;
        a->text = text;
        if (what)
            lp_node_fault(r, n, "write it like arn:aws:sns:us-west-2:123456789012:weather", "\"%s\" %s", shown(r, text),
                          what);
    } else if (!strncmp(text, "smtp://", 7) || !strncmp(text, "smtps://", 8)) {
        a->kind = LP_TO_MAIL;
        read_mail_text(r, n, text, a);
    } else if (!strncmp(text, "https://", 8) || !strncmp(text, "http://", 7)) {
        a->kind = LP_TO_WEBHOOK;
        set_webhook(r, n, text, a);
    } else if (strchr(text, '@')) {
        lp_node_fault(r, n,
                      "write { mail: NAME@HOST, server: \"smtps://mail.example.com\", from: weather@example.org }",
                      "\"%s\" needs a mail server", shown(r, text));
    } else {
        lp_node_fault(r, n, "write stderr, a topic's ARN, https://…, { webhook: … } or { mail: … }",
                      "\"%s\" is nobody who can be told", shown(r, text));
    }
}

static void read_mapping(struct lp_reading *r, const struct lp_node *n, struct lp_address *a)
{
    size_t before = r->faults->count;
    bool mail = lp_node_get(n, "mail"), webhook = lp_node_get(n, "webhook");
    if (mail == webhook) {
        lp_node_fault(r, n->first ? n->first->key : n, "write { mail: …, server: …, from: … } or { webhook: … }",
                      mail ? "one address is mail or a webhook, not both" : "this says nobody who can be told");
        return;
    }
    a->kind = mail ? LP_TO_MAIL : LP_TO_WEBHOOK;
    const struct lp_fields *fields = mail ? &lp_notify_mail_fields : &lp_notify_webhook_fields;
    lp_fields_defaults(r, fields, a);
    lp_fields_read(r, fields, n, n->first->key, a);
    if (mail && r->faults->count == before) {
        if (a->mail.count) check_mail(r, n->first->key, a);
        else lp_node_fault(r, lp_node_get(n, "mail"), "write mail: [ops@example.org]", "mail: nobody gets it");
    }
}

void lp_address_read(struct lp_reading *r, const struct lp_node *n, struct lp_addresses *to)
{
    struct lp_address a = {0};
    size_t before = r->faults->count;
    if (to->count == LP_NOTIFY_MAX) {
        lp_node_fault(r, n, "leave some out", "more than %d addresses", LP_NOTIFY_MAX);
        return;
    }
    if (n->kind == LP_NODE_LIST) {
        lp_node_fault(r, n, "write one list of addresses", "a list within the list");
    } else if (n->kind == LP_NODE_MAP) {
        read_mapping(r, n, &a);
    } else {
        const char *text = lp_node_text(r, n);
        if (!text) return;
        read_text(r, n, text, &a);
    }
    if (r->faults->count == before) to->list[to->count++] = a;
}
