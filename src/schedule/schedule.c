#include "schedule/schedule.h"

static const char *const overlaps[] = {"skip", "queue", "allow"};

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
     .help = "What happens when a run is due while another is at work."},
};
const struct lp_fields lp_schedule_fields = {"schedule", "When the pipeline runs.", fields, LP_COUNT(fields)};
