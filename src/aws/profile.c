#include "aws/profile.h"

#include "base/file.h"
#include "base/secret.h"
#include "base/text.h"

#include <ctype.h>
#include <stdlib.h>
#include <unistd.h>

#define ARENA_BYTES ((size_t)16 << 20)

static const char *const secret_keys[] = {"aws_secret_access_key", "aws_session_token", "aws_security_token"};

struct reader {
    struct lp_profiles *profiles;
    const char *path;
    bool credentials, in_section; /* in any, one that is left out too */
    unsigned line;
    size_t indent;                      /* of the property */
    struct lp_profile_section *section; /* NULL: what follows is read, and left out */
    struct lp_profile_property *property;
};

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

static struct lp_slice trim(struct lp_slice s)
{
    while (s.len && is_space(*s.at)) s.at++, s.len--;
    while (s.len && is_space(s.at[s.len - 1])) s.len--;
    return s;
}

static enum lp_code fail(const struct reader *r, struct lp_err *err, const char *what)
{
    return lp_fail(err, LP_CONFIG, "%s:%u: %s", r->path, r->line, what);
}

static enum lp_code no_room(const struct reader *r, struct lp_err *err)
{
    return lp_arena_code(&r->profiles->arena, err);
}

/* ---- sections ---- */

static bool name_is_valid(struct lp_slice name)
{
    for (size_t i = 0; i < name.len; i++)
        if (!isalnum((unsigned char)name.at[i]) && !strchr("_-/.%@:+", name.at[i])) return false;
    return name.len > 0;
}

/* 'my name' and "my name" as a shell reads them; names without quotes have no space. */
static bool unquote(struct lp_slice *name)
{
    char quote = name->len ? *name->at : '\0';
    if (quote != '"' && quote != '\'') return name_is_valid(*name);
    if (name->len < 3 || name->at[name->len - 1] != quote) return false;
    name->at++;
    name->len -= 2;
    return !memchr(name->at, quote, name->len) && !memchr(name->at, '\\', name->len);
}

/* What is in the brackets: which kind of section, and its name. False: it is left out, as other tools leave it out. */
static bool read_title(const struct reader *r, struct lp_slice title, enum lp_profile_kind *kind, struct lp_slice *name,
                       bool *prefixed)
{
    static const struct {
        const char *word;
        enum lp_profile_kind kind;
    } kinds[] = {
        {"profile", LP_PROFILE_CONFIG}, {"sso-session", LP_PROFILE_SSO_SESSION}, {"services", LP_PROFILE_SERVICES}};
    size_t word = 0;
    while (word < title.len && !is_space(title.at[word])) word++;
    *name = trim((struct lp_slice){title.at + word, title.len - word});
    *prefixed = false;
    if (r->credentials) {
        *kind = LP_PROFILE_CREDENTIALS;
        *name = title;
        return unquote(name);
    }
    if (!name->len) {
        *kind = LP_PROFILE_CONFIG;
        *name = title;
        return lp_slice_is(title, "default");
    }
    for (size_t i = 0; i < LP_COUNT(kinds); i++) {
        if (!lp_slice_is((struct lp_slice){title.at, word}, kinds[i].word)) continue;
        *kind = kinds[i].kind;
        *prefixed = true;
        return unquote(name);
    }
    return false;
}

static struct lp_profile_section *find(const struct lp_profiles *p, enum lp_profile_kind kind, struct lp_slice name)
{
    for (struct lp_profile_section *s = p->sections; s; s = s->next)
        if (s->kind == kind && lp_slice_is(name, s->name)) return s;
    return NULL;
}

static enum lp_code begin_section(struct reader *r, struct lp_slice line, struct lp_err *err)
{
    const char *close = memchr(line.at, ']', line.len);
    enum lp_profile_kind kind;
    struct lp_slice name;
    bool prefixed;
    r->section = NULL;
    r->property = NULL;
    r->in_section = true;
    if (!close) return fail(r, err, "the section's name has no closing bracket ]");
    struct lp_slice rest = trim((struct lp_slice){close + 1, line.len - (size_t)(close + 1 - line.at)});
    if (rest.len && *rest.at != '#' && *rest.at != ';')
        return fail(r, err, "only a comment may follow the section's closing bracket");
    struct lp_slice title = trim((struct lp_slice){line.at + 1, (size_t)(close - line.at) - 1});
    if (!read_title(r, title, &kind, &name, &prefixed)) return LP_OK;
    struct lp_profile_section *s = find(r->profiles, kind, name);
    if (s && s->prefixed && !prefixed) return LP_OK; /* [default] beside [profile default] */
    if (s && !s->prefixed && prefixed) s->properties = NULL;
    if (!s) {
        s = lp_arena_zalloc(&r->profiles->arena, sizeof *s);
        char *copy = lp_arena_strndup(&r->profiles->arena, name.at, name.len);
        if (!s || !copy) return no_room(r, err);
        s->kind = kind;
        s->name = copy;
        s->next = r->profiles->sections;
        r->profiles->sections = s;
    }
    s->prefixed = prefixed;
    r->section = s;
    return LP_OK;
}

