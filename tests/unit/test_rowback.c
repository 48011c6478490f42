/* Rows out of files that this program wrote: written again they give the same bytes, in both formats. */
#include "test.h"

#include "parquet_rows.h"

#include "table/rowback.h"

static struct lp_err err;

static enum lp_code put(void *room, const void *bytes, size_t len, struct lp_err *e)
{
    lp_buf_put(room, bytes, len);
    return lp_buf_code(room, "a file", e);
}

/* JSON has no such numbers, and CSV's reader takes none. */
static void only_finite(struct lp_batch *b)
{
    for (size_t k = 0; k < b->columns->count; k++)
        for (size_t row = 0; b->columns->list[k].type == LP_TYPE_DOUBLE && row < b->row_count; row++)
            if (!isfinite(b->cells[k].of.f64[row])) b->cells[k].of.f64[row] = 1e300;
}

static struct lp_rowfile *writer_of(enum lp_format format, struct lp_buf *scratch, struct lp_buf *file)
{
    const struct lp_rowfile_target target = {put, file};
    const struct lp_rowfile_setting setting = {&parquet_columns, "weather", scratch};
    struct lp_rowfile *out;
    assert_ok(lp_format_info(format)->open(&setting, &target, &out, &err));
    return out;
}

static void make_file(enum lp_format format, size_t rows, struct lp_buf *file)
{
    LP_AUTO(lp_batch) b = {0};
    LP_AUTO(lp_buf) scratch = {0};
    struct lp_rowfile *out = writer_of(format, &scratch, file);
    assert_ok(lp_batch_init(&b, &parquet_columns, LP_BATCH_ROWS, &err));
    for (size_t i = 0; i < rows;) {
        assert_ok(lp_batch_clear(&b, LP_BATCH_ROWS, &err));
        for (; b.row_count < b.row_cap && i < rows; i++) parquet_fill(&b, b.row_count++, i);
        if (format == LP_FORMAT_CSV) only_finite(&b);
        assert_ok(out->ops->write(out, &b, NULL, &err));
    }
    assert_ok(out->ops->finish(out, &err));
    lp_rowfile_free(&out);
}

/* Reads so many rows at a time and writes them again; the number of rows. */
static size_t write_again(enum lp_format format, const struct lp_buf *file, uint64_t at_a_time, struct lp_buf *again)
{
    LP_AUTO(lp_batch) b = {0};
    LP_AUTO(lp_buf) scratch = {0};
    struct lp_rowfile *out = writer_of(format, &scratch, again);
    struct lp_rowback *back;
    size_t rows = 0;
    assert_ok(lp_batch_init(&b, &parquet_columns, 1, &err));
    assert_ok(lp_rowback_open(format, &parquet_columns, file->data, file->len, &back, &err));
    for (bool more = true;;) {
        assert_ok(back->ops->next(back, at_a_time, &b, &more, &err));
        if (!more) break;
        assert_in_range(b.row_count, 1, at_a_time);
        assert_ok(out->ops->write(out, &b, NULL, &err));
        rows += b.row_count;
    }
    assert_ok(out->ops->finish(out, &err));
    lp_rowfile_free(&out);
    lp_rowback_free(&back);
    return rows;
}

static void rows_that_come_back_give_the_same_bytes(void **state)
{
    static const struct {
        size_t rows;
        uint64_t at_a_time;
    } cases[] = {{0, 5}, {1, 1}, {1, 1000}, {2, 1}, {100, 7}, {5000, 1024}, {30000, 999}, {20000, UINT64_MAX}};
    for (enum lp_format format = 0; format < LP_FORMAT_COUNT; format++) {
        if (lp_format_info(format)->missing) continue;
        for (size_t i = 0; i < LP_COUNT(cases); i++) {
            LP_AUTO(lp_buf) file = {0}, again = {0};
            make_file(format, cases[i].rows, &file);
            assert_int_equal(write_again(format, &file, cases[i].at_a_time, &again), cases[i].rows);
            assert_int_equal(again.len, file.len);
            assert_memory_equal(again.data, file.data, file.len);
        }
    }
}

static void a_file_of_other_columns_is_refused(void **state)
{
    struct lp_column list[PARQUET_COLUMNS];
    const struct lp_columns fewer = {list, PARQUET_COLUMNS - 1}, renamed = {list, PARQUET_COLUMNS};
    memcpy(list, parquet_column_list, sizeof list);
    for (enum lp_format format = 0; format < LP_FORMAT_COUNT; format++) {
        LP_AUTO(lp_buf) file = {0};
        struct lp_rowback *back = NULL;
        if (lp_format_info(format)->missing) continue;
        make_file(format, 3, &file);
        list[0].name = "text";
        assert_code(lp_rowback_open(format, &fewer, file.data, file.len, &back, &err), LP_DATA);
        list[0].name = "other";
        assert_code(lp_rowback_open(format, &renamed, file.data, file.len, &back, &err), LP_DATA);
        assert_null(back);
    }
}

/* Every byte damaged in turn, and every length: an error or rows, never a crash. */
static void a_damaged_file_harms_nothing(void **state)
{
    for (enum lp_format format = 0; format < LP_FORMAT_COUNT; format++) {
        LP_AUTO(lp_buf) file = {0};
        LP_AUTO(lp_batch) b = {0};
        uint64_t random = 7;
        if (lp_format_info(format)->missing) continue;
        make_file(format, 20, &file);
        assert_ok(lp_batch_init(&b, &parquet_columns, 1, &err));
        for (size_t i = 0; i < 3000; i++) {
            size_t len = i % 3 ? file.len : next_random(&random) % file.len;
            char *copy = malloc(len ? len : 1);
            struct lp_rowback *back = NULL;
            bool more = true;
            assert_non_null(copy);
            memcpy(copy, file.data, len);
            if (i % 3 && len) copy[next_random(&random) % len] = (char)next_random(&random);
            if (!lp_rowback_open(format, &parquet_columns, copy, len, &back, &err))
                for (int rounds = 0; more && rounds < 1000; rounds++)
                    if (back->ops->next(back, 100, &b, &more, &err)) break;
            lp_rowback_free(&back);
            free(copy);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_that_come_back_give_the_same_bytes),
        cmocka_unit_test(a_file_of_other_columns_is_refused),
        cmocka_unit_test(a_damaged_file_harms_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
