#include "quality/quality.h"

#include "base/number.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- the section ---- */

static void add_name(struct lp_reading *r, struct lp_unique *u, const struct lp_node *n)
{
    const char *text = lp_node_text(r, n);
    if (!text) return;
    if (u->count == LP_UNIQUE_COLUMNS)
        lp_node_fault(r, n, "leave some out", "more than %d columns in one key", LP_UNIQUE_COLUMNS);
    else u->names[u->count++] = text;
}

static struct lp_unique *add_set(struct lp_reading *r, struct lp_uniques *all, const struct lp_node *n)
{
    if (all->count == LP_UNIQUE_SETS) {
        lp_node_fault(r, n, "leave some out", "more than %d keys", LP_UNIQUE_SETS);
        return NULL;
    }
    struct lp_unique *u = &all->list[all->count++];
    *u = (struct lp_unique){.node = n};
    return u;
}

/* unique: city | [city, observed_at] | [[city, observed_at], [id]] */
static void read_unique(struct lp_reading *r, const struct lp_node *n, void *member)
{
    struct lp_uniques *all = member;
    struct lp_unique *u;
    bool lists = n->kind == LP_NODE_LIST && n->first && n->first->kind == LP_NODE_LIST;
    if (n->kind == LP_NODE_SCALAR) {
        if ((u = add_set(r, all, n))) add_name(r, u, n);
        return;
    }
    if (!lp_node_expect(r, n, LP_NODE_LIST, "unique: [city, observed_at]")) return;
    if (!n->child_count) lp_node_fault(r, n->key, "name at least one column", "the key has no columns");
    else if (!lists && (u = add_set(r, all, n)))
        for (const struct lp_node *c = n->first; c; c = c->next) add_name(r, u, c);
    for (const struct lp_node *set = lists ? n->first : NULL; set; set = set->next) {
        if (!lp_node_expect(r, set, LP_NODE_LIST, "unique: [[city, observed_at], [id]]") || !(u = add_set(r, all, set)))
            continue;
        if (!set->child_count) lp_node_fault(r, set, "name at least one column", "the key has no columns");
        for (const struct lp_node *c = set->first; c; c = c->next) add_name(r, u, c);
    }
}

static const struct lp_field fields[] = {
    {.name = "unique",
     .kind = LP_FIELD_CUSTOM,
     .offset = offsetof(struct lp_quality, unique),
     .read = read_unique,
     .schema =
         "{\"anyOf\":[{\"type\":\"string\"},{\"type\":\"array\",\"minItems\":1,\"items\":{\"anyOf\":[{\"type\":\"string\"},"
         "{\"type\":\"array\",\"items\":{\"type\":\"string\"}}]}}]}",
     .example = "[city, observed_at]",
     .help =
         "Columns that together name a row: one, a list, or several lists. The first row stays, later ones are bad. Rows of "
         "different shards (`--shard`) are not compared: name a column that comes from the item, so that none can be alike."},
    {.name = "min_rows",
     .kind = LP_FIELD_INT,
     .offset = offsetof(struct lp_quality, min_rows),
     .fallback = "1",
     .min = 0,
     .max = 1e15,
     .example = "5",
     .help = "Fewer good rows than this refuse the run. No rows are no success unless this is 0. Of a slot that is run in shards "
             "the sum counts, when they are merged; so it is with `max_bad` and `unique_values_eq`."},
    {.name = "max_bad",
     .kind = LP_FIELD_SHARE,
     .offset = offsetof(struct lp_quality, max_bad),
     .fallback = "100%",
     .example = "20%",
     .help =
         "More bad rows than this refuse the run: nothing is published but the quarantine and the record. Below it bad rows "
         "are quarantined and the good ones go on. Shards have written their rows by the time that `merge` judges the whole: when "
         "it refuses, it removes their files."},
};
const struct lp_fields lp_quality_fields = {
    "quality", "Rules for the rows together. A refused run ends with exit status 4.", fields, LP_COUNT(fields)};