/* ---- properties ---- */

static char *lower_copy(struct lp_arena *a, struct lp_slice s)
{
    char *copy = lp_arena_strndup(a, s.at, s.len);
    for (char *c = copy; c && *c; c++) *c = (char)tolower((unsigned char)*c);
    return copy;
}

static enum lp_code keep_secret(const struct lp_profile_property *p, struct lp_err *err)
{
    for (size_t i = 0; i < LP_COUNT(secret_keys); i++)
        if (!strcmp(p->key, secret_keys[i])) return lp_secret_add(p->value, strlen(p->value), err);
    return LP_OK;
}

/* "key = value" into a list, in place of an earlier one of that key. */
static enum lp_code put_property(struct reader *r, struct lp_profile_property **list, struct lp_slice line,
                                 struct lp_profile_property **out, struct lp_err *err)
{
    struct lp_arena *a = &r->profiles->arena;
    const char *equals = memchr(line.at, '=', line.len);
    if (!equals) return fail(r, err, "the line is neither a section, nor key = value, nor a comment");
    struct lp_slice key = trim((struct lp_slice){line.at, (size_t)(equals - line.at)});
    struct lp_slice value = {equals + 1, line.len - (size_t)(equals + 1 - line.at)};
    for (size_t i = 1; i < value.len; i++)
        if ((value.at[i] == '#' || value.at[i] == ';') && is_space(value.at[i - 1])) value.len = i;
    value = trim(value);
    if (!key.len) return fail(r, err, "there is no key before =");
    char *name = lower_copy(a, key), *text = lp_arena_strndup(a, value.at, value.len);
    if (!name || !text) return no_room(r, err);
    struct lp_profile_property **at = list;
    while (*at && strcmp((*at)->key, name) != 0) at = &(*at)->next;
    if (!*at && !(*at = lp_arena_zalloc(a, sizeof **at))) return no_room(r, err);
    struct lp_profile_property *next = (*at)->next;
    **at = (struct lp_profile_property){.next = next, .key = name, .value = text};
    *out = *at;
    return keep_secret(*at, err);
}

/* An indented line: below a property without a value it is one of its own, else the value goes on. */
static enum lp_code continue_property(struct reader *r, struct lp_slice line, struct lp_err *err)
{
    struct lp_profile_property *p = r->property, *below;
    if (!*p->value || p->below) return put_property(r, &p->below, line, &below, err);
    p->value = lp_arena_printf(&r->profiles->arena, "%s\n%.*s", p->value, (int)line.len, line.at);
    return p->value ? LP_OK : no_room(r, err);
}

/* What is indented deeper than the property before it belongs to that; a whole file may be indented. */
static enum lp_code read_line(struct reader *r, struct lp_slice line, struct lp_err *err)
{
    if (line.len && line.at[line.len - 1] == '\r') line.len--;
    if (memchr(line.at, '\0', line.len)) return fail(r, err, "the line holds a NUL byte");
    struct lp_slice text = trim(line);
    if (!text.len || *text.at == '#' || *text.at == ';') return LP_OK;
    size_t indent = (size_t)(text.at - line.at);
    if (r->property && indent > r->indent) return continue_property(r, text, err);
    r->indent = indent;
    if (*text.at == '[') return begin_section(r, text, err);
    if (!r->in_section) return fail(r, err, "a property stands before any [section]");
    struct lp_profile_property *left_out = NULL;
    if (r->section) return put_property(r, &r->section->properties, text, &r->property, err);
    return put_property(r, &left_out, text, &r->property, err);
}

