#include "config/template.h"

#include "base/clock.h"

#include <stdlib.h>

void lp_variables_init(struct lp_variables *v)
{
    v->names[LP_VARIABLE_SLOT] = "slot";
    v->names[LP_VARIABLE_RUN_ID] = "run_id";
    v->names[LP_VARIABLE_PIPELINE] = "pipeline";
    v->count = LP_VARIABLE_FIRST_ITEM;
}

static void fault(struct lp_reading *r, const struct lp_node *node, size_t offset, size_t width, const char *remedy,
                  const char *what)
{
    size_t column =
        node->column + (node->quoted ? 1 : 0) + lp_utf8_length(node->text, offset < node->len ? offset : node->len);
    lp_faults_add(r->faults, node->line, column, width, remedy, "%s", what);
}

struct environment_use {
    const char *name, *fallback; /* fallback NULL: the name must be set */
    size_t name_len, fallback_len, whole_len;
};

static bool name_char(char c, bool first)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' || (!first && c >= '0' && c <= '9');
}

/* Reads ${NAME} or ${NAME:-default} at text. */
static bool read_environment_use(const char *text, struct environment_use *use)
{
    const char *at = text + 2, *end;
    while (name_char(*at, at == text + 2)) at++;
    *use = (struct environment_use){.name = text + 2, .name_len = (size_t)(at - text - 2)};
    if (!use->name_len) return false;
    if (*at == ':' && at[1] == '-') {
        end = strchr(at, '}');
        if (!end) return false;
        use->fallback = at + 2;
        use->fallback_len = (size_t)(end - at - 2);
    } else {
        end = at;
        if (*end != '}') return false;
    }
    use->whole_len = (size_t)(end + 1 - text);
    return true;
}

static const char *look_up(struct lp_reading *r, const char *name)
{
    return r->environment ? r->environment->value(r->environment, name) : getenv(name);
}

/* The value of one ${…} at offset, in the arena; NULL after a fault. *whole is its length in the text. */
static const char *environment_value(struct lp_reading *r, const struct lp_node *node, size_t offset, size_t *whole)
{
    struct environment_use use;
    if (!read_environment_use(node->text + offset, &use)) {
        fault(r, node, offset, 2, "write ${NAME} or ${NAME:-default}", "this is not a reference to the environment");
        *whole = 2;
        return NULL;
    }
    *whole = use.whole_len;
    const char *name = lp_arena_strndup(r->arena, use.name, use.name_len);
    const char *value = name ? look_up(r, name) : NULL, *copy;
    if (value && *value) {
        copy = lp_arena_strdup(r->arena, value);
    } else if (use.fallback) {
        copy = lp_arena_strndup(r->arena, use.fallback, use.fallback_len);
    } else {
        fault(r, node, offset, use.whole_len,
              lp_faults_text(r->faults, "set it, or write ${%s:-default}", name ? name : "NAME"),
              lp_faults_text(r->faults, "the environment has no %s", name ? name : "such name"));
        return NULL;
    }
    if (!copy) r->faults->out_of_memory = true;
    if (copy && lp_utf8_check(copy, strlen(copy)) != strlen(copy)) {
        fault(r, node, offset, use.whole_len, "set it to UTF-8 text", "the value from the environment is not UTF-8");
        return NULL;
    }
    return copy;
}

const char *lp_expand_environment(struct lp_reading *r, const struct lp_node *node)
{
    if (!strstr(node->text, "${")) return node->text;
    LP_AUTO(lp_buf) out = {.max_bytes = LP_YAML_MAX_BYTES};
    bool good = true;
    for (size_t i = 0; i < node->len;) {
        if (node->text[i] != '$' || node->text[i + 1] != '{') {
            lp_buf_putc(&out, node->text[i++]);
            continue;
        }
        size_t whole;
        const char *value = environment_value(r, node, i, &whole);
        if (value) lp_buf_puts(&out, value);
        else good = false;
        i += whole;
    }
    const char *text = good && !out.failed ? lp_arena_strndup(r->arena, lp_buf_text(&out), out.len) : NULL;
    if (good && !text) r->faults->out_of_memory = true;
    return text;
}

static bool add_part(struct lp_reading *r, struct lp_template *t, struct lp_template_part part)
{
    t->parts[t->part_count++] = part;
    if (part.text || part.name) return true;
    r->faults->out_of_memory = true;
    return false;
}

/* Reads {name} or {name:format} at offset i; 0 after a fault, else its length. */
static size_t read_variable(struct lp_reading *r, struct lp_template *t, const struct lp_node *node, size_t i)
{
    const char *start = node->text + i + 1, *end = strchr(start, '}');
    if (!end) {
        fault(r, node, i, 1, "write {name}, or {{ for a brace", "a brace is not closed");
        return 0;
    }
    const char *colon = memchr(start, ':', (size_t)(end - start)), *name_end = colon ? colon : end;
    if (name_end == start) {
        fault(r, node, i, (size_t)(end - start) + 2, "write {name}, or {{ for a brace", "a variable has no name");
        return 0;
    }
    struct lp_template_part part = {.offset = i, .name = lp_arena_strndup(r->arena, start, (size_t)(name_end - start))};
    if (colon) part.format = lp_arena_strndup(r->arena, colon + 1, (size_t)(end - colon - 1));
    return add_part(r, t, part) ? (size_t)(end - start) + 2 : 0;
}

