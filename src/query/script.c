#include "query/script.h"

static void put_doubled(const char *text, char quote, struct lp_buf *out)
{
    lp_buf_putc(out, quote);
    for (; *text; text++) {
        if (*text == quote) lp_buf_putc(out, quote);
        lp_buf_putc(out, *text);
    }
    lp_buf_putc(out, quote);
}

void lp_sql_put_text(const char *text, struct lp_buf *out)
{
    put_doubled(text, '\'', out);
}

void lp_sql_put_name(const char *name, struct lp_buf *out)
{
    put_doubled(name, '"', out);
}

/* A timestamp is UTC without saying so, as in Athena. */
const char *lp_sql_type(enum lp_type type)
{
    static const char *const names[] = {"VARCHAR", "BIGINT", "DOUBLE", "BOOLEAN", "TIMESTAMP", "DATE"};
    _Static_assert(LP_COUNT(names) == LP_TYPE_COUNT, "every type has a name in SQL");
    return names[type];
}

static void put_table_name(const struct lp_lake_table *t, struct lp_buf *out)
{
    lp_sql_put_name(t->database, out);
    lp_buf_putc(out, '.');
    lp_sql_put_name(t->name, out);
}

/* Each character that a glob takes for more than itself, in brackets of its own. */
static void put_glob_text(const char *text, struct lp_buf *out)
{
    for (; *text; text++) {
        if (*text == '*' || *text == '?' || *text == '[' || *text == '\\') lp_buf_printf(out, "[%c]", *text);
        else lp_buf_putc(out, *text);
    }
}

static void put_files(const struct lp_script *s, const struct lp_lake_table *t, struct lp_buf *out)
{
    LP_AUTO(lp_buf) glob = {.max_bytes = 16384};
    put_glob_text(s->base, &glob);
    put_glob_text(t->location, &glob);
    if (!t->one_file) {
        for (size_t i = 0; i < t->partition_count; i++) {
            lp_buf_putc(&glob, '/');
            put_glob_text(t->partitions[i], &glob);
            lp_buf_printf(&glob, "=%s", lp_where_of(s->where, t->partitions[i]));
        }
        lp_buf_printf(&glob, "/[!.]*%s", lp_lake_table_ending(t)); /* hidden ones are not whole yet */
    }
    if (glob.failed) out->failed = glob.failed;
    lp_sql_put_text(lp_buf_text(&glob), out);
}

/* Folders are what the catalogue says they are: texts. */
static void put_partitioning(const struct lp_lake_table *t, struct lp_buf *out)
{
    lp_buf_printf(out, ", hive_partitioning=%s", t->partition_count ? "true" : "false");
    if (!t->partition_count) return;
    lp_buf_puts(out, ", hive_types_autocast=false, hive_types={");
    for (size_t i = 0; i < t->partition_count; i++) {
        if (i) lp_buf_puts(out, ", ");
        lp_sql_put_text(t->partitions[i], out);
        lp_buf_puts(out, ": 'VARCHAR'");
    }
    lp_buf_putc(out, '}');
}

/* Nothing is guessed from the content. Quotes tell an empty text from NULL. Where columns came later, older files have
 * fewer: the reader fills them up, which it cannot do in parallel within one file. */
static void put_csv_reader(const struct lp_script *s, size_t index, struct lp_buf *out)
{
    const struct lp_lake_table *t = &s->tables->list[index];
    lp_buf_puts(out, "read_csv(");
    put_files(s, t, out);
    lp_buf_puts(out,
                ", auto_detect=false, header=true, delim=',', quote='\"', escape='\"', new_line='\\n', nullstr='', "
                "allow_quoted_nulls=false, columns={");
    for (size_t i = 0; i < t->column_count; i++) {
        if (i) lp_buf_puts(out, ", ");
        lp_sql_put_text(t->columns[i].name, out);
        lp_buf_printf(out, ": '%s'", lp_sql_type(t->columns[i].type));
    }
    lp_buf_putc(out, '}');
    if (s->states[index].may_be_narrow) lp_buf_puts(out, ", null_padding=true, parallel=false");
    put_partitioning(t, out);
    lp_buf_putc(out, ')');
}

/* Older files may lack the columns that came later, and all may lack one whose files are gone: then it is NULL. */
static void put_parquet_reader(const struct lp_script *s, size_t index, struct lp_buf *out)
{
    const struct lp_lake_table *t = &s->tables->list[index];
    bool narrow = s->states[index].may_be_narrow;
    if (narrow) {
        lp_buf_puts(out, "(SELECT ");
        for (size_t i = 0; i < t->column_count; i++) {
            lp_buf_printf(out, "%sCAST(NULL AS %s) AS ", i ? ", " : "", lp_sql_type(t->columns[i].type));
            lp_sql_put_name(t->columns[i].name, out);
        }
        lp_buf_puts(out, " WHERE false UNION ALL BY NAME FROM ");
    }
    lp_buf_puts(out, "read_parquet(");
    put_files(s, t, out);
    if (narrow) lp_buf_puts(out, ", union_by_name=true");
    put_partitioning(t, out);
    lp_buf_puts(out, narrow ? "))" : ")");
}

