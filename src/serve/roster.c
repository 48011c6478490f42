#include "serve/roster_parts.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/secret.h"
#include "base/text.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct lp_roster_zone { /* zones are shared: most pipelines live in the same few */
    char *name;
    struct lp_zone *zone;
};

void lp_served_set(char **text, const char *value)
{
    if (value ? *text && !strcmp(*text, value) : !*text) return;
    free(*text);
    *text = value ? strdup(value) : NULL;
}

int64_t lp_served_next_us(const struct lp_served *s, int64_t now_us)
{
    int64_t next;
    if (!s->scheduled || s->gone) return INT64_MAX;
    if (s->fires) return s->agenda.next_us;
    return lp_expression_next(&s->expression, s->zone, now_us, &next) ? next : INT64_MAX;
}

void lp_served_drop_news(struct lp_served *s)
{
    struct lp_served_news *n = s->news;
    if (!n) return;
    free(n->name);
    free(n->lake);
    free(n->words);
    lp_buf_release(&n->text);
    free(n);
    s->news = NULL;
}

void lp_served_free(struct lp_served *s)
{
    if (!s) return;
    lp_served_drop_news(s);
    lp_agenda_release(&s->agenda);
    lp_buf_release(&s->text);
    free(s->path);
    free(s->name);
    free(s->lake);
    free(s->words);
    free(s->fault);
    free(s->lake_fault);
    free(s->past_fault);
    free(s->last_error);
    free(s);
}

void lp_roster_release(struct lp_roster *r)
{
    for (size_t i = 0; i < r->count; i++) lp_served_free(r->list[i]);
    for (size_t i = 0; i < r->zone_count; i++) {
        lp_zone_release(r->zones[i].zone);
        free(r->zones[i].zone);
        free(r->zones[i].name);
    }
    free(r->zones);
    free(r->list);
    r->list = NULL;
    r->zones = NULL;
    r->count = r->cap = r->zone_count = 0;
}

void lp_roster_forget_gone(struct lp_roster *r)
{
    size_t kept = 0;
    for (size_t i = 0; i < r->count; i++) {
        struct lp_served *s = r->list[i];
        if (s->gone && !s->seen && !s->agenda.at_work && !s->in_look) lp_served_free(s);
        else r->list[kept++] = s;
    }
    r->count = kept;
}

struct lp_served *lp_roster_find(const struct lp_roster *r, const char *name)
{
    uint64_t hash = lp_text_hash(name);
    for (size_t i = 0; i < r->count; i++)
        if (r->list[i]->name_hash == hash && r->list[i]->name && !strcmp(r->list[i]->name, name)) return r->list[i];
    return NULL;
}

/* Among the first `known` ones. Folders are mostly read again as they were: it is looked for first behind the one found last. */
static struct lp_served *find_path(struct lp_roster *r, const char *path, size_t known)
{
    for (size_t i = 0; i < known; i++) {
        size_t at = (r->found + i) % known;
        if (strcmp(r->list[at]->path, path) != 0) continue;
        r->found = at + 1;
        return r->list[at];
    }
    return NULL;
}

/* ---- faults ---- */

/* A change of what is wrong is told once. */
void lp_roster_fault(struct lp_roster *r, struct lp_served *s, const char *what)
{
    bool same = what ? s->fault && !strcmp(s->fault, what) : !s->fault;
    if (same) return;
    r->changes++;
    lp_served_set(&s->fault, what);
    if (r->say) r->say(r->who, s, s->fault);
}

/* The first of the faults, and how many there are. */
static void put_faults(const struct lp_faults *f, const struct lp_err *err, struct lp_buf *out)
{
    size_t count = f->count + f->dropped;
    LP_AUTO(lp_buf) text = {0};
    if (!count) {
        lp_buf_puts(&text, err->text);
    } else {
        lp_buf_printf(&text, "%s:%zu:%zu: %s%s%s", f->path, f->list[0].line, f->list[0].column, f->list[0].what,
                      f->list[0].remedy ? "; " : "", f->list[0].remedy ? f->list[0].remedy : "");
        if (count > 1) lp_buf_printf(&text, " (and %zu more faults; check tells all)", count - 1);
    }
    lp_secret_mask(lp_buf_text(&text), text.len, out);
}

/* ---- one file ---- */

static const struct lp_zone *zone_of(struct lp_roster *r, const char *name, struct lp_err *err)
{
    for (size_t i = 0; i < r->zone_count; i++)
        if (!strcmp(r->zones[i].name, name)) return r->zones[i].zone;
    struct lp_roster_zone *list = reallocarray(r->zones, r->zone_count + 1, sizeof *list);
    if (!list) {
        (void)!lp_nomem(err);
        return NULL;
    }
    r->zones = list;
    struct lp_roster_zone *z = &r->zones[r->zone_count];
    *z = (struct lp_roster_zone){strdup(name), calloc(1, sizeof *z->zone)};
    enum lp_code code = z->name && z->zone ? lp_zone_open(z->zone, name, err) : lp_nomem(err);
    if (!code) {
        r->zone_count++;
        return z->zone;
    }
    free(z->name);
    free(z->zone);
    return NULL;
}

