/* yaml.h — a YAML file as a tree of nodes that know their place.
 * Model:   one document of mappings, sequences and scalars, read by libyaml. Every scalar is text; what it means is
 *          decided by the field that asks for it, so that a city called No is a city. Anchors, aliases, tags, merge
 *          keys, several documents and tabs for indentation are refused: a file can be read top to bottom as it stands,
 *          and cannot grow.
 * Owns:    nodes and texts lie in the arena.
 * Units:   lines and columns count from 1.
 * Errors:  faults with place; NULL root when there is nothing to go on with.
 * Threads: one thread.
 */
#ifndef LP_CONFIG_YAML_H
#define LP_CONFIG_YAML_H

#include "base/text.h"
#include "config/fault.h"

#define LP_YAML_MAX_BYTES ((size_t)1 << 20)
#define LP_YAML_MAX_NODES 200000
#define LP_YAML_MAX_DEPTH 16

enum lp_node_kind { LP_NODE_SCALAR, LP_NODE_LIST, LP_NODE_MAP };

struct lp_node {
    enum lp_node_kind kind;
    bool quoted;      /* the scalar stood in quotes, or in a block */
    const char *text; /* scalar: NUL-terminated, no NUL within */
    size_t len;
    size_t line, column, width;
    struct lp_node *key; /* of a child of a map */
    struct lp_node *first, *last, *next;
    size_t child_count;
};

struct lp_node *lp_yaml_parse(const char *text, size_t len, struct lp_arena *a, struct lp_faults *f);

/* The value of a key, or NULL. */
const struct lp_node *lp_node_get(const struct lp_node *map, const char *key);
/* An unquoted empty scalar, ~ or null: written, but without a value. */
bool lp_node_is_null(const struct lp_node *n);
/* "a list", "a mapping", "text" */
const char *lp_node_kind_name(const struct lp_node *n);

#endif
