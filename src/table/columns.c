#include "table/columns.h"

#include "table/convert.h"

#define MAX_COLUMNS 1024

static const struct {
    const char *name, *dtype;
} types[LP_TYPE_COUNT] = {
    [LP_TYPE_STRING] = {"string", "str"},
    [LP_TYPE_BIGINT] = {"bigint", "int64"},
    [LP_TYPE_DOUBLE] = {"double", "float64"},
    [LP_TYPE_BOOLEAN] = {"boolean", "bool"},
    [LP_TYPE_TIMESTAMP] = {"timestamp", "datetime64[us, UTC]"},
    [LP_TYPE_DATE] = {"date", "date"},
};
static const char *const type_names[LP_TYPE_COUNT] = {"string", "bigint", "double", "boolean", "timestamp", "date"};

const char *lp_type_name(enum lp_type t)
{
    return types[t].name;
}

const char *lp_type_dtype(enum lp_type t)
{
    return types[t].dtype;
}

static void read_path(struct lp_reading *r, const struct lp_node *n, void *member)
{
    struct lp_column *c = (struct lp_column *)((char *)member - offsetof(struct lp_column, from));
    struct lp_err err;
    size_t at;
    const char *text = lp_node_text(r, n);
    if (!text) return;
    c->from_text = text;
    enum lp_code code = lp_path_parse(r->arena, text, &c->from, &at, &err);
    if (code && !lp_reading_starved(r, code))
        lp_faults_add(r->faults, n->line, n->column + n->quoted + at, 1,
                      "write it like main.temp or weather[0].description", "from: %s", err.text);
}

static void read_unit(struct lp_reading *r, const struct lp_node *n, void *member)
{
    struct lp_column *c = (struct lp_column *)((char *)member - offsetof(struct lp_column, unit));
    const char *text = lp_node_text(r, n), *arrow = text ? strstr(text, "->") : NULL;
    struct lp_err err;
    if (!text) return;
    c->unit = text;
    if (!arrow) return;
    size_t left = (size_t)(arrow - text), skip = 2 + strspn(arrow + 2, " ");
    while (left && text[left - 1] == ' ') left--;
    c->unit_from = lp_arena_strndup(r->arena, text, left);
    c->unit = arrow + skip;
    if (!c->unit_from) {
        r->faults->out_of_memory = true;
        return;
    }
    const char *unknown = NULL;
    enum lp_code code = lp_unit_new(c->unit_from, c->unit, &c->conversion, &unknown, &err);
    if (!code || lp_reading_starved(r, code)) return;
    if (unknown) {
        size_t offset = unknown == c->unit ? (size_t)(c->unit - text) : 0;
        const char *near = lp_unit_nearest(unknown);
        lp_faults_add(r->faults, n->line, n->column + n->quoted + offset, lp_utf8_length(unknown, strlen(unknown)),
                      near ? lp_faults_text(r->faults, "did you mean \"%s\"?", near)
                           : "write it as UDUNITS-2 does: celsius, km/h, m s-1, hPa",
                      "\"%s\" is not a unit that UDUNITS-2 knows", unknown);
    } else {
        lp_node_fault(r, n, "both sides of -> must measure the same thing", "%s", err.text);
    }
}

static const struct lp_field fields[] = {
    {.name = "from",
     .kind = LP_FIELD_CUSTOM,
     .offset = offsetof(struct lp_column, from),
     .read = read_path,
     .schema = "{\"type\":\"string\"}",
     .example = "main.temp",
     .help =
         "Where the value lies in the reply: names joined by dots, an index in brackets, a name that holds a dot in "
         "double quotes; `.` is the row itself, `$.` begins at the whole reply."},
    {.name = "value",
     .kind = LP_FIELD_TEMPLATE,
     .offset = offsetof(struct lp_column, value),
     .example = "\"{city}\"",
     .help = "A text with variables instead of `from`."},
    {.name = "type",
     .kind = LP_FIELD_WORD,
     .offset = offsetof(struct lp_column, type),
     .required = true,
     .words = type_names,
     .word_count = LP_COUNT(type_names),
     .example = "double",
     .help = "What the column holds."},
    {.name = "unit",
     .kind = LP_FIELD_CUSTOM,
     .offset = offsetof(struct lp_column, unit),
     .read = read_unit,
     .schema = "{\"type\":\"string\"}",
     .example = "celsius -> fahrenheit",
     .help = "The unit of the column, or `from -> to` to convert it, as UDUNITS-2 writes units."},
    {.name = "parse",
     .kind = LP_FIELD_TEXT,
     .offset = offsetof(struct lp_column, parse),
     .example = "unix",
     .help =
         "How a timestamp or date is written: `iso8601` (the default), `unix`, `unix_ms`, or a strptime format. A time "
         "without an offset is UTC."},
    {.name = "nullable",
     .kind = LP_FIELD_BOOL,
     .offset = offsetof(struct lp_column, nullable),
     .fallback = "false",
     .example = "true",
     .help = "May the value be absent or null? If not, such a row is quarantined."},
    {.name = "default",
     .kind = LP_FIELD_TEXT,
     .offset = offsetof(struct lp_column, fallback),
     .example = "0",
     .help = "Stands in for a value that is absent or null, in the column's own unit."},
    {.name = "description",
     .kind = LP_FIELD_TEXT,
     .offset = offsetof(struct lp_column, description),
     .example = "Air temperature at 2 m",
     .help = "What the column means, for the catalogue."},
};
const struct lp_fields lp_column_fields = {
    "columns.<name>",
    "The columns, in the order they have in the file. Each takes its value `from` the reply or from a `value` with "
    "variables, has a type, and may carry checks.",
    fields, LP_COUNT(fields)};

