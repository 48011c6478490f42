/* template_parts.h — what the files that write the template share.
 * Model:   a template in the making: its text, and the names of its parts.
 * Owns:    the arena; the text is the caller's.
 * Units:   seconds.
 * Errors:  a text that failed tells so at its end; else as template.h.
 * Threads: one thread.
 */
#ifndef LP_DEPLOY_TEMPLATE_PARTS_H
#define LP_DEPLOY_TEMPLATE_PARTS_H

#include "deploy/permissions.h"
#include "deploy/template.h"
#include "lake/catalog_glue.h"

struct lp_template_making {
    const struct lp_stack *stack;
    struct lp_arena arena;
    const char **ids; /* of each pipeline, as logical ids begin: "DailyWeather" */
    bool bucket;      /* some pipeline writes to the stack's own */
    struct lp_buf *out;
};

/* The database of a pipeline's table in Glue; true when it carries the stage, and so is the stack's to make. */
bool lp_template_own_database(const struct lp_pipeline *p, char name[LP_GLUE_NAME_BYTES]);

/* template_text.c */
/* A YAML value: the text in quotes, !Ref or !Sub where it holds stand-ins or ${AWS::…}. */
void lp_template_put_value(struct lp_buf *out, const char *text);
/* "daily-weather" as "DailyWeather"; logical ids are letters and digits. */
void lp_template_put_id(struct lp_buf *out, const char *name);

/* template_time.c */
/* The longest a schedule leaves between two runs, in hours, rounded up; 0: not known, or longer than an alarm can wait. */
int lp_schedule_gap_hours(const char *expression);

/* template_function.c: all of one pipeline. */
enum lp_code lp_template_put_function(struct lp_template_making *m, size_t i, struct lp_err *err) LP_CHECKED;
int lp_template_timeout_s(const struct lp_pipeline *p);
/* template_role.c: the statements of its role. */
enum lp_code lp_template_put_statements(struct lp_template_making *m, size_t i, struct lp_err *err) LP_CHECKED;
/* template_shards.c: the state machine that runs it in shares. */
void lp_template_put_machine(struct lp_template_making *m, size_t i);
/* What starts it, as an event of a function or a state machine. */
void lp_template_put_schedule(struct lp_template_making *m, size_t i);

#endif
