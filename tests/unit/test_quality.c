/* The judgement of a run: nulls, checks, uniqueness over all rows, the gate; and the set behind uniqueness. */
#include "test.h"

#include "quality/tally.h"

struct run {
    struct lp_arena arena;
    struct lp_faults faults;
    struct lp_columns columns;
    struct lp_checks checks;
    struct lp_quality quality;
    struct lp_judge judge;
    struct lp_batch batch;
};

static struct lp_err err;

/* columns and quality are YAML flow mappings. */
static int open_run(struct run *r, const char *columns, const char *quality)
{
    char text[1000];
    struct lp_column_extras extras;
    int len = snprintf(text, sizeof text, "columns: %s\nquality: %s\n", columns, quality);
    *r = (struct run){0};
    lp_faults_init(&r->faults, "p.yaml");
    struct lp_reading reading = {.arena = &r->arena, .faults = &r->faults};
    const struct lp_node *root = lp_yaml_parse(text, (size_t)len, &r->arena, &r->faults);
    assert_non_null(root);
    lp_checks_extras(&r->checks, &r->columns, &extras);
    lp_columns_read(&reading, lp_node_get(root, "columns"), &extras, &r->columns);
    lp_fields_defaults(&reading, &lp_quality_fields, &r->quality);
    lp_fields_read(&reading, &lp_quality_fields, lp_node_get(root, "quality"), root, &r->quality);
    lp_quality_bind(&reading, &r->quality, &r->checks, &r->columns);
    assert_ok(lp_judge_init(&r->judge, &r->quality, &r->checks, &r->columns, &err));
    return (int)r->faults.count;
}

static void close_run(struct run *r)
{
    lp_batch_release(&r->batch);
    lp_judge_release(&r->judge);
    lp_checks_release(&r->checks);
    lp_columns_release(&r->columns);
    lp_faults_release(&r->faults);
    lp_arena_release(&r->arena);
}

/* Judges the rows of a JSON list of lists as one batch; "·" a good row, else its checks in brackets. */
static const char *judged(struct run *r, const char *rows)
{
    static char shown[1000];
    LP_AUTO(lp_buf) out = {0};
    json_t *root;
    assert_ok(lp_json_parse(&r->arena, rows, strlen(rows), &root, &err));
    lp_batch_release(&r->batch);
    assert_ok(lp_batch_init(&r->batch, &r->columns, json_array_size(root), &err));
    r->batch.row_count = json_array_size(root);
    for (size_t row = 0; row < r->batch.row_count; row++)
        for (size_t c = 0; c < r->columns.count; c++)
            assert_ok(lp_convert_json(&r->batch, c, row, json_array_get(json_array_get(root, row), c), &err));
    assert_ok(lp_quality_judge(&r->judge, &r->batch, &err));
    for (size_t row = 0; row < r->batch.row_count; row++) {
        const struct lp_failure *f = r->batch.failures[row];
        if (!f) lp_buf_puts(&out, "·");
        for (; f; f = f->next) lp_buf_printf(&out, "[%s %s %s]", f->column, f->check, f->failure_case);
    }
    snprintf(shown, sizeof shown, "%s", lp_buf_text(&out));
    return shown;
}

static void nulls_are_bad_unless_the_column_is_nullable(void **state)
{
    struct run r;
    open_run(&r, "{ a: { from: a, type: bigint }, b: { from: b, type: string, nullable: true } }", "{}");
    assert_string_equal(judged(&r, "[[1,\"x\"],[1,null],[null,\"x\"],[null,null]]"),
                        "··[a not_nullable null][a not_nullable null]");
    assert_string_equal(judged(&r, "[[\"x\",null]]"), "[a coerce_dtype('int64') \"x\"]");
    assert_int_equal(r.judge.rows_read, 5);
    assert_int_equal(r.judge.rows_bad, 3);
    close_run(&r);
}

static void every_failure_of_a_row_is_told(void **state)
{
    struct run r;
    open_run(&r, "{ a: { from: a, type: bigint, gt: 0, lt: 10, ne: 3 }, b: { from: b, type: string, str_length: 1 } }",
             "{}");
    assert_string_equal(
        judged(&r, "[[5,\"x\"],[-1,\"xy\"],[10,\"x\"],[3,\"\"]]"),
        "·[a greater_than(0) -1][b str_length(1) \"xy\"][a less_than(10) 10][a not_equal_to(3) 3][b str_length(1) \"\"]");
    uint64_t passed, failed;
    lp_judge_rules(&r.judge, &passed, &failed);
    assert_int_equal(failed, 4);
    assert_int_equal(passed, 2);
    close_run(&r);
}

