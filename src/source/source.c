#include "source/source.h"

#include "aws/secret_place.h"
#include "base/secret.h"
#include "source/each.h"
#include "source/url.h"

#include <stdlib.h>

static const char *const auth_keys[] = {"query", "header", "bearer", "basic", "secret"};

static void set_secret(struct lp_reading *r, const struct lp_node *n, struct lp_auth *auth)
{
    auth->secret = lp_secret_place_read(r, n);
}

static void read_auth(struct lp_reading *r, const struct lp_node *map, void *member)
{
    struct lp_auth *auth = member;
    const struct lp_node *form = NULL;
    *auth = (struct lp_auth){.node = map};
    if (!lp_node_expect(r, map, LP_NODE_MAP, "auth: { query: appid, secret: \"env:API_KEY\" }")) return;
    for (const struct lp_node *c = map->first; c; c = c->next) {
        size_t which = 0;
        while (which < LP_COUNT(auth_keys) && strcmp(c->key->text, auth_keys[which])) which++;
        if (which == LP_COUNT(auth_keys)) {
            lp_unknown_key(r, c->key, "source.auth", auth_keys, LP_COUNT(auth_keys));
        } else if (which == 4) {
            set_secret(r, c, auth);
        } else if (form) {
            lp_node_fault(r, c->key, "keep one of query, header, bearer, basic", "a second way to authenticate");
        } else {
            form = c;
            auth->kind = (enum lp_auth_kind)(which + 1);
            if (auth->kind == LP_AUTH_BEARER) set_secret(r, c, auth);
            else auth->name = lp_node_text(r, c);
        }
    }
    if (!form)
        lp_node_fault(
            r, map->key,
            "write { query: NAME, secret: … }, { header: NAME, secret: … }, { bearer: … } or { basic: USER, secret: … }",
            "auth says no way to authenticate");
    else if (auth->kind != LP_AUTH_BEARER && !lp_node_get(map, "secret"))
        lp_node_fault(r, form->key, "add secret: \"env:NAME\"", "auth has no secret");
    if (auth->name && strpbrk(auth->name, auth->kind == LP_AUTH_BASIC ? ":\r\n" : " :\r\n"))
        lp_node_fault(r, form, "write the bare name", "auth: \"%.60s\" cannot be a name", auth->name);
}

static void read_rate(struct lp_reading *r, const struct lp_node *n, void *member)
{
    struct lp_err err;
    const char *text = lp_node_text(r, n);
    if (text && lp_rate_parse(text, member, &err)) lp_node_fault(r, n, "write it like 60/min or 10/s", "%s", err.text);
}

static bool parse_status(const char *text, struct lp_status_rule *rule)
{
    if (strlen(text) != 3 || text[0] < '1' || text[0] > '5') return false;
    if (!strcmp(text + 1, "xx")) {
        rule->low = (text[0] - '0') * 100;
        rule->high = rule->low + 99;
        return true;
    }
    if (strspn(text, "0123456789") != 3) return false;
    rule->low = rule->high = atoi(text);
    return true;
}

static void read_status_rules(struct lp_reading *r, const struct lp_node *map, void *member)
{
    static const char *const actions[] = {"skip", "stop", "retry"};
    static const struct lp_field action = {
        .name = "on_status", .kind = LP_FIELD_WORD, .words = actions, .word_count = 3};
    struct lp_status_rules *rules = member;
    if (!lp_node_expect(r, map, LP_NODE_MAP, "on_status: { 404: skip, 401: stop }")) return;
    rules->list = lp_arena_zalloc(r->arena, (map->child_count + 1) * sizeof *rules->list);
    if (!rules->list) {
        r->faults->out_of_memory = true;
        return;
    }
    for (const struct lp_node *c = map->first; c; c = c->next) {
        struct lp_status_rule *rule = &rules->list[rules->count];
        int word = 0;
        if (!parse_status(c->key->text, rule)) {
            lp_node_fault(r, c->key, "write a number from 100 to 599, or 5xx for a class",
                          "\"%.20s\" is not an HTTP status", c->key->text);
            continue;
        }
        lp_field_read(r, &action, c, &word);
        rule->action = (enum lp_status_action)word;
        rules->count++;
    }
}