static void bind_set(struct lp_reading *r, struct lp_unique *u, const struct lp_columns *columns)
{
    const char *names[256];
    size_t known = 0;
    for (; known < columns->count && known < LP_COUNT(names); known++) names[known] = columns->list[known].name;
    for (size_t i = 0; i < u->count; i++) {
        ptrdiff_t index = lp_columns_find(columns, u->names[i], strlen(u->names[i]));
        u->columns[i] = index < 0 ? 0 : (size_t)index;
        if (index >= 0) continue;
        const struct lp_node *n = u->node->first;
        for (size_t k = 0; n && k < i; k++) n = n->next;
        const char *near = lp_text_nearest(u->names[i], strlen(u->names[i]), names, known);
        lp_node_fault(r, n ? n : u->node,
                      near ? lp_faults_text(r->faults, "did you mean \"%s\"?", near) : "name a column",
                      "unique: there is no column \"%.60s\"", u->names[i]);
    }
}

void lp_quality_bind(struct lp_reading *r, struct lp_quality *q, const struct lp_checks *checks,
                     const struct lp_columns *columns)
{
    for (size_t i = 0; i < q->unique.count; i++) bind_set(r, &q->unique.list[i], columns);
    for (const struct lp_check *c = checks->first; c; c = c->next) {
        if (c->kind != LP_CHECK_UNIQUE) continue;
        const struct lp_column *column = &columns->list[c->column];
        struct lp_unique *u = add_set(r, &q->unique, column->node);
        if (u)
            *u = (struct lp_unique){.names = {column->name}, .columns = {c->column}, .count = 1, .node = column->node};
    }
}

/* ---- judging ---- */

enum lp_code lp_judge_init(struct lp_judge *j, const struct lp_quality *q, struct lp_checks *checks,
                           const struct lp_columns *columns, struct lp_err *err)
{
    size_t i = 0;
    *j = (struct lp_judge){.quality = q, .checks = checks, .columns = columns};
    j->rule_count = checks->count + columns->count + q->unique.count;
    j->rule_failures = calloc(j->rule_count + 1, sizeof *j->rule_failures);
    j->values_seen = calloc(checks->count + 1, sizeof *j->values_seen);
    if (!j->rule_failures || !j->values_seen) return lp_nomem(err);
    for (struct lp_check *c = checks->first; c; c = c->next, i++) {
        c->rule = i;
        if (c->kind != LP_CHECK_VALUES_EQ) continue;
        j->values_seen[i] = calloc(c->value_count + 1, sizeof **j->values_seen);
        if (!j->values_seen[i]) return lp_nomem(err);
    }
    return LP_OK;
}

void lp_judge_require_one_line(struct lp_judge *j)
{
    if (!j->one_line) j->rule_count++; /* there is room for it */
    j->one_line = true;
}

void lp_judge_release(struct lp_judge *j)
{
    for (size_t i = 0; j->values_seen && i < j->checks->count; i++) free(j->values_seen[i]);
    for (size_t i = 0; i < LP_UNIQUE_SETS; i++) lp_seen_release(&j->seen[i]);
    free(j->values_seen);
    free(j->rule_failures);
    lp_buf_release(&j->key);
    *j = (struct lp_judge){0};
}

static enum lp_code fail(struct lp_judge *j, struct lp_batch *b, size_t row, size_t column, const char *check,
                         size_t rule, struct lp_err *err)
{
    LP_AUTO(lp_buf) value = {0};
    lp_batch_put_cell_json(b, column, row, &value);
    LP_TRY(lp_buf_code(&value, "a failure case", err));
    j->rule_failures[rule]++;
    return lp_batch_fail(b, row, b->columns->list[column].name, check, lp_buf_text(&value), err);
}

/* A value that could not be converted is NULL, and that was said already. */
static bool failed_to_convert(const struct lp_batch *b, size_t row, const char *column)
{
    for (const struct lp_failure *f = b->failures[row]; f; f = f->next)
        if (f->column == column && !strncmp(f->check, "coerce_dtype", 12)) return true;
    return false;
}

/* Every column's own rule: its values are of its type, and there unless it is nullable. */
static enum lp_code judge_column(struct lp_judge *j, struct lp_batch *b, size_t column, struct lp_err *err)
{
    const struct lp_column *c = &b->columns->list[column];
    const bool *null = b->cells[column].null;
    size_t rule = j->checks->count + column;
    for (size_t row = 0; row < b->row_count; row++) {
        if (!null[row]) continue;
        if (failed_to_convert(b, row, c->name)) j->rule_failures[rule]++;
        else if (!c->nullable) LP_TRY(fail(j, b, row, column, "not_nullable", rule, err));
    }
    return LP_OK;
}