static void a_line_break_is_bad_where_readers_know_lines_only(void **state)
{
    static const char rows[] = "[[\"a b\",\"\"],[\"a\\nb\",null],[\"\\r\",\"\\r\\n\"],[\"\u2028\\t\",null]]";
    uint64_t passed, failed;
    struct run r;
    open_run(&r, "{ a: { from: a, type: string }, b: { from: b, type: string, nullable: true } }", "{}");
    assert_string_equal(judged(&r, rows), "····");
    lp_judge_require_one_line(&r.judge);
    lp_judge_require_one_line(&r.judge);
    assert_string_equal(judged(&r, rows), "·[a no_line_break \"a\\nb\"][a no_line_break \"\\r\"][b no_line_break \"\\r\\n\"]·");
    lp_judge_rules(&r.judge, &passed, &failed);
    assert_int_equal(passed, 2);
    assert_int_equal(failed, 1);
    close_run(&r);
}

static void add_tally(struct run *sum, struct run *part)
{
    LP_AUTO(lp_buf) text = {0};
    struct lp_json_writer w = {.out = &text};
    json_t *tally;
    lp_json_open(&w, NULL, '{');
    lp_tally_put(&part->judge, &w);
    lp_json_close(&w, '}');
    assert_ok(lp_json_parse(&part->arena, lp_buf_text(&text), text.len, &tally, &err));
    assert_ok(lp_tally_add(&sum->judge, tally, &err));
    sum->judge.rows_read += part->judge.rows_read;
    sum->judge.rows_bad += part->judge.rows_bad;
}

/* Each part misses values that the other has; a line break is a rule without a column of its own. */
static void judgements_of_parts_add_up_to_that_of_the_whole(void **state)
{
    static const char columns[] =
        "{ a: { from: a, type: string, unique_values_eq: [x, y, z] }, b: { from: b, type: bigint, lt: { max_value: 5, raise_warning: true } } }";
    static const char *const rows[] = {"[[\"x\",1],[\"z\",9],[\"z\",null],[\"\\n\",1]]", "[[\"y\",7],[\"x\",null]]"};
    struct run sum, parts[2];
    LP_AUTO(lp_buf) rule = {0};
    open_run(&sum, columns, "{}");
    lp_judge_require_one_line(&sum.judge);
    for (size_t i = 0; i < 2; i++) {
        open_run(&parts[i], columns, "{}");
        lp_judge_require_one_line(&parts[i].judge);
        judged(&parts[i], rows[i]);
        assert_int_equal(lp_quality_gate(&parts[i].judge, &err), LP_GATE);
        add_tally(&sum, &parts[i]);
        assert_int_equal(lp_quality_gate(&sum.judge, &err), i ? LP_OK : LP_GATE);
    }
    uint64_t passed, failed;
    lp_judge_rules(&sum.judge, &passed, &failed);
    assert_int_equal(failed, 3); /* unique_values_eq of the line break, absent b, the line break */
    assert_int_equal(sum.judge.rule_failures[3], 2);
    assert_int_equal(sum.judge.warnings, 2);
    lp_judge_put_rule(&sum.judge, sum.judge.rule_count - 1, &rule);
    assert_string_equal(lp_buf_text(&rule), "no_line_break");
    assert_ok(lp_tally_add(&sum.judge, NULL, &err));
    assert_int_equal(sum.judge.warnings, 2);
    close_run(&sum);
    for (size_t i = 0; i < 2; i++) close_run(&parts[i]);
}

static void a_warning_is_counted_and_the_row_stays_good(void **state)
{
    struct run r;
    open_run(
        &r,
        "{ a: { from: a, type: bigint, nullable: true, gt: { min_value: 0, raise_warning: true }, lt: { max_value: 10, ignore_na: false } } }",
        "{}");
    assert_string_equal(judged(&r, "[[5],[-1],[null],[-2]]"), "··[a less_than(10) null]·");
    assert_int_equal(r.judge.warnings, 2);
    assert_int_equal(r.judge.rows_bad, 1);
    close_run(&r);
}

static void a_value_that_was_not_read_is_not_judged_again(void **state)
{
    struct run r;
    open_run(&r, "{ a: { from: a, type: bigint, nullable: true, gt: { min_value: 0, ignore_na: false } } }", "{}");
    assert_string_equal(judged(&r, "[[\"x\"],[null]]"), "[a coerce_dtype('int64') \"x\"][a greater_than(0) null]");
    close_run(&r);
}