static bool read_path(struct lp_reading *r, const struct lp_node *n, const char *text, struct lp_path *path)
{
    struct lp_err err;
    size_t at;
    enum lp_code code = lp_path_parse(r->arena, text, path, &at, &err);
    if (!code) return true;
    if (lp_reading_starved(r, code)) return false;
    lp_faults_add(r->faults, n->line, n->column + n->quoted + at, 1, "write it like list or data.items[0]", "%s",
                  err.text);
    return false;
}

static void read_expectations(struct lp_reading *r, const struct lp_node *map, void *member)
{
    struct lp_expectations *e = member;
    if (!lp_node_expect(r, map, LP_NODE_MAP, "expect: { cod: 200 }")) return;
    e->list = lp_arena_zalloc(r->arena, (map->child_count + 1) * sizeof *e->list);
    if (!e->list) {
        r->faults->out_of_memory = true;
        return;
    }
    for (const struct lp_node *c = map->first; c; c = c->next) {
        struct lp_expectation *x = &e->list[e->count];
        x->name = c->key->text;
        x->text = lp_node_text(r, c);
        if (x->text && read_path(r, c->key, x->name, &x->path)) e->count++;
    }
}

static void read_row_path(struct lp_reading *r, const struct lp_node *n, void *member)
{
    struct lp_row_path *p = member;
    p->node = n;
    const char *text = lp_node_text(r, n);
    if (text && read_path(r, n, text, &p->path)) p->text = text;
}

static const struct lp_field limit_list[] = {
    {.name = "rate",
     .kind = LP_FIELD_CUSTOM,
     .offset = offsetof(struct lp_source_limit, rate),
     .read = read_rate,
     .schema = "{\"type\":\"string\"}",
     .example = "60/min",
     .help = "No more requests than this in the time: per s, min, h or d."},
    {.name = "at_once",
     .kind = LP_FIELD_INT,
     .offset = offsetof(struct lp_source_limit, at_once),
     .fallback = "8",
     .min = 1,
     .max = LP_HTTP_AT_ONCE_MAX,
     .example = "8",
     .help = "Requests in flight at the same time."},
    {.name = "connect",
     .kind = LP_FIELD_DURATION,
     .offset = offsetof(struct lp_source_limit, connect_ms),
     .fallback = "10s",
     .min = 1,
     .max = 3600000,
     .example = "10s",
     .help = "Time limit for making a connection."},
    {.name = "total",
     .kind = LP_FIELD_DURATION,
     .offset = offsetof(struct lp_source_limit, total_ms),
     .fallback = "30s",
     .min = 1,
     .max = 3600000,
     .example = "30s",
     .help = "Time limit for one attempt, from start to last byte."},
    {.name = "body",
     .kind = LP_FIELD_SIZE,
     .offset = offsetof(struct lp_source_limit, body_bytes),
     .fallback = "16MB",
     .min = 1,
     .max = 1e9,
     .example = "16MB",
     .help = "Largest reply taken, after inflation."},
};
static const struct lp_fields limit_fields = {"source.limit", "How hard the API may be asked.", limit_list,
                                              LP_COUNT(limit_list)};