static enum lp_code judge_lines(struct lp_judge *j, struct lp_batch *b, size_t column, struct lp_err *err)
{
    const struct lp_cells *cells = &b->cells[column];
    if (!j->one_line || b->columns->list[column].type != LP_TYPE_STRING) return LP_OK;
    for (size_t row = 0; row < b->row_count; row++) {
        struct lp_slice text = cells->of.text[row];
        if (cells->null[row] || !text.len) continue;
        if (!memchr(text.at, '\n', text.len) && !memchr(text.at, '\r', text.len)) continue;
        LP_TRY(fail(j, b, row, column, "no_line_break", j->rule_count - 1, err));
    }
    return LP_OK;
}

static enum lp_code judge_check(struct lp_judge *j, struct lp_batch *b, const struct lp_check *c, struct lp_err *err)
{
    const struct lp_cells *cells = &b->cells[c->column];
    enum lp_type type = b->columns->list[c->column].type;
    bool null_passes = lp_check_passes_null(c);
    for (size_t row = 0; row < b->row_count; row++) {
        bool null = cells->null[row], passes = null ? null_passes : lp_check_passes(c, cells, type, row);
        if (!null && passes && j->values_seen[c->rule])
            j->values_seen[c->rule][lp_check_find(c, cells, type, row)] = true;
        if (passes || (null && failed_to_convert(b, row, b->columns->list[c->column].name))) continue;
        if (c->raise_warning) j->warnings++;
        else LP_TRY(fail(j, b, row, c->column, c->text, c->rule, err));
    }
    return LP_OK;
}

/* The key's bytes, each value behind its length; false when all are NULL. */
static bool put_key(struct lp_judge *j, const struct lp_batch *b, const struct lp_unique *u, size_t row)
{
    bool any = false;
    lp_buf_clear(&j->key);
    for (size_t i = 0; i < u->count; i++) {
        const struct lp_cells *c = &b->cells[u->columns[i]];
        enum lp_type type = b->columns->list[u->columns[i]].type;
        bool null = c->null[row];
        uint64_t len = null                      ? UINT64_MAX
                       : type == LP_TYPE_STRING  ? c->of.text[row].len
                       : type == LP_TYPE_BOOLEAN ? (uint64_t)1
                                                 : (uint64_t)8;
        double zero_is_one = type == LP_TYPE_DOUBLE && !null ? c->of.f64[row] + 0.0 : 0;
        lp_buf_put(&j->key, &len, sizeof len);
        any |= !null;
        if (null) continue;
        if (type == LP_TYPE_STRING) lp_buf_put(&j->key, c->of.text[row].at, c->of.text[row].len);
        else if (type == LP_TYPE_BOOLEAN) lp_buf_put(&j->key, &c->of.boolean[row], 1);
        else if (type == LP_TYPE_DOUBLE) lp_buf_put(&j->key, &zero_is_one, sizeof zero_is_one);
        else lp_buf_put(&j->key, &c->of.i64[row], sizeof c->of.i64[row]);
    }
    return any;
}

static enum lp_code judge_key(struct lp_judge *j, struct lp_batch *b, size_t row, size_t set, struct lp_err *err)
{
    const struct lp_unique *u = &j->quality->unique.list[set];
    const char *check = u->count == 1 ? "field_uniqueness" : "multiple_fields_uniqueness";
    bool before = false;
    if (!put_key(j, b, u, row)) return LP_OK;
    LP_TRY(lp_buf_code(&j->key, "a row's key", err));
    LP_TRY(lp_seen_has(&j->seen[set], j->key.data, j->key.len, &before, err));
    size_t rule = j->checks->count + j->columns->count + set;
    for (size_t i = 0; before && i < u->count; i++) LP_TRY(fail(j, b, row, u->columns[i], check, rule, err));
    return LP_OK;
}

