/* answer.h — what one reply says: rows to come, trouble to be told, or both.
 * Model:   a reply is read into JSON, its status and what `on_status` and `expect` say of it decide its item's fate.
 *          Whether a retry is still allowed is the caller's to decide. A secret that the reply repeats is masked before
 *          anybody reads it; error texts are masked, and hold nothing that moves a terminal.
 * Owns:    error; the tree lies in json, which the caller lends.
 * Units:   –
 * Errors:  LP_FATE_STARVED when memory is out; all else is a fate.
 * Threads: one thread per answer.
 */
#ifndef LP_SOURCE_ANSWER_H
#define LP_SOURCE_ANSWER_H

#include "net/http.h"
#include "source/source.h"

#include <jansson.h>

enum lp_fate { LP_FATE_KEEP, LP_FATE_TRY_AGAIN, LP_FATE_GIVE_UP, LP_FATE_STOP, LP_FATE_STARVED };

struct lp_answer {
    struct lp_arena json;
    json_t *root;
    int status;
    bool broke; /* the connection did */
    struct lp_buf error;
};

enum lp_fate lp_answer_read(struct lp_answer *a, const struct lp_source *s, const struct lp_http_reply *r);
void lp_answer_fail(struct lp_answer *a, const char *format, ...) LP_PRINTF(2, 3);

#endif