static const struct lp_field retry_list[] = {
    {.name = "attempts",
     .kind = LP_FIELD_INT,
     .offset = offsetof(struct lp_source_retry, attempts),
     .fallback = "4",
     .min = 1,
     .max = 100,
     .example = "4",
     .help = "Tries for one item, the first included."},
    {.name = "deadline",
     .kind = LP_FIELD_DURATION,
     .offset = offsetof(struct lp_source_retry, deadline_ms),
     .fallback = "2m",
     .min = 1,
     .max = 86400000,
     .example = "2m",
     .help = "No try of an item begins or lasts past this time after its first."},
    {.name = "base",
     .kind = LP_FIELD_DURATION,
     .offset = offsetof(struct lp_source_retry, base_ms),
     .fallback = "500ms",
     .min = 1,
     .max = 3600000,
     .example = "500ms",
     .help = "The wait before the second try is random between 0 and this; it doubles with each further try."},
    {.name = "cap",
     .kind = LP_FIELD_DURATION,
     .offset = offsetof(struct lp_source_retry, cap_ms),
     .fallback = "20s",
     .min = 1,
     .max = 3600000,
     .example = "20s",
     .help = "The wait never grows past this, unless the server asks for more (Retry-After)."},
};
static const struct lp_fields retry_fields = {
    "source.retry",
    "When a try fails — no connection, a time limit, 408, 425, 429, 5xx, a body cut short, a 200 that is not JSON — it is "
    "made again.",
    retry_list, LP_COUNT(retry_list)};

static const struct lp_field fields[] = {
    {.name = "get",
     .kind = LP_FIELD_TEMPLATE,
     .offset = offsetof(struct lp_source, get),
     .required = true,
     .example = "https://api.example.com/v1/weather",
     .help = "The address asked with GET. Variables are percent-encoded. http:// is refused except to this machine."},
    {.name = "query",
     .kind = LP_FIELD_PAIRS,
     .offset = offsetof(struct lp_source, query),
     .example = "{ q: \"{city}\", units: metric }",
     .help = "Query parameters."},
    {.name = "headers",
     .kind = LP_FIELD_PAIRS,
     .offset = offsetof(struct lp_source, headers),
     .example = "{ Accept-Language: en }",
     .help = "Request headers."},
    {.name = "auth",
     .kind = LP_FIELD_CUSTOM,
     .offset = offsetof(struct lp_source, auth),
     .read = read_auth,
     .schema =
         "{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{\"query\":{\"type\":\"string\"},\"header\":"
         "{\"type\":\"string\"},\"bearer\":{\"$ref\":\"#/$defs/secret\"},\"basic\":{\"type\":\"string\"},\"secret\":"
         "{\"$ref\":\"#/$defs/secret\"}}}",
     .example = "{ query: appid, secret: \"env:API_KEY\" }",
     .help = "How requests authenticate: `{ query: NAME, secret: … }`, `{ header: NAME, secret: … }`, `{ bearer: … }`, "
             "`{ basic: USER, secret: … }`. A secret is `env:NAME`, `file:PATH`, `ssm:NAME` "
             "(Parameter Store) or `secretsmanager:NAME` (`#key` behind it: that member of a JSON secret), never the "
             "value."},
    {.name = "each",
     .kind = LP_FIELD_CUSTOM,
     .offset = offsetof(struct lp_source, each),
     .read = lp_each_read,
     .schema =
         "{\"type\":\"object\",\"additionalProperties\":{\"anyOf\":[{\"type\":\"array\",\"minItems\":1,\"items\":{\"type\":"
         "[\"string\",\"number\",\"boolean\"]}},{\"type\":\"string\"}]}}",
     .example = "{ city: [Chicago, Dallas] }",
     .help =
         "One request for each: a list per variable (several make every combination), or `file: cities.csv` (a CSV file "
         "with a header, or .jsonl), whose columns become variables. A file is looked for beside the pipeline file."},
    {.name = "limit",
     .kind = LP_FIELD_SECTION,
     .offset = offsetof(struct lp_source, limit),
     .section = &limit_fields,
     .example = "{ rate: 60/min, at_once: 8 }",
     .help = "How hard the API may be asked."},
    {.name = "retry",
     .kind = LP_FIELD_SECTION,
     .offset = offsetof(struct lp_source, retry),
     .section = &retry_fields,
     .example = "{ attempts: 4, deadline: 2m }",
     .help = "How a failed try is made again."},
    {.name = "on_status",
     .kind = LP_FIELD_CUSTOM,
     .offset = offsetof(struct lp_source, on_status),
     .read = read_status_rules,
     .schema =
         "{\"type\":\"object\",\"patternProperties\":{\"^[1-5]([0-9][0-9]|xx)$\":{\"enum\":[\"skip\",\"stop\",\"retry\"]}},"
         "\"additionalProperties\":false}",
     .example = "{ 404: skip, 401: stop }",
     .help =
         "What a status means here: `skip` gives up the item without trying again, `stop` ends the run with nothing "
         "written, `retry` tries again. 5xx names a class."},
    {.name = "expect",
     .kind = LP_FIELD_CUSTOM,
     .offset = offsetof(struct lp_source, expect),
     .read = read_expectations,
     .schema = "{\"type\":\"object\",\"additionalProperties\":{\"type\":[\"string\",\"number\",\"boolean\"]}}",
     .example = "{ cod: 200 }",
     .help = "What a reply must say to count as an answer: a path and its value, compared as text."},
    {.name = "rows",
     .kind = LP_FIELD_CUSTOM,
     .offset = offsetof(struct lp_source, rows),
     .read = read_row_path,
     .schema = "{\"type\":\"string\"}",
     .example = "list",
     .help = "Path of an array: each element becomes a row. `.` when the reply itself is one."},
    {.name = "zip",
     .kind = LP_FIELD_CUSTOM,
     .offset = offsetof(struct lp_source, zip),
     .read = read_row_path,
     .schema = "{\"type\":\"string\"}",
     .example = "hourly",
     .help = "Path of an object of arrays of equal length: each position becomes a row."},
    {.name = "history",
     .kind = LP_FIELD_BOOL,
     .offset = offsetof(struct lp_source, history),
     .fallback = "false",
     .example = "true",
     .help = "Says that the source can be asked for slots long past, for `backfill`. Where the request holds the slot, like "
             "`{slot:%Y-%m-%d}`, it need not be said."},
};
const struct lp_fields lp_source_fields = {"source", "What is asked, of whom, how often, and what counts as an answer.",
                                           fields, LP_COUNT(fields)};

