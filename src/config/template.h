/* template.h — texts with variables: "{city}", "{slot:%Y-%m-%d}", and with the environment: "${NAME:-default}".
 * Model:   a text is read once into parts. {name} stands for a variable of the run, with a strftime format for times;
 *          {{ and }} stand for braces. ${NAME} is replaced when the file is read and is never looked at again, so a
 *          value from outside cannot bring in variables.
 * Owns:    parts lie in the arena of the definition; bound values are borrowed.
 * Units:   –
 * Errors:  faults with place: a brace not closed, a variable that does not exist, an unset ${NAME}.
 * Threads: read only once bound.
 */
#ifndef LP_CONFIG_TEMPLATE_H
#define LP_CONFIG_TEMPLATE_H

#include "base/text.h"
#include "config/yaml.h"

/* What a file reads of the environment that it is to run in. */
struct lp_environment {
    /* of ${NAME}; NULL: not set */
    const char *(*value)(struct lp_environment *e, const char *name);
    /* where the secret env:NAME is kept instead: ssm:/weather/key; NULL: in the environment itself */
    const char *(*place)(struct lp_environment *e, const char *name);
    /* hears of a secret that is kept in a file, as the file:PATH that *n says */
    void (*in_file)(struct lp_environment *e, const struct lp_node *n, const char *place);
};

struct lp_reading {
    struct lp_arena *arena;
    struct lp_faults *faults;
    const char *folder; /* of the pipeline file; relative files are meant from there */
    struct lp_environment *environment; /* NULL: this process's own */
};

struct lp_template_part {
    const char *text; /* literal; NULL for a variable */
    size_t len;
    const char *name, *format; /* of a variable; format may be NULL */
    size_t variable;           /* index, once bound */
    size_t offset;             /* in the node's text, for the caret */
};

struct lp_template {
    struct lp_template_part *parts;
    size_t part_count;
    const char *text; /* as written */
    const struct lp_node *node;
};

/* Variables a template may name. The first ones are always these. */
enum { LP_VARIABLE_SLOT, LP_VARIABLE_RUN_ID, LP_VARIABLE_PIPELINE, LP_VARIABLE_FIRST_ITEM };
#define LP_VARIABLES_MAX 64
struct lp_variables {
    const char *names[LP_VARIABLES_MAX];
    size_t count;
};
void lp_variables_init(struct lp_variables *v);

/* What they stand for now. */
struct lp_bindings {
    struct lp_slice values[LP_VARIABLES_MAX];
    size_t count;
    int64_t slot_us;
};

/* Reads the text of a scalar; false when there was a fault. */
bool lp_template_read(struct lp_reading *r, const struct lp_node *node, struct lp_template *out);
/* Finds each variable by name. */
void lp_template_bind(struct lp_reading *r, struct lp_template *t, const struct lp_variables *v);
bool lp_template_uses(const struct lp_template *t, size_t variable);
bool lp_template_is_constant(const struct lp_template *t);
/* Index of a variable's first use at or past LP_VARIABLE_FIRST_ITEM: does it change from item to item? */
bool lp_template_per_item(const struct lp_template *t);

/* How a value is written into its surroundings; NULL means as it is. */
typedef void lp_escape(struct lp_buf *out, const char *bytes, size_t len);
/* Literals go through literal_escape, variables through value_escape. */
void lp_template_put(const struct lp_template *t, const struct lp_bindings *b, lp_escape *literal_escape,
                     lp_escape *value_escape, struct lp_buf *out);

/* A scalar with ${NAME} replaced; NULL after a fault. Arena. */
const char *lp_expand_environment(struct lp_reading *r, const struct lp_node *node);

#endif
