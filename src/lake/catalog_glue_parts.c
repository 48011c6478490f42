/* Partitions that are named one by one, many in one call. */
#include "lake/catalog_glue.h"

#define BATCH        100               /* as many as Glue takes at once */
#define BATCH_BYTES  ((size_t)1 << 20) /* each holds all columns; past this a call holds no further one */
#define ANSWER_BYTES ((size_t)16 << 20)

struct batch {
    const struct lp_glue_shape *shape;
    const struct lp_glue *glue;
    const char *const *partitions;
    size_t count;
    bool chosen[BATCH]; /* those that the next call is about */
    json_t *values[BATCH];
    struct lp_arena arena;
    struct lp_buf body, answer;
    json_t *root; /* of the answer */
};

static void batch_release(struct batch *b)
{
    lp_arena_release(&b->arena);
    lp_buf_release(&b->body);
    lp_buf_release(&b->answer);
}

static enum lp_code call(struct batch *b, const char *operation, struct lp_err *err)
{
    char code[LP_GLUE_CODE_BYTES] = "";
    lp_buf_clear(&b->answer);
    LP_TRY(lp_buf_code(&b->body, "what is asked of Glue", err));
    enum lp_code failed = b->glue->call(b->glue->who, operation, &b->body, &b->answer, code, err);
    if (!failed) failed = lp_json_parse(&b->arena, lp_buf_text(&b->answer), b->answer.len, &b->root, err);
    return failed ? lp_wrap(err, failed, "Glue table %s.%s", b->shape->database, b->shape->files_name) : LP_OK;
}

static void put_input(struct batch *b, size_t i, struct lp_json_writer *w, const char *key)
{
    LP_AUTO(lp_buf) input = {0};
    lp_glue_put_partition(b->shape, b->partitions[i], &input);
    if (key) lp_json_key(w, key, strlen(key));
    else if (w->more) lp_buf_putc(w->out, ',');
    lp_buf_put(w->out, lp_buf_text(&input), input.len);
    w->more = true;
    if (input.failed) w->out->failed = input.failed;
}

static void begin(struct batch *b, struct lp_json_writer *w, const char *list)
{
    lp_buf_clear(&b->body);
    *w = (struct lp_json_writer){.out = &b->body};
    lp_json_open(w, NULL, '{');
    lp_json_text(w, "DatabaseName", b->shape->database);
    lp_json_text(w, "TableName", b->shape->files_name);
    lp_json_open(w, list, '[');
}

static void end(struct lp_json_writer *w)
{
    lp_json_close(w, ']');
    lp_json_close(w, '}');
}

static enum lp_code parse_values(struct batch *b, size_t i, struct lp_err *err)
{
    LP_AUTO(lp_buf) text = {0};
    struct lp_json_writer w = {.out = &text};
    lp_glue_put_values(&w, NULL, b->partitions[i]);
    LP_TRY(lp_buf_code(&text, "a partition's values", err));
    return lp_json_parse(&b->arena, lp_buf_text(&text), text.len, &b->values[i], err);
}

/* Which of the batch the values are of; count when none. */
static size_t find(const struct batch *b, const json_t *values)
{
    size_t i = 0;
    while (i < b->count && !json_equal(b->values[i], values)) i++;
    return i;
}

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static enum lp_code fail_first(struct batch *b, const json_t *first, const json_t *values, size_t count,
                               struct lp_err *err)
{
    const json_t *detail = json_object_get(first, "ErrorDetail");
    const char *code = text_of(detail, "ErrorCode"), *message = text_of(detail, "ErrorMessage");
    LP_AUTO(lp_buf) shown = {0};
    if (values) lp_json_put_value(&shown, values);
    return lp_fail(
        err, LP_REMOTE,
        "Glue table %s.%s: %zu partition%s could not be named; the first, %.200s: %.80s: %.300s; the rows are "
        "written, run the slot again to name them",
        b->shape->database, b->shape->files_name, count, count == 1 ? "" : "s", lp_buf_text(&shown),
        code ? code : "no code", message ? message : "no message");
}

