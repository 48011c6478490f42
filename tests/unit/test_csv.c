/* CSV as it is written, as it is read, and that the one is the other. */
#include "test.h"

#include "table/csv.h"

#define TEXT(literal) literal, sizeof literal - 1

static struct lp_err err;

static const char *field(const char *text, size_t len)
{
    static char copy[300];
    LP_AUTO(lp_buf) out = {0};
    lp_csv_put_field(text, len, &out);
    snprintf(copy, sizeof copy, "%s", lp_buf_text(&out));
    return copy;
}

static void a_field_is_quoted_when_it_must_be(void **state)
{
    static const struct {
        const char *text, *written;
    } known[] = {{"plain", "plain"},       {"", "\"\""},
                 {"a b", "a b"},           {" a", "\" a\""},
                 {"a ", "\"a \""},         {" ", "\" \""},
                 {"a,b", "\"a,b\""},       {"a\"b", "\"a\"\"b\""},
                 {"\"", "\"\"\"\""},       {"\"\"", "\"\"\"\"\"\""},
                 {"a\nb", "\"a\nb\""},     {"a\rb", "\"a\rb\""},
                 {"a\r\nb", "\"a\r\nb\""}, {"a;b\tc", "a;b\tc"},
                 {"'a'", "'a'"},           {"Zürich 🌧", "Zürich 🌧"},
                 {"=1+1", "=1+1"},         {",", "\",\""},
                 {"null", "null"}};
    for (size_t i = 0; i < LP_COUNT(known); i++)
        assert_string_equal(field(known[i].text, strlen(known[i].text)), known[i].written);
}

static void rows_are_lines_of_typed_values_and_null_is_nothing(void **state)
{
    struct lp_column list[] = {{.name = "s", .type = LP_TYPE_STRING},    {.name = "i", .type = LP_TYPE_BIGINT},
                               {.name = "d", .type = LP_TYPE_DOUBLE},    {.name = "b", .type = LP_TYPE_BOOLEAN},
                               {.name = "t", .type = LP_TYPE_TIMESTAMP}, {.name = "day", .type = LP_TYPE_DATE}};
    const struct lp_columns columns = {list, LP_COUNT(list)};
    LP_AUTO(lp_batch) b = {0};
    LP_AUTO(lp_buf) out = {0};
    bool keep[4] = {true, true, true, false};
    assert_ok(lp_batch_init(&b, &columns, 4, &err));
    b.row_count = 4;
    for (size_t row = 0; row < 4; row++) {
        for (size_t c = 0; c < columns.count; c++) b.cells[c].null[row] = row == 1;
        b.cells[0].of.text[row] = lp_slice_of(row ? "x" : "");
        b.cells[1].of.i64[row] = INT64_MIN;
        b.cells[2].of.f64[row] = -0.5e-300;
        b.cells[3].of.boolean[row] = row == 0;
        b.cells[4].of.i64[row] = INT64_C(1349114400123456);
        b.cells[5].of.i64[row] = -719162;
    }
    lp_csv_put_header(&columns, &out);
    lp_csv_put_rows(&b, NULL, &out);
    static const char row0[] = "\"\",-9223372036854775808,-5e-301,true,2012-10-01T18:00:00.123456Z,0001-01-01\n";
    static const char row2[] = "x,-9223372036854775808,-5e-301,false,2012-10-01T18:00:00.123456Z,0001-01-01\n";
    char wanted[600];
    snprintf(wanted, sizeof wanted, "s,i,d,b,t,day\n%s,,,,,\n%s%s", row0, row2, row2);
    assert_string_equal(lp_buf_text(&out), wanted);
    assert_ok(lp_batch_fail(&b, 0, "s", "check", "1", &err));
    lp_buf_clear(&out);
    lp_csv_put_rows(&b, keep, &out);
    snprintf(wanted, sizeof wanted, ",,,,,\n%s", row2);
    assert_string_equal(lp_buf_text(&out), wanted);
}

/* ---- reading ---- */

