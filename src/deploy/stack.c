#include "deploy/stack.h"

#include "base/file.h"

#include <stdlib.h>

/* ${NAME} or ${NAME:-default} at the beginning of a text; its length, 0 when it is none. */
static size_t reference_of(const char *text, struct lp_slice *name, struct lp_slice *fallback)
{
    if (strncmp(text, "${", 2) != 0) return 0;
    const char *end = strchr(text, '}'), *colon = strstr(text, ":-");
    if (!end) return 0;
    bool has = colon && colon < end;
    *name = (struct lp_slice){text + 2, (size_t)((has ? colon : end) - text - 2)};
    *fallback = has ? (struct lp_slice){colon + 2, (size_t)(end - colon - 2)} : (struct lp_slice){"", 0};
    return (size_t)(end + 1 - text);
}

static const char *kept(struct lp_stack_environment *e, const char *made)
{
    if (!made) e->starved = true;
    return made ? made : "";
}

static struct lp_setting *find(struct lp_setting *list, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (!strcmp(list[i].name, name)) return &list[i];
    return NULL;
}

static void add(struct lp_stack_environment *e, struct lp_setting *list, size_t *count, struct lp_setting it)
{
    if (find(list, *count, it.name)) return;
    if (*count == LP_SETTINGS_MAX) e->full = true;
    else list[(*count)++] = it;
}

static void add_role(struct lp_stack_environment *e, struct lp_slice name, const char *value)
{
    const char *copy = kept(e, lp_arena_strndup(&e->arena, name.at, name.len));
    add(e, e->roles, &e->role_count, (struct lp_setting){.name = copy, .value = value});
}

/* "${OUTPUT_BUCKET:-./lake}" is a whole place, "s3://${OUTPUT_BUCKET}/weather" holds the bucket alone. */
static void read_place(struct lp_stack_environment *e, const struct lp_node *to)
{
    struct lp_slice name, fallback;
    bool alone = to && to->kind == LP_NODE_SCALAR && !strncmp(to->text, "s3://", 5);
    if (!to || to->kind != LP_NODE_SCALAR) return;
    size_t len = reference_of(to->text + (alone ? 5 : 0), &name, &fallback);
    char next = to->text[(alone ? 5 : 0) + len];
    if (len && (!next || next == '/')) add_role(e, name, alone ? LP_STACK_BUCKET : "s3://" LP_STACK_BUCKET);
}

static void read_told(struct lp_stack_environment *e, const struct lp_node *to)
{
    struct lp_slice name, fallback;
    for (const struct lp_node *n = to && to->kind == LP_NODE_LIST ? to->first : NULL; n; n = n->next)
        if (n->kind == LP_NODE_SCALAR && n->len && reference_of(n->text, &name, &fallback) == n->len)
            add_role(e, name, LP_STACK_TOPIC);
}

static void read_database(struct lp_stack_environment *e, const struct lp_node *n, const struct lp_node *pipeline)
{
    struct lp_slice name, fallback;
    if (!n || n->kind != LP_NODE_SCALAR || !n->len || reference_of(n->text, &name, &fallback) != n->len) return;
    if (!fallback.len && pipeline && pipeline->kind == LP_NODE_SCALAR) fallback = lp_slice_of(pipeline->text);
    add_role(e, name, kept(e, lp_arena_printf(&e->arena, "%.*s_" LP_STACK_STAGE, (int)fallback.len, fallback.at)));
}

static const struct lp_node *get(const struct lp_node *map, const char *key)
{
    return map && map->kind == LP_NODE_MAP ? lp_node_get(map, key) : NULL;
}

/* Lambda's documentation calls these reserved: a function's configuration that names one is refused. */
static bool is_lambdas(const char *name)
{
    static const char *const names[] = {"_HANDLER", "_X_AMZN_TRACE_ID", "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_EXECUTION_ENV",
                                        "AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
                                        "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR"};
    for (size_t i = 0; i < LP_COUNT(names); i++)
        if (!strcmp(name, names[i])) return true;
    return !strncmp(name, "AWS_LAMBDA_", strlen("AWS_LAMBDA_"));
}

static const char *lambdas_own(struct lp_stack_environment *e, const char *name)
{
    for (size_t i = 0; i < e->lambdas_count; i++)
        if (!strcmp(e->lambdas[i], name)) return getenv(name);
    if (e->lambdas_count == LP_SETTINGS_MAX) e->full = true;
    else e->lambdas[e->lambdas_count++] = kept(e, lp_arena_strdup(&e->arena, name));
    return getenv(name);
}

static const char *value_of(struct lp_environment *base, const char *name)
{
    struct lp_stack_environment *e = (struct lp_stack_environment *)base;
    if (is_lambdas(name)) return lambdas_own(e, name);
    const struct lp_setting *role = find(e->roles, e->role_count, name);
    const char *value = role ? role->value : getenv(name);
    if (value && *value)
        add(e, e->list, &e->count,
            (struct lp_setting){.name = kept(e, lp_arena_strdup(&e->arena, name)),
                                .value = kept(e, lp_arena_strdup(&e->arena, value))});
    return value;
}

static const char *place_of(struct lp_environment *base, const char *name)
{
    struct lp_stack_environment *e = (struct lp_stack_environment *)base;
    const char *place = kept(e, lp_arena_printf(&e->arena, "ssm:" LP_STACK_PARAMETER "%s.", name));
    add(e, e->list, &e->count,
        (struct lp_setting){.name = kept(e, lp_arena_printf(&e->arena, "%s_FROM", name)),
                            .value = place,
                            .secret = kept(e, lp_arena_strdup(&e->arena, name))});
    return place;
}

static void note_file(struct lp_environment *base, const struct lp_node *n, const char *place)
{
    struct lp_stack_environment *e = (struct lp_stack_environment *)base;
    if (e->file_count == LP_SETTINGS_MAX) e->full = true;
    else e->files[e->file_count++] = (struct lp_secret_file){n->line, n->column, place};
}

enum lp_code lp_stack_environment_init(struct lp_stack_environment *e, const char *path, struct lp_err *err)
{
    LP_AUTO(lp_buf) text = {.max_bytes = LP_YAML_MAX_BYTES};
    struct lp_faults faults;
    struct lp_err ignored;
    *e = (struct lp_stack_environment){.base = {.value = value_of, .place = place_of, .in_file = note_file}};
    lp_arena_init(&e->arena, (size_t)64 << 20);
    if (lp_file_read(path, &text, &ignored)) return LP_OK; /* said when it is loaded */
    lp_faults_init(&faults, path);
    const struct lp_node *root = lp_yaml_parse(lp_buf_text(&text), text.len, &e->arena, &faults);
    bool starved = faults.out_of_memory;
    lp_faults_release(&faults);
    if (starved) return lp_nomem(err);
    const struct lp_node *sink = get(root, "sink");
    read_place(e, get(sink, "to"));
    read_database(e, get(get(sink, "catalog"), "database"), get(root, "pipeline"));
    read_told(e, get(get(root, "notify"), "to"));
    return lp_stack_environment_code(e, err);
}

enum lp_code lp_stack_environment_code(const struct lp_stack_environment *e, struct lp_err *err)
{
    if (e->starved) return lp_arena_code(&e->arena, err);
    return e->full ? lp_fail(err, LP_LIMIT, "the file reads more than %d variables or secrets", LP_SETTINGS_MAX) : LP_OK;
}

void lp_stack_environment_release(struct lp_stack_environment *e)
{
    lp_arena_release(&e->arena);
}