static void put_columns(const struct lp_script *s, size_t index, struct lp_buf *out)
{
    const struct lp_lake_table *t = &s->tables->list[index];
    bool empty = !s->states[index].has_files;
    for (size_t i = 0; i < t->column_count; i++) {
        bool cast = empty || t->parquet;
        lp_buf_puts(out, i ? ", " : "");
        if (cast) lp_buf_puts(out, "CAST(");
        if (empty) lp_buf_puts(out, "NULL");
        else lp_sql_put_name(t->columns[i].name, out);
        if (!cast) continue;
        lp_buf_printf(out, " AS %s) AS ", lp_sql_type(t->columns[i].type));
        lp_sql_put_name(t->columns[i].name, out);
    }
    for (size_t i = 0; i < t->partition_count; i++) {
        lp_buf_puts(out, empty ? ", CAST(NULL AS VARCHAR) AS " : ", ");
        lp_sql_put_name(t->partitions[i], out);
    }
}

static void put_comment(const struct lp_lake_column *c, struct lp_buf *out)
{
    if (c->description) lp_buf_puts(out, c->description);
    if (c->unit) lp_buf_printf(out, c->description ? " (%s)" : "%s", c->unit);
}

static void put_comments(const struct lp_lake_table *t, struct lp_buf *out)
{
    if (t->description) {
        lp_buf_puts(out, "COMMENT ON VIEW ");
        put_table_name(t, out);
        lp_buf_puts(out, " IS ");
        lp_sql_put_text(t->description, out);
        lp_buf_puts(out, ";\n");
    }
    for (size_t i = 0; i < t->column_count; i++) {
        LP_AUTO(lp_buf) comment = {0};
        put_comment(&t->columns[i], &comment);
        if (comment.failed) out->failed = comment.failed;
        if (!comment.len) continue;
        lp_buf_puts(out, "COMMENT ON COLUMN ");
        put_table_name(t, out);
        lp_buf_putc(out, '.');
        lp_sql_put_name(t->columns[i].name, out);
        lp_buf_puts(out, " IS ");
        lp_sql_put_text(lp_buf_text(&comment), out);
        lp_buf_puts(out, ";\n");
    }
}

static void put_view(const struct lp_script *s, size_t index, struct lp_buf *out)
{
    const struct lp_lake_table *t = &s->tables->list[index];
    lp_buf_puts(out, "CREATE VIEW ");
    put_table_name(t, out);
    lp_buf_puts(out, " AS SELECT ");
    put_columns(s, index, out);
    if (s->states[index].has_files) {
        lp_buf_puts(out, " FROM ");
        if (t->parquet) put_parquet_reader(s, index, out);
        else put_csv_reader(s, index, out);
    } else {
        lp_buf_puts(out, " WHERE false");
    }
    lp_buf_puts(out, ";\n");
    put_comments(t, out);
}

/* Bare names are looked for in every database. Where two have the same, the path would choose one silently: then only the
 * unambiguous get a second view outside, and DuckDB itself says what the others are called in full. */
static void put_bare_names(const struct lp_tables *t, struct lp_buf *out)
{
    bool ambiguous = false;
    for (size_t i = 0; i < t->count; i++) ambiguous |= lp_tables_is_ambiguous(t, i);
    if (ambiguous) {
        for (size_t i = 0; i < t->count; i++) {
            if (lp_tables_is_ambiguous(t, i)) continue;
            lp_buf_puts(out, "CREATE VIEW IF NOT EXISTS main.");
            lp_sql_put_name(t->list[i].name, out);
            lp_buf_puts(out, " AS FROM ");
            put_table_name(&t->list[i], out);
            lp_buf_puts(out, ";\n");
        }
        return;
    }
    LP_AUTO(lp_buf) path = {0};
    for (size_t i = 0; i < t->count; i++) {
        if (i && !strcmp(t->list[i].database, t->list[i - 1].database)) continue;
        lp_sql_put_name(t->list[i].database, &path);
        lp_buf_putc(&path, ',');
    }
    lp_buf_puts(&path, "main");
    if (path.failed) out->failed = path.failed;
    lp_buf_puts(out, "SET search_path=");
    lp_sql_put_text(lp_buf_text(&path), out);
    lp_buf_puts(out, ";\n");
}

/* Extensions have to be off before the lock. .safe_mode then is the lock: it ends access to all but what is allowed,
 * settles every setting, and closes the shell's own ways out (.shell, .read, .output). */
static void put_lock(const struct lp_script *s, struct lp_buf *out)
{
    lp_buf_puts(out, "SET autoinstall_known_extensions=false;\nSET autoload_known_extensions=false;\n"
                     "SET allowed_directories=[");
    lp_sql_put_text(s->allowed, out);
    lp_buf_puts(out, "];\n.safe_mode\n");
}

void lp_script_put(const struct lp_script *s, struct lp_buf *out)
{
    lp_buf_printf(out, ".bail %s\nSET memory_limit='%lluMiB';\nSET threads=%llu;\nSET TimeZone='UTC';\n",
                  s->interactive ? "off" : "on", (unsigned long long)s->memory_mib, (unsigned long long)s->threads);
    lp_buf_puts(out, "SET temp_directory=");
    lp_sql_put_text(s->spill_folder ? s->spill_folder : "", out);
    lp_buf_puts(out, ";\n");
    if (s->before) lp_buf_puts(out, s->before);
    for (size_t i = 0; i < s->tables->count; i++) {
        const struct lp_lake_table *t = &s->tables->list[i];
        if (!i || strcmp(t->database, s->tables->list[i - 1].database) != 0) {
            lp_buf_puts(out, "CREATE SCHEMA IF NOT EXISTS ");
            lp_sql_put_name(t->database, out);
            lp_buf_puts(out, ";\n");
        }
        put_view(s, i, out);
    }
    put_bare_names(s->tables, out);
    put_lock(s, out);
}
