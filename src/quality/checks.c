/* Checks as the pipeline file writes them: in_range: [0, 10] or in_range: { min_value: 0, max_value: 10, include_max: false } */
#include "quality/checks.h"

#include "base/number.h"
#include "quality/pattern.h"

#include <stdio.h>

/* ---- the table of checks ---- */

#define SCALAR "{\"type\":[\"string\",\"number\",\"boolean\"]}"
#define LIST   "{\"type\":\"array\",\"minItems\":1,\"items\":" SCALAR "}"
#define MAP    "{\"type\":\"object\"}"
#define VALUE  "{\"anyOf\":[" SCALAR "," MAP "]}"
#define PAIR   "{\"anyOf\":[" LIST "," MAP "]}"
#define VALUES "{\"anyOf\":[" LIST "," SCALAR "," MAP "]}"
#define CHECK(check, text, sample, shape)                                                        \
    {                                                                                            \
        .name = check, .kind = LP_FIELD_CUSTOM, .help = text, .example = sample, .schema = shape \
    }

static const struct lp_field fields[] = {
    CHECK("equal_to", "Equal to this. Also `eq`.", "200", VALUE),
    CHECK("not_equal_to", "Not equal to this. Also `ne`.", "0", VALUE),
    CHECK("greater_than", "Greater than this. Also `gt`.", "0", VALUE),
    CHECK("greater_than_or_equal_to", "This or greater. Also `ge`.", "0", VALUE),
    CHECK("less_than", "Less than this. Also `lt`.", "100", VALUE),
    CHECK("less_than_or_equal_to", "This or less. Also `le`.", "100", VALUE),
    CHECK("in_range",
          "Between the two, both included; `{ min_value, max_value, include_min, include_max }` can leave an end out. "
          "Also `between`.",
          "[0, 100]", PAIR),
    CHECK("isin", "One of these.", "[rain, snow]", VALUES),
    CHECK("notin", "None of these.", "[unknown]", VALUES),
    CHECK("str_matches", "Matches this regular expression (PCRE2) from its start.", "\"[A-Z]\"", VALUE),
    CHECK("str_contains", "This regular expression is found in it.", "\"rain|snow\"", VALUE),
    CHECK("str_startswith", "Begins with this text.", "New", VALUE),
    CHECK("str_endswith", "Ends with this text.", "sky", VALUE),
    CHECK("str_length",
          "Its length in characters: exactly this, or `[min, max]`, or `{ min_value, max_value, exact_value }`.",
          "[1, 80]", VALUES),
    CHECK("unique_values_eq",
          "The values of the run are exactly these: another one makes its row bad, a missing one refuses the run.",
          "[Chicago, Dallas]", VALUES),
    CHECK("unique", "No value occurs twice in a run; the first row stays, the others are bad.", "true",
          "{\"type\":\"boolean\"}"),
    CHECK("eq", "`equal_to`.", "200", VALUE),
    CHECK("ne", "`not_equal_to`.", "0", VALUE),
    CHECK("gt", "`greater_than`.", "0", VALUE),
    CHECK("ge", "`greater_than_or_equal_to`.", "0", VALUE),
    CHECK("lt", "`less_than`.", "100", VALUE),
    CHECK("le", "`less_than_or_equal_to`.", "100", VALUE),
    CHECK("between", "`in_range`.", "[0, 100]", PAIR),
};
const struct lp_fields lp_check_fields = {
    "columns.<name>, checks",
    "Checks stand beside the column's other keys, under Pandera's names. NULLs are passed over (`nullable` speaks of them) unless "
    "the check is written long with `ignore_na: false`; with `raise_warning: true` a failure is counted and the row stays good: "
    "`greater_than: { min_value: 0, ignore_na: false }`.",
    fields, LP_COUNT(fields)};