/* All records after the header as "line:field|field;"; the error's text when there is one. */
static const char *records(const char *folder, const char *bytes, size_t len, enum lp_code *code)
{
    static char shown[2000];
    const char *path = path_in(folder, "items.csv");
    LP_AUTO(lp_buf) out = {0};
    struct lp_csv_reader r;
    bool more = true;
    write_text(path, bytes, len);
    err = (struct lp_err){0};
    *code = lp_csv_open(&r, path, &err);
    for (size_t i = 0; !*code && i < r.field_count; i++)
        lp_buf_printf(&out, "%s%.*s", i ? "|" : "", (int)r.header[i].len, r.header[i].at);
    while (!*code) {
        *code = lp_csv_next(&r, &more, &err);
        if (*code || !more) break;
        lp_buf_printf(&out, ";%zu:", r.line);
        for (size_t i = 0; i < r.field_count; i++)
            lp_buf_printf(&out, "%s%.*s", i ? "|" : "", (int)r.fields[i].len, r.fields[i].at);
    }
    lp_csv_reader_release(&r);
    snprintf(shown, sizeof shown, "%s", *code ? err.text + strlen(path) : lp_buf_text(&out));
    return shown;
}

static void records_are_read_as_rfc_4180_says(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
        const char *read;
    } known[] = {{TEXT("a,b\n1,2\n"), "a|b;2:1|2"},
                 {TEXT("a,b\r\n1,2\r\n"), "a|b;2:1|2"},
                 {TEXT("a,b\n1,2"), "a|b;2:1|2"},
                 {TEXT("a,b\r\n1,2\r"), "a|b;2:1|2"},
                 {TEXT("a,b"), "a|b"},
                 {TEXT("\xEF\xBB\xBF"
                       "a,b\n1,2\n"),
                  "a|b;2:1|2"},
                 {TEXT("\xEF\xBB\xBF\"a\",b\n"), "a|b"},
                 {TEXT("a,b\n\"1,\"\"x\"\"\",\"\"\n"), "a|b;2:1,\"x\"|"},
                 {TEXT("a,b\n\"one\ntwo\r\nthree\",4\n5,6\n"), "a|b;2:one\ntwo\r\nthree|4;5:5|6"},
                 {TEXT("a,b\n,\n"), "a|b;2:|"},
                 {TEXT("a,b\n\n1,2\n\r\n3,4\n\n"), "a|b;3:1|2;5:3|4"},
                 {TEXT("a\n1\n\n2\n"), "a;2:1;3:;4:2"},
                 {TEXT("a,b\n 1 , 2 \n"), "a|b;2: 1 | 2 "},
                 {TEXT("a,b\nZürich,日本\n"), "a|b;2:Zürich|日本"},
                 {TEXT("\"a\nb\",c\n1,2\n"), "a\nb|c;3:1|2"},
                 {TEXT("a,b\n\"\"\"\",\"\"\"\"\"\"\n"), "a|b;2:\"|\"\""},
                 {TEXT("a,b\n1,\"2\"\r\n"), "a|b;2:1|2"},
                 {TEXT("a,,c\n1,2,3\n"), "a||c;2:1|2|3"}};
    enum lp_code code;
    for (size_t i = 0; i < LP_COUNT(known); i++) {
        assert_string_equal(records(*state, known[i].bytes, known[i].len, &code), known[i].read);
        assert_int_equal(code, LP_OK);
    }
}

static void what_is_no_csv_is_told_with_its_line(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
        const char *told;
    } known[] = {{TEXT(""), ": the file is empty"},
                 {TEXT("\xEF\xBB\xBF"), ": the file is empty"},
                 {TEXT("a,b\n1\n"), ":2: 1 field, the header has 2"},
                 {TEXT("a,b\n1,2\n1,2,3\n"), ":3: 3 fields, the header has 2"},
                 {TEXT("a,b\n\"open,2\n3,4\n"), ":2: a quote is not closed"},
                 {TEXT("\"a"), ":1: a quote is not closed"},
                 {TEXT("a,b\n\"x\ny\",1\n\"z"), ":4: a quote is not closed"},
                 {TEXT("a,b\n1,x\"y\"\n"), ":2: a quote stands inside a field"},
                 {TEXT("a,b\n\"1\"x,2\n"), ":2: text follows a closing quote"},
                 {TEXT("a,b\n\"1\" ,2\n"), ":2: text follows a closing quote"},
                 {TEXT("a,b\nZ\xFCrich,2\n"), ":2: not UTF-8"},
                 {TEXT("\xFF\xFE"
                       "a\0"),
                  ":1: not UTF-8"},
                 {TEXT("a,b\n1,2\n\xC3"), ":3: not UTF-8"}};
    enum lp_code code;
    for (size_t i = 0; i < LP_COUNT(known); i++) {
        const char *told = records(*state, known[i].bytes, known[i].len, &code);
        if (strncmp(told, known[i].told, strlen(known[i].told))) fail_msg("%s: %s", known[i].bytes, told);
        assert_int_equal(code, LP_DATA);
    }
}