/* What a strptime format must hold: conversions that say when, and among them a whole date. NULL: it does. */
static const char *time_format_fault(const char *format, const char **remedy)
{
    static const char known[] = "YymdeHkIlMSpjbBhaAnstTRDFz%";
    bool year = false, month = false, day = false, whole = false;
    *remedy = "it is made of %Y %m %d %H %M %S %b %d %j %z and the like";
    for (const char *at = format; *at; at++) {
        if (*at != '%') continue;
        char c = *++at;
        if (c == 'Z') {
            *remedy =
                "a zone's name is not the same everywhere: write %z for an offset, or the letters themselves for UTC";
            return "%Z cannot be relied on";
        }
        if (!c || !strchr(known, c)) return "it holds a conversion that gives no time";
        year |= c == 'Y' || c == 'y';
        month |= strchr("mbBh", c) != NULL;
        day |= c == 'd' || c == 'e';
        whole |= c == 'D' || c == 'F' || c == 's' || (c == 'j' && year);
    }
    if (whole || (year && month && day)) return NULL;
    *remedy = "add year, month and day, as in %Y-%m-%d";
    return "it leaves the date open";
}

static void read_time_form(struct lp_reading *r, struct lp_column *c, const struct lp_node *map)
{
    const struct lp_node *n = lp_node_get(map, "parse");
    bool time = c->type == LP_TYPE_TIMESTAMP || c->type == LP_TYPE_DATE;
    if (!c->parse) return;
    if (!time && c->type_known)
        lp_node_fault(r, n->key, "it belongs to timestamp and date", "parse has no meaning for type %s",
                      lp_type_name(c->type));
    if (!strcmp(c->parse, "unix")) c->time_form = LP_TIME_UNIX;
    else if (!strcmp(c->parse, "unix_ms")) c->time_form = LP_TIME_UNIX_MS;
    else if (strchr(c->parse, '%')) {
        const char *remedy, *what = time_format_fault(c->parse, &remedy);
        c->time_form = LP_TIME_STRPTIME;
        if (what) lp_node_fault(r, n, remedy, "parse: \"%.60s\": %s", c->parse, what);
    } else if (strcmp(c->parse, "iso8601"))
        lp_node_fault(r, n, "it is iso8601, unix, unix_ms or a strptime format such as %d.%m.%Y",
                      "parse: \"%.60s\" is not known", c->parse);
}

/* A value without variables fits its column or never will. */
static void check_constant(struct lp_reading *r, const struct lp_column *c, const struct lp_node *n)
{
    LP_AUTO(lp_buf) text = {0};
    struct lp_value value;
    if (!c->type_known || !c->value.part_count || !lp_template_is_constant(&c->value)) return;
    lp_template_put(&c->value, NULL, NULL, NULL, &text);
    if (!lp_value_parse(c, (struct lp_slice){lp_buf_text(&text), text.len}, &value))
        lp_node_fault(r, n, "write it as the column's values are", "value: \"%.60s\" is not of type %s",
                      lp_buf_text(&text), lp_type_name(c->type));
}

