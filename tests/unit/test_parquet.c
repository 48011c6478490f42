/* Parquet as a format of rows: what goes to the target, and what comes of failures. That readers understand it is
 * tests/e2e/test_parquet.py's to say. */
#include "test.h"

#include "parquet_rows.h"

#include <errno.h>

static struct lp_err err;

/* ---- an allocator that fails on demand; linked with --wrap ---- */

static long left = -1; /* until the failure; -1: none */
static bool happened;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *at, size_t size);
void *__real_reallocarray(void *at, size_t count, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *at, size_t size);
void *__wrap_reallocarray(void *at, size_t count, size_t size);

static bool fails(void)
{
    if (left < 0 || left-- != 0) return false;
    happened = true;
    errno = ENOMEM;
    return true;
}
void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}
void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}
void *__wrap_realloc(void *at, size_t size)
{
    return fails() ? NULL : __real_realloc(at, size);
}
void *__wrap_reallocarray(void *at, size_t count, size_t size)
{
    return fails() ? NULL : __real_reallocarray(at, count, size);
}

/* ---- a target in memory that may be full ---- */

struct target {
    char *bytes;
    size_t len, cap;
    bool over; /* written to after it said no */
    bool full;
};

static enum lp_code put(void *room, const void *bytes, size_t len, struct lp_err *e)
{
    struct target *t = room;
    t->over = t->over || t->full;
    t->full = t->full || len > t->cap - t->len;
    if (t->full) return lp_fail(e, LP_IO, "No space left on device");
    memcpy(t->bytes + t->len, bytes, len);
    t->len += len;
    return LP_OK;
}

static struct target target_new(size_t cap)
{
    struct target t = {.bytes = malloc(cap ? cap : 1), .cap = cap};
    assert_non_null(t.bytes);
    return t;
}

static enum lp_code write_to(struct target *t, size_t count, size_t batch_rows, size_t shed_every)
{
    const struct lp_rowfile_target target = {put, t};
    return parquet_write(count, batch_rows, shed_every, &target, &err);
}

#define ROOM ((size_t)16 << 20)

static void the_same_rows_give_the_same_bytes_whatever_batches_they_came_in(void **state)
{
    (void)state;
    static const size_t batches[] = {1, 7, 1000, 1023, 1024};
    struct target first = target_new(ROOM);
    assert_ok(write_to(&first, 20000, 1024, 0));
    assert_memory_equal(first.bytes, "PAR1", 4);
    assert_memory_equal(first.bytes + first.len - 4, "PAR1", 4);
    for (size_t i = 0; i < LP_COUNT(batches); i++) {
        struct target t = target_new(ROOM);
        assert_ok(write_to(&t, 20000, batches[i], 0));
        assert_int_equal(t.len, first.len);
        assert_memory_equal(t.bytes, first.bytes, first.len);
        free(t.bytes);
    }
    free(first.bytes);
}

static void what_is_shed_is_handed_on_and_no_longer_held(void **state)
{
    (void)state;
    LP_AUTO(lp_batch) b = {0};
    struct target t = target_new(ROOM);
    const struct lp_rowfile_target target = {put, &t};
    const struct lp_rowfile_setting setting = {&parquet_columns, NULL, NULL};
    struct lp_rowfile *out;
    assert_ok(lp_batch_init(&b, &parquet_columns, 1000, &err));
    for (; b.row_count < 1000; b.row_count++) parquet_fill(&b, b.row_count, b.row_count);
    assert_ok(lp_format_parquet.open(&setting, &target, &out, &err));
    assert_ok(out->ops->write(out, &b, NULL, &err));
    assert_int_equal(t.len, 0);
    assert_in_range(out->held_bytes, 100000, 1000000);
    assert_ok(out->ops->shed(out, &err));
    assert_int_equal(out->held_bytes, 0);
    assert_in_range(t.len, 10000, 200000);
    size_t before = t.len;
    assert_ok(out->ops->shed(out, &err));
    assert_int_equal(t.len, before);
    assert_ok(out->ops->finish(out, &err));
    assert_true(t.len > before);
    lp_rowfile_free(&out);
    free(t.bytes);
}