enum operand { ONE, RANGE, SET, WORD, PATTERN, LENGTH, FLAG };
/* In the order of the table, aliases left out; `argument` is the value's key in the long form. */
static const struct spec {
    enum lp_check_kind kind;
    enum operand operand;
    const char *argument;
} specs[] = {
    {LP_CHECK_EQ, ONE, "value"},
    {LP_CHECK_NE, ONE, "value"},
    {LP_CHECK_GT, ONE, "min_value"},
    {LP_CHECK_GE, ONE, "min_value"},
    {LP_CHECK_LT, ONE, "max_value"},
    {LP_CHECK_LE, ONE, "max_value"},
    {LP_CHECK_RANGE, RANGE, "min_value"},
    {LP_CHECK_ISIN, SET, "allowed_values"},
    {LP_CHECK_NOTIN, SET, "forbidden_values"},
    {LP_CHECK_MATCHES, PATTERN, "pattern"},
    {LP_CHECK_CONTAINS, PATTERN, "pattern"},
    {LP_CHECK_STARTS, WORD, "string"},
    {LP_CHECK_ENDS, WORD, "string"},
    {LP_CHECK_LENGTH, LENGTH, "exact_value"},
    {LP_CHECK_VALUES_EQ, SET, "values"},
    {LP_CHECK_UNIQUE, FLAG, "value"},
};

/* ---- one check being read ---- */

struct reader {
    struct lp_reading *r;
    const struct lp_column *column;
    const struct spec *spec;
    const char *name; /* in full, also where an alias stood */
    struct lp_check *check;
    const struct lp_node *node;
};

static void *allocate(struct lp_reading *r, size_t bytes)
{
    void *at = lp_arena_zalloc(r->arena, bytes);
    if (!at) r->faults->out_of_memory = true;
    return at;
}

/* One value, typed as the column is; times are written in ISO 8601 here whatever the reply uses. */
static bool add_value(struct reader *x, const struct lp_node *n)
{
    const char *text = lp_node_text(x->r, n);
    if (!text) return false;
    struct lp_column plain = *x->column;
    plain.time_form = LP_TIME_ISO8601;
    struct lp_check *c = x->check;
    if (!lp_value_parse(&plain, lp_slice_of(text), &c->values[c->value_count])) {
        lp_node_fault(x->r, n, "write it as the column's values are", "%s: \"%.60s\" is not of type %s", x->name, text,
                      lp_type_name(x->column->type));
        return false;
    }
    c->words[c->value_count++] = text;
    return true;
}

static bool make_room(struct reader *x, size_t values)
{
    x->check->values = allocate(x->r, values * sizeof *x->check->values);
    x->check->words = allocate(x->r, values * sizeof *x->check->words);
    return x->check->values && x->check->words;
}

static void read_set(struct reader *x, const struct lp_node *n)
{
    if (n->kind == LP_NODE_SCALAR) {
        if (make_room(x, 1)) add_value(x, n);
        return;
    }
    if (!lp_node_expect(x->r, n, LP_NODE_LIST, "isin: [rain, snow]") || !make_room(x, n->child_count + 1)) return;
    if (!n->child_count)
        lp_node_fault(x->r, n->key ? n->key : n, "add at least one value", "%s: the list is empty", x->name);
    for (const struct lp_node *c = n->first; c; c = c->next) add_value(x, c);
}

static int compare(enum lp_type type, const struct lp_value *a, const struct lp_value *b)
{
    if (type == LP_TYPE_STRING) {
        size_t len = a->text.len < b->text.len ? a->text.len : b->text.len;
        int order = len ? memcmp(a->text.at, b->text.at, len) : 0;
        return order ? order : (a->text.len > b->text.len) - (a->text.len < b->text.len);
    }
    if (type == LP_TYPE_DOUBLE) return (a->f64 > b->f64) - (a->f64 < b->f64);
    if (type == LP_TYPE_BOOLEAN) return (int)a->boolean - (int)b->boolean;
    return (a->i64 > b->i64) - (a->i64 < b->i64);
}

static void check_range(struct reader *x)
{
    struct lp_check *c = x->check;
    if (x->spec->operand != RANGE || !x->column->type_known || c->value_count < 2) return;
    int order = compare(x->column->type, &c->values[0], &c->values[1]);
    if (order > 0 || (!order && (c->open_min || c->open_max)))
        lp_node_fault(x->r, x->node, "write the smaller value first", "%s: nothing lies between %s and %s", x->name,
                      c->words[0], c->words[1]);
}

