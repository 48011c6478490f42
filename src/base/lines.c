#include "base/lines.h"

#include <stdlib.h>
#include <string.h>

static int compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

enum lp_code lp_lines_init(struct lp_lines *l, const char *text, struct lp_err *err)
{
    size_t most = 1;
    for (const char *at = text; (at = strchr(at, '\n')); at++) most++;
    *l = (struct lp_lines){.text = strdup(text), .list = calloc(most, sizeof *l->list)};
    if (!l->text || !l->list) {
        lp_lines_release(l);
        return lp_nomem(err);
    }
    for (char *line = l->text, *end; *line; line = end) {
        end = line + strcspn(line, "\n");
        if (*end) *end++ = '\0';
        if (*line) l->list[l->count++] = line;
    }
    qsort(l->list, l->count, sizeof *l->list, compare);
    return LP_OK;
}

bool lp_lines_have(const struct lp_lines *l, const char *line)
{
    return l->count && bsearch(&line, l->list, l->count, sizeof *l->list, compare);
}

void lp_lines_release(struct lp_lines *l)
{
    free(l->text);
    free(l->list);
    *l = (struct lp_lines){0};
}