/* What the fields of one column must agree on. */
static void check_column(struct lp_reading *r, struct lp_column *c, const struct lp_node *map)
{
    struct lp_value value;
    const struct lp_node *unit = lp_node_get(map, "unit");
    bool from = lp_node_get(map, "from"), templated = lp_node_get(map, "value");
    if (!from && !templated)
        lp_node_fault(r, map->key, "add from: main.temp, or value: \"{city}\"",
                      "column \"%s\" takes its value from nowhere", c->name);
    if (from && templated)
        lp_node_fault(r, lp_node_get(map, "value")->key, "keep one of the two", "column \"%s\" has both from and value",
                      c->name);
    read_time_form(r, c, map);
    if (templated) check_constant(r, c, lp_node_get(map, "value"));
    if (c->unit_from && c->type_known && c->type != LP_TYPE_DOUBLE)
        lp_node_fault(r, unit, "write type: double", "only a double can be converted from one unit to another");
    if (c->fallback && c->type_known && !lp_value_parse(c, lp_slice_of(c->fallback), &value))
        lp_node_fault(r, lp_node_get(map, "default"), "write it as the column's values are",
                      "default: \"%.60s\" is not of type %s", c->fallback, lp_type_name(c->type));
}

static void read_column_key(struct lp_reading *r, const struct lp_column_extras *extras, struct lp_columns *out,
                            size_t index, const struct lp_node *child)
{
    const struct lp_field *f = lp_fields_find(&lp_column_fields, child->key->text);
    if (f) {
        if (strcmp(f->name, "type")) lp_field_read(r, f, child, &out->list[index]);
        return;
    }
    if (extras && extras->read(extras->room, r, index, child->key, child)) return;
    const char *names[64];
    size_t count = 0;
    for (size_t i = 0; i < LP_COUNT(fields); i++) names[count++] = fields[i].name;
    for (size_t i = 0; extras && i < extras->name_count && count < LP_COUNT(names); i++)
        names[count++] = extras->names[i];
    lp_unknown_key(r, child->key, lp_faults_text(r->faults, "columns.%s", out->list[index].name), names, count);
}

static void read_column(struct lp_reading *r, const struct lp_node *n, const struct lp_column_extras *extras,
                        struct lp_columns *out, size_t index)
{
    struct lp_column *c = &out->list[index];
    const struct lp_node *type;
    *c = (struct lp_column){.name = n->key->text, .node = n};
    if (!lp_name_is_valid(c->name))
        lp_node_fault(r, n->key, "use letters, digits, _ and -, and begin with a letter",
                      "\"%.60s\" cannot be a column's name", c->name);
    if (!lp_node_expect(r, n, LP_NODE_MAP, "{ from: main.temp, type: double }")) return;
    /* The type comes first: checks need it, wherever it stands. */
    if ((type = lp_node_get(n, "type"))) {
        size_t faults = r->faults->count;
        lp_field_read(r, lp_fields_find(&lp_column_fields, "type"), type, c);
        c->type_known = r->faults->count == faults;
    } else {
        lp_node_fault(r, n->key, "add type: string, bigint, double, boolean, timestamp or date",
                      "column \"%s\" has no type", c->name);
    }
    for (const struct lp_node *child = n->first; child; child = child->next)
        read_column_key(r, extras, out, index, child);
    check_column(r, c, n);
}

void lp_columns_read(struct lp_reading *r, const struct lp_node *node, const struct lp_column_extras *extras,
                     struct lp_columns *out)
{
    if (!lp_node_expect(r, node, LP_NODE_MAP, "columns: { temperature: { from: main.temp, type: double } }")) return;
    if (!node->child_count || node->child_count > MAX_COLUMNS) {
        lp_node_fault(r, node->key ? node->key : node,
                      node->child_count ? "split the pipeline" : "add at least one column",
                      node->child_count ? "more than 1,024 columns" : "there are no columns");
        return;
    }
    out->list = lp_arena_zalloc(r->arena, node->child_count * sizeof *out->list);
    if (!out->list) {
        r->faults->out_of_memory = true;
        return;
    }
    for (const struct lp_node *c = node->first; c; c = c->next) {
        for (size_t i = 0; i < out->count; i++)
            if (strcmp(out->list[i].name, c->key->text) && lp_text_equal_ignoring_case(out->list[i].name, c->key->text))
                lp_node_fault(r, c->key, "give it another name",
                              "column \"%.60s\" differs from \"%.60s\" only in case, which SQL does not see",
                              c->key->text, out->list[i].name);
        read_column(r, c, extras, out, out->count++);
    }
}

void lp_columns_release(struct lp_columns *c)
{
    for (size_t i = 0; c && i < c->count; i++) {
        lp_unit_free(c->list[i].conversion);
        c->list[i].conversion = NULL;
    }
}

ptrdiff_t lp_columns_find(const struct lp_columns *c, const char *name, size_t len)
{
    for (size_t i = 0; i < c->count; i++)
        if (strlen(c->list[i].name) == len && !memcmp(c->list[i].name, name, len)) return (ptrdiff_t)i;
    return -1;
}