static void a_record_and_its_fields_have_a_limit(void **state)
{
    size_t len = LP_CSV_MAX_RECORD_BYTES + 3;
    char *bytes = malloc(len);
    enum lp_code code;
    assert_non_null(bytes);
    memset(bytes, 'x', len);
    memcpy(bytes, "a\n", 2);
    records(*state, bytes, len - 1, &code);
    assert_int_equal(code, LP_OK);
    assert_string_equal(records(*state, bytes, len, &code), ":2: a record is longer than 1 MiB");
    assert_int_equal(code, LP_LIMIT);
    bytes[2] = '"';
    assert_string_equal(records(*state, bytes, len, &code),
                        ":2: a record is longer than 1 MiB; is a quote not closed?");
    memset(bytes, ',', len);
    records(*state, bytes, LP_CSV_MAX_FIELDS - 1, &code);
    assert_int_equal(code, LP_OK);
    records(*state, bytes, LP_CSV_MAX_FIELDS, &code);
    assert_int_equal(code, LP_LIMIT);
    free(bytes);
}

static void a_file_that_cannot_be_read_is_told(void **state)
{
    struct lp_csv_reader r;
    assert_code(lp_csv_open(&r, path_in(*state, "nothing.csv"), &err), LP_IO);
    assert_non_null(strstr(err.text, "nothing.csv: No such file"));
    lp_csv_reader_release(&r);
    assert_code(lp_csv_open(&r, *state, &err), LP_IO);
    lp_csv_reader_release(&r);
}

#define ROWS   10000
#define FIELDS 4

static size_t random_field(uint64_t *random, char text[16])
{
    static const char *const pieces[] = {"\"",   ",", "\n", "\r",   " ", "a", "é", "🌧",
                                         "\r\n", "x", "1",  "\"\"", "'", ";", "\t"};
    size_t len = 0;
    for (uint64_t count = next_random(random) % 4; count; count--) {
        const char *piece = pieces[next_random(random) % LP_COUNT(pieces)];
        memcpy(text + len, piece, strlen(piece));
        len += strlen(piece);
    }
    return len;
}

static void rows_read_back_as_they_were_written(void **state)
{
    const char *path = path_in(*state, "rows.csv");
    LP_AUTO(lp_buf) out = {0};
    struct lp_csv_reader r;
    bool more = true;
    char text[16];
    uint64_t random = 13;
    lp_buf_puts(&out, "a,b,c,d\n");
    for (size_t i = 0; i < ROWS * FIELDS; i++) {
        lp_csv_put_field(text, random_field(&random, text), &out);
        lp_buf_putc(&out, (i + 1) % FIELDS ? ',' : '\n');
    }
    assert_ok(lp_buf_code(&out, "rows", &err));
    write_text(path, out.data, out.len);
    assert_ok(lp_csv_open(&r, path, &err));
    random = 13;
    for (size_t row = 0; row < ROWS; row++) {
        assert_ok(lp_csv_next(&r, &more, &err));
        assert_true(more);
        for (size_t i = 0; i < FIELDS; i++) {
            size_t len = random_field(&random, text);
            if (r.fields[i].len != len || memcmp(r.fields[i].at, text, len))
                fail_msg("row %zu, field %zu: %.*s", row, i, (int)len, text);
        }
    }
    assert_ok(lp_csv_next(&r, &more, &err));
    assert_false(more);
    lp_csv_reader_release(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_field_is_quoted_when_it_must_be),
        cmocka_unit_test(rows_are_lines_of_typed_values_and_null_is_nothing),
        with_folder(records_are_read_as_rfc_4180_says),
        with_folder(what_is_no_csv_is_told_with_its_line),
        with_folder(a_record_and_its_fields_have_a_limit),
        with_folder(a_file_that_cannot_be_read_is_told),
        with_folder(rows_read_back_as_they_were_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
