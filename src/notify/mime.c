#include "notify/mime.h"

#include "base/clock.h"

#define LINE_BYTES 76

static void put_hex(struct lp_buf *out, unsigned char c)
{
    lp_buf_printf(out, "=%02X", c);
}

/* ---- headers ---- */

static bool plain(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (text[i] < ' ' || text[i] == 0x7F) return false; /* bytes past 0x7F are negative */
    return !memmem(text, len, "=?", 2);
}

static size_t word_bytes(const char *at, size_t n)
{
    size_t bytes = 0;
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)at[i];
        bool as_is =
            c == ' ' ||
            (c < 0x80 && strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!*+-/", c) && c);
        bytes += as_is ? 1 : 3;
    }
    return bytes;
}

static void put_word_bytes(const char *at, size_t n, struct lp_buf *out)
{
    for (size_t i = 0; i < n; i++) {
        if (word_bytes(at + i, 1) == 3) put_hex(out, (unsigned char)at[i]);
        else lp_buf_putc(out, at[i] == ' ' ? '_' : at[i]);
    }
}

void lp_mime_put_words(const char *text, size_t len, size_t used, struct lp_buf *out)
{
    static const char begin[] = "=?utf-8?Q?", end[] = "?=";
    const size_t frame = sizeof begin + sizeof end - 2;
    const char *stop = text + len;
    if (plain(text, len) && used + len <= LINE_BYTES) {
        lp_buf_put(out, text, len);
        return;
    }
    lp_buf_puts(out, begin);
    used += frame;
    while (text < stop) {
        const char *next = text;
        char bytes[4];
        size_t n = lp_utf8_put(lp_utf8_next(&next, stop), bytes); /* a word holds whole characters */
        if (used + word_bytes(bytes, n) > LINE_BYTES - 1) {
            lp_buf_printf(out, "%s\r\n %s", end, begin);
            used = 1 + frame;
        }
        put_word_bytes(bytes, n, out);
        used += word_bytes(bytes, n);
        text = next;
    }
    lp_buf_puts(out, end);
}

static void put_from(const char *from, struct lp_buf *out)
{
    struct lp_slice name, mailbox = lp_sender_mailbox(from, &name);
    lp_buf_puts(out, "From: ");
    if (!name.len) {
        lp_buf_put(out, mailbox.at, mailbox.len);
    } else {
        bool quote = plain(name.at, name.len) && name.len < 60;
        if (quote) lp_buf_putc(out, '"');
        lp_mime_put_words(name.at, name.len, 6, out);
        if (quote) lp_buf_putc(out, '"');
        lp_buf_printf(out, "\r\n <%.*s>", (int)mailbox.len, mailbox.at);
    }
    lp_buf_puts(out, "\r\n");
}

static void put_to(const struct lp_recipients *to, struct lp_buf *out)
{
    lp_buf_puts(out, "To: ");
    for (size_t i = 0; i < to->count; i++) lp_buf_printf(out, "%s%s", i ? ",\r\n " : "", to->list[i]);
    lp_buf_puts(out, "\r\n");
}

static void put_headers(const struct lp_address *a, const struct lp_message *m, int64_t date_us, struct lp_buf *out)
{
    char date[LP_TIME_TEXT_BYTES];
    struct lp_slice name, mailbox = lp_sender_mailbox(a->from, &name);
    const char *domain = memrchr(mailbox.at, '@', mailbox.len);
    put_from(a->from, out);
    put_to(&a->mail, out);
    lp_buf_puts(out, "Subject: ");
    lp_mime_put_words(lp_buf_text(&m->subject), m->subject.len, 9, out);
    lp_time_format(date_us, "%a, %d %b %Y %H:%M:%S +0000", date, sizeof date);
    lp_buf_printf(out, "\r\nDate: %s\r\nMessage-ID: <%s.lambda-pipeline%.*s>\r\n", date, lp_buf_text(&m->id),
                  domain ? (int)(mailbox.at + mailbox.len - domain) : 0, domain ? domain : "");
    lp_buf_puts(out, "Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n");
}

/* ---- bodies ---- */

void lp_mime_put_quoted(const char *text, size_t len, struct lp_buf *out)
{
    size_t used = 0;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        bool last = i + 1 == len || text[i + 1] == '\n';
        if (c == '\n') {
            lp_buf_puts(out, "\r\n");
            used = 0;
            continue;
        }
        bool as_is = c < 0x7F && c != '=' && (c > ' ' || (c == ' ' && !last));
        if (used + (as_is ? 1 : 3) > LINE_BYTES - 1) {
            lp_buf_puts(out, "=\r\n");
            used = 0;
        }
        if (as_is) lp_buf_putc(out, (char)c);
        else put_hex(out, c);
        used += as_is ? 1 : 3;
    }
}

static void put_part(const char *type, const struct lp_buf *body, struct lp_buf *out)
{
    lp_buf_printf(out,
                  "--=_lambda-pipeline\r\nContent-Type: %s; charset=utf-8\r\n"
                  "Content-Transfer-Encoding: quoted-printable\r\n\r\n",
                  type);
    lp_mime_put_quoted(lp_buf_text(body), body->len, out);
    lp_buf_puts(out, "\r\n");
}

void lp_mime_put_mail(const struct lp_address *a, const struct lp_message *m, int64_t date_us, struct lp_buf *out)
{
    put_headers(a, m, date_us, out);
    /* "=_" occurs in no quoted-printable text, so the boundary may always be the same. */
    lp_buf_puts(out, "Content-Type: multipart/alternative; boundary=\"=_lambda-pipeline\"\r\n\r\n");
    put_part("text/plain", &m->text, out);
    put_part("text/html", &m->html, out);
    lp_buf_puts(out, "--=_lambda-pipeline--\r\n");
}
