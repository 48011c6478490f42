/* A time zone's file, whatever is in it: what is read is a clock. */
#include "fuzz.h"

#include "schedule/expression.h"

/* A local time is there at its first instant, or clocks pass over it and go on later. */
static void local_times_hold(const struct lp_zone *z, int64_t local)
{
    int64_t utc, again, later, resumes = INT64_MIN;
    if (lp_zone_resolve(z, local, &utc, &resumes)) {
        LP_HOLDS(utc + lp_zone_offset(z, utc) == local);
        for (size_t i = 0; i < z->count; i++) {
            int64_t earlier = local - z->list[i].offset;
            LP_HOLDS(earlier >= utc || earlier + lp_zone_offset(z, earlier) != local);
        }
    } else {
        LP_HOLDS(resumes > local);
        LP_HOLDS(lp_zone_resolve(z, resumes, &again, &later));
        LP_HOLDS(again + lp_zone_offset(z, again) == resumes);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct lp_zone z;
    struct lp_err err = {0};
    struct lp_expression e;
    struct lp_buf file = {0};
    size_t column, width;
    if (len > 65536) return 0;
    lp_buf_put(&file, bytes, len);
    enum lp_code code = lp_zone_read(&z, &file, "file", &err);
    lp_buf_release(&file);
    LP_HOLDS(code == LP_OK || code == LP_CONFIG);
    LP_HOLDS(!code || (*err.text && !z.list));
    if (code) return 0;
    for (size_t i = 1; i < z.count; i++) LP_HOLDS(z.list[i].from > z.list[i - 1].from && z.list[i].offset != z.list[i - 1].offset);
    LP_HOLDS(!lp_expression_parse(&e, "cron(0/15 * * * ? *)", &column, &width, &err));
    size_t step = z.count / 40 + 1;
    for (size_t i = 0; i < z.count; i += step) {
        int64_t from = i ? z.list[i].from : 0, after = (from - 7200) * 1000000, next;
        for (int64_t d = -7200; d <= 7200; d += 1800) local_times_hold(&z, from + z.list[i].offset + d);
        for (int n = 0; n < 12 && lp_expression_next(&e, &z, after, &next); n++) {
            LP_HOLDS(next > after);
            after = next;
        }
    }
    lp_zone_release(&z);
    return 0;
}
