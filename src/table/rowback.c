#include "table/rowback.h"

enum lp_code lp_rowback_open(enum lp_format f, const struct lp_columns *columns, const void *bytes, size_t len,
                             struct lp_rowback **out, struct lp_err *err)
{
    *out = NULL;
    return f == LP_FORMAT_CSV ? lp_rowback_csv(columns, bytes, len, out, err) : lp_rowback_parquet(columns, bytes, len, out, err);
}

void lp_rowback_free(struct lp_rowback **r)
{
    if (*r) (*r)->ops->free(*r);
    *r = NULL;
}