/* A row's keys are kept once all rules found it good: one that is bad stands in nobody's way. */
static enum lp_code judge_unique(struct lp_judge *j, struct lp_batch *b, size_t row, struct lp_err *err)
{
    size_t sets = j->quality->unique.count;
    bool ignored;
    if (b->failures[row]) return LP_OK;
    for (size_t set = 0; set < sets; set++) LP_TRY(judge_key(j, b, row, set, err));
    for (size_t set = 0; set < sets && !b->failures[row]; set++)
        if (put_key(j, b, &j->quality->unique.list[set], row))
            LP_TRY(lp_seen_add(&j->seen[set], j->key.data, j->key.len, &ignored, err));
    return LP_OK;
}

enum lp_code lp_quality_judge(struct lp_judge *j, struct lp_batch *b, struct lp_err *err)
{
    for (size_t i = 0; i < b->columns->count; i++) {
        LP_TRY(judge_column(j, b, i, err));
        LP_TRY(judge_lines(j, b, i, err));
    }
    for (const struct lp_check *c = j->checks->first; c; c = c->next) LP_TRY(judge_check(j, b, c, err));
    for (size_t row = 0; j->quality->unique.count && row < b->row_count; row++) LP_TRY(judge_unique(j, b, row, err));
    j->rows_read += b->row_count;
    j->rows_bad += b->bad_count;
    return LP_OK;
}

static enum lp_code gate_values(const struct lp_judge *j, struct lp_err *err)
{
    for (const struct lp_check *c = j->checks->first; c; c = c->next)
        for (size_t i = 0; c->kind == LP_CHECK_VALUES_EQ && i < c->value_count; i++)
            if (!j->values_seen[c->rule][i])
                return lp_fail(err, LP_GATE, "%s: %s: no row has %.100s; nothing was published",
                               j->columns->list[c->column].name, c->text, c->words[i]);
    return LP_OK;
}

enum lp_code lp_quality_gate(const struct lp_judge *j, struct lp_err *err)
{
    uint64_t good = j->rows_read - j->rows_bad;
    char bad[LP_NUMBER_TEXT_BYTES], all[LP_NUMBER_TEXT_BYTES];
    lp_count_format(j->rows_bad, bad);
    lp_count_format(j->rows_read, all);
    if (j->rows_read && (double)j->rows_bad > j->quality->max_bad * (double)j->rows_read * (1 + 1e-12))
        return lp_fail(
            err, LP_GATE,
            "%s of %s rows are bad, max_bad allows %g%%; nothing was published, the reasons are in _quarantine", bad,
            all, j->quality->max_bad * 100);
    if (good < (uint64_t)j->quality->min_rows) {
        lp_count_format(good, all);
        lp_count_format((uint64_t)j->quality->min_rows, bad);
        return lp_fail(err, LP_GATE, "%s good %s, min_rows wants %s; nothing was published", all,
                       good == 1 ? "row" : "rows", bad);
    }
    return gate_values(j, err);
}

void lp_judge_rules(const struct lp_judge *j, uint64_t *passed, uint64_t *failed)
{
    *passed = *failed = 0;
    for (size_t i = 0; j->rule_failures && i < j->rule_count; i++) {
        if (j->rule_failures[i]) ++*failed;
        else ++*passed;
    }
}

void lp_judge_put_rule(const struct lp_judge *j, size_t rule, struct lp_buf *out)
{
    const struct lp_check *c = j->checks->first;
    if (rule < j->checks->count) {
        while (rule--) c = c->next;
        lp_buf_printf(out, "%s: %s", j->columns->list[c->column].name, c->text);
    } else if ((rule -= j->checks->count) < j->columns->count) {
        const struct lp_column *column = &j->columns->list[rule];
        lp_buf_printf(out, "%s: not a %s%s", column->name, lp_type_name(column->type),
                      column->nullable ? "" : ", or absent");
    } else if ((rule -= j->columns->count) == j->quality->unique.count) {
        lp_buf_puts(out, "no_line_break"); /* the last, where it is one at all */
    } else {
        const struct lp_unique *u = &j->quality->unique.list[rule];
        lp_buf_puts(out, "unique: ");
        for (size_t i = 0; i < u->count; i++) lp_buf_printf(out, "%s%s", i ? ", " : "", u->names[i]);
    }
}