static void only_good_rows_that_are_to_be_kept_are_written(void **state)
{
    (void)state;
    LP_AUTO(lp_batch) b = {0};
    struct target all = target_new(ROOM), some = target_new(ROOM);
    const struct lp_rowfile_target target = {put, &some};
    const struct lp_rowfile_setting setting = {&parquet_columns, "all-types", NULL};
    struct lp_rowfile *out;
    bool keep[12] = {false, false, true, true, true, true, true, true, false, true, true, true};
    size_t i = 0;
    assert_ok(write_to(&all, 8, 1024, 0));
    assert_ok(lp_batch_init(&b, &parquet_columns, 12, &err));
    for (b.row_count = 0; b.row_count < 12; b.row_count++)
        parquet_fill(&b, b.row_count, keep[b.row_count] && b.row_count != 5 ? i++ : 99);
    assert_ok(lp_batch_fail(&b, 5, "real", "in_range(0, 1)", "7", &err));
    assert_ok(lp_format_parquet.open(&setting, &target, &out, &err));
    assert_ok(out->ops->write(out, &b, keep, &err));
    assert_ok(out->ops->finish(out, &err));
    lp_rowfile_free(&out);
    assert_int_equal(i, 8);
    assert_int_equal(some.len, all.len);
    assert_memory_equal(some.bytes, all.bytes, all.len);
    free(all.bytes);
    free(some.bytes);
}

static void a_null_in_a_column_that_has_none_is_a_mistake_of_ours(void **state)
{
    (void)state;
    LP_AUTO(lp_batch) b = {0};
    struct target t = target_new(ROOM);
    const struct lp_rowfile_target target = {put, &t};
    const struct lp_rowfile_setting setting = {&parquet_columns, NULL, NULL};
    struct lp_rowfile *out;
    assert_ok(lp_batch_init(&b, &parquet_columns, 1, &err));
    parquet_fill(&b, 0, 0);
    b.row_count = 1;
    b.cells[1].null[0] = true;
    assert_ok(lp_format_parquet.open(&setting, &target, &out, &err));
    assert_code(out->ops->write(out, &b, NULL, &err), LP_BUG);
    assert_int_equal(out->ops->finish(out, &err), LP_BUG);
    lp_rowfile_free(&out);
    free(t.bytes);
}

static void a_target_that_is_full_is_told_and_not_written_to_again(void **state)
{
    (void)state;
    struct target whole = target_new(ROOM);
    assert_ok(write_to(&whole, 3000, 1024, 1024));
    for (size_t cap = 0; cap < whole.len; cap += cap < 200 || cap + 2500 > whole.len ? 1 : 997) {
        struct target t = target_new(cap);
        assert_code(write_to(&t, 3000, 1024, 1024), LP_IO);
        assert_string_equal(err.text, "No space left on device");
        assert_true(t.full && !t.over);
        free(t.bytes);
    }
    free(whole.bytes);
}

/* OK means the whole file: the bytes of the run in which nothing failed. Of every `stride` allocations one fails. */
static void allocations_fail(size_t count, size_t batch_rows, size_t shed_every, long stride)
{
    struct target whole = target_new(ROOM), t = target_new(ROOM);
    long failed = 0, silent = 0;
    assert_ok(write_to(&whole, count, batch_rows, shed_every));
    for (long k = 0;; k += stride, failed++) {
        t.len = 0;
        happened = false;
        left = k;
        enum lp_code code = write_to(&t, count, batch_rows, shed_every);
        left = -1;
        if (!happened) break;
        if (code && code != LP_NOMEM) fail_msg("allocation %ld: %s: %s", k, lp_code_info(code)->name, err.text);
        if (code) continue;
        silent++;
        if (t.len != whole.len || memcmp(t.bytes, whole.bytes, t.len) != 0)
            fail_msg("allocation %ld failed and the file is another", k);
    }
    print_message("%ld allocations failed in turn, %ld of them could be done without\n", failed, silent);
    assert_true(failed > 20 && silent < failed / 2);
    free(whole.bytes);
    free(t.bytes);
}

static void each_allocation_may_fail(void **state)
{
    (void)state;
    allocations_fail(70, 70, 0, 1);
}

static void each_allocation_of_several_row_groups_may_fail(void **state)
{
    (void)state;
    allocations_fail(60, 20, 20, 1);
}

static void allocations_of_several_batches_may_fail(void **state)
{
    (void)state;
    allocations_fail(9000, 1024, 0, 499);
}

static void each_allocation_of_a_file_without_rows_may_fail(void **state)
{
    (void)state;
    allocations_fail(0, 1, 0, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_rows_give_the_same_bytes_whatever_batches_they_came_in),
        cmocka_unit_test(what_is_shed_is_handed_on_and_no_longer_held),
        cmocka_unit_test(only_good_rows_that_are_to_be_kept_are_written),
        cmocka_unit_test(a_null_in_a_column_that_has_none_is_a_mistake_of_ours),
        cmocka_unit_test(a_target_that_is_full_is_told_and_not_written_to_again),
        cmocka_unit_test(each_allocation_may_fail),
        cmocka_unit_test(each_allocation_of_several_row_groups_may_fail),
        cmocka_unit_test(allocations_of_several_batches_may_fail),
        cmocka_unit_test(each_allocation_of_a_file_without_rows_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
