#include "config/field.h"

#include "base/clock.h"
#include "base/number.h"

#include <stdio.h>
#include <stdlib.h>

void lp_node_fault(struct lp_reading *r, const struct lp_node *n, const char *remedy, const char *what, ...)
{
    char text[LP_ERR_TEXT_BYTES];
    va_list args;
    va_start(args, what);
    vsnprintf(text, sizeof text, what, args);
    va_end(args);
    lp_faults_add(r->faults, n->line, n->column, n->width, remedy, "%s", text);
}

bool lp_reading_starved(struct lp_reading *r, enum lp_code code)
{
    if (code == LP_NOMEM) r->faults->out_of_memory = true;
    return code == LP_NOMEM;
}

void lp_unknown_key(struct lp_reading *r, const struct lp_node *key, const char *path, const char *const *names,
                    size_t count)
{
    if (!strcmp(key->text, "<<")) return; /* told already */
    const char *near = lp_text_nearest(key->text, key->len, names, count);
    char list[300] = "it knows";
    size_t len = strlen(list);
    for (size_t i = 0; i < count && len < sizeof list - 1; i++)
        len += (size_t)snprintf(list + len, sizeof list - len, "%s %s", i ? "," : "", names[i]);
    lp_node_fault(
        r, key, near ? lp_faults_text(r->faults, "did you mean \"%s\"?", near) : lp_faults_text(r->faults, "%s", list),
        "unknown key \"%.60s\"%s%s", key->text, *path ? " under " : "", path);
}

const char *lp_node_text(struct lp_reading *r, const struct lp_node *n)
{
    if (n->kind != LP_NODE_SCALAR) {
        lp_node_fault(r, n, "write one value", "text was expected here, not %s", lp_node_kind_name(n));
        return NULL;
    }
    if (lp_node_is_null(n)) {
        lp_node_fault(r, n->key ? n->key : n, "give it one, or leave the key out", "there is no value");
        return NULL;
    }
    return lp_expand_environment(r, n);
}

bool lp_node_expect(struct lp_reading *r, const struct lp_node *n, enum lp_node_kind kind, const char *example)
{
    static const char *const names[] = {"text", "a list", "a mapping"};
    if (n->kind == kind) return true;
    const char *remedy = example ? lp_faults_text(r->faults, "write it like %s", example) : NULL;
    const char *found = lp_node_is_null(n) ? "nothing" : lp_node_kind_name(n);
    lp_node_fault(r, n->key ? n->key : n, remedy, "%s was expected here, not %s", names[kind], found);
    return false;
}

bool lp_name_is_valid(const char *name)
{
    size_t len = strlen(name);
    bool letter = (*name >= 'a' && *name <= 'z') || (*name >= 'A' && *name <= 'Z') || *name == '_';
    return letter && len <= 128 &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == len;
}

bool lp_size_parse(const char *text, int64_t *bytes)
{
    static const struct {
        const char *unit;
        int64_t factor;
    } units[] = {{"", 1},
                 {"B", 1},
                 {"kB", 1000},
                 {"KB", 1000},
                 {"MB", 1000000},
                 {"GB", 1000000000},
                 {"KiB", INT64_C(1) << 10},
                 {"MiB", INT64_C(1) << 20},
                 {"GiB", INT64_C(1) << 30}};
    size_t digits = strspn(text, "0123456789");
    const char *unit = text + digits + strspn(text + digits, " ");
    if (!digits || digits > 9) return false;
    for (size_t i = 0; i < LP_COUNT(units); i++) {
        if (strcmp(unit, units[i].unit)) continue;
        *bytes = (int64_t)strtoull(text, NULL, 10) * units[i].factor;
        return true;
    }
    return false;
}

static bool parse_share(const char *text, double *share)
{
    size_t len = strlen(text);
    bool percent = len && text[len - 1] == '%';
    if (!lp_double_parse(text, percent ? len - 1 : len, share)) return false;
    if (percent) *share /= 100;
    return *share >= 0 && *share <= 1;
}

