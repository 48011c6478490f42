/* mime.h — a message as a mail: RFC 5322 headers, and text and HTML as alternatives.
 * Model:   pure text making. Words that are not ASCII are encoded (RFC 2047), bodies quoted-printable; no line passes 76
 *          characters but for long addresses. The Message-ID depends on pipeline, slot and event alone, so that the same
 *          told again is recognised.
 * Owns:    nothing; the mail is appended.
 * Units:   the date in microseconds UTC.
 * Errors:  none but a full buffer.
 * Threads: no shared state.
 */
#ifndef LP_NOTIFY_MIME_H
#define LP_NOTIFY_MIME_H

#include "notify/message.h"

void lp_mime_put_mail(const struct lp_address *a, const struct lp_message *m, int64_t date_us, struct lp_buf *out);
/* A header's text: as it stands when it is plain ASCII and fits, else in encoded words, folded; `used` is the length of
 * what stands before it on the line. */
void lp_mime_put_words(const char *text, size_t len, size_t used, struct lp_buf *out);
void lp_mime_put_quoted(const char *text, size_t len, struct lp_buf *out);

#endif
