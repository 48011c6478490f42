/* The pipeline file below its sections: YAML with places, faults, templates, fields. */
#include "test.h"

#include "base/secret.h"
#include "config/field.h"

#define TEXT(literal) literal, sizeof literal - 1

struct file {
    struct lp_arena arena;
    struct lp_faults faults;
    struct lp_node *root;
};

static void open_file(struct file *f, const char *text, size_t len)
{
    *f = (struct file){0};
    lp_faults_init(&f->faults, "p.yaml");
    f->faults.text = text;
    f->faults.text_len = len;
    f->root = lp_yaml_parse(text, len, &f->arena, &f->faults);
}

static void close_file(struct file *f)
{
    lp_faults_release(&f->faults);
    lp_arena_release(&f->arena);
}

/* The faults as they go to a pipe. */
static const char *told(struct file *f)
{
    static char copy[9000];
    LP_AUTO(lp_buf) out = {0};
    lp_faults_sort(&f->faults);
    lp_faults_put_lines(&f->faults, &out);
    snprintf(copy, sizeof copy, "%s", lp_buf_text(&out));
    return copy;
}

/* ---- YAML ---- */

static void every_node_knows_its_place(void **state)
{
    static const char text[] =
        "pipeline: weather\n# a comment\nsource:\n  each: [Dallas, \"New York\"]\n  Zürich: 日本 and more\n  'x': |\n    block\n    text\nempty:\nnothing: ~\n";
    struct file f;
    open_file(&f, text, sizeof text - 1);
    assert_int_equal(f.faults.count, 0);
    const struct lp_node *source = lp_node_get(f.root, "source"), *each = lp_node_get(source, "each"),
                         *city = lp_node_get(source, "Zürich");
    assert_int_equal(source->kind, LP_NODE_MAP);
    assert_int_equal(each->kind, LP_NODE_LIST);
    assert_int_equal(each->child_count, 2);
    assert_int_equal(each->line, 4);
    assert_int_equal(each->column, 9);
    assert_string_equal(each->first->text, "Dallas");
    assert_false(each->first->quoted);
    assert_int_equal(each->last->column, 18);
    assert_int_equal(each->last->width, 10);
    assert_true(each->last->quoted);
    assert_int_equal(city->line, 5);
    assert_int_equal(city->column, 11);
    assert_int_equal(city->width, 11);
    assert_int_equal(city->key->column, 3);
    assert_string_equal(lp_node_get(source, "x")->text, "block\ntext\n");
    assert_true(lp_node_is_null(lp_node_get(f.root, "empty")));
    assert_true(lp_node_is_null(lp_node_get(f.root, "nothing")));
    assert_null(lp_node_get(f.root, "Source"));
    assert_null(lp_node_get(each, "x"));
    close_file(&f);
}

static void a_scalar_is_its_text_whatever_it_looks_like(void **state)
{
    static const char *const words[] = {"No",   "yes", "012", "1e3", "1_000", "1:30", "2012-10-01",
                                        "0x10", "on",  "+1",  "NaN", "<",     "="};
    for (size_t i = 0; i < LP_COUNT(words); i++) {
        struct file f;
        char text[64];
        int len = snprintf(text, sizeof text, "a: %s\n", words[i]);
        open_file(&f, text, (size_t)len);
        assert_string_equal(lp_node_get(f.root, "a")->text, words[i]);
        assert_false(lp_node_is_null(lp_node_get(f.root, "a")));
        close_file(&f);
    }
}

static void what_is_refused_is_told_with_line_and_column(void **state)
{
    static const struct {
        const char *text;
        size_t len;
        const char *told;
    } known[] = {{TEXT(""), "p.yaml:1:1: the file is empty"},
                 {TEXT("# only a comment\n"), "p.yaml:1:1: the file says nothing"},
                 {TEXT("\xEF\xBB\xBF"), "p.yaml:1:1: the file is empty"},
                 {TEXT("a: &x 1\n"), "p.yaml:1:4: anchors (&)"},
                 {TEXT("a: *x\n"), "p.yaml:1:4: anchors (&)"},
                 {TEXT("a: !!int 1\n"), "p.yaml:1:4: tags (!)"},
                 {TEXT("a:\n  - !x [1]\n"), "p.yaml:2:5: tags (!)"},
                 {TEXT("a: {x: 1}\nb:\n  <<: {y: 1}\n"), "p.yaml:3:3: merge keys"},
                 {TEXT("a: 1\nb: 2\na: 3\n"), "p.yaml:3:1: duplicate key \"a\"; it stands in line 1 already"},
                 {TEXT("a:\n  b: 1\n  \"b\": 2\n"), "p.yaml:3:3: duplicate key \"b\""},
                 {TEXT("a:\n\tb: 1\n"), "p.yaml:2:1: a tab stands"},
                 {TEXT("a: 1\n--- \nb: 2\n"), "p.yaml:2:1: a second document begins"},
                 {TEXT("? [x]\n: 1\n"), "p.yaml:1:3: a key must be text"},
                 {TEXT("a: \"x\\0y\"\n"), "p.yaml:1:4: a text holds a NUL"},
                 {TEXT("a: [1, 2\n"), "p.yaml:2:1: this is not YAML"},
                 {TEXT("a: \"open\n"), "p.yaml:2:1: this is not YAML"},
                 {TEXT("a: 1\n b: 2\n"), "p.yaml:2:3: this is not YAML"},
                 {TEXT("a: 1\nZ\xFC: 2\n"), "p.yaml:2:2: the file is not UTF-8"},
                 {TEXT("ü\xFF"), "p.yaml:1:2: the file is not UTF-8"},
                 {TEXT("a: [[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]\n"), "p.yaml:1:19: nested too deep"}};
    for (size_t i = 0; i < LP_COUNT(known); i++) {
        struct file f;
        open_file(&f, known[i].text, known[i].len);
        const char *lines = told(&f);
        if (strncmp(lines, known[i].told, strlen(known[i].told))) fail_msg("%s: %s", known[i].text, lines);
        close_file(&f);
    }
}

