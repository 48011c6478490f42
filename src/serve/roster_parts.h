/* roster_parts.h — what the files of the roster share; for no others.
 * Model:   roster.c reads files; what those that have changed say is news until all are read. roster_news.c then sees whose file
 *          was renamed, who was given another pipeline's name and who claims a taken one, and lets the pipelines have it.
 * Owns:    news belongs to its pipeline.
 * Units:   microseconds UTC.
 * Errors:  LP_NOMEM.
 * Threads: one thread.
 */
#ifndef LP_SERVE_ROSTER_PARTS_H
#define LP_SERVE_ROSTER_PARTS_H

#include "serve/roster.h"

#define LP_KEPT "; what it said before is kept"

struct lp_served_news {
    char *name, *lake, *words;
    struct lp_buf text;
    struct lp_schedule rules;
    struct lp_expression expression;
    const struct lp_zone *zone;
    bool scheduled;
};

/* Of those that are `seen`; the others are `gone`. */
enum lp_code lp_roster_take_news(struct lp_roster *r, int64_t now_us, struct lp_err *err) LP_CHECKED;
/* A change of what is wrong is told once; NULL: nothing is. */
void lp_roster_fault(struct lp_roster *r, struct lp_served *s, const char *what);
void lp_served_drop_news(struct lp_served *s);
/* Another name, another lake: what was known of runs is not about it. */
void lp_served_forget_past(struct lp_served *s, int64_t now_us);
void lp_served_free(struct lp_served *s);

#endif