static void the_first_of_equal_rows_stays_over_all_batches(void **state)
{
    struct run r;
    assert_int_equal(
        open_run(&r, "{ a: { from: a, type: string, nullable: true }, b: { from: b, type: bigint, nullable: true } }",
                 "{ unique: [a, b] }"),
        0);
    assert_string_equal(judged(&r, "[[\"x\",1],[\"x\",2],[\"x\",1],[\"y\",1]]"),
                        "··[a multiple_fields_uniqueness \"x\"][b multiple_fields_uniqueness 1]·");
    assert_string_equal(
        judged(&r, "[[\"y\",1],[null,1],[null,1],[null,null],[null,null],[\"\",1]]"),
        "[a multiple_fields_uniqueness \"y\"][b multiple_fields_uniqueness 1]·[a multiple_fields_uniqueness null][b multiple_fields_uniqueness 1]···");
    close_run(&r);
}

static void keys_of_several_columns_do_not_run_together(void **state)
{
    struct run r;
    open_run(&r, "{ a: { from: a, type: string }, b: { from: b, type: string } }", "{ unique: [[a, b]] }");
    assert_string_equal(judged(&r, "[[\"ab\",\"c\"],[\"a\",\"bc\"],[\"abc\",\"\"],[\"\",\"abc\"],[\"ab\",\"c\"]]"),
                        "····[a multiple_fields_uniqueness \"ab\"][b multiple_fields_uniqueness \"c\"]");
    close_run(&r);
}

static void a_unique_column_compares_values_not_texts(void **state)
{
    struct run r;
    open_run(
        &r,
        "{ a: { from: a, type: double, unique: true }, t: { from: t, type: timestamp, unique: true, nullable: true } }",
        "{}");
    assert_string_equal(
        judged(&r, "[[0,null],[-0.0,null],[1,\"2012-10-01T18:00:00Z\"],[1.5,\"2012-10-01T13:00:00-05:00\"]]"),
        "·[a field_uniqueness -0.0]·[t field_uniqueness \"2012-10-01T18:00:00Z\"]");
    close_run(&r);
}

static void a_bad_row_does_not_take_the_place_of_a_good_one(void **state)
{
    struct run r;
    open_run(&r, "{ a: { from: a, type: bigint, unique: true }, b: { from: b, type: bigint, gt: 0 } }", "{}");
    assert_string_equal(judged(&r, "[[1,0],[1,1],[1,2]]"), "[b greater_than(0) 0]·[a field_uniqueness 1]");
    close_run(&r);
}

static enum lp_code gate(const char *quality, const char *rows)
{
    struct run r;
    assert_int_equal(open_run(&r, "{ a: { from: a, type: bigint, gt: 0 } }", quality), 0);
    judged(&r, rows);
    err = (struct lp_err){0};
    enum lp_code code = lp_quality_gate(&r.judge, &err);
    close_run(&r);
    return code;
}

static void the_gate_refuses_too_many_bad_and_too_few_good_rows(void **state)
{
    assert_int_equal(gate("{}", "[[1],[0],[0]]"), LP_OK);
    assert_int_equal(gate("{}", "[[0],[0]]"), LP_GATE);
    assert_int_equal(gate("{}", "[]"), LP_GATE);
    assert_int_equal(gate("{ min_rows: 0 }", "[]"), LP_OK);
    assert_int_equal(gate("{ min_rows: 0 }", "[[0]]"), LP_OK);
    assert_int_equal(gate("{ min_rows: 2 }", "[[1],[2]]"), LP_OK);
    assert_int_equal(gate("{ min_rows: 3 }", "[[1],[2],[0]]"), LP_GATE);
    assert_non_null(strstr(err.text, "2 good rows, min_rows wants 3"));
    assert_int_equal(gate("{ max_bad: 20% }", "[[1],[2],[3],[4],[0]]"), LP_OK);
    assert_int_equal(gate("{ max_bad: 20% }", "[[1],[2],[3],[0]]"), LP_GATE);
    assert_non_null(strstr(err.text, "1 of 4 rows are bad, max_bad allows 20%"));
    assert_int_equal(gate("{ max_bad: 0% }", "[[1],[2]]"), LP_OK);
    assert_int_equal(gate("{ max_bad: 0 }", "[[1],[0]]"), LP_GATE);
    assert_int_equal(gate("{ max_bad: 0.1 }", "[[1],[2],[3],[4],[5],[6],[7],[8],[9],[0]]"), LP_OK);
}

