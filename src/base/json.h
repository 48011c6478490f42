/* json.h — reading JSON into a tree, and writing it.
 * Model:   the values are jansson's, in a caller's arena, so that a reply is forgotten with one reset; the reader is our
 *          own (json_read.c says why). A number that neither 64 bits nor a double can hold (1e400,
 *          18446744073709551615) arrives as its text, a JSON string: columns then judge it like any number that arrives
 *          as text, and a field nobody asked for harms nothing.
 *          Writing appends compact JSON to a buffer; text that is not UTF-8 is written with U+FFFD.
 * Owns:    the tree belongs to the arena; never json_decref it.
 * Units:   bytes.
 * Errors:  LP_DATA with line and column; LP_LIMIT, LP_NOMEM from the arena.
 * Threads: one thread in the process may read JSON at a time (jansson's allocator is global).
 */
#ifndef LP_BASE_JSON_H
#define LP_BASE_JSON_H

#include "base/arena.h"
#include "base/buf.h"

#include <jansson.h>
#include <stdint.h>

enum lp_code lp_json_parse(struct lp_arena *a, const char *text, size_t len, json_t **root,
                           struct lp_err *err) LP_CHECKED;
/* The same of what a person wrote: a name that an object gives twice is LP_DATA. In replies the last one counts. */
enum lp_code lp_json_parse_once(struct lp_arena *a, const char *text, size_t len, json_t **root,
                                struct lp_err *err) LP_CHECKED;

/* Makes jansson's constructors take their memory from an arena, until called with NULL. */
void lp_json_build_in(struct lp_arena *a);

void lp_json_put_text(struct lp_buf *out, const char *text, size_t len); /* with quotes */
void lp_json_put_value(struct lp_buf *out, const json_t *value);         /* compact, one line */

/* Objects and arrays, member by member; commas are its business. */
struct lp_json_writer {
    struct lp_buf *out;
    bool more; /* a comma is due */
};
void lp_json_open(struct lp_json_writer *w, const char *key, char bracket); /* key NULL in arrays */
void lp_json_close(struct lp_json_writer *w, char bracket);
void lp_json_key(struct lp_json_writer *w, const char *key, size_t len);
void lp_json_text(struct lp_json_writer *w, const char *key, const char *text); /* NULL text: null */
void lp_json_int(struct lp_json_writer *w, const char *key, int64_t value);
void lp_json_bool(struct lp_json_writer *w, const char *key, bool value);
void lp_json_null(struct lp_json_writer *w, const char *key);

#endif
