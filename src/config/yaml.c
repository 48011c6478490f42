#include "config/yaml.h"

#include <yaml.h>

struct builder {
    struct lp_arena *arena;
    struct lp_faults *faults;
    yaml_parser_t parser;
    struct lp_node *root;
    struct lp_node *open[LP_YAML_MAX_DEPTH]; /* maps and lists not yet closed */
    struct lp_node *pending_key[LP_YAML_MAX_DEPTH];
    size_t depth, node_count, documents;
    bool stop;
};

static void fault_at(struct builder *b, yaml_mark_t mark, size_t width, const char *remedy, const char *what)
{
    lp_faults_add(b->faults, mark.line + 1, mark.column + 1, width, remedy, "%s", what);
}

static void give_up(struct builder *b, yaml_mark_t mark, const char *remedy, const char *what)
{
    fault_at(b, mark, 1, remedy, what);
    b->stop = true;
}

static struct lp_node *new_node(struct builder *b, enum lp_node_kind kind, const yaml_event_t *e)
{
    if (++b->node_count > LP_YAML_MAX_NODES) {
        give_up(b, e->start_mark, "put long lists into a file: each: { file: items.csv }",
                "the file has too many entries");
        return NULL;
    }
    struct lp_node *n = lp_arena_zalloc(b->arena, sizeof *n);
    if (!n) {
        b->faults->out_of_memory = b->stop = true;
        return NULL;
    }
    n->kind = kind;
    n->line = e->start_mark.line + 1;
    n->column = e->start_mark.column + 1;
    n->width = e->end_mark.line == e->start_mark.line && e->end_mark.column > e->start_mark.column
                   ? e->end_mark.column - e->start_mark.column
                   : 1;
    return n;
}

static const struct lp_node *find_key(const struct lp_node *map, const char *text, size_t len)
{
    for (const struct lp_node *c = map->first; c; c = c->next)
        if (c->key->len == len && memcmp(c->key->text, text, len) == 0) return c->key;
    return NULL;
}

/* Puts a finished node, or the beginning of a map or list, where it belongs. */
static void attach(struct builder *b, struct lp_node *n, yaml_mark_t mark)
{
    if (!b->depth) {
        b->root = n;
        return;
    }
    struct lp_node *parent = b->open[b->depth - 1], **key = &b->pending_key[b->depth - 1];
    if (parent->kind == LP_NODE_MAP && !*key) {
        if (n->kind != LP_NODE_SCALAR) {
            give_up(b, mark, "write keys as plain words; a text with { } needs quotes", "a key must be text");
            return;
        }
        const struct lp_node *twice = find_key(parent, n->text, n->len);
        if (twice)
            lp_faults_add(b->faults, n->line, n->column, n->width,
                          lp_faults_text(b->faults, "it stands in line %zu already; keep one", twice->line),
                          "duplicate key \"%.60s\"", n->text);
        if (!n->quoted && n->len == 2 && memcmp(n->text, "<<", 2) == 0)
            lp_faults_add(b->faults, n->line, n->column, n->width, "write the keys out",
                          "merge keys are not used here");
        *key = n;
        return;
    }
    if (parent->kind == LP_NODE_MAP) {
        n->key = *key;
        *key = NULL;
    }
    if (parent->last) parent->last->next = n;
    else parent->first = n;
    parent->last = n;
    parent->child_count++;
}

static void refuse_extras(struct builder *b, const yaml_event_t *e, const yaml_char_t *anchor, const yaml_char_t *tag)
{
    if (anchor)
        fault_at(b, e->start_mark, 1, "write the value out where it is used",
                 "anchors (&) and aliases (*) are not used here");
    if (tag) fault_at(b, e->start_mark, 1, "leave it out; the field knows its type", "tags (!) are not used here");
}

static void add_scalar(struct builder *b, const yaml_event_t *e)
{
    refuse_extras(b, e, e->data.scalar.anchor, e->data.scalar.tag);
    struct lp_node *n = new_node(b, LP_NODE_SCALAR, e);
    if (!n) return;
    n->len = e->data.scalar.length;
    n->text = lp_arena_strndup(b->arena, (const char *)e->data.scalar.value, n->len);
    if (!n->text) {
        b->faults->out_of_memory = b->stop = true;
        return;
    }
    n->quoted = e->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    if (strlen(n->text) != n->len) fault_at(b, e->start_mark, n->width, "take it out", "a text holds a NUL character");
    attach(b, n, e->start_mark);
}

static void open_node(struct builder *b, enum lp_node_kind kind, const yaml_event_t *e)
{
    if (b->depth == LP_YAML_MAX_DEPTH) {
        give_up(b, e->start_mark, "pipeline files have at most four levels", "nested too deep");
        return;
    }
    struct lp_node *n = new_node(b, kind, e);
    if (!n) return;
    attach(b, n, e->start_mark);
    if (b->stop) return;
    b->pending_key[b->depth] = NULL;
    b->open[b->depth++] = n;
}