void lp_source_variables(struct lp_reading *r, const struct lp_source *s, struct lp_variables *v)
{
    lp_variables_init(v);
    const struct lp_each *e = &s->each;
    if (v->count + e->file_name_count + e->list_count > LP_VARIABLES_MAX) {
        lp_node_fault(r, e->node, "leave out what no request needs", "each brings more than %d variables",
                      LP_VARIABLES_MAX - LP_VARIABLE_FIRST_ITEM);
        return;
    }
    for (size_t i = 0; i < e->file_name_count; i++) v->names[v->count++] = e->file_names[i];
    for (size_t i = 0; i < e->list_count; i++) v->names[v->count++] = e->lists[i].name;
    for (size_t i = LP_VARIABLE_FIRST_ITEM; i < v->count; i++)
        for (size_t j = 0; j < i; j++)
            if (!strcmp(v->names[i], v->names[j]) && (j < LP_VARIABLE_FIRST_ITEM || e->file_name_count))
                lp_node_fault(r, e->node, "give it another name", "each: there is a variable \"%.60s\" already",
                              v->names[i]);
}

/* A key among the parameters, put there by value: it would be seen in every address and kept in the file. */
static void refuse_plain_secrets(struct lp_reading *r, const struct lp_pairs *pairs, const char *where)
{
    static const char *const names[] = {"appid",        "api_key",       "apikey",      "api-key",  "x-api-key",
                                        "access_token", "token",         "secret",      "password", "authorization",
                                        "key",          "client_secret", "x-auth-token"};
    for (size_t i = 0; i < pairs->count; i++)
        for (size_t j = 0; j < LP_COUNT(names); j++)
            if (lp_text_equal_ignoring_case(pairs->list[i].name, names[j]) &&
                lp_template_is_constant(&pairs->list[i].value)) {
                (void)!lp_secret_add(pairs->list[i].value.text, strlen(pairs->list[i].value.text), NULL);
                lp_node_fault(r, pairs->list[i].value.node,
                              lp_faults_text(r->faults, "write auth: { %s: %s, secret: \"env:NAME\" }", where,
                                             pairs->list[i].name),
                              "\"%s\" looks like a secret in plain text", pairs->list[i].name);
            }
}

