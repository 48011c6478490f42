/* field.h — what a section of the pipeline file may say, as a table.
 * Model:   one table per section. From it come: reading into a struct, defaults, hints for unknown keys, the reference
 *          page and the JSON Schema. Whoever adds a key adds a line.
 * Owns:    what is read lies in the arena of the definition; nodes are borrowed from the same arena.
 * Units:   durations in milliseconds (int64_t), sizes in bytes (int64_t), shares from 0 to 1 (double).
 * Errors:  faults with place; the struct then holds the default.
 * Threads: tables are constant.
 */
#ifndef LP_CONFIG_FIELD_H
#define LP_CONFIG_FIELD_H

#include "config/template.h"

enum lp_field_kind {
    LP_FIELD_TEXT,     /* const char *, ${NAME} replaced */
    LP_FIELD_NAME,     /* const char *: letters, digits, _ and -; begins with a letter */
    LP_FIELD_TEMPLATE, /* struct lp_template */
    LP_FIELD_BOOL,     /* bool */
    LP_FIELD_INT,      /* int64_t, min to max */
    LP_FIELD_DURATION, /* int64_t ms, min to max */
    LP_FIELD_SIZE,     /* int64_t bytes, min to max: 16MB, 512kB */
    LP_FIELD_SHARE,    /* double from 0 to 1: 20% */
    LP_FIELD_WORD,     /* int: index into words */
    LP_FIELD_PAIRS,    /* struct lp_pairs: a mapping of names to templates */
    LP_FIELD_SECTION,  /* a struct within, read by another table */
    LP_FIELD_CUSTOM    /* read by a function of the section's own */
};

struct lp_pair {
    const char *name;
    struct lp_template value;
    const struct lp_node *key;
};
struct lp_pairs {
    struct lp_pair *list;
    size_t count;
};

struct lp_field {
    const char *name;
    enum lp_field_kind kind;
    size_t offset; /* of the member in the section's struct */
    bool required;
    const char *fallback; /* as it would be written; NULL: zero, nothing, absent */
    double min, max;      /* both 0: no bounds */
    const char *const *words;
    size_t word_count;
    const struct lp_fields *section;
    void (*read)(struct lp_reading *r, const struct lp_node *value, void *member);
    const char *schema; /* JSON Schema of a custom field */
    const char *help;   /* one sentence, for the reference page and editors */
    const char *example;
};

struct lp_fields {
    const char *path; /* "source.limit": how people find it in the file */
    const char *help;
    const struct lp_field *list;
    size_t count;
};

/* Fills the struct with defaults. */
void lp_fields_defaults(struct lp_reading *r, const struct lp_fields *f, void *section);
/* Reads a mapping over the defaults; map may be NULL: then only defaults and required fields count, with the fault at
 * `owner`. */
void lp_fields_read(struct lp_reading *r, const struct lp_fields *f, const struct lp_node *map,
                    const struct lp_node *owner, void *section);
/* One field of a section, found by its key; NULL when the table has no such key. */
const struct lp_field *lp_fields_find(const struct lp_fields *f, const char *name);
void lp_field_read(struct lp_reading *r, const struct lp_field *field, const struct lp_node *value, void *section);

/* A fault at a node. */
void lp_node_fault(struct lp_reading *r, const struct lp_node *n, const char *remedy, const char *what, ...)
    LP_PRINTF(4, 5);
/* An unknown key under `path`, with the nearest of the names. */
/* A lack of memory is no fault of the file: notes it and is true. */
bool lp_reading_starved(struct lp_reading *r, enum lp_code code);
void lp_unknown_key(struct lp_reading *r, const struct lp_node *key, const char *path, const char *const *names,
                    size_t count);
/* The scalar's text, ${NAME} replaced; NULL after a fault (a map or list, nothing, an unset name). */
const char *lp_node_text(struct lp_reading *r, const struct lp_node *n);
bool lp_node_expect(struct lp_reading *r, const struct lp_node *n, enum lp_node_kind kind, const char *example);
bool lp_name_is_valid(const char *name);
bool lp_size_parse(const char *text, int64_t *bytes);

/* Reference page and schema (field_doc.c). extra_* are written as further properties of the section. */
void lp_fields_put_markdown(const struct lp_fields *f, struct lp_buf *out);
void lp_fields_put_schema(const struct lp_fields *f, const struct lp_fields *extra, struct lp_buf *out);

#endif
