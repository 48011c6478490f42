/* mail.h — one message to an SMTP server, for one or several recipients.
 * Model:   connect, TLS, authenticate, hand over. TLS from the start for smtps://; by STARTTLS for smtp:// where it is
 *          required, and then nothing (no user, no secret, no message) goes out in clear. A recipient that the server
 *          refuses does not keep the others from getting the message. Through no proxy.
 * Owns:    nothing beyond the call.
 * Units:   milliseconds; at most LP_MAIL_RECIPIENTS recipients.
 * Errors:  LP_BUSY (no connection, no answer in time, or "later"), LP_AUTH (user or secret refused), LP_REMOTE (refused;
 *          some of the recipients; no TLS, or a certificate that is not trusted), LP_CANCELLED, LP_NOMEM, LP_IO.
 * Threads: as http.h.
 */
#ifndef LP_NET_MAIL_H
#define LP_NET_MAIL_H

#include "base/error.h"

#include <stdint.h>

#define LP_MAIL_RECIPIENTS  32
#define LP_MAIL_REPLY_BYTES 200

struct lp_mail {
    const char *server; /* smtp://host:port or smtps://host:port */
    bool starttls;      /* smtp:// only: must be had */
    const char *user;   /* NULL: no authentication */
    const char *secret;
    const char *from; /* bare addresses */
    const char *const *to;
    size_t to_count;
    const void *message; /* RFC 5322, its lines ended by CRLF */
    size_t message_len;
    /* From start to end. Some servers greet late on purpose, so connecting has no limit of its own. */
    int64_t total_ms;
};

/* What the server said to each recipient that it refused; "" for those it took. */
struct lp_mail_refusals {
    char list[LP_MAIL_RECIPIENTS][LP_MAIL_REPLY_BYTES];
    size_t count;
};

enum lp_code lp_mail_send(const struct lp_mail *m, struct lp_mail_refusals *refused, struct lp_err *err) LP_CHECKED;

#endif