static void a_byte_order_mark_is_passed_over(void **state)
{
    struct file f;
    open_file(&f, TEXT("\xEF\xBB\xBF"
                       "a: 1\n"));
    assert_int_equal(f.faults.count, 0);
    assert_int_equal(lp_node_get(f.root, "a")->key->column, 1);
    close_file(&f);
}

static void a_file_cannot_grow_without_end(void **state)
{
    struct file f;
    LP_AUTO(lp_buf) text = {0};
    lp_buf_puts(&text, "a: [");
    for (size_t i = 0; i < LP_YAML_MAX_NODES; i++) lp_buf_puts(&text, "1,");
    lp_buf_puts(&text, "1]\n");
    open_file(&f, text.data, text.len);
    assert_null(f.root);
    assert_non_null(strstr(told(&f), "too many entries"));
    close_file(&f);
}

/* ---- faults ---- */

static void faults_are_told_in_the_order_of_the_file(void **state)
{
    struct file f;
    open_file(&f, TEXT("a: 1\nb: 2\n"));
    lp_faults_add(&f.faults, 2, 4, 1, "write 3", "%s is wrong", "two");
    lp_faults_add(&f.faults, 1, 4, 1, NULL, "one is wrong");
    lp_faults_add(&f.faults, 2, 1, 1, NULL, "b is wrong");
    assert_string_equal(told(&f),
                        "p.yaml:1:4: one is wrong\np.yaml:2:1: b is wrong\np.yaml:2:4: two is wrong; write 3\n");
    LP_AUTO(lp_buf) json = {0};
    lp_faults_put_json(&f.faults, &json);
    assert_string_equal(
        lp_buf_text(&json),
        "[{\"file\":\"p.yaml\",\"line\":1,\"column\":4,\"what\":\"one is wrong\",\"remedy\":null},"
        "{\"file\":\"p.yaml\",\"line\":2,\"column\":1,\"what\":\"b is wrong\",\"remedy\":null},"
        "{\"file\":\"p.yaml\",\"line\":2,\"column\":4,\"what\":\"two is wrong\",\"remedy\":\"write 3\"}]");
    close_file(&f);
}

static const char *excerpt(const char *text, size_t line, size_t column, size_t width, const char *remedy)
{
    static char copy[2000];
    struct file f = {0};
    LP_AUTO(lp_buf) out = {0};
    lp_faults_init(&f.faults, "p.yaml");
    f.faults.text = text;
    f.faults.text_len = strlen(text);
    lp_faults_add(&f.faults, line, column, width, remedy, "wrong");
    lp_faults_put_excerpts(&f.faults, false, &out);
    snprintf(copy, sizeof copy, "%s", lp_buf_text(&out));
    close_file(&f);
    return copy;
}