static bool parse_bool(const char *text, bool *value)
{
    *value = !strcmp(text, "true");
    return *value || !strcmp(text, "false");
}

static const char *wanted(enum lp_field_kind kind)
{
    switch (kind) {
    case LP_FIELD_BOOL: return "true or false";
    case LP_FIELD_INT: return "a whole number";
    case LP_FIELD_DURATION: return "a duration";
    case LP_FIELD_SIZE: return "a size";
    case LP_FIELD_SHARE: return "a share from 0% to 100%";
    case LP_FIELD_NAME: return "a name of letters, digits, _ and -";
    default: return "text";
    }
}

static void fault_value(struct lp_reading *r, const struct lp_field *f, const struct lp_node *n, const char *text)
{
    const char *remedy = f->example ? lp_faults_text(r->faults, "write it like %s: %s", f->name, f->example) : NULL;
    lp_node_fault(r, n, remedy, "%s: \"%.60s\" is not %s", f->name, text, wanted(f->kind));
}

static const char *bound_text(struct lp_reading *r, enum lp_field_kind kind, double value)
{
    char text[LP_TIME_TEXT_BYTES];
    if (kind == LP_FIELD_DURATION) lp_duration_format((int64_t)value, text);
    else if (kind == LP_FIELD_SIZE) lp_bytes_format((uint64_t)value, text);
    else lp_count_format((uint64_t)value, text);
    return lp_faults_text(r->faults, "%s", text);
}

/* A whole number of some sort, within its bounds. */
static void set_number(struct lp_reading *r, const struct lp_field *f, const struct lp_node *n, const char *text,
                       int64_t *member)
{
    int64_t value = 0;
    bool good = f->kind == LP_FIELD_INT        ? lp_int64_parse(text, strlen(text), &value)
                : f->kind == LP_FIELD_DURATION ? lp_duration_parse(text, &value)
                                               : lp_size_parse(text, &value);
    if (!good) {
        fault_value(r, f, n, text);
    } else if ((f->min != 0 || f->max != 0) && ((double)value < f->min || (double)value > f->max)) {
        lp_node_fault(r, n,
                      lp_faults_text(r->faults, "it goes from %s to %s", bound_text(r, f->kind, f->min),
                                     bound_text(r, f->kind, f->max)),
                      "%s: %.60s is out of range", f->name, text);
    } else {
        *member = value;
    }
}

static void set_word(struct lp_reading *r, const struct lp_field *f, const struct lp_node *n, const char *text,
                     int *member)
{
    for (size_t i = 0; i < f->word_count; i++) {
        if (strcmp(text, f->words[i])) continue;
        *member = (int)i;
        return;
    }
    const char *near = lp_text_nearest(text, strlen(text), f->words, f->word_count);
    char list[200] = "";
    for (size_t i = 0, len = 0; i < f->word_count && len < sizeof list - 1; i++)
        len += (size_t)snprintf(list + len, sizeof list - len, "%s%s", i ? ", " : "", f->words[i]);
    lp_node_fault(r, n,
                  near ? lp_faults_text(r->faults, "did you mean \"%s\"?", near)
                       : lp_faults_text(r->faults, "it is one of %s", list),
                  "%s: \"%.60s\" is not known", f->name, text);
}

/* Sets a member from text, whether it stood in the file or is the default. */
static void set_scalar(struct lp_reading *r, const struct lp_field *f, const struct lp_node *n, const char *text,
                       void *member)
{
    switch (f->kind) {
    case LP_FIELD_NAME:
        if (!lp_name_is_valid(text)) fault_value(r, f, n, text);
        *(const char **)member = text;
        return;
    case LP_FIELD_TEXT: *(const char **)member = text; return;
    case LP_FIELD_BOOL:
        if (!parse_bool(text, member)) fault_value(r, f, n, text);
        return;
    case LP_FIELD_SHARE:
        if (!parse_share(text, member)) fault_value(r, f, n, text);
        return;
    case LP_FIELD_WORD: set_word(r, f, n, text, member); return;
    default: set_number(r, f, n, text, member); return;
    }
}

