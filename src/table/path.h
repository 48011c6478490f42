/* path.h — where in a JSON reply a value lies: main.temp, weather[0].description, "a.b".c
 * Model:   steps, each a key or an index. A dotted segment is a key even when it starts with a digit (rain.1h); a
 *          segment that holds a dot or a bracket is written in double quotes. "." is the row's own element; a path that
 *          begins with $ starts at the whole reply, for what stands beside the rows ($.city.name).
 * Owns:    steps lie in the arena given.
 * Units:   offsets in bytes, for the caret under a mistake.
 * Errors:  lp_path_parse says at which byte and why.
 * Threads: read only once parsed.
 */
#ifndef LP_TABLE_PATH_H
#define LP_TABLE_PATH_H

#include "base/arena.h"

#include <jansson.h>

struct lp_path_step {
    const char *key; /* NULL: an index */
    size_t key_len;
    size_t index;
};
struct lp_path {
    struct lp_path_step *steps;
    size_t step_count;
    bool whole_reply; /* began with $ */
};

/* LP_CONFIG with the reason in *err and the offset of the fault in *at. */
enum lp_code lp_path_parse(struct lp_arena *a, const char *text, struct lp_path *out, size_t *at,
                           struct lp_err *err) LP_CHECKED;
/* The value there, or NULL when any step is absent; JSON null is returned as the json_null it is. */
json_t *lp_path_find(const struct lp_path *p, json_t *root);

#endif
