#include "pipeline/function_size.h"

static const struct lp_field fields[] = {
    {.name = "memory",
     .kind = LP_FIELD_INT,
     .offset = offsetof(struct lp_function_size, memory_mb),
     .fallback = "128",
     .min = 128,
     .max = 10240,
     .example = "256",
     .help = "Its memory in MB. Lambda gives processor time in proportion: 1769 MB is one processor."},
    {.name = "timeout",
     .kind = LP_FIELD_DURATION,
     .offset = offsetof(struct lp_function_size, timeout_ms),
     .min = 1000,
     .max = 900000,
     .example = "5m",
     .help = "How long one call may take; a minute more than `source.retry.deadline` when left out."},
};
const struct lp_fields lp_function_size_fields = {"function", "How large its Lambda function is.", fields,
                                                  LP_COUNT(fields)};
