/* notify.h — the `notify` section: who is told of a run, and when.
 * Model:   events and addresses. An address is one of four kinds: standard error; a topic of Amazon SNS, by its ARN; mail
 *          through an SMTP server; a webhook. Mail and webhooks are written as a text or as a mapping, which can keep
 *          their secrets elsewhere.
 * Owns:    texts lie in the arena of the definition. A webhook's address is a secret of its own: all of it but the host
 *          is masked from the moment it is read.
 * Errors:  faults with place; LP_CONFIG for an address that was kept elsewhere.
 * Threads: read only once read.
 */
#ifndef LP_NOTIFY_NOTIFY_H
#define LP_NOTIFY_NOTIFY_H

#include "config/field.h"

enum lp_notify_event { LP_ON_SUCCESS = 1, LP_ON_FAILURE = 2, LP_ON_PARTIAL = 4, LP_ON_RECOVERY = 8 };

#define LP_NOTIFY_MAX        16
#define LP_NOTIFY_RECIPIENTS 32

enum lp_address_kind { LP_TO_STDERR, LP_TO_TOPIC, LP_TO_MAIL, LP_TO_WEBHOOK };

struct lp_recipients {
    const char *list[LP_NOTIFY_RECIPIENTS];
    size_t count;
};

struct lp_address {
    enum lp_address_kind kind;
    const char *text; /* the topic's ARN, or the webhook's URL (NULL: it is kept where `secret` says) */
    struct lp_recipients mail;
    const char *server; /* smtp://host[:port], smtps://host[:port] */
    const char *from;   /* weather@example.org, or Weather <weather@example.org> */
    const char *user;
    const char *secret; /* where the webhook's URL or the password is kept: env:NAME, file:PATH */
    int tls;            /* enum lp_mail_tls */
};

/* smtps:// always speaks TLS; smtp:// is made to (STARTTLS) except to this machine, unless that is asked for. */
enum lp_mail_tls { LP_TLS_AUTO, LP_TLS_REQUIRED };

struct lp_addresses {
    struct lp_address *list;
    size_t count;
};

struct lp_notify {
    unsigned when; /* of enum lp_notify_event */
    struct lp_addresses to;
};

extern const struct lp_fields lp_notify_fields, lp_notify_mail_fields, lp_notify_webhook_fields;

/* "success" */
const char *lp_notify_event_name(enum lp_notify_event e);
/* "success, failure" */
void lp_notify_put_events(const struct lp_notify *n, struct lp_buf *out);
/* The address as others may see it: arn:aws:sns:us-west-2:…:topic, https://hooks.example.com/•••, a@example.org; in
 * private of the recipients' names no more than their first letter. */
void lp_address_put_shown(const struct lp_address *a, bool private, struct lp_buf *out);
/* Text of others with the recipients' names cut down in the same way. */
void lp_address_put_private(const struct lp_address *a, const char *text, struct lp_buf *out);

/* address.c: one element of notify.to; what is no address is a fault. */
void lp_address_read(struct lp_reading *r, const struct lp_node *n, struct lp_addresses *to);
/* Whether a webhook may be called, and has it masked; for one that was kept elsewhere. */
enum lp_code lp_webhook_check(const char *url, struct lp_err *err) LP_CHECKED;

/* address_text.c: the parts of an address, judged. NULL, or what is wrong with it. */
const char *lp_mailbox_objection(const char *mailbox);
const char *lp_sender_objection(const char *from);
const char *lp_server_objection(const char *server, const char **remedy);
const char *lp_topic_objection(const char *arn);
/* The mailbox within a sender; the name before it, len 0 without. */
struct lp_slice lp_sender_mailbox(const char *from, struct lp_slice *name);

#endif