static void take_event(struct builder *b, const yaml_event_t *e)
{
    switch (e->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (++b->documents > 1) give_up(b, e->start_mark, "keep one pipeline to a file", "a second document begins");
        return;
    case YAML_ALIAS_EVENT:
        give_up(b, e->start_mark, "write the value out where it is used",
                "anchors (&) and aliases (*) are not used here");
        return;
    case YAML_SCALAR_EVENT: add_scalar(b, e); return;
    case YAML_SEQUENCE_START_EVENT:
        refuse_extras(b, e, e->data.sequence_start.anchor, e->data.sequence_start.tag);
        open_node(b, LP_NODE_LIST, e);
        return;
    case YAML_MAPPING_START_EVENT:
        refuse_extras(b, e, e->data.mapping_start.anchor, e->data.mapping_start.tag);
        open_node(b, LP_NODE_MAP, e);
        return;
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT: b->depth--; return;
    default: return;
    }
}

static void syntax_fault(struct builder *b)
{
    const yaml_parser_t *p = &b->parser;
    yaml_mark_t mark = p->problem_mark;
    const struct lp_faults *f = b->faults;
    if (p->error == YAML_MEMORY_ERROR) {
        b->faults->out_of_memory = true;
        return;
    }
    if (p->problem && (strstr(p->problem, "tab character") || (strstr(p->problem, "cannot start any token") &&
                                                               f->text && memchr(f->text, '\t', f->text_len)))) {
        give_up(b, mark, "indent with spaces", "a tab stands where YAML wants spaces");
        return;
    }
    char what[200];
    snprintf(what, sizeof what, "this is not YAML: %s%s%s", p->problem ? p->problem : "cannot be read",
             p->context ? ", " : "", p->context ? p->context : "");
    give_up(b, mark, "look at the indentation, and at quotes and brackets that are not closed", what);
}

/* What can be told before the parser sees the text. */
static bool readable(const char *text, size_t len, struct lp_faults *f)
{
    size_t bad = lp_utf8_check(text, len), line = 1, column = 1;
    const char *remedy = NULL, *what = NULL;
    if (!len) {
        what = "the file is empty";
        remedy = "begin with \"pipeline: name\"; lambda-pipeline help pipeline-file shows the rest";
    } else if (bad < len) {
        what = "the file is not UTF-8";
        remedy = "save it as UTF-8";
        for (size_t i = 0; i < bad; i++) {
            if (text[i] == '\n') line++, column = 0;
            if (((unsigned char)text[i] & 0xC0) != 0x80) column++;
        }
    }
    if (what) lp_faults_add(f, line, column, 1, remedy, "%s", what);
    return !what;
}

struct lp_node *lp_yaml_parse(const char *text, size_t len, struct lp_arena *a, struct lp_faults *f)
{
    if (len >= 3 && !memcmp(text, "\xEF\xBB\xBF", 3)) text += 3, len -= 3; /* a byte order mark */
    if (!readable(text, len, f)) return NULL;
    struct builder b = {.arena = a, .faults = f};
    if (!yaml_parser_initialize(&b.parser)) {
        f->out_of_memory = true;
        return NULL;
    }
    yaml_parser_set_encoding(&b.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&b.parser, (const unsigned char *)text, len);
    for (bool done = false; !done && !b.stop;) {
        yaml_event_t event;
        if (!yaml_parser_parse(&b.parser, &event)) {
            syntax_fault(&b);
            break;
        }
        done = event.type == YAML_STREAM_END_EVENT;
        take_event(&b, &event);
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&b.parser);
    if (!b.root && !f->count && !f->out_of_memory)
        lp_faults_add(f, 1, 1, 1, "begin with \"pipeline: name\"", "the file says nothing");
    return b.stop || f->out_of_memory || (b.depth && f->count) ? NULL : b.root;
}

const struct lp_node *lp_node_get(const struct lp_node *map, const char *key)
{
    if (!map || map->kind != LP_NODE_MAP) return NULL;
    for (const struct lp_node *c = map->first; c; c = c->next)
        if (strcmp(c->key->text, key) == 0) return c;
    return NULL;
}

bool lp_node_is_null(const struct lp_node *n)
{
    return n->kind == LP_NODE_SCALAR && !n->quoted && (!n->len || !strcmp(n->text, "~") || !strcmp(n->text, "null"));
}

const char *lp_node_kind_name(const struct lp_node *n)
{
    return n->kind == LP_NODE_MAP ? "a mapping" : n->kind == LP_NODE_LIST ? "a list" : "text";
}
