/* lines.h — a set of texts, made of lines, for those who look many of them up.
 * Model:   sorted once, then only asked.
 * Owns:    a copy of its lines.
 * Units:   –
 * Errors:  LP_NOMEM.
 * Threads: read only once made.
 */
#ifndef LP_BASE_LINES_H
#define LP_BASE_LINES_H

#include "base/error.h"

struct lp_lines { /* {0} is an empty one */
    char *text;
    const char **list; /* in the order of their bytes; each once or more often */
    size_t count;
};

/* Of a text whose lines each end in a newline; empty ones are left out. */
enum lp_code lp_lines_init(struct lp_lines *l, const char *text, struct lp_err *err) LP_CHECKED;
bool lp_lines_have(const struct lp_lines *l, const char *line);
void lp_lines_release(struct lp_lines *l);

#endif
