/* Stands in for parquet.c in a build without carquet. */
#include "table/rowback.h"

static enum lp_code open_rows(const struct lp_rowfile_setting *s, const struct lp_rowfile_target *t,
                              struct lp_rowfile **out, struct lp_err *err)
{
    (void)s;
    (void)t;
    (void)out;
    return lp_fail(err, LP_CONFIG, "Parquet is not in this build");
}

const struct lp_format_info lp_format_parquet = {
    "parquet", ".parquet", "this program was built without carquet, which writes Parquet", open_rows};

enum lp_code lp_rowback_parquet(const struct lp_columns *columns, const void *bytes, size_t len, struct lp_rowback **out,
                                struct lp_err *err)
{
    (void)columns;
    (void)bytes;
    (void)len;
    (void)out;
    return lp_fail(err, LP_DATA, "Parquet is not in this build");
}
