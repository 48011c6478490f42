/* On libcurl, which speaks the dialogue, doubles leading dots and ends the message; its trace tells whom a server refuses. */
#include "net/mail.h"

#include "base/cancel.h"
#include "base/clock.h"
#include "base/text.h"
#include "net/transfer.h"

#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define TURN_MS 100 /* between two looks at whether a signal came */
#define SOCKETS 8   /* one, but while several addresses of a host are tried */

struct dialogue {
    const struct lp_mail *mail;
    struct lp_mail_refusals *refused;
    size_t sent;                    /* of the message */
    size_t recipient;               /* the one whose answer is awaited; LP_MAIL_RECIPIENTS: none */
    char last[LP_MAIL_REPLY_BYTES]; /* the last refusal of any command */
    char curl_error[CURL_ERROR_SIZE];
    bool to_any;
    curl_socket_t open[SOCKETS]; /* CURL_SOCKET_BAD: none */
};

static size_t give_message(char *to, size_t size, size_t count, void *context)
{
    struct dialogue *d = context;
    size_t n = d->mail->message_len - d->sent;
    if (n > size * count) n = size * count;
    memcpy(to, (const char *)d->mail->message + d->sent, n);
    d->sent += n;
    return n;
}

static size_t drop(char *bytes, size_t size, size_t count, void *context)
{
    (void)bytes, (void)context;
    return size * count;
}

static void keep_reply(char out[LP_MAIL_REPLY_BYTES], const char *line, size_t len)
{
    LP_AUTO(lp_buf) visible = {.max_bytes = 8192}, cut = {.max_bytes = 8192};
    while (len && strchr("\r\n ", line[len - 1])) len--;
    lp_text_put_visible(&visible, line, len < 1000 ? len : 1000);
    lp_text_cut(&cut, lp_buf_text(&visible), visible.len, LP_MAIL_REPLY_BYTES / 2);
    if (cut.len < LP_MAIL_REPLY_BYTES) snprintf(out, LP_MAIL_REPLY_BYTES, "%s", lp_buf_text(&cut));
    else snprintf(out, LP_MAIL_REPLY_BYTES, "%.3s", line);
}

/* Commands go out and answers come in one at a time, so that the answer behind RCPT is the recipient's. What else goes
 * out (the secret, too) is not looked at. */
static int follow(CURL *easy, curl_infotype kind, char *bytes, size_t len, void *context)
{
    struct dialogue *d = context;
    (void)easy;
    if (kind == CURLINFO_HEADER_OUT) {
        bool to = len > 8 && !strncmp(bytes, "RCPT TO:", 8);
        if (!to) d->recipient = LP_MAIL_RECIPIENTS;
        else d->recipient = d->to_any ? d->recipient + 1 : 0;
        d->to_any |= to;
    } else if (kind == CURLINFO_HEADER_IN && len > 3 && (bytes[0] == '4' || bytes[0] == '5')) {
        keep_reply(d->last, bytes, len);
        if (d->recipient >= d->mail->to_count || bytes[3] == '-') return 0;
        if (!*d->refused->list[d->recipient]) d->refused->count++;
        keep_reply(d->refused->list[d->recipient], bytes, len);
    }
    return 0;
}

static curl_socket_t open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *at)
{
    struct dialogue *d = context;
    (void)purpose;
    int fd = socket(at->family, at->socktype | SOCK_CLOEXEC, at->protocol);
    for (size_t i = 0; fd >= 0 && i < SOCKETS; i++) {
        if (d->open[i] != CURL_SOCKET_BAD) continue;
        d->open[i] = fd;
        return fd;
    }
    if (fd >= 0) close(fd);
    return CURL_SOCKET_BAD;
}

static int close_socket(void *context, curl_socket_t fd)
{
    struct dialogue *d = context;
    for (size_t i = 0; i < SOCKETS; i++)
        if (d->open[i] == fd) d->open[i] = CURL_SOCKET_BAD;
    return close(fd);
}

