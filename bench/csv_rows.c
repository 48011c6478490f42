/* csv_rows ROWS OUT: makes the rows of bench/python/rows.py in memory, in batches as a run has them, then writes them to
 * OUT with the program's own CSV writer. Prints the seconds the writing took. */
#include "table/csv.h"

#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static const char *const words[] = {"sky is clear", "few clouds", "broken clouds", "light rain, mist"};
static struct lp_column list[] = {
    {.name = "temperature", .type = LP_TYPE_DOUBLE},
    {.name = "humidity", .type = LP_TYPE_BIGINT},
    {.name = "description", .type = LP_TYPE_STRING},
    {.name = "observed_at", .type = LP_TYPE_TIMESTAMP},
};
static const struct lp_columns columns = {list, 4};

static void end(const char *what)
{
    fprintf(stderr, "csv_rows: %s\n", what);
    exit(1);
}

static void fill(struct lp_batch *b, size_t first)
{
    for (size_t row = 0; row < b->row_count; row++) {
        size_t i = first + row;
        b->cells[0].of.f64[row] = ((double)((i * 7919) % 14000) / 100 - 60) * 9 / 5 + 32;
        b->cells[1].of.i64[row] = (int64_t)(i % 101);
        b->cells[2].of.text[row] = lp_slice_of(words[i % 4]);
        b->cells[3].of.i64[row] = (1350000000 + (int64_t)i) * 1000000;
    }
}

static void write_all(int fd, const struct lp_buf *text)
{
    for (size_t at = 0; at < text->len;) {
        ssize_t n = write(fd, text->data + at, text->len - at);
        if (n < 0) end("cannot write");
        at += (size_t)n;
    }
}

int main(int argc, char **argv)
{
    if (argc != 3) end("usage: csv_rows ROWS OUT");
    size_t rows = strtoull(argv[1], NULL, 10), count = (rows + LP_BATCH_ROWS - 1) / LP_BATCH_ROWS;
    struct lp_batch *batches = calloc(count, sizeof *batches);
    struct lp_err err;
    struct timespec start, stop;
    LP_AUTO(lp_buf) text = {0};

    if (!batches) end("no memory");
    for (size_t i = 0; i < count; i++) {
        if (lp_batch_init(&batches[i], &columns, LP_BATCH_ROWS, &err)) end(err.text);
        batches[i].row_count = i + 1 < count ? LP_BATCH_ROWS : rows - i * LP_BATCH_ROWS;
        fill(&batches[i], i * LP_BATCH_ROWS);
    }

    clock_gettime(CLOCK_MONOTONIC, &start);
    int fd = open(argv[2], O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd < 0) end("cannot open the file");
    lp_csv_put_header(&columns, &text);
    for (size_t i = 0; i < count; i++) {
        lp_csv_put_rows(&batches[i], NULL, &text);
        if (lp_buf_code(&text, "rows", &err)) end(err.text);
        write_all(fd, &text);
        lp_buf_clear(&text);
    }
    if (close(fd)) end("cannot close the file");
    clock_gettime(CLOCK_MONOTONIC, &stop);
    printf("%.6f\n", (double)(stop.tv_sec - start.tv_sec) + (double)(stop.tv_nsec - start.tv_nsec) / 1e9);
    return 0;
}
