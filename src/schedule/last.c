#include "schedule/expression.h"

#include <string.h>

#define MINUTE_US INT64_C(60000000)

/* Steps from `from`, keeping the last n. */
static size_t step(const struct lp_expression *e, const struct lp_zone *z, int64_t from_us, int64_t until_us, int64_t *out,
                   size_t n)
{
    size_t count = 0;
    int64_t at = from_us, next;
    while (lp_expression_next(e, z, at, &next) && next <= until_us) {
        out[count++ % n] = next;
        at = next;
    }
    if (count <= n) return count;
    /* The ring begins behind the last one that was put in. */
    size_t first = count % n;
    for (size_t i = 0; i < first; i++) { /* rotate left by one, first times: n is small */
        int64_t head = out[0];
        memmove(out, out + 1, (n - 1) * sizeof *out);
        out[n - 1] = head;
    }
    return n;
}

/* A window that is doubled until it holds n instants: years are not stepped through for the last few. */
size_t lp_expression_last(const struct lp_expression *e, const struct lp_zone *z, int64_t from_us, int64_t until_us,
                       int64_t *out, size_t n)
{
    if (!n || until_us <= from_us) return 0;
    for (int64_t window = MINUTE_US;; window *= 2) {
        bool whole = window >= until_us - from_us;
        size_t count = step(e, z, whole ? from_us : until_us - window, until_us, out, n);
        if (whole || count == n) return count;
    }
}