static void a_caret_stands_under_the_place(void **state)
{
    assert_string_equal(excerpt("a: 1\nkey: vale\n", 2, 6, 4, "did you mean \"value\"?"),
                        "p.yaml:2:6: wrong\n    2 | key: vale\n      |      ^^^^ did you mean \"value\"?\n");
    assert_string_equal(excerpt("日本: vale\r\nb", 1, 5, 4, NULL),
                        "p.yaml:1:5: wrong\n    1 | 日本: vale\n      |       ^^^^\n");
    assert_string_equal(excerpt("a: 1", 1, 5, 1, NULL), "p.yaml:1:5: wrong\n    1 | a: 1\n      |     ^\n");
    assert_string_equal(excerpt("a:\tvale\t\tx", 1, 4, 4, NULL),
                        "p.yaml:1:4: wrong\n    1 | a: vale  x\n      |    ^^^^\n");
    assert_string_equal(excerpt("a:\tvale\t\tx", 1, 10, 1, NULL),
                        "p.yaml:1:10: wrong\n    1 | a: vale  x\n      |          ^\n");
    assert_string_equal(excerpt("a: 1", 7, 1, 1, "add it"), "p.yaml:7:1: wrong; add it\n");
    assert_int_equal(lp_secret_add("topsecret", 9, NULL), LP_OK);
    assert_string_equal(excerpt("key: topsecret # x", 1, 16, 3, NULL),
                        "p.yaml:1:16: wrong\n    1 | key: ••• # x\n      |          ^^^\n");
    lp_secret_forget();
}

static void a_long_line_is_shown_around_the_place(void **state)
{
    char text[1001];
    memset(text, 'x', sizeof text);
    text[600] = '!';
    text[1000] = '\0';
    const char *shown = excerpt(text, 1, 601, 1, NULL), *line = strchr(shown, '\n') + 1, *caret = strchr(line, '^'),
               *second = strchr(line, '\n') + 1;
    assert_true(strlen(line) < 400);
    /* "…" is three bytes and one cell. */
    assert_int_equal(line[caret - second + 2], '!');
}

static void past_a_hundred_faults_are_only_counted(void **state)
{
    struct file f;
    open_file(&f, TEXT("a: 1\n"));
    for (size_t i = 0; i < LP_FAULTS_MAX + 7; i++) lp_faults_add(&f.faults, 1, i + 1, 1, NULL, "wrong");
    assert_int_equal(f.faults.count, LP_FAULTS_MAX);
    const char *lines = told(&f);
    assert_string_equal(lines + strlen(lines) - strlen("… and 7 more\n"), "… and 7 more\n");
    close_file(&f);
}

/* ---- templates ---- */

/* The text for slot 2012-10-01T18:00, city "New York"; the faults when there are any. */
static const char *filled(const char *yaml, lp_escape *literal, lp_escape *value)
{
    static char copy[1000];
    struct file f;
    struct lp_template t;
    struct lp_variables v;
    struct lp_bindings b = {.count = 4, .slot_us = INT64_C(1349114400000000)};
    LP_AUTO(lp_buf) out = {0};
    open_file(&f, yaml, strlen(yaml));
    struct lp_reading r = {.arena = &f.arena, .faults = &f.faults};
    lp_variables_init(&v);
    v.names[v.count++] = "city";
    b.values[LP_VARIABLE_SLOT] = lp_slice_of("2012-10-01T18:00:00Z");
    b.values[LP_VARIABLE_RUN_ID] = lp_slice_of("r1");
    b.values[LP_VARIABLE_PIPELINE] = lp_slice_of("weather");
    b.values[LP_VARIABLE_FIRST_ITEM] = lp_slice_of("New {York}");
    if (lp_template_read(&r, lp_node_get(f.root, "a"), &t)) lp_template_bind(&r, &t, &v);
    if (f.faults.count) {
        snprintf(copy, sizeof copy, "%s", told(&f));
    } else {
        lp_template_put(&t, &b, literal, value, &out);
        snprintf(copy, sizeof copy, "%s", lp_buf_text(&out));
    }
    close_file(&f);
    return copy;
}

static void variables_are_replaced_once_and_braces_doubled(void **state)
{
    static const char *const known[][2] = {{"a: plain", "plain"},
                                           {"a: \"{city}\"", "New {York}"},
                                           {"a: x-{city}-{pipeline}/{run_id}", "x-New {York}-weather/r1"},
                                           {"a: \"{{city}}\"", "{city}"},
                                           {"a: \"{{{city}}}\"", "{New {York}}"},
                                           {"a: dt={slot:%Y-%m-%d}/{slot:%H}", "dt=2012-10-01/18"},
                                           {"a: x{slot}", "x2012-10-01T18:00:00Z"},
                                           {"a: \"\"", ""},
                                           {"a: $x $ {{}} 100%", "$x $ {} 100%"},
                                           {"a: ${LP_TEST_SET}!", "from {city}!"},
                                           {"a: ${LP_TEST_EMPTY:-fallback}", "fallback"},
                                           {"a: ${LP_TEST_UNSET:-}x", "x"},
                                           {"a: ${LP_TEST_SET}${LP_TEST_SET}", "from {city}from {city}"}};
    setenv("LP_TEST_SET", "from {city}", 1);
    setenv("LP_TEST_EMPTY", "", 1);
    unsetenv("LP_TEST_UNSET");
    for (size_t i = 0; i < LP_COUNT(known); i++) {
        const char *text = filled(known[i][0], NULL, NULL);
        if (strcmp(text, known[i][1])) fail_msg("%s: %s", known[i][0], text);
    }
}

