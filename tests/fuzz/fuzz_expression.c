/* An expression, whatever it says: refused at a place within it, or due at instants that match. The first byte chooses zone and time. */
#include "fuzz.h"

#include "base/clock.h"
#include "schedule/expression.h"

static const char *const places[] = {"UTC", "Europe/Berlin", "Australia/Lord_Howe", "Africa/Cairo"};
static struct lp_zone zones[4];

static void open_zones(void)
{
    static bool open;
    for (size_t i = 0; !open && i < LP_COUNT(zones); i++) LP_HOLDS(!lp_zone_open(&zones[i], places[i], NULL));
    open = true;
}

static void fires_when_it_says(const struct lp_expression *e, const struct lp_zone *z, int64_t after_us)
{
    int64_t next;
    for (int n = 0; n < 5 && lp_expression_next(e, z, after_us, &next); n++, after_us = next) {
        LP_HOLDS(next > after_us && next % 1000000 == 0);
        struct lp_civil c = lp_civil_of(next + lp_zone_offset(z, next / 1000000) * 1000000);
        if (e->kind == LP_EXPRESSION_RATE) LP_HOLDS(next % e->period_us == 0 && lp_civil_of(next).year <= LP_YEAR_LAST);
        if (e->kind != LP_EXPRESSION_CRON && e->kind != LP_EXPRESSION_UNIX) continue;
        LP_HOLDS(c.year <= LP_YEAR_LAST && c.second == 0 && e->minutes >> c.minute & 1 && e->hours >> c.hour & 1 && e->months >> c.month & 1);
        if (e->month_day_rule == LP_DAY_SET && !e->either_day) LP_HOLDS(e->month_days >> c.day & 1);
    }
}

/* In EventBridge's words it is due at the same instants. */
static void aws_reads_the_same(const struct lp_expression *e, const char *text, const struct lp_zone *z, int64_t after_us)
{
    struct lp_buf aws = {0};
    struct lp_expression again;
    struct lp_err err;
    size_t column, width;
    int64_t a = after_us, b = after_us;
    if (lp_expression_put_aws(e, text, &aws) && aws.len < 512) {
        LP_HOLDS(!lp_expression_parse(&again, lp_buf_text(&aws), &column, &width, &err));
        for (int n = 0; n < 3; n++) {
            bool there = lp_expression_next(e, z, a, &a);
            LP_HOLDS(lp_expression_next(&again, z, b, &b) == there);
            if (!there) break;
            /* Plain cron has no years; EventBridge's end in 2199, as ours do. */
            LP_HOLDS(a == b);
        }
    }
    lp_buf_release(&aws);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static const int64_t times_us[] = {INT64_C(1349114430000000), INT64_C(1792800000000000), INT64_C(1774742400000000), -1, INT64_MIN, INT64_MAX,
                                       INT64_C(7258000000000000), 0};
    struct lp_expression e;
    struct lp_err err = {0};
    struct lp_buf words = {0}, rule = {0};
    size_t column = SIZE_MAX, width = SIZE_MAX;
    if (!len) return 0;
    open_zones();
    char *text = strndup((const char *)bytes + 1, len - 1);
    if (!text) return 0;
    const struct lp_zone *z = &zones[*bytes & 3];
    int64_t after_us = times_us[*bytes >> 2 & 7];
    enum lp_code code = lp_expression_parse(&e, text, &column, &width, &err);
    LP_HOLDS(code == LP_OK || code == LP_CONFIG);
    if (code) {
        LP_HOLDS(*err.text && column <= strlen(text) && width >= 1 && (column + width <= strlen(text) || width == 1));
    } else {
        fires_when_it_says(&e, z, after_us);
        aws_reads_the_same(&e, text, z, after_us);
        lp_expression_put_words(&e, places[*bytes & 3], &words);
        const char *why = lp_expression_put_rule(&e, text, z, INT64_C(1792800000000000), &rule);
        LP_HOLDS(words.len && (why || rule.len));
    }
    lp_buf_release(&words);
    lp_buf_release(&rule);
    free(text);
    return 0;
}