/* An answer without an error may still be one for some of them. Those that are there already are chosen. */
static enum lp_code read_errors(struct batch *b, const char *values_key, bool *there, struct lp_err *err)
{
    const json_t *errors = json_object_get(b->root, "Errors"), *first = NULL;
    size_t bad = 0;
    memset(b->chosen, 0, sizeof b->chosen);
    *there = false;
    for (size_t i = 0; i < json_array_size(errors); i++) {
        const json_t *e = json_array_get(errors, i);
        const char *code = text_of(json_object_get(e, "ErrorDetail"), "ErrorCode");
        if (!code || strcmp(code, "AlreadyExistsException")) {
            if (!bad++) first = e;
            continue;
        }
        size_t index = find(b, json_object_get(e, values_key));
        if (index < b->count) *there = b->chosen[index] = true;
    }
    return bad ? fail_first(b, first, json_object_get(first, values_key), bad, err) : LP_OK;
}

/* Of the chosen ones those stay chosen that do not say what they should. */
static enum lp_code compare(struct batch *b, bool *differ, struct lp_err *err)
{
    struct lp_json_writer w;
    begin(b, &w, "PartitionsToGet");
    for (size_t i = 0; i < b->count; i++) {
        if (!b->chosen[i]) continue;
        lp_json_open(&w, NULL, '{');
        lp_glue_put_values(&w, "Values", b->partitions[i]);
        lp_json_close(&w, '}');
    }
    end(&w);
    LP_TRY(call(b, "BatchGetPartition", err));
    const json_t *found = json_object_get(b->root, "Partitions");
    for (size_t k = 0; k < json_array_size(found); k++) {
        const json_t *partition = json_array_get(found, k);
        LP_AUTO(lp_buf) text = {0};
        json_t *wanted;
        size_t i = find(b, json_object_get(partition, "Values"));
        if (i == b->count) continue;
        lp_glue_put_partition(b->shape, b->partitions[i], &text);
        LP_TRY(lp_buf_code(&text, "a partition", err));
        LP_TRY(lp_json_parse(&b->arena, lp_buf_text(&text), text.len, &wanted, err));
        if (lp_glue_covers(partition, wanted)) b->chosen[i] = false;
    }
    *differ = false;
    for (size_t i = 0; i < b->count; i++) *differ |= b->chosen[i];
    return LP_OK;
}

static enum lp_code update(struct batch *b, struct lp_err *err)
{
    struct lp_json_writer w;
    bool ignored;
    begin(b, &w, "Entries");
    for (size_t i = 0; i < b->count; i++) {
        if (!b->chosen[i]) continue;
        lp_json_open(&w, NULL, '{');
        lp_glue_put_values(&w, "PartitionValueList", b->partitions[i]);
        put_input(b, i, &w, "PartitionInput");
        lp_json_close(&w, '}');
    }
    end(&w);
    LP_TRY(call(b, "BatchUpdatePartition", err));
    return read_errors(b, "PartitionValueList", &ignored, err);
}

/* Names as many as one call takes; b->count says how many. */
static enum lp_code name_some(struct batch *b, size_t most, struct lp_err *err)
{
    struct lp_json_writer w;
    bool there, differ = false;
    lp_arena_reset(&b->arena);
    begin(b, &w, "PartitionInputList");
    for (b->count = 0; b->count < most && b->count < BATCH && b->body.len < BATCH_BYTES; b->count++)
        put_input(b, b->count, &w, NULL);
    end(&w);
    for (size_t i = 0; i < b->count; i++) LP_TRY(parse_values(b, i, err));
    LP_TRY(call(b, "BatchCreatePartition", err));
    LP_TRY(read_errors(b, "PartitionValues", &there, err));
    if (there) LP_TRY(compare(b, &differ, err));
    return differ ? update(b, err) : LP_OK;
}

enum lp_code lp_glue_name_partitions(const struct lp_glue_shape *s, const struct lp_glue *glue,
                                     const char *const *partitions, size_t count, struct lp_err *err)
{
    struct batch b = {.shape = s, .glue = glue, .partitions = partitions};
    const char *const *end_of_all = partitions + count;
    enum lp_code code = LP_OK;
    struct lp_err local;
    lp_arena_init(&b.arena, (size_t)256 << 20);
    lp_buf_init(&b.answer, ANSWER_BYTES);
    for (; b.partitions < end_of_all && !code; b.partitions += b.count)
        code = name_some(&b, (size_t)(end_of_all - b.partitions), err ? err : &local);
    batch_release(&b);
    return code;
}
