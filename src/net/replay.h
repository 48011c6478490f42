/* replay.h — replies kept in a folder, and a run that gets them from there instead of the network.
 * Model:   one file per item, named after it, holding the reply as `curl -i` prints it: status line, headers, an empty
 *          line, body. Written: the status, the headers that matter, the body after inflation. Read: anything of that
 *          form by hand or by curl, with LF or CRLF, HTTP/1.x, 2 or 3; headers about how the body travelled are
 *          ignored, and of several answers in a row (a redirect, 100 Continue) the last one counts.
 * Owns:    names and bytes go into the caller's buffers; a reply that was read borrows from them.
 * Units:   bytes.
 * Errors:  LP_NOTFOUND (no recorded reply), LP_DATA (not of the form), LP_LIMIT, LP_IO, LP_NOMEM.
 * Threads: no shared state.
 */
#ifndef LP_NET_REPLAY_H
#define LP_NET_REPLAY_H

#include "net/http.h"

#define LP_REPLAY_NAME_BYTES 200 /* of the name, without ".http" */

/* Appends the file name, ".http" included: the values joined by ", ", so that a comma within one of several is %2C. Bytes
 * other than letters, digits, space , . _ - and valid UTF-8 become %XX, so does a leading dot; without values it is
 * "reply.http", with one that is empty "%.http". A name over LP_REPLAY_NAME_BYTES is cut and ends in - and 8 hex digits
 * of a hash of it all. */
enum lp_code lp_replay_name(const struct lp_slice *values, size_t count, struct lp_buf *out,
                            struct lp_err *err) LP_CHECKED;

/* Keeps an answered reply as folder/name, whole or not at all, secrets masked. Makes the folder. */
enum lp_code lp_replay_write(const char *folder, const char *name, const struct lp_http_reply *reply,
                             struct lp_err *err) LP_CHECKED;

/* Reads folder/slot/name, else folder/name; slot ("20121001T180000Z") may be NULL. Fills *reply as lp_http_wait does:
 * ANSWERED, or TOO_LARGE when the body passes max_body_bytes; lp_http_finish is not for it. `user` is left as it is,
 * elapsed_ms is 0. *storage is overwritten; the reply borrows from it. */
enum lp_code lp_replay_read(const char *folder, const char *slot, const char *name, size_t max_body_bytes,
                            struct lp_buf *storage, struct lp_http_reply *reply, struct lp_err *err) LP_CHECKED;

#endif
