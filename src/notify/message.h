/* message.h — a notice in words.
 * Model:   the same story four times: a subject, a text, simple HTML, and JSON with a text that chats show. Plain words
 *          first: what ran, for which slot, what came of it; a failure says so first, and what to do.
 * Owns:    its texts, until release.
 * Units:   the subject has fewer than 100 characters, on one line. The text has at most 64 KiB; what chats show (`text`
 *          and `content` in the JSON) at most 1,900 characters, as Discord takes 2,000.
 * Errors:  LP_NOMEM, LP_LIMIT.
 * Threads: no shared state. Secrets are masked in all of it, and control characters made visible.
 */
#ifndef LP_NOTIFY_MESSAGE_H
#define LP_NOTIFY_MESSAGE_H

#include "notify/notice.h"

#define LP_SUBJECT_CHARACTERS 95 /* in ASCII, "…" takes three */
#define LP_CHAT_CHARACTERS    1900

struct lp_message {
    struct lp_buf id; /* weather.20261122T180000Z.failure: the same when the same is told again */
    struct lp_buf subject, text, html, json;
};

enum lp_code lp_message_make(const struct lp_notice *n, struct lp_message *out, struct lp_err *err) LP_CHECKED;
void lp_message_release(struct lp_message *m);

/* Text as one line of ASCII, each other character by its nearest or '?'; at most max_bytes. */
void lp_message_put_ascii(const char *text, size_t max_bytes, struct lp_buf *out);
/* message_json.c, message_html.c: the forms for programs and for mail readers. */
void lp_message_put_json(const struct lp_notice *n, const struct lp_message *m, struct lp_buf *out);
void lp_message_put_html(const char *text, struct lp_buf *out);

#endif
