/* DuckDB's answers on their way out: the same however they are cut. */
#include "test.h"

#include "query/answer.h"

static const char *through(enum lp_answer_form form, const char *text, size_t piece)
{
    static char shown[4096];
    LP_AUTO(lp_buf) out = {0};
    struct lp_answer a = {.form = form, .null_word = "NULL01"};
    for (size_t at = 0, len = strlen(text); at < len; at += piece)
        lp_answer_put(&a, text + at, len - at < piece ? len - at : piece, &out);
    lp_answer_end(&a, &out);
    snprintf(shown, sizeof shown, "%s", lp_buf_text(&out));
    return shown;
}

static void each_cut(enum lp_answer_form form, const char *text, const char *wanted)
{
    for (size_t piece = 1; piece <= strlen(text) + 1; piece++) assert_string_equal(through(form, text, piece), wanted);
}

static void csv_tells_null_from_the_empty_text(void **state)
{
    each_cut(LP_ANSWER_CSV, "a,b,c\nNULL01,,x\n", "a,b,c\n,\"\",x\n");
    each_cut(LP_ANSWER_CSV, "a\n\nNULL01\nNULL\nNULL0\nNULL012\nxNULL01\n",
             "a\n\"\"\n\nNULL\nNULL0\nNULL012\nxNULL01\n");
    each_cut(LP_ANSWER_CSV, ",NULL01\nNULL01,\n", "\"\",\n,\"\"\n");
}

static void csv_in_quotes_passes_as_it_is(void **state)
{
    each_cut(LP_ANSWER_CSV, "a,b\n\"x,,y\",\"NULL01\"\n\"q\"\"\n\n\"\"q\",\n",
             "a,b\n\"x,,y\",\"NULL01\"\n\"q\"\"\n\n\"\"q\",\"\"\n");
    each_cut(LP_ANSWER_CSV, "a\n\"\"\n", "a\n\"\"\n");
}

static void an_end_without_a_line_break_loses_nothing(void **state)
{
    each_cut(LP_ANSWER_CSV, "a\nNUL", "a\nNUL");
    each_cut(LP_ANSWER_CSV, "a\nNULL01", "a\n");
    each_cut(LP_ANSWER_CSV, "", "");
}

static void json_has_no_numbers_that_it_does_not_know(void **state)
{
    each_cut(LP_ANSWER_JSON, "[{\"a\":NaN,\"b\":-Infinity,\"c\":[nan,-inf,1]}]\n",
             "[{\"a\":null,\"b\":null,\"c\":[null,null,1]}]\n");
    each_cut(LP_ANSWER_JSON, "[{\"a\":1e300,\"b\":-2E-5,\"c\":true,\"d\":false,\"e\":null,\"f\":-7}]",
             "[{\"a\":1e300,\"b\":-2E-5,\"c\":true,\"d\":false,\"e\":null,\"f\":-7}]");
}

static void texts_in_json_pass_as_they_are(void **state)
{
    each_cut(LP_ANSWER_JSON, "[{\"NaN\":\"x\\\"NaN\\\\\",\"b\":\"]}[{-inf\"},\n{\"c\":NaN}]\n[]\n",
             "[{\"NaN\":\"x\\\"NaN\\\\\",\"b\":\"]}[{-inf\"},\n{\"c\":null}]\n[]\n");
}

static void what_is_no_json_passes_as_it_is(void **state)
{
    each_cut(LP_ANSWER_JSON, "Nothing {of \"the\" kind}\n", "Nothing {of \"the\" kind}\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(csv_tells_null_from_the_empty_text),
        cmocka_unit_test(csv_in_quotes_passes_as_it_is),
        cmocka_unit_test(an_end_without_a_line_break_loses_nothing),
        cmocka_unit_test(json_has_no_numbers_that_it_does_not_know),
        cmocka_unit_test(texts_in_json_pass_as_they_are),
        cmocka_unit_test(what_is_no_json_passes_as_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