/* libcurl says QUIT when it lets go of a connection, and waits for the answer with no eye on signals or the time. So
 * there will be no answer: none to wait for after a mail that was taken, no connection at all after another. */
static void hang_up(struct dialogue *d, bool taken)
{
    for (size_t i = 0; i < SOCKETS; i++)
        if (d->open[i] != CURL_SOCKET_BAD) shutdown(d->open[i], taken ? SHUT_RD : SHUT_RDWR);
}

static bool set_up(CURL *e, struct dialogue *d, const struct curl_slist *to)
{
    const struct lp_mail *m = d->mail;
    bool good = !curl_easy_setopt(e, CURLOPT_URL, m->server) && !curl_easy_setopt(e, CURLOPT_MAIL_FROM, m->from) &&
                !curl_easy_setopt(e, CURLOPT_USERNAME, m->user) &&
                !curl_easy_setopt(e, CURLOPT_PASSWORD, m->user ? m->secret : NULL) &&
                !curl_easy_setopt(e, CURLOPT_PROXY, "");
    curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
    curl_easy_setopt(e, CURLOPT_USE_SSL, (long)(m->starttls ? CURLUSESSL_ALL : CURLUSESSL_NONE));
    curl_easy_setopt(e, CURLOPT_MAIL_RCPT, to);
    curl_easy_setopt(e, CURLOPT_MAIL_RCPT_ALLLOWFAILS, 1L);
    curl_easy_setopt(e, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(e, CURLOPT_READFUNCTION, give_message);
    curl_easy_setopt(e, CURLOPT_READDATA, d);
    curl_easy_setopt(e, CURLOPT_INFILESIZE_LARGE, (curl_off_t)m->message_len);
    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, drop);
    curl_easy_setopt(e, CURLOPT_VERBOSE, 1L);
    curl_easy_setopt(e, CURLOPT_DEBUGFUNCTION, follow);
    curl_easy_setopt(e, CURLOPT_DEBUGDATA, d);
    curl_easy_setopt(e, CURLOPT_ERRORBUFFER, d->curl_error);
    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(e, CURLOPT_QUICK_EXIT, 1L);
    curl_easy_setopt(e, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    curl_easy_setopt(e, CURLOPT_OPENSOCKETDATA, d);
    curl_easy_setopt(e, CURLOPT_CLOSESOCKETFUNCTION, close_socket);
    curl_easy_setopt(e, CURLOPT_CLOSESOCKETDATA, d);
    curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)m->total_ms);
    curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)m->total_ms);
    curl_easy_setopt(e, CURLOPT_SERVER_RESPONSE_TIMEOUT, (long)(m->total_ms / 1000 + 1));
    if (m->starttls || !strncmp(m->server, "smtps://", 8)) lp_transfer_set_certificates(e, NULL);
    return good;
}

/* Runs the handle to its end, or until a signal or the time is over: what libcurl forgets ends all the same. */
static enum lp_code perform(CURLM *multi, const struct lp_mail *m, CURLcode *result, struct lp_err *err)
{
    int64_t until_us = lp_clock_monotonic_us() + (m->total_ms + 1000) * 1000;
    int running = 1, left;
    *result = CURLE_OPERATION_TIMEDOUT;
    while (lp_clock_monotonic_us() < until_us) {
        LP_TRY(lp_cancel_check(err));
        if (curl_multi_perform(multi, &running)) return lp_nomem(err);
        if (!running) break;
        if (curl_multi_poll(multi, NULL, 0, TURN_MS, NULL)) return lp_nomem(err);
    }
    for (CURLMsg *msg; (msg = curl_multi_info_read(multi, &left));)
        if (msg->msg == CURLMSG_DONE) *result = msg->data.result;
    return LP_OK;
}