static void the_gate_misses_values_that_must_occur(void **state)
{
    struct run r;
    open_run(&r, "{ a: { from: a, type: string, unique_values_eq: [Chicago, Dallas] } }", "{}");
    assert_string_equal(judged(&r, "[[\"Chicago\"],[\"Denver\"]]"),
                        "·[a unique_values_eq(['Chicago', 'Dallas']) \"Denver\"]");
    assert_code(lp_quality_gate(&r.judge, &err), LP_GATE);
    assert_non_null(strstr(err.text, "no row has Dallas"));
    assert_string_equal(judged(&r, "[[\"Dallas\"]]"), "·");
    assert_ok(lp_quality_gate(&r.judge, &err));
    close_run(&r);
}

static void a_column_of_unique_that_is_not_there_is_a_fault(void **state)
{
    struct run r;
    assert_int_equal(open_run(&r, "{ city: { from: a, type: string } }", "{ unique: [city, ciyt] }"), 1);
    assert_string_equal(r.faults.list[0].what, "unique: there is no column \"ciyt\"");
    assert_string_equal(r.faults.list[0].remedy, "did you mean \"city\"?");
    assert_int_equal(r.faults.list[0].line, 2);
    assert_int_equal(r.faults.list[0].column, 27);
    close_run(&r);
}

/* ---- the set ---- */

#define KEYS (LP_SEEN_MEMORY_KEYS * 3 / 2)

static void assert_seen(struct lp_seen *s, uint64_t key, bool wanted)
{
    bool before = !wanted;
    assert_ok(lp_seen_add(s, &key, sizeof key, &before, &err));
    if (before != wanted) fail_msg("key %llu", (unsigned long long)key);
}

static void a_key_is_new_once_also_past_what_memory_holds(void **state)
{
    LP_AUTO(lp_seen) s = {0};
    for (uint64_t key = 0; key < KEYS; key++) {
        assert_seen(&s, key, false);
        if (key % 3 == 0) assert_seen(&s, key / 2, true);
    }
    assert_int_equal(s.count, KEYS);
    assert_true(s.spilled);
    assert_null(s.slots);
    for (uint64_t key = 0; key < KEYS; key += 7) assert_seen(&s, key, true);
    assert_int_equal(s.count, KEYS);
}

static void keys_may_be_empty_or_long_or_part_of_each_other(void **state)
{
    LP_AUTO(lp_seen) s = {0};
    char text[300] = {0};
    bool before;
    for (size_t len = 0; len <= sizeof text; len++) {
        assert_ok(lp_seen_add(&s, text, len, &before, &err));
        assert_false(before);
        assert_ok(lp_seen_add(&s, text, len, &before, &err));
        assert_true(before);
    }
}

static void without_a_folder_for_temporary_files_it_says_so(void **state)
{
    LP_AUTO(lp_seen) s = {0};
    enum lp_code code = LP_OK;
    bool before;
    char *kept = getenv("TMPDIR") ? strdup(getenv("TMPDIR")) : NULL;
    setenv("TMPDIR", "/nowhere/at/all", 1);
    for (uint64_t key = 0; !code && key < KEYS; key++) code = lp_seen_add(&s, &key, sizeof key, &before, &err);
    if (kept) setenv("TMPDIR", kept, 1);
    else unsetenv("TMPDIR");
    free(kept);
    assert_int_equal(code, LP_IO);
    assert_non_null(strstr(err.text, "/nowhere/at/all"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nulls_are_bad_unless_the_column_is_nullable),
        cmocka_unit_test(every_failure_of_a_row_is_told),
        cmocka_unit_test(a_line_break_is_bad_where_readers_know_lines_only),
        cmocka_unit_test(judgements_of_parts_add_up_to_that_of_the_whole),
        cmocka_unit_test(a_warning_is_counted_and_the_row_stays_good),
        cmocka_unit_test(a_value_that_was_not_read_is_not_judged_again),
        cmocka_unit_test(the_first_of_equal_rows_stays_over_all_batches),
        cmocka_unit_test(keys_of_several_columns_do_not_run_together),
        cmocka_unit_test(a_unique_column_compares_values_not_texts),
        cmocka_unit_test(a_bad_row_does_not_take_the_place_of_a_good_one),
        cmocka_unit_test(the_gate_refuses_too_many_bad_and_too_few_good_rows),
        cmocka_unit_test(the_gate_misses_values_that_must_occur),
        cmocka_unit_test(a_column_of_unique_that_is_not_there_is_a_fault),
        cmocka_unit_test(a_key_is_new_once_also_past_what_memory_holds),
        cmocka_unit_test(keys_may_be_empty_or_long_or_part_of_each_other),
        cmocka_unit_test(without_a_folder_for_temporary_files_it_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