static void put_upper(struct lp_buf *out, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        lp_buf_putc(out, bytes[i] >= 'a' && bytes[i] <= 'z' ? (char)(bytes[i] - 32) : bytes[i]);
}

static void put_brackets(struct lp_buf *out, const char *bytes, size_t len)
{
    lp_buf_printf(out, "<%.*s>", (int)len, bytes);
}

static void literals_and_values_are_escaped_each_in_its_way(void **state)
{
    assert_string_equal(filled("a: x-{pipeline}-{slot:%H}", put_upper, put_brackets), "X-<weather>-<18>");
    assert_string_equal(filled("a: x-{pipeline}", NULL, put_upper), "x-WEATHER");
}

static void a_mistake_in_a_template_is_told_with_its_place(void **state)
{
    static const char *const known[][2] = {
        {"a: x{city", "p.yaml:1:5: a brace is not closed"},
        {"a: \"x{city\"", "p.yaml:1:6: a brace is not closed"},
        {"a: x}y", "p.yaml:1:5: a brace is closed that was not opened"},
        {"a: é{}", "p.yaml:1:5: a variable has no name"},
        {"a: x{ciyt}", "p.yaml:1:5: there is no variable {ciyt}; did you mean {city}?"},
        {"a: \"x{banana}\"", "p.yaml:1:6: there is no variable {banana}; there are slot, run_id, pipeline and city"},
        {"a: x{city:%Y}", "p.yaml:1:5: a format belongs to a time"},
        {"a: \"{slot:}\"", "p.yaml:1:5: the format gives no text"},
        {"a: x${LP_TEST_UNSET}", "p.yaml:1:5: the environment has no LP_TEST_UNSET; set it"},
        {"a: x${}", "p.yaml:1:5: this is not a reference"},
        {"a: x${9}", "p.yaml:1:5: this is not a reference"},
        {"a: x${A-b}", "p.yaml:1:5: this is not a reference"},
        {"a: \"${A\"", "p.yaml:1:5: this is not a reference"}};
    unsetenv("LP_TEST_UNSET");
    for (size_t i = 0; i < LP_COUNT(known); i++) {
        const char *text = filled(known[i][0], NULL, NULL);
        if (strncmp(text, known[i][1], strlen(known[i][1]))) fail_msg("%s: %s", known[i][0], text);
    }
}

static void sizes_and_names_are_read_strictly(void **state)
{
    static const struct {
        const char *text;
        int64_t bytes;
    } sizes[] = {{"0", 0},         {"512", 512},         {"512B", 512},       {"16MB", 16000000}, {"16 MB", 16000000},
                 {"64KiB", 65536}, {"1GiB", 1073741824}, {"2GB", 2000000000}, {"5kB", 5000}};
    static const char *const bad_sizes[] = {"",    "MB",  "-1",   "1.5MB",      "1 MB ",
                                            "1mb", "1TB", "0x10", "9999999999", "1e3"};
    static const char *const good[] = {"a", "_x", "A-b_9", "weather"}, *const bad[] = {"",    "9a", "-a",  "a b",
                                                                                       "a.b", "é",  "a/b", ".."};
    int64_t bytes;
    for (size_t i = 0; i < LP_COUNT(sizes); i++)
        assert_true(lp_size_parse(sizes[i].text, &bytes) && bytes == sizes[i].bytes);
    for (size_t i = 0; i < LP_COUNT(bad_sizes); i++) assert_false(lp_size_parse(bad_sizes[i], &bytes));
    for (size_t i = 0; i < LP_COUNT(good); i++) assert_true(lp_name_is_valid(good[i]));
    for (size_t i = 0; i < LP_COUNT(bad); i++) assert_false(lp_name_is_valid(bad[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_node_knows_its_place),
        cmocka_unit_test(a_scalar_is_its_text_whatever_it_looks_like),
        cmocka_unit_test(what_is_refused_is_told_with_line_and_column),
        cmocka_unit_test(a_byte_order_mark_is_passed_over),
        cmocka_unit_test(a_file_cannot_grow_without_end),
        cmocka_unit_test(faults_are_told_in_the_order_of_the_file),
        cmocka_unit_test(a_caret_stands_under_the_place),
        cmocka_unit_test(a_long_line_is_shown_around_the_place),
        cmocka_unit_test(past_a_hundred_faults_are_only_counted),
        cmocka_unit_test(variables_are_replaced_once_and_braces_doubled),
        cmocka_unit_test(literals_and_values_are_escaped_each_in_its_way),
        cmocka_unit_test(a_mistake_in_a_template_is_told_with_its_place),
        cmocka_unit_test(sizes_and_names_are_read_strictly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
