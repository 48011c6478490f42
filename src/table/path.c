#include "table/path.h"

#include <string.h>

static enum lp_code add_step(struct lp_path *p, struct lp_path_step step)
{
    p->steps[p->step_count++] = step;
    return LP_OK;
}

/* "…" at text: the key within, \" and \\ as they are in JSON. */
static enum lp_code read_quoted(struct lp_arena *a, const char *text, size_t *i, struct lp_path *p, struct lp_err *err)
{
    size_t start = *i, len = 0;
    char *key = lp_arena_alloc(a, strlen(text + start) + 1);
    if (!key) return lp_arena_code(a, err);
    for ((*i)++; text[*i] && text[*i] != '"'; (*i)++) {
        if (text[*i] == '\\' && (text[*i + 1] == '"' || text[*i + 1] == '\\')) (*i)++;
        key[len++] = text[*i];
    }
    if (!text[*i]) {
        *i = start;
        return lp_fail(err, LP_CONFIG, "a quote is not closed");
    }
    (*i)++;
    key[len] = '\0';
    return add_step(p, (struct lp_path_step){.key = key, .key_len = len});
}

static enum lp_code read_index(const char *text, size_t *i, struct lp_path *p, struct lp_err *err)
{
    size_t digits = strspn(text + *i + 1, "0123456789"), index = 0;
    if (!digits || digits > 9 || text[*i + 1 + digits] != ']')
        return lp_fail(err, LP_CONFIG, "an index is a number in brackets, counted from 0: weather[0]");
    for (size_t d = 0; d < digits; d++) index = index * 10 + (size_t)(text[*i + 1 + d] - '0');
    *i += digits + 2;
    return add_step(p, (struct lp_path_step){.index = index});
}

static enum lp_code read_key(struct lp_arena *a, const char *text, size_t *i, struct lp_path *p, struct lp_err *err)
{
    size_t len = strcspn(text + *i, ".[\"");
    if (!len) return lp_fail(err, LP_CONFIG, "a name is missing between two dots");
    const char *key = lp_arena_strndup(a, text + *i, len);
    if (!key) return lp_arena_code(a, err);
    *i += len;
    return add_step(p, (struct lp_path_step){.key = key, .key_len = len});
}

enum lp_code lp_path_parse(struct lp_arena *a, const char *text, struct lp_path *out, size_t *at, struct lp_err *err)
{
    size_t i = 0, most = 1;
    for (const char *c = text; *c; c++) most += *c == '.' || *c == '[' || *c == '"';
    *out = (struct lp_path){.steps = lp_arena_zalloc(a, most * sizeof *out->steps)};
    *at = 0;
    if (!out->steps) return lp_arena_code(a, err);
    if (!*text) return lp_fail(err, LP_CONFIG, "the path is empty");
    if (text[0] == '$' && (!text[1] || text[1] == '.' || text[1] == '[')) {
        out->whole_reply = true;
        i = text[1] == '.' ? 2 : 1;
        if (text[1] == '.' && !text[2]) return lp_fail(err, LP_CONFIG, "a name is missing after the dot");
    } else if (!strcmp(text, ".")) {
        return LP_OK;
    }
    while (text[i]) {
        enum lp_code code = text[i] == '['   ? read_index(text, &i, out, err)
                            : text[i] == '"' ? read_quoted(a, text, &i, out, err)
                                             : read_key(a, text, &i, out, err);
        *at = i;
        LP_TRY(code);
        if (!text[i] || text[i] == '[') continue;
        if (text[i] != '.') return lp_fail(err, LP_CONFIG, "a dot is missing between two names");
        if (!text[++i]) return lp_fail(err, LP_CONFIG, "a name is missing after the dot");
    }
    return LP_OK;
}

json_t *lp_path_find(const struct lp_path *p, json_t *root)
{
    json_t *value = root;
    for (size_t i = 0; value && i < p->step_count; i++) {
        const struct lp_path_step *s = &p->steps[i];
        value = s->key ? json_object_getn(value, s->key, s->key_len) : json_array_get(value, s->index);
    }
    return value;
}
