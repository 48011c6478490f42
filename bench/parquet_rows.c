/* parquet_rows ROWS OUT: makes the rows of bench/python/parquet.py in memory, in batches as a run has them, then writes them
 * to OUT with the program's own Parquet writer. Prints the seconds the writing took. */
#include "table/rowfile.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static struct lp_column list[] = {
    {.name = "city", .type = LP_TYPE_STRING},
    {.name = "temperature", .type = LP_TYPE_DOUBLE},
    {.name = "pressure", .type = LP_TYPE_BIGINT},
    {.name = "observed_at", .type = LP_TYPE_TIMESTAMP},
};
static const struct lp_columns columns = {list, 4};
static char cities[50][16];

static void end(const char *what)
{
    fprintf(stderr, "parquet_rows: %s\n", what);
    exit(1);
}

/* splitmix64: what cannot be guessed does not compress by itself */
static uint64_t mix(uint64_t i)
{
    uint64_t z = (i + 1) * 0x9E3779B97F4A7C15U;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31);
}

static void fill(struct lp_batch *b, size_t first)
{
    for (size_t row = 0; row < b->row_count; row++) {
        uint64_t i = first + row, mixed = mix(i);
        b->cells[0].of.text[row] = lp_slice_of(cities[(mixed >> 40) % 50]);
        b->cells[1].of.f64[row] = (double)((mixed >> 20) % 14000) / 100 - 60;
        b->cells[2].of.i64[row] = (int64_t)(mixed % 10000) + 95000;
        b->cells[3].of.i64[row] = (1350000000 + (int64_t)i) * 1000000;
    }
}

static enum lp_code write_all(void *room, const void *bytes, size_t len, struct lp_err *err)
{
    for (size_t at = 0; at < len;) {
        ssize_t n = write(*(int *)room, (const char *)bytes + at, len - at);
        if (n < 0) return lp_fail_errno(err, "cannot write");
        at += (size_t)n;
    }
    return LP_OK;
}

static struct lp_batch *make_batches(size_t rows, size_t count)
{
    struct lp_batch *batches = calloc(count, sizeof *batches);
    struct lp_err err;
    if (!batches) end("no memory");
    for (size_t i = 0; i < 50; i++) snprintf(cities[i], sizeof cities[i], "City %02zu", i);
    for (size_t i = 0; i < count; i++) {
        if (lp_batch_init(&batches[i], &columns, LP_BATCH_ROWS, &err)) end(err.text);
        batches[i].row_count = i + 1 < count ? LP_BATCH_ROWS : rows - i * LP_BATCH_ROWS;
        fill(&batches[i], i * LP_BATCH_ROWS);
    }
    return batches;
}

int main(int argc, char **argv)
{
    if (argc != 3) end("usage: parquet_rows ROWS OUT");
    size_t rows = strtoull(argv[1], NULL, 10), count = (rows + LP_BATCH_ROWS - 1) / LP_BATCH_ROWS;
    struct lp_batch *batches = make_batches(rows, count);
    struct lp_rowfile *out;
    struct lp_err err;
    struct timespec start, stop;
    LP_AUTO(lp_buf) scratch = {0};

    clock_gettime(CLOCK_MONOTONIC, &start);
    int fd = open(argv[2], O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd < 0) end("cannot open the file");
    const struct lp_rowfile_setting setting = {&columns, "bench", &scratch};
    const struct lp_rowfile_target target = {write_all, &fd};
    if (lp_format_parquet.open(&setting, &target, &out, &err)) end(err.text);
    for (size_t i = 0; i < count; i++)
        if (out->ops->write(out, &batches[i], NULL, &err)) end(err.text);
    if (out->ops->finish(out, &err)) end(err.text);
    lp_rowfile_free(&out);
    if (close(fd)) end("cannot close the file");
    clock_gettime(CLOCK_MONOTONIC, &stop);
    printf("%.6f\n", (double)(stop.tv_sec - start.tv_sec) + (double)(stop.tv_nsec - start.tv_nsec) / 1e9);
    return 0;
}