static enum lp_code note_schedule(struct lp_roster *r, const struct lp_pipeline *p, struct lp_served_news *n, struct lp_err *err)
{
    LP_AUTO(lp_buf) words = {0};
    size_t column, width;
    n->rules = p->schedule;
    n->rules.expression = n->rules.timezone = NULL;
    if (!p->schedule.expression) return LP_OK;
    LP_TRY(lp_expression_parse(&n->expression, p->schedule.expression, &column, &width, err));
    n->zone = zone_of(r, p->schedule.timezone, err);
    if (!n->zone) return err->code;
    n->scheduled = true;
    lp_expression_put_words(&n->expression, p->schedule.timezone, &words);
    lp_served_set(&n->words, lp_buf_text(&words));
    return n->words ? LP_OK : lp_nomem(err);
}

static enum lp_code note_definition(struct lp_roster *r, struct lp_served *s, const struct lp_pipeline *p, struct lp_err *err)
{
    struct lp_served_news *n = s->news = calloc(1, sizeof *n);
    if (!n) return lp_nomem(err);
    LP_TRY(note_schedule(r, p, n, err));
    lp_served_set(&n->name, p->name);
    lp_served_set(&n->lake, p->sink.root);
    lp_buf_init(&n->text, p->text.len + 1);
    lp_buf_put(&n->text, lp_buf_text(&p->text), p->text.len);
    if (!n->name || !n->lake) return lp_nomem(err);
    return lp_buf_code(&n->text, s->path, err);
}

static enum lp_code parse(const struct lp_roster *r, const struct lp_served *s, const struct lp_buf *text, struct lp_pipeline *p,
                          struct lp_faults *faults, struct lp_err *err)
{
    LP_TRY(lp_pipeline_load_text(p, s->path, text, NULL, faults, err));
    return r->to ? lp_sink_redirect(&p->sink, &p->arena, r->to, err) : LP_OK;
}

enum lp_code lp_served_load(const struct lp_roster *r, const struct lp_served *s, struct lp_pipeline *p, struct lp_err *err)
{
    struct lp_faults faults;
    enum lp_code code = parse(r, s, &s->text, p, &faults, err);
    lp_faults_release(&faults);
    return code;
}

/* A pipe, a device: reading them could take for ever. */
static enum lp_code is_readable(const char *path, struct lp_err *err)
{
    struct stat st;
    if (stat(path, &st) || S_ISREG(st.st_mode)) return LP_OK; /* what else is wrong is seen when it is read */
    return lp_fail(err, LP_CONFIG, "%s: this is %s, not a pipeline file", path, S_ISDIR(st.st_mode) ? "a folder" : "a pipe or a device");
}

static enum lp_code read_file(struct lp_roster *r, struct lp_served *s, struct lp_err *err)
{
    LP_AUTO(lp_buf) text = {.max_bytes = LP_YAML_MAX_BYTES}, what = {0};
    struct lp_faults faults;
    struct lp_pipeline p;
    struct lp_err local;
    lp_served_drop_news(s);
    enum lp_code code = is_readable(s->path, &local);
    if (code) {
        s->gone = false;
        lp_buf_printf(&what, "%s%s", local.text, s->text.len ? LP_KEPT : "");
        lp_roster_fault(r, s, lp_buf_text(&what));
        return LP_OK;
    }
    code = lp_file_read(s->path, &text, &local);
    s->gone = code == LP_NOTFOUND;
    if (s->gone) return LP_OK;
    if (!code && s->text.len && s->text.len == text.len && !memcmp(s->text.data, text.data, text.len)) {
        lp_roster_fault(r, s, NULL);
        return LP_OK;
    }
    code = parse(r, s, code ? NULL : &text, &p, &faults, &local);
    if (!code) code = note_definition(r, s, &p, &local);
    if (code) lp_served_drop_news(s);
    if (code && code != LP_NOMEM) put_faults(&faults, &local, &what);
    lp_faults_release(&faults);
    lp_pipeline_release(&p);
    if (code == LP_NOMEM) return lp_nomem(err);
    if (code && s->text.len) lp_buf_puts(&what, LP_KEPT);
    if (code) lp_roster_fault(r, s, lp_buf_text(&what));
    return LP_OK;
}

void lp_served_forget_past(struct lp_served *s, int64_t now_us)
{
    s->since_us = now_us;
    s->looked = s->fires = s->stands_by = false;
    s->look_us = 0;
    s->agenda.left_out = 0;
    s->shown = (struct lp_board_pipeline){.next_us = INT64_MAX, .running_us = INT64_MIN, .last_success_us = INT64_MIN,
                                          .last_duration_ms = -1, .last_lateness_ms = -1};
    lp_served_set(&s->last_error, NULL);
}

