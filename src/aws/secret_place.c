#include "aws/secret_place.h"

#include "base/file.h"
#include "base/secret.h"

#include <stdio.h>
#include <stdlib.h>

static const char *const kinds[] = {"env:", "file:", "ssm:", "secretsmanager:"};

/* env:NAME by NAME_FROM, where the environment says that. */
static const char *place_from(struct lp_reading *r, const char *name)
{
    char from[256];
    if (r->environment) return r->environment->place(r->environment, name);
    const char *value = getenv(name);
    if (value && *value) return NULL;
    int len = snprintf(from, sizeof from, "%s_FROM", name);
    return len < (int)sizeof from ? getenv(from) : NULL;
}

static bool is_place(const char *text)
{
    for (size_t i = 0; i < LP_COUNT(kinds); i++)
        if (!strncmp(text, kinds[i], strlen(kinds[i]))) return text[strlen(kinds[i])];
    return false;
}

static const char *follow(struct lp_reading *r, const struct lp_node *n, const char *place)
{
    const char *from = strncmp(place, "env:", 4) ? NULL : place_from(r, place + 4), *copy;
    if (r->environment && !strncmp(place, "file:", 5)) r->environment->in_file(r->environment, n, place);
    if (!from || !*from) return place;
    if (!is_place(from)) {
        (void)!lp_secret_add(from, strlen(from), NULL); /* perhaps the value itself */
        lp_node_fault(r, n, "name where it is kept: ssm:NAME, secretsmanager:NAME, file:PATH or env:NAME",
                      "%s_FROM in the environment is no such place", place + 4);
        return NULL;
    }
    copy = lp_arena_strdup(r->arena, from);
    if (!copy) r->faults->out_of_memory = true;
    return copy;
}

const char *lp_secret_place_of(struct lp_reading *r, const struct lp_node *n, const char *text)
{
    for (size_t i = 0; i < LP_COUNT(kinds); i++) {
        size_t len = strlen(kinds[i]);
        if (strncmp(text, kinds[i], len) != 0) continue;
        if (text[len]) return follow(r, n, text);
        lp_node_fault(r, n, "write the name of a variable, a file, a parameter or a secret behind it",
                      "\"%s\" names nothing", text);
        return NULL;
    }
    (void)!lp_secret_add(text, strlen(text), NULL); /* so that the excerpt does not show it */
    lp_node_fault(r, n, "name where it is kept: env:NAME, file:PATH, ssm:NAME or secretsmanager:NAME",
                  "a secret in plain text");
    return NULL;
}

const char *lp_secret_place_read(struct lp_reading *r, const struct lp_node *n)
{
    if (!lp_node_expect(r, n, LP_NODE_SCALAR, "secret: \"env:NAME\"")) return NULL;
    return lp_secret_place_of(r, n, n->text);
}

static enum lp_code read_file(const char *path, const char *folder, struct lp_buf *out, struct lp_err *err)
{
    char joined[4096];
    if (*path != '/') {
        snprintf(joined, sizeof joined, "%s/%s", folder, path);
        path = joined;
    }
    enum lp_code code = lp_file_read(path, out, err);
    if (code) return lp_wrap(err, code == LP_NOMEM ? code : LP_CONFIG, "the secret's file");
    if (out->len >= 3 && !memcmp(out->data, "\xEF\xBB\xBF", 3)) /* a byte order mark */
        memmove(out->data, out->data + 3, (out->len -= 3) + 1);
    while (out->len && strchr("\r\n", out->data[out->len - 1])) out->data[--out->len] = '\0';
    return LP_OK;
}

enum lp_code lp_secret_load(struct lp_aws *aws, const char *place, const char *folder, struct lp_buf *out,
                            struct lp_err *err)
{
    lp_buf_init(out, LP_SECRET_VALUE_BYTES);
    if (!strncmp(place, "env:", 4)) {
        const char *value = getenv(place + 4);
        if (!value || !*value)
            return lp_fail(err, LP_CONFIG, "the environment has no %s; set it to the secret", place + 4);
        lp_buf_puts(out, value);
    } else if (strncmp(place, "file:", 5) != 0) {
        const char *value = NULL;
        if (!aws) return lp_fail(err, LP_CONFIG, "%s: secrets at AWS are not read here", place);
        LP_TRY(lp_aws_secret(aws, place, &value, err));
        lp_buf_puts(out, value);
    } else {
        LP_TRY(read_file(place + 5, folder, out, err));
    }
    LP_TRY(lp_buf_code(out, "the secret", err));
    if (!out->len || strlen(out->data) != out->len || strpbrk(out->data, "\r\n") ||
        lp_utf8_check(out->data, out->len) != out->len)
        return lp_fail(err, LP_CONFIG, "%s: a secret is one line of UTF-8 text, not empty", place);
    return lp_secret_add(out->data, out->len, err);
}

void lp_secret_wipe(struct lp_buf *value)
{
    if (value->data) explicit_bzero(value->data, value->cap);
    lp_buf_release(value);
}