static void read_range(struct reader *x, const struct lp_node *n)
{
    if (n->kind == LP_NODE_LIST && n->child_count == 2 && make_room(x, 2)) {
        if (add_value(x, n->first)) add_value(x, n->first->next);
    } else {
        lp_node_fault(x->r, n->key ? n->key : n, "write in_range: [0, 100]", "%s wants two values", x->name);
    }
}

static bool read_count(struct reader *x, const struct lp_node *n, int64_t *out)
{
    const char *text = lp_node_text(x->r, n);
    if (!text) return false;
    if (lp_int64_parse(text, strlen(text), out) && *out >= 0) return true;
    lp_node_fault(x->r, n, "write a whole number, 0 or more", "%s: \"%.40s\" is not a length", x->name, text);
    return false;
}

static void read_length(struct reader *x, const struct lp_node *n)
{
    struct lp_check *c = x->check;
    if (n->kind == LP_NODE_SCALAR) {
        if (read_count(x, n, &c->least)) c->most = c->least;
    } else if (n->kind == LP_NODE_LIST && n->child_count == 2) {
        if (!lp_node_is_null(n->first)) read_count(x, n->first, &c->least);
        if (!lp_node_is_null(n->first->next)) read_count(x, n->first->next, &c->most);
    } else {
        lp_node_fault(x->r, n->key ? n->key : n, "write str_length: [1, 80]", "%s wants a length or two", x->name);
    }
    if (c->most >= 0 && c->least > c->most)
        lp_node_fault(x->r, n, "write the smaller one first", "%s: no length lies between the two", x->name);
}

static void read_pattern(struct reader *x, const struct lp_node *n)
{
    struct lp_err err;
    size_t offset = 0;
    if (!make_room(x, 1) || !add_value(x, n)) return;
    enum lp_code code =
        lp_pattern_new(x->check->words[0], x->spec->kind == LP_CHECK_MATCHES, &x->check->pattern, &offset, &err);
    if (code && !lp_reading_starved(x->r, code))
        lp_faults_add(x->r->faults, n->line, n->column + n->quoted + offset, 1, "write it as PCRE2 does",
                      "%s: the pattern does not compile: %s", x->name, err.text);
}

static void read_value(struct reader *x, const struct lp_node *n)
{
    switch (x->spec->operand) {
    case ONE:
    case WORD:
        if (make_room(x, 1)) add_value(x, n);
        return;
    case RANGE: read_range(x, n); return;
    case SET: read_set(x, n); return;
    case PATTERN: read_pattern(x, n); return;
    case LENGTH: read_length(x, n); return;
    case FLAG: return;
    }
}

static bool read_flag(struct reader *x, const struct lp_node *n, bool fallback)
{
    const char *text = lp_node_text(x->r, n);
    if (!text) return fallback;
    if (!strcmp(text, "true") || !strcmp(text, "false")) return *text == 't';
    lp_node_fault(x->r, n, "write true or false", "%s: \"%.40s\" is not true or false", n->key ? n->key->text : x->name,
                  text);
    return fallback;
}

/* { min_value: 0, max_value: 10, include_max: false, ignore_na: false } */
static void read_long_form(struct reader *x, const struct lp_node *map)
{
    const char *keys[8] = {"ignore_na", "raise_warning", x->spec->argument};
    size_t count = 3;
    struct lp_check *c = x->check;
    const struct lp_node *low = lp_node_get(map, "min_value"), *high = lp_node_get(map, "max_value");
    bool ends = x->spec->operand == RANGE, length = x->spec->operand == LENGTH;
    if (ends || length) keys[2] = "min_value", keys[count++] = "max_value";
    if (ends) keys[count++] = "include_min", keys[count++] = "include_max";
    if (length) keys[count++] = "exact_value";
    for (const struct lp_node *n = map->first; n; n = n->next) {
        size_t i = 0;
        while (i < count && strcmp(n->key->text, keys[i])) i++;
        if (i == count) lp_unknown_key(x->r, n->key, x->name, keys, count);
        else if (i == 0) c->ignore_na = read_flag(x, n, true);
        else if (i == 1) c->raise_warning = read_flag(x, n, false);
        else if (!strcmp(keys[i], "include_min")) c->open_min = !read_flag(x, n, true);
        else if (!strcmp(keys[i], "include_max")) c->open_max = !read_flag(x, n, true);
        else if (!ends && !length) read_value(x, n);
        else if (!strcmp(keys[i], "exact_value")) read_length(x, n);
    }
    if (length && low) read_count(x, low, &c->least);
    if (length && high) read_count(x, high, &c->most);
    if (ends && low && high && make_room(x, 2) && add_value(x, low)) add_value(x, high);
    bool given = ends     ? low && high
                 : length ? low || high || lp_node_get(map, "exact_value")
                          : lp_node_get(map, x->spec->argument) != NULL;
    if (!given)
        lp_node_fault(x->r, map->key,
                      ends ? "add min_value and max_value" : lp_faults_text(x->r->faults, "add %s", x->spec->argument),
                      "%s says no value", x->name);
}