/* It may be one of the first `known` ones, and is none of the others. */
static enum lp_code meet(struct lp_roster *r, const char *path, size_t known, bool named, int64_t now_us, struct lp_err *err)
{
    struct lp_served *s = find_path(r, path, known);
    if (!s) {
        if (r->count == LP_ROSTER_FILES) {
            lp_roster_forget_gone(r);
            if (known > r->count) known = r->count;
        }
        if (r->count == LP_ROSTER_FILES) {
            r->left_out++;
            return LP_OK;
        }
        if (r->count == r->cap) {
            size_t cap = r->cap ? r->cap * 2 : 16;
            struct lp_served **list = reallocarray(r->list, cap, sizeof *list);
            if (!list) return lp_nomem(err);
            r->list = list;
            r->cap = cap;
        }
        s = calloc(1, sizeof *s);
        if (s) s->path = strdup(path);
        if (!s || !s->path) {
            free(s);
            return lp_nomem(err);
        }
        s->named = named;
        lp_served_forget_past(s, now_us);
        r->list[r->count++] = s;
    }
    s->seen = true;
    return read_file(r, s, err);
}

/* ---- files and folders ---- */

static int is_pipeline_file(const struct dirent *e)
{
    size_t len = strlen(e->d_name);
    if (*e->d_name == '.') return 0;
    return (len > 5 && !strcmp(e->d_name + len - 5, ".yaml")) || (len > 4 && !strcmp(e->d_name + len - 4, ".yml"));
}

static enum lp_code read_folder(struct lp_roster *r, const char *folder, int64_t now_us, struct lp_err *err)
{
    struct dirent **names;
    size_t len = strlen(folder), known = r->count;
    enum lp_code code = LP_OK;
    while (len > 1 && folder[len - 1] == '/') len--;
    int n = scandir(folder, &names, is_pipeline_file, alphasort);
    if (n < 0) return errno == ENOMEM ? lp_nomem(err) : LP_OK; /* not there now: its files are gone */
    for (int i = 0; i < n; i++) {
        LP_AUTO(lp_buf) path = {0};
        lp_buf_printf(&path, "%.*s/%s", (int)len, folder, names[i]->d_name);
        if (!code) code = lp_buf_code(&path, folder, err);
        if (!code) code = meet(r, lp_buf_text(&path), known, false, now_us, err);
        free(names[i]);
    }
    free(names);
    return code;
}

/* What was not met is gone. */
static void note_gone(struct lp_roster *r)
{
    for (size_t i = 0; i < r->count; i++) {
        struct lp_served *s = r->list[i];
        if (!s->seen) s->gone = true;
        if (s->gone) lp_served_drop_news(s);
    }
}

static void tell_gone(struct lp_roster *r)
{
    for (size_t i = 0; i < r->count; i++) {
        struct lp_served *s = r->list[i];
        LP_AUTO(lp_buf) what = {0};
        if (!s->gone) continue;
        lp_buf_printf(&what, "%s is not there; its pipeline is fired again when it is back", s->path);
        lp_roster_fault(r, s, lp_buf_text(&what));
    }
}

static bool is_folder(const char *path)
{
    struct stat st;
    return !stat(path, &st) && S_ISDIR(st.st_mode);
}

static enum lp_code refuse_nothing(const struct lp_roster *r, struct lp_err *err)
{
    for (size_t i = 0; i < r->path_count; i++) {
        struct stat st;
        if (stat(r->paths[i], &st)) return lp_fail(err, LP_CONFIG, "%s: there is no such file or folder", r->paths[i]);
    }
    for (size_t i = 0; i < r->count; i++)
        if (r->list[i]->name) return LP_OK;
    for (size_t i = 0; i < r->count; i++)
        if (r->list[i]->fault) return lp_fail(err, LP_CONFIG, "%s", r->list[i]->fault);
    return LP_OK; /* a folder that is empty for now */
}

static enum lp_code tell_left_out(struct lp_roster *r, bool first, size_t before, struct lp_err *err)
{
    struct lp_err local;
    if (r->left_out == before) return LP_OK;
    (void)!lp_fail(&local, LP_LIMIT, "more than %d pipeline files are too many for one service; %zu are left out", LP_ROSTER_FILES,
                   r->left_out);
    if (first) *err = local;
    else if (r->say && r->left_out) r->say(r->who, NULL, local.text);
    return first ? LP_LIMIT : LP_OK;
}

enum lp_code lp_roster_read(struct lp_roster *r, bool first, int64_t now_us, struct lp_err *err)
{
    size_t left_out = r->left_out;
    r->left_out = 0;
    for (size_t i = 0; i < r->count; i++) r->list[i]->seen = false;
    for (size_t i = 0; i < r->path_count; i++) {
        if (is_folder(r->paths[i])) LP_TRY(read_folder(r, r->paths[i], now_us, err));
        else if (!first || !access(r->paths[i], F_OK)) LP_TRY(meet(r, r->paths[i], r->count, true, now_us, err));
    }
    note_gone(r);
    LP_TRY(lp_roster_take_news(r, now_us, err));
    tell_gone(r);
    LP_TRY(tell_left_out(r, first, left_out, err));
    return first ? refuse_nothing(r, err) : LP_OK;
}
