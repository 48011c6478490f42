/* Mail through an SMTP server. */
#include "aws/secret_place.h"
#include "base/clock.h"
#include "net/mail.h"
#include "notify/messenger.h"
#include "notify/mime.h"
#include "source/url.h"

#include <stdlib.h>

#define MAIL_BYTES ((size_t)1 << 20)

_Static_assert(LP_NOTIFY_RECIPIENTS <= LP_MAIL_RECIPIENTS, "all recipients go into one mail");

struct smtp {
    struct lp_messenger messenger;
    const struct lp_address *address;
    struct lp_buf server, from, secret;
    bool starttls;
};

static enum lp_code smtp_send(struct lp_messenger *messenger, const struct lp_notice *n,
                              const struct lp_message *message, int64_t limit_ms, struct lp_err *err)
{
    const struct smtp *s = (const struct smtp *)messenger;
    const struct lp_address *a = s->address;
    struct lp_mail_refusals refused;
    LP_AUTO(lp_buf) mail = {.max_bytes = MAIL_BYTES};
    (void)n;
    lp_mime_put_mail(a, message, lp_clock_now_us(), &mail);
    LP_TRY(lp_buf_code(&mail, "the mail", err));
    const struct lp_mail m = {.server = lp_buf_text(&s->server),
                              .starttls = s->starttls,
                              .user = a->user,
                              .secret = a->user ? lp_buf_text(&s->secret) : NULL,
                              .from = lp_buf_text(&s->from),
                              .to = a->mail.list,
                              .to_count = a->mail.count,
                              .message = lp_buf_text(&mail),
                              .message_len = mail.len,
                              .total_ms = limit_ms};
    return lp_mail_send(&m, &refused, err);
}

static void smtp_free(struct lp_messenger *messenger)
{
    struct smtp *s = (struct smtp *)messenger;
    lp_buf_release(&s->server);
    lp_buf_release(&s->from);
    lp_secret_wipe(&s->secret);
    free(s);
}

/* smtp://host without a port means the one for handing in mail, 587; on this machine a mail server listens at 25. */
static void put_server(struct smtp *s, const char *server)
{
    bool secure = !strncmp(server, "smtps://", 8), here = lp_url_is_here(server);
    const char *after = strstr(server, "://") + 3;
    size_t len = strcspn(after, "/"), host = *after == '[' ? strcspn(after, "]") : 0;
    s->starttls = !secure && (!here || s->address->tls == LP_TLS_REQUIRED);
    lp_buf_put(&s->server, server, (size_t)(after - server) + len);
    if (!memchr(after + host, ':', len - host)) lp_buf_puts(&s->server, secure ? ":465" : here ? ":25" : ":587");
}

static enum lp_code prepare(struct smtp *s, const struct lp_messenger_means *means, struct lp_err *err)
{
    struct lp_slice name, mailbox = lp_sender_mailbox(s->address->from, &name);
    put_server(s, s->address->server);
    lp_buf_put(&s->from, mailbox.at, mailbox.len);
    LP_TRY(lp_buf_code(&s->server, "the server's address", err));
    LP_TRY(lp_buf_code(&s->from, "the sender", err));
    if (!s->address->user) return LP_OK;
    return lp_secret_load(means->aws, s->address->secret, means->folder, &s->secret, err);
}

enum lp_code lp_messenger_smtp_new(const struct lp_address *a, const struct lp_messenger_means *means,
                                   struct lp_messenger **out, struct lp_err *err)
{
    static const struct lp_messenger_ops ops = {"mail", smtp_send, smtp_free};
    struct smtp *s = calloc(1, sizeof *s);
    if (!s) return lp_nomem(err);
    s->messenger.ops = &ops;
    s->address = a;
    enum lp_code code = prepare(s, means, err);
    if (code) smtp_free(&s->messenger);
    else *out = &s->messenger;
    return code;
}