static enum lp_code explain(const struct dialogue *d, CURLcode result, struct lp_err *err)
{
    char limit[LP_TIME_TEXT_BYTES];
    const struct lp_mail *m = d->mail;
    const char *detail = *d->curl_error ? d->curl_error : curl_easy_strerror(result);
    enum lp_code refusal = *d->last == '4' ? LP_BUSY : LP_REMOTE;
    switch (result) {
    case CURLE_OUT_OF_MEMORY: return lp_nomem(err);
    case CURLE_USE_SSL_FAILED:
        return lp_fail(err, LP_REMOTE,
                       "%s offers no TLS (STARTTLS), so nothing was sent; name its smtps:// address or another server",
                       m->server);
    case CURLE_LOGIN_DENIED:
        return lp_fail(err, LP_AUTH, "%s refuses the user or the secret%s%s; set them right", m->server,
                       *d->last ? ": " : "", d->last);
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
        return lp_fail(err, LP_REMOTE, "%s: its certificate is refused, so nothing was sent: %s", m->server, detail);
    case CURLE_OPERATION_TIMEDOUT:
        lp_duration_format(m->total_ms, limit);
        return lp_fail(err, LP_BUSY, "%s has not taken the mail within %s", m->server, limit);
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT: return lp_fail(err, LP_BUSY, "%s cannot be reached: %s", m->server, detail);
    default:
        if (*d->last) return lp_fail(err, refusal, "%s refuses the mail: %s", m->server, d->last);
        return lp_fail(err, LP_BUSY, "%s: the mail could not be handed over: %s", m->server, detail);
    }
}

static enum lp_code name_refused(const struct dialogue *d, struct lp_err *err)
{
    const struct lp_mail *m = d->mail;
    size_t first = 0;
    while (first + 1 < m->to_count && !*d->refused->list[first]) first++;
    size_t others = d->refused->count - 1, took = m->to_count - d->refused->count;
    char more[60] = "";
    if (others) snprintf(more, sizeof more, " (and %zu more)", others);
    return lp_fail(err, LP_REMOTE, "%s refuses %s%s: %s; %s", m->server, m->to[first], more, d->refused->list[first],
                   !took      ? "nobody got the mail"
                   : took > 1 ? "the others got the mail"
                              : "the other one got the mail");
}

static enum lp_code converse(struct dialogue *d, CURLM *multi, CURL *easy, const struct curl_slist *to,
                             struct lp_err *err)
{
    CURLcode result;
    if (!set_up(easy, d, to) || curl_multi_add_handle(multi, easy)) return lp_nomem(err);
    enum lp_code code = perform(multi, d->mail, &result, err);
    hang_up(d, !code && !result);
    curl_multi_remove_handle(multi, easy);
    LP_TRY(code);
    if (d->refused->count && (!result || d->refused->count == d->mail->to_count)) return name_refused(d, err);
    return result ? explain(d, result, err) : LP_OK;
}

enum lp_code lp_mail_send(const struct lp_mail *m, struct lp_mail_refusals *refused, struct lp_err *err)
{
    struct dialogue d = {.mail = m, .refused = refused, .recipient = LP_MAIL_RECIPIENTS};
    struct curl_slist *to = NULL;
    for (size_t i = 0; i < SOCKETS; i++) d.open[i] = CURL_SOCKET_BAD;
    *refused = (struct lp_mail_refusals){0};
    if (!m->to_count || m->to_count > LP_MAIL_RECIPIENTS) return lp_fail(err, LP_BUG, "a mail to nobody or too many");
    if (!lp_transfer_library()) return lp_nomem(err);
    for (size_t i = 0; i < m->to_count; i++) {
        struct curl_slist *more = curl_slist_append(to, m->to[i]);
        if (!more) {
            curl_slist_free_all(to);
            return lp_nomem(err);
        }
        to = more;
    }
    CURLM *multi = curl_multi_init();
    CURL *easy = curl_easy_init();
    enum lp_code code = multi && easy ? converse(&d, multi, easy, to, err) : lp_nomem(err);
    if (multi) curl_multi_cleanup(multi); /* before the handle: it closes what is open, by the handle's callbacks */
    curl_easy_cleanup(easy);
    curl_slist_free_all(to);
    return code;
}