static void check_headers(struct lp_reading *r, const struct lp_pairs *headers)
{
    static const char token[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    for (size_t i = 0; i < headers->count; i++) {
        const struct lp_pair *h = &headers->list[i];
        if (!*h->name || h->name[strspn(h->name, token)])
            lp_node_fault(r, h->key, "write it like Accept-Language", "\"%.60s\" cannot be a header's name", h->name);
        if (strpbrk(h->value.text, "\r\n"))
            lp_node_fault(r, h->value.node, "write it on one line", "a header's value holds a line break");
    }
}

void lp_source_bind(struct lp_reading *r, struct lp_source *s, const struct lp_variables *v)
{
    lp_template_bind(r, &s->get, v);
    for (size_t i = 0; i < s->query.count; i++) lp_template_bind(r, &s->query.list[i].value, v);
    for (size_t i = 0; i < s->headers.count; i++) lp_template_bind(r, &s->headers.list[i].value, v);
    if (s->get.node && s->get.parts) lp_url_check_template(r, &s->get);
    refuse_plain_secrets(r, &s->query, "query");
    refuse_plain_secrets(r, &s->headers, "header");
    check_headers(r, &s->headers);
    if (s->rows.text && s->zip.text)
        lp_node_fault(r, s->zip.node->key, "keep one of the two", "a source has either rows or zip");
}

enum lp_code lp_source_load_secret(struct lp_source *s, struct lp_aws *aws, const char *folder, struct lp_err *err)
{
    struct lp_auth *a = &s->auth;
    if (!a->secret || a->value) return LP_OK;
    struct lp_buf value = {0};
    enum lp_code code = lp_secret_load(aws, a->secret, folder, &value, err);
    if (!code && a->kind == LP_AUTH_BASIC) {
        /* On the wire it is base64 of "user:secret". */
        char pair[8192];
        int len = snprintf(pair, sizeof pair, "%s:%s", a->name, value.data);
        code =
            len < 4096 ? lp_secret_add(pair, (size_t)len, err) : lp_fail(err, LP_LIMIT, "user and secret are too long");
        explicit_bzero(pair, sizeof pair);
    }
    if (!code && !(a->value = strdup(value.data))) code = lp_nomem(err);
    lp_secret_wipe(&value);
    return code;
}

void lp_source_release(struct lp_source *s)
{
    if (!s->auth.value) return;
    explicit_bzero(s->auth.value, strlen(s->auth.value));
    free(s->auth.value);
    s->auth.value = NULL;
}

static bool any_uses_slot(const struct lp_pairs *pairs)
{
    for (size_t i = 0; i < pairs->count; i++)
        if (lp_template_uses(&pairs->list[i].value, LP_VARIABLE_SLOT)) return true;
    return false;
}

bool lp_source_has_history(const struct lp_source *s)
{
    return s->history || lp_template_uses(&s->get, LP_VARIABLE_SLOT) || any_uses_slot(&s->query) || any_uses_slot(&s->headers);
}

bool lp_source_status(const struct lp_source *s, int status, enum lp_status_action *action)
{
    const struct lp_status_rule *best = NULL;
    for (size_t i = 0; i < s->on_status.count; i++) {
        const struct lp_status_rule *rule = &s->on_status.list[i];
        if (status < rule->low || status > rule->high) continue;
        if (!best || rule->high - rule->low < best->high - best->low) best = rule;
    }
    if (best) *action = best->action;
    return best;
}
