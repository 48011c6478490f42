/* columns.h — the columns of a pipeline: the one schema everything follows.
 * Model:   an ordered list; extraction, order in the file, types, units, checks and the printed documentation come
 *          from it. A column takes its value from a path in the reply (`from`) or from a text with variables (`value`).
 * Owns:    everything lies in the arena of the pipeline definition; conversions of units are freed by
 *          lp_columns_release.
 * Units:   a timestamp is microseconds UTC, a date is days since 1970-01-01.
 * Errors:  faults in the file are collected, with place (config/fault.h).
 * Threads: read only once read.
 */
#ifndef LP_TABLE_COLUMNS_H
#define LP_TABLE_COLUMNS_H

#include "base/text.h"
#include "config/field.h"
#include "config/template.h"
#include "table/path.h"
#include "table/units.h"

enum lp_type {
    LP_TYPE_STRING,
    LP_TYPE_BIGINT,
    LP_TYPE_DOUBLE,
    LP_TYPE_BOOLEAN,
    LP_TYPE_TIMESTAMP,
    LP_TYPE_DATE,
    LP_TYPE_COUNT
};
const char *lp_type_name(enum lp_type t);  /* bigint */
const char *lp_type_dtype(enum lp_type t); /* Pandera's word for it: int64 */

enum lp_time_form { LP_TIME_ISO8601, LP_TIME_UNIX, LP_TIME_UNIX_MS, LP_TIME_STRPTIME };

struct lp_column {
    const char *name, *description;
    enum lp_type type;
    bool type_known; /* false where the file names none; then nothing is held against it */
    bool nullable;
    const char *from_text; /* as written; NULL when the value is a template */
    struct lp_path from;
    struct lp_template value;
    const char *unit;           /* what the stored number is in: the right side of the arrow; NULL without */
    const char *unit_from;      /* the left side, NULL without an arrow */
    struct lp_unit *conversion; /* NULL: none */
    const char *parse;          /* as written, NULL without */
    enum lp_time_form time_form;
    const char *fallback;       /* `default`, as text; NULL without */
    const struct lp_node *node; /* its place in the file */
};

struct lp_columns {
    struct lp_column *list;
    size_t count;
};

/* Keys a column may have beside its own: the checks, which another room knows. read returns false for a key it does
 * not know. */
struct lp_column_extras {
    const char *const *names;
    size_t name_count;
    bool (*read)(void *room, struct lp_reading *r, size_t column, const struct lp_node *key,
                 const struct lp_node *value);
    void *room;
};

extern const struct lp_fields lp_column_fields;

/* Reads the `columns` mapping. Types are known before extras are called for that column. */
void lp_columns_read(struct lp_reading *r, const struct lp_node *node, const struct lp_column_extras *extras,
                     struct lp_columns *out);
void lp_columns_release(struct lp_columns *c);
/* Index of a name, or -1. */
ptrdiff_t lp_columns_find(const struct lp_columns *c, const char *name, size_t len);

#endif