/* A run of plain text from i on: up to a brace or a ${. */
static size_t read_literal(struct lp_reading *r, struct lp_template *t, const struct lp_node *node, size_t i)
{
    const char *text = node->text;
    if ((text[i] == '{' || text[i] == '}') && text[i + 1] == text[i])
        return add_part(r, t, (struct lp_template_part){.text = text + i, .len = 1, .offset = i}) ? 2 : 0;
    if (text[i] == '}') {
        fault(r, node, i, 1, "write }} for a brace", "a brace is closed that was not opened");
        return 0;
    }
    size_t n = i;
    while (text[n] && text[n] != '{' && text[n] != '}' && !(text[n] == '$' && text[n + 1] == '{')) n++;
    return add_part(r, t, (struct lp_template_part){.text = text + i, .len = n - i, .offset = i}) ? n - i : 0;
}

bool lp_template_read(struct lp_reading *r, const struct lp_node *node, struct lp_template *out)
{
    *out = (struct lp_template){.node = node, .text = node->text};
    size_t marks = 1;
    for (const char *c = node->text; *c; c++) marks += *c == '{' || *c == '}';
    out->parts = lp_arena_zalloc(r->arena, (marks * 2 + 1) * sizeof *out->parts);
    if (!out->parts) {
        r->faults->out_of_memory = true;
        return false;
    }
    for (size_t i = 0; i < node->len;) {
        size_t used = 0;
        if (node->text[i] == '$' && node->text[i + 1] == '{') {
            const char *value = environment_value(r, node, i, &used);
            if (value) add_part(r, out, (struct lp_template_part){.text = value, .len = strlen(value), .offset = i});
            else return false;
        } else if (node->text[i] == '{' && node->text[i + 1] != '{') {
            used = read_variable(r, out, node, i);
        } else {
            used = read_literal(r, out, node, i);
        }
        if (!used) return false;
        i += used;
    }
    return true;
}

static void check_format(struct lp_reading *r, const struct lp_template *t, const struct lp_template_part *p)
{
    char shown[256];
    size_t width = strlen(p->name) + (p->format ? strlen(p->format) + 1 : 0) + 2;
    if (p->variable != LP_VARIABLE_SLOT)
        fault(r, t->node, p->offset, width, "only {slot:…} takes one", "a format belongs to a time");
    else if (!lp_time_format_known(p->format) || !lp_time_format(0, p->format, shown, sizeof shown))
        fault(r, t->node, p->offset, width, "write it as strftime does: {slot:%Y-%m-%d}", "the format gives no text");
}

/* "there are slot, run_id, pipeline and city" */
static const char *list_variables(struct lp_reading *r, const struct lp_variables *v)
{
    LP_AUTO(lp_buf) list = {0};
    lp_buf_puts(&list, "there are ");
    for (size_t i = 0; i < v->count; i++)
        lp_buf_printf(&list, "%s%.60s", !i ? "" : i + 1 < v->count ? ", " : " and ", v->names[i]);
    return lp_faults_text(r->faults, "%s", lp_buf_text(&list));
}

void lp_template_bind(struct lp_reading *r, struct lp_template *t, const struct lp_variables *v)
{
    for (size_t i = 0; i < t->part_count; i++) {
        struct lp_template_part *p = &t->parts[i];
        if (!p->name) continue;
        for (p->variable = 0; p->variable < v->count; p->variable++)
            if (!strcmp(v->names[p->variable], p->name)) break;
        if (p->variable < v->count) {
            if (p->format) check_format(r, t, p);
            continue;
        }
        p->variable = LP_VARIABLE_PIPELINE;
        const char *near = lp_text_nearest(p->name, strlen(p->name), v->names, v->count);
        fault(r, t->node, p->offset, strlen(p->name) + 2,
              near ? lp_faults_text(r->faults, "did you mean {%s}?", near) : list_variables(r, v),
              lp_faults_text(r->faults, "there is no variable {%.60s}", p->name));
    }
}

bool lp_template_uses(const struct lp_template *t, size_t variable)
{
    for (size_t i = 0; i < t->part_count; i++)
        if (t->parts[i].name && t->parts[i].variable == variable) return true;
    return false;
}

bool lp_template_is_constant(const struct lp_template *t)
{
    for (size_t i = 0; i < t->part_count; i++)
        if (t->parts[i].name) return false;
    return true;
}

bool lp_template_per_item(const struct lp_template *t)
{
    for (size_t i = 0; i < t->part_count; i++)
        if (t->parts[i].name && t->parts[i].variable >= LP_VARIABLE_FIRST_ITEM) return true;
    return false;
}

static void put(struct lp_buf *out, const char *text, size_t len, lp_escape *escape)
{
    if (escape) escape(out, text, len);
    else lp_buf_put(out, text, len);
}

void lp_template_put(const struct lp_template *t, const struct lp_bindings *b, lp_escape *literal_escape,
                     lp_escape *value_escape, struct lp_buf *out)
{
    for (size_t i = 0; i < t->part_count; i++) {
        const struct lp_template_part *p = &t->parts[i];
        if (p->text) {
            put(out, p->text, p->len, literal_escape);
        } else if (p->format) {
            char text[256];
            put(out, text, lp_time_format(b->slot_us, p->format, text, sizeof text), value_escape);
        } else if (p->variable < b->count) {
            put(out, b->values[p->variable].at, b->values[p->variable].len, value_escape);
        }
    }
}
