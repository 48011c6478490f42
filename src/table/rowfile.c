#include "table/rowfile.h"

const struct lp_format_info *lp_format_info(enum lp_format f)
{
    static const struct lp_format_info *const all[LP_FORMAT_COUNT] = {
        [LP_FORMAT_CSV] = &lp_format_csv,
        [LP_FORMAT_PARQUET] = &lp_format_parquet,
    };
    return all[f];
}

bool lp_format_of_name(const char *name, enum lp_format *out)
{
    size_t len = strlen(name);
    for (enum lp_format f = 0; f < LP_FORMAT_COUNT; f++) {
        const char *ending = lp_format_info(f)->ending;
        size_t n = strlen(ending);
        if (len <= n || strcmp(name + len - n, ending) != 0) continue;
        *out = f;
        return true;
    }
    return false;
}

void lp_rowfile_free(struct lp_rowfile **r)
{
    if (*r) (*r)->ops->free(*r);
    *r = NULL;
}