static void put_word(struct lp_buf *out, const struct reader *x, const char *word)
{
    enum lp_type type = x->column->type;
    bool bare = type == LP_TYPE_BIGINT || type == LP_TYPE_DOUBLE;
    if (type == LP_TYPE_BOOLEAN) lp_buf_puts(out, !strcmp(word, "true") || !strcmp(word, "1") ? "True" : "False");
    else lp_buf_printf(out, bare ? "%s" : strchr(word, '\'') ? "\"%s\"" : "'%s'", word);
}

/* As Pandera names a failed check: in_range(0, 10), isin(['a', 'b']), str_length(1, None). */
static void set_text(struct reader *x)
{
    LP_AUTO(lp_buf) out = {0};
    struct lp_check *c = x->check;
    bool set = x->spec->operand == SET;
    lp_buf_printf(&out, "%s(%s", x->name, set ? "[" : "");
    for (size_t i = 0; i < c->value_count; i++) {
        if (i) lp_buf_puts(&out, ", ");
        put_word(&out, x, c->words[i]);
    }
    if (x->spec->operand == LENGTH && c->least == c->most) lp_buf_printf(&out, "%lld", (long long)c->least);
    else if (x->spec->operand == LENGTH) {
        if (c->least) lp_buf_printf(&out, "%lld, ", (long long)c->least);
        else lp_buf_puts(&out, "None, ");
        if (c->most >= 0) lp_buf_printf(&out, "%lld", (long long)c->most);
        else lp_buf_puts(&out, "None");
    }
    lp_buf_puts(&out, set ? "])" : ")");
    c->text = x->spec->kind == LP_CHECK_UNIQUE ? "field_uniqueness" : lp_arena_strdup(x->r->arena, lp_buf_text(&out));
    if (!c->text || out.failed) x->r->faults->out_of_memory = true;
}

static void read_check(struct lp_checks *checks, struct reader *x)
{
    enum operand operand = x->spec->operand;
    struct lp_check *c = x->check = allocate(x->r, sizeof *c);
    if (!c) return;
    *c = (struct lp_check){
        .kind = x->spec->kind, .column = (size_t)(x->column - checks->columns->list), .most = -1, .ignore_na = true};
    if (checks->last) checks->last->next = c;
    else checks->first = c;
    checks->last = c;
    checks->count++;
    c->text = x->name;
    if ((operand == WORD || operand == PATTERN || operand == LENGTH) && x->column->type_known &&
        x->column->type != LP_TYPE_STRING)
        lp_node_fault(x->r, x->node->key, "it belongs to type: string", "%s has no meaning for type %s", x->name,
                      lp_type_name(x->column->type));
    else if (x->node->kind == LP_NODE_MAP && operand != FLAG) read_long_form(x, x->node);
    else read_value(x, x->node);
    check_range(x);
    set_text(x);
}

static bool read_key(void *room, struct lp_reading *r, size_t column, const struct lp_node *key,
                     const struct lp_node *value)
{
    struct lp_checks *checks = room;
    size_t i = 0;
    while (i < LP_COUNT(fields) && strcmp(fields[i].name, key->text)) i++;
    if (i == LP_COUNT(fields)) return false;
    if (i >= LP_COUNT(specs)) i = i - LP_COUNT(specs); /* aliases stand in the order of what they mean */
    struct reader x = {
        .r = r, .column = &checks->columns->list[column], .spec = &specs[i], .name = fields[i].name, .node = value};
    if (specs[i].operand != FLAG || read_flag(&x, value, false)) read_check(checks, &x);
    return true;
}

