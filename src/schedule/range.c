#include "schedule/range.h"

#include "base/clock.h"

#define SECOND_US INT64_C(1000000)
#define DAY_S     INT64_C(86400)

/* The instant at which a day of the zone's clock begins; where clocks pass over midnight, when they go on. */
static int64_t day_begins_us(const struct lp_zone *z, int64_t day)
{
    int64_t utc, unused, resumes = day * DAY_S;
    if (!lp_zone_resolve(z, day * DAY_S, &utc, &resumes) && !lp_zone_resolve(z, resumes, &utc, &unused)) utc = day * DAY_S;
    return utc * SECOND_US;
}

/* An end as written: the instant, or the first one of the day and the first one of the next. */
static enum lp_code read_end(const struct lp_zone *z, const char *name, const char *text, int64_t *first_us, int64_t *behind_us,
                             struct lp_err *err)
{
    int64_t day;
    if (lp_date_parse_iso(text, strlen(text), &day)) {
        *first_us = day_begins_us(z, day);
        *behind_us = day_begins_us(z, day + 1);
        return LP_OK;
    }
    if (!lp_time_parse_slot(text, first_us))
        return lp_fail(err, LP_USAGE, "--%s %.60s is neither a day nor a time; write it like 2026-10-01 or 2026-10-01T18:00:00Z", name, text);
    *behind_us = *first_us + 1;
    return LP_OK;
}

static enum lp_code read_ends(struct lp_range *r, const char *from, const char *to, int64_t now_us, struct lp_err *err)
{
    int64_t unused;
    LP_TRY(read_end(&r->zone, "from", from, &r->from_us, &unused, err));
    LP_TRY(read_end(&r->zone, "to", to, &unused, &r->until_us, err));
    if (r->until_us <= r->from_us)
        return lp_fail(err, LP_USAGE, "--to %.60s lies before --from %.60s; the earlier time comes first", to, from);
    if (r->from_us > now_us) return lp_fail(err, LP_USAGE, "--from %.60s lies in the future; nothing is due there yet", from);
    r->cut = r->until_us > now_us + 1;
    if (r->cut) r->until_us = now_us + 1;
    r->at_us = r->from_us - 1;
    return LP_OK;
}

enum lp_code lp_range_open(struct lp_range *r, const struct lp_schedule *s, const char *from, const char *to, int64_t now_us,
                           struct lp_err *err)
{
    size_t column, width;
    *r = (struct lp_range){0};
    LP_TRY(lp_expression_parse(&r->expression, s->expression, &column, &width, err));
    LP_TRY(lp_zone_open(&r->zone, s->timezone, err));
    return read_ends(r, from, to, now_us, err);
}

void lp_range_release(struct lp_range *r)
{
    if (r) lp_zone_release(&r->zone);
}

bool lp_range_next(struct lp_range *r, int64_t *slot_us)
{
    int64_t next;
    if (!lp_expression_next(&r->expression, &r->zone, r->at_us, &next) || next >= r->until_us) return false;
    *slot_us = r->at_us = next;
    return true;
}

uint64_t lp_range_count(const struct lp_range *r, uint64_t most, int64_t *last_us)
{
    struct lp_range look = *r; /* its zone is only read */
    uint64_t count = 0;
    int64_t slot;
    while (count < most && lp_range_next(&look, &slot)) {
        count++;
        if (last_us) *last_us = slot;
    }
    return count;
}
