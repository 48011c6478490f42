/* parquet_file ROWS BATCH SHED OUT: the rows of parquet_rows.h in a Parquet file, for readers that others wrote
 * (tests/e2e/test_parquet.py). */
#include "parquet_rows.h"

#include <stdlib.h>

static enum lp_code put(void *room, const void *bytes, size_t len, struct lp_err *err)
{
    return fwrite(bytes, 1, len, room) == len ? LP_OK : lp_fail_errno(err, "cannot write");
}

int main(int argc, char **argv)
{
    struct lp_err err = {0};
    if (argc != 5) return 2;
    FILE *out = fopen(argv[4], "we");
    const struct lp_rowfile_target target = {put, out};
    if (!out || parquet_write(strtoull(argv[1], NULL, 10), strtoull(argv[2], NULL, 10), strtoull(argv[3], NULL, 10),
                              &target, &err)) {
        fprintf(stderr, "parquet_file: %s\n", err.text);
        return 1;
    }
    return fclose(out) != 0;
}