static void read_pairs(struct lp_reading *r, const struct lp_field *f, const struct lp_node *map, struct lp_pairs *out)
{
    if (!lp_node_expect(r, map, LP_NODE_MAP, f->example)) return;
    out->list = lp_arena_zalloc(r->arena, (map->child_count + 1) * sizeof *out->list);
    if (!out->list) {
        r->faults->out_of_memory = true;
        return;
    }
    for (const struct lp_node *c = map->first; c; c = c->next) {
        struct lp_pair *pair = &out->list[out->count];
        *pair = (struct lp_pair){.name = c->key->text, .key = c->key};
        if (lp_node_expect(r, c, LP_NODE_SCALAR, f->example) && lp_template_read(r, c, &pair->value)) out->count++;
    }
}

void lp_field_read(struct lp_reading *r, const struct lp_field *f, const struct lp_node *n, void *section)
{
    void *member = (char *)section + f->offset;
    switch (f->kind) {
    case LP_FIELD_CUSTOM: f->read(r, n, member); return;
    case LP_FIELD_PAIRS: read_pairs(r, f, n, member); return;
    case LP_FIELD_SECTION:
        if (lp_node_expect(r, n, LP_NODE_MAP, f->example)) lp_fields_read(r, f->section, n, n, member);
        return;
    case LP_FIELD_TEMPLATE:
        if (lp_node_expect(r, n, LP_NODE_SCALAR, f->example)) lp_template_read(r, n, member);
        return;
    default: {
        const char *text = lp_node_text(r, n);
        if (text) set_scalar(r, f, n, text, member);
    }
    }
}

const struct lp_field *lp_fields_find(const struct lp_fields *f, const char *name)
{
    for (size_t i = 0; i < f->count; i++)
        if (!strcmp(f->list[i].name, name)) return &f->list[i];
    return NULL;
}

/* A default of a template or a custom field is read as if it stood in the file. */
static const struct lp_node *node_of(struct lp_reading *r, const char *text)
{
    struct lp_node *n = lp_arena_zalloc(r->arena, sizeof *n);
    if (!n) {
        r->faults->out_of_memory = true;
        return NULL;
    }
    *n =
        (struct lp_node){.kind = LP_NODE_SCALAR, .text = text, .len = strlen(text), .line = 1, .column = 1, .width = 1};
    return n;
}

void lp_fields_defaults(struct lp_reading *r, const struct lp_fields *fields, void *section)
{
    for (size_t i = 0; i < fields->count; i++) {
        const struct lp_field *f = &fields->list[i];
        if (f->kind == LP_FIELD_SECTION) lp_fields_defaults(r, f->section, (char *)section + f->offset);
        const struct lp_node *n = f->fallback ? node_of(r, f->fallback) : NULL;
        if (n) lp_field_read(r, f, n, section);
    }
}

static void read_child(struct lp_reading *r, const struct lp_fields *fields, const struct lp_node *child, void *section)
{
    const struct lp_field *f = lp_fields_find(fields, child->key->text);
    if (f) {
        lp_field_read(r, f, child, section);
        return;
    }
    const char *names[64];
    size_t count = 0;
    for (; count < fields->count && count < LP_COUNT(names); count++) names[count] = fields->list[count].name;
    lp_unknown_key(r, child->key, fields->path, names, count);
}

void lp_fields_read(struct lp_reading *r, const struct lp_fields *fields, const struct lp_node *map,
                    const struct lp_node *owner, void *section)
{
    for (const struct lp_node *c = map ? map->first : NULL; c; c = c->next) read_child(r, fields, c, section);
    for (size_t i = 0; i < fields->count; i++) {
        const struct lp_field *f = &fields->list[i];
        if (!f->required || (map && lp_node_get(map, f->name))) continue;
        const struct lp_node *place = owner->key ? owner->key : owner;
        lp_faults_add(r->faults, place->line, place->column, place->width,
                      f->example ? lp_faults_text(r->faults, "add it: %s: %s", f->name, f->example) : NULL,
                      "%s%s\"%s\" is missing", fields->path, *fields->path ? ": " : "", f->name);
    }
}
