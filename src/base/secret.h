/* secret.h — values that must never be seen, and the one place that hides them.
 * Model:   a process-wide list of secret values. lp_secret_mask replaces every occurrence of a value by
 *          LP_SECRET_MASK: raw or base64 (its three alignments, both alphabets), and either with any of its characters
 *          percent-encoded or written as JSON escapes.
 *          Values under LP_SECRET_MIN_BYTES are kept out of URLs by those who build them, but are too short to be
 *          searched for in text.
 * Owns:    copies of the values, in memory that is not dumped and is wiped by lp_secret_forget.
 * Units:   bytes.
 * Errors:  LP_LIMIT past 32 secrets or 16,384 bytes, LP_NOMEM.
 * Threads: add before threads start; masking reads only.
 */
#ifndef LP_BASE_SECRET_H
#define LP_BASE_SECRET_H

#include "base/buf.h"

#define LP_SECRET_MASK      "•••"
#define LP_SECRET_MIN_BYTES 4

enum lp_code lp_secret_add(const char *value, size_t len, struct lp_err *err) LP_CHECKED;
/* The same for what is soon replaced by another, as keys that expire: there is always room, the oldest of many makes it. */
enum lp_code lp_secret_add_passing(const char *value, size_t len, struct lp_err *err) LP_CHECKED;
bool lp_secret_any(void);
/* True when any form of any secret occurs in the bytes. */
bool lp_secret_found(const char *bytes, size_t len);
/* Appends the bytes to out with every secret masked. */
void lp_secret_mask(const char *bytes, size_t len, struct lp_buf *out);
/* Masks within a fixed, NUL-terminated array; the result may be cut to fit. */
void lp_secret_mask_text(char *text, size_t text_bytes);
void lp_secret_forget(void);
/* No core dumps, no ptrace by others of the same user. */
void lp_secret_guard_process(void);

#endif
