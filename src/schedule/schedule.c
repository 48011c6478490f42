#include "schedule/schedule.h"

#include "schedule/expression.h"

static const char *const overlaps[] = {"skip", "queue", "allow"};
static const char *const catch_ups[] = {"none", "latest", "all"};
#define DAY_MS 86400000.0

static const struct lp_field fields[] = {
    {.name = "expression",
     .kind = LP_FIELD_TEXT,
     .offset = offsetof(struct lp_schedule, expression),
     .required = true,
     .example = "\"cron(0 18 * * ? *)\"",
     .help = "When the pipeline runs, as EventBridge writes it: cron(…), rate(…) or at(…)."},
    {.name = "timezone",
     .kind = LP_FIELD_TEXT,
     .offset = offsetof(struct lp_schedule, timezone),
     .fallback = "UTC",
     .example = "America/New_York",
     .help = "The IANA time zone the expression is read in."},
    {.name = "overlap",
     .kind = LP_FIELD_WORD,
     .offset = offsetof(struct lp_schedule, overlap),
     .fallback = "skip",
     .words = overlaps,
     .word_count = LP_COUNT(overlaps),
     .example = "skip",
     .help = "What `serve` does when a slot is due while another one is run: leave it out, run it afterwards, or run both at once."},
    {.name = "catch_up",
     .kind = LP_FIELD_WORD,
     .offset = offsetof(struct lp_schedule, catch_up),
     .fallback = "latest",
     .words = catch_ups,
     .word_count = LP_COUNT(catch_ups),
     .example = "all",
     .help = "What `serve` does about slots that were missed while it was down, which are those without a run record behind the "
             "first one: nothing, run the last one, or run them all, the oldest first. A slot up to two minutes late is not "
             "missed: it is run in any case."},
    {.name = "catch_up_limit",
     .kind = LP_FIELD_INT,
     .offset = offsetof(struct lp_schedule, catch_up_limit),
     .fallback = "24",
     .min = 1,
     .max = 1000,
     .example = "100",
     .help = "`catch_up: all` runs the newest so many slots at most."},
    {.name = "jitter",
     .kind = LP_FIELD_DURATION,
     .offset = offsetof(struct lp_schedule, jitter_ms),
     .fallback = "0",
     .max = DAY_MS,
     .example = "30s",
     .help = "`serve` starts a run up to so much later, by an amount that depends on pipeline and slot alone: many that are due at "
             "once are spread."},
    {.name = "time_limit",
     .kind = LP_FIELD_DURATION,
     .offset = offsetof(struct lp_schedule, time_limit_ms),
     .fallback = "1h",
     .min = 1000,
     .max = 7 * DAY_MS,
     .example = "10m",
     .help = "`serve` stops a run that takes longer; it has failed then."},
    {.name = "retries",
     .kind = LP_FIELD_INT,
     .offset = offsetof(struct lp_schedule, retries),
     .fallback = "2",
     .max = 100,
     .example = "5",
     .help = "How often `serve` runs a slot again that failed, as long as the next slot is not due. On AWS, Lambda runs it again "
             "up to twice. (Single requests have their own `source.retry`.)"},
    {.name = "retry_after",
     .kind = LP_FIELD_DURATION,
     .offset = offsetof(struct lp_schedule, retry_after_ms),
     .fallback = "1m",
     .min = 1000,
     .max = DAY_MS,
     .example = "5m",
     .help = "How long `serve` waits before that; twice as long each time."},
};
const struct lp_fields lp_schedule_fields = {"schedule", "When the pipeline runs.", fields, LP_COUNT(fields)};

static void check_expression(struct lp_reading *r, const struct lp_node *n, const char *text)
{
    struct lp_expression e;
    struct lp_err err;
    size_t column, width, within = 0;
    if (lp_expression_parse(&e, text, &column, &width, &err) == LP_OK) return;
    /* Where the file has the text as it is, the place within it is shown. */
    if (!strcmp(n->text, text) && n->width == n->len + (n->quoted ? 2 : 0)) within = column + n->quoted;
    lp_faults_add(r->faults, n->line, n->column + within, within ? width : n->width, NULL, "schedule \"%s\": %s", text, err.text);
}

void lp_schedule_read(struct lp_reading *r, const struct lp_node *map, struct lp_schedule *s)
{
    struct lp_zone zone;
    struct lp_err err;
    lp_fields_read(r, &lp_schedule_fields, map, map, s);
    const struct lp_node *expression = lp_node_get(map, "expression"), *timezone = lp_node_get(map, "timezone");
    if (expression && s->expression) check_expression(r, expression, s->expression);
    if (!timezone || !s->timezone) return;
    enum lp_code code = lp_zone_open(&zone, s->timezone, &err);
    if (code && !lp_reading_starved(r, code)) lp_node_fault(r, timezone, NULL, "%s", err.text);
    lp_zone_release(&zone);
}

bool lp_schedule_put_aws(const struct lp_schedule *s, struct lp_buf *out)
{
    struct lp_expression e;
    size_t column, width;
    return !lp_expression_parse(&e, s->expression, &column, &width, NULL) && lp_expression_put_aws(&e, s->expression, out);
}

const char *lp_schedule_odd(const struct lp_schedule *s, int64_t now_us)
{
    struct lp_expression e;
    struct lp_zone zone;
    size_t column, width;
    int64_t next;
    if (lp_expression_parse(&e, s->expression, &column, &width, NULL) || lp_zone_open(&zone, s->timezone, NULL)) return NULL;
    bool due = lp_expression_next(&e, &zone, now_us, &next);
    lp_zone_release(&zone);
    return due ? e.odd : "it never fires again";
}

bool lp_schedule_next(const struct lp_schedule *s, int64_t after_us, struct lp_buf *words, int64_t *next_us)
{
    struct lp_expression e;
    struct lp_zone zone;
    size_t column, width;
    if (lp_expression_parse(&e, s->expression, &column, &width, NULL) || lp_zone_open(&zone, s->timezone, NULL)) return false;
    lp_expression_put_words(&e, s->timezone, words);
    bool there = lp_expression_next(&e, &zone, after_us, next_us);
    lp_zone_release(&zone);
    return there;
}

bool lp_schedule_last(const struct lp_schedule *s, int64_t until_us, int64_t *last_us)
{
    struct lp_expression e;
    struct lp_zone zone;
    size_t column, width;
    if (lp_expression_parse(&e, s->expression, &column, &width, NULL) || lp_zone_open(&zone, s->timezone, NULL)) return false;
    bool there = lp_expression_last(&e, &zone, 0, until_us, last_us, 1) == 1;
    lp_zone_release(&zone);
    return there;
}