enum lp_code lp_profiles_parse(struct lp_profiles *p, const char *text, size_t len, bool credentials, const char *path,
                               struct lp_err *err)
{
    struct reader r = {.profiles = p, .path = path, .credentials = credentials};
    const char *at = text, *end = text + len;
    if (!p->arena.max_bytes) lp_arena_init(&p->arena, ARENA_BYTES);
    if (len >= 3 && !memcmp(text, "\xEF\xBB\xBF", 3)) at += 3;
    while (at < end) {
        const char *line_end = memchr(at, '\n', (size_t)(end - at));
        if (!line_end) line_end = end;
        r.line++;
        LP_TRY(read_line(&r, (struct lp_slice){at, (size_t)(line_end - at)}, err));
        at = line_end + 1;
    }
    return LP_OK;
}

/* ---- the files ---- */

void lp_profile_put_path(struct lp_buf *out, const char *path)
{
    const char *folder = path[0] == '~' && (!path[1] || path[1] == '/') ? getenv("HOME") : NULL;
    if (folder && *folder) lp_buf_puts(out, folder);
    lp_buf_puts(out, folder && *folder ? path + 1 : path);
}

static enum lp_code read_file(struct lp_profiles *p, const char *variable, const char *standard, bool credentials,
                              const char **shown, struct lp_err *err)
{
    const char *named = getenv(variable);
    LP_AUTO(lp_buf) path = {0};
    struct lp_buf text = {.max_bytes = LP_PROFILE_FILE_BYTES};
    lp_profile_put_path(&path, named && *named ? named : standard);
    LP_TRY(lp_buf_code(&path, variable, err));
    *shown = lp_arena_strdup(&p->arena, named && *named ? named : standard);
    if (!*shown) return lp_arena_code(&p->arena, err);
    if (access(path.data, F_OK)) return LP_OK;
    enum lp_code code = lp_file_read(path.data, &text, err);
    if (!code) code = lp_profiles_parse(p, lp_buf_text(&text), text.len, credentials, *shown, err);
    if (text.data) explicit_bzero(text.data, text.cap);
    lp_buf_release(&text);
    return code;
}

enum lp_code lp_profiles_read(struct lp_profiles *p, struct lp_err *err)
{
    lp_arena_init(&p->arena, ARENA_BYTES);
    LP_TRY(read_file(p, "AWS_CONFIG_FILE", "~/.aws/config", false, &p->config_path, err));
    return read_file(p, "AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials", true, &p->credentials_path, err);
}

void lp_profiles_release(struct lp_profiles *p)
{
    for (struct lp_profile_section *s = p->sections; s; s = s->next)
        for (struct lp_profile_property *q = s->properties; q; q = q->next)
            for (size_t i = 0; i < LP_COUNT(secret_keys); i++)
                if (!strcmp(q->key, secret_keys[i])) explicit_bzero((char *)q->value, strlen(q->value));
    lp_arena_release(&p->arena);
    *p = (struct lp_profiles){0};
}

/* ---- looking things up ---- */

const struct lp_profile_section *lp_profiles_section(const struct lp_profiles *p, enum lp_profile_kind kind,
                                                     const char *name)
{
    return find(p, kind, lp_slice_of(name));
}

bool lp_profiles_have(const struct lp_profiles *p, const char *profile)
{
    return lp_profiles_section(p, LP_PROFILE_CREDENTIALS, profile) ||
           lp_profiles_section(p, LP_PROFILE_CONFIG, profile);
}

static const struct lp_profile_property *property(const struct lp_profile_property *list, const char *key)
{
    while (list && strcmp(list->key, key) != 0) list = list->next;
    return list;
}

const char *lp_profile_value(const struct lp_profile_section *s, const char *key)
{
    const struct lp_profile_property *p = s ? property(s->properties, key) : NULL;
    return p && *p->value ? p->value : NULL;
}

const char *lp_profile_below(const struct lp_profile_section *s, const char *key, const char *below)
{
    const struct lp_profile_property *p = s ? property(s->properties, key) : NULL;
    p = p ? property(p->below, below) : NULL;
    return p && *p->value ? p->value : NULL;
}

const char *lp_profiles_get(const struct lp_profiles *p, const char *profile, const char *key)
{
    const char *value = lp_profile_value(lp_profiles_section(p, LP_PROFILE_CREDENTIALS, profile), key);
    return value ? value : lp_profile_value(lp_profiles_section(p, LP_PROFILE_CONFIG, profile), key);
}