void lp_checks_extras(struct lp_checks *c, struct lp_columns *columns, struct lp_column_extras *out)
{
    static const char *names[LP_COUNT(fields)];
    for (size_t i = 0; i < LP_COUNT(fields); i++) names[i] = fields[i].name;
    c->columns = columns;
    *out = (struct lp_column_extras){.names = names, .name_count = LP_COUNT(fields), .read = read_key, .room = c};
}

void lp_checks_release(struct lp_checks *c)
{
    for (struct lp_check *check = c->first; check; check = check->next) lp_pattern_free(check->pattern);
    *c = (struct lp_checks){0};
}

/* ---- judging one value ---- */

static struct lp_value value_at(const struct lp_cells *cells, enum lp_type type, size_t row)
{
    struct lp_value v = {0};
    if (type == LP_TYPE_STRING) v.text = cells->of.text[row];
    else if (type == LP_TYPE_DOUBLE) v.f64 = cells->of.f64[row];
    else if (type == LP_TYPE_BOOLEAN) v.boolean = cells->of.boolean[row];
    else v.i64 = cells->of.i64[row];
    return v;
}

ptrdiff_t lp_check_find(const struct lp_check *c, const struct lp_cells *cells, enum lp_type type, size_t row)
{
    struct lp_value v = value_at(cells, type, row);
    for (size_t i = 0; i < c->value_count; i++)
        if (!compare(type, &v, &c->values[i])) return (ptrdiff_t)i;
    return -1;
}

static bool in_range(const struct lp_check *c, enum lp_type type, const struct lp_value *v)
{
    int low = compare(type, v, &c->values[0]), high = compare(type, v, &c->values[1]);
    return (c->open_min ? low > 0 : low >= 0) && (c->open_max ? high < 0 : high <= 0);
}

static bool length_fits(const struct lp_check *c, struct lp_slice text)
{
    int64_t length = (int64_t)lp_utf8_length(text.at, text.len);
    return length >= c->least && (c->most < 0 || length <= c->most);
}

bool lp_check_passes(const struct lp_check *c, const struct lp_cells *cells, enum lp_type type, size_t row)
{
    struct lp_value v = value_at(cells, type, row);
    const struct lp_value *w = c->values;
    switch (c->kind) {
    case LP_CHECK_EQ: return !compare(type, &v, w);
    case LP_CHECK_NE: return compare(type, &v, w) != 0;
    case LP_CHECK_GT: return compare(type, &v, w) > 0;
    case LP_CHECK_GE: return compare(type, &v, w) >= 0;
    case LP_CHECK_LT: return compare(type, &v, w) < 0;
    case LP_CHECK_LE: return compare(type, &v, w) <= 0;
    case LP_CHECK_RANGE: return in_range(c, type, &v);
    case LP_CHECK_ISIN:
    case LP_CHECK_VALUES_EQ: return lp_check_find(c, cells, type, row) >= 0;
    case LP_CHECK_NOTIN: return lp_check_find(c, cells, type, row) < 0;
    case LP_CHECK_MATCHES:
    case LP_CHECK_CONTAINS: return lp_pattern_matches(c->pattern, v.text.at, v.text.len);
    case LP_CHECK_STARTS: return v.text.len >= w->text.len && !memcmp(v.text.at, w->text.at, w->text.len);
    case LP_CHECK_ENDS:
        return v.text.len >= w->text.len && !memcmp(v.text.at + v.text.len - w->text.len, w->text.at, w->text.len);
    case LP_CHECK_LENGTH: return length_fits(c, v.text);
    case LP_CHECK_UNIQUE: return true; /* judged over the run */
    }
    return true;
}

bool lp_check_passes_null(const struct lp_check *c)
{
    return c->ignore_na || c->kind == LP_CHECK_NE || c->kind == LP_CHECK_NOTIN || c->kind == LP_CHECK_UNIQUE;
}
