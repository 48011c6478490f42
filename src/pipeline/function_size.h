/* function_size.h — the `function` section: how large the pipeline's Lambda function is.
 * Model:   memory and the time one call may take. Only the template reads it; a run elsewhere is not bound by it.
 * Owns:    nothing.
 * Units:   megabytes as Lambda counts them, milliseconds.
 * Errors:  faults with place.
 * Threads: read only once read.
 */
#ifndef LP_PIPELINE_FUNCTION_SIZE_H
#define LP_PIPELINE_FUNCTION_SIZE_H

#include "config/field.h"

struct lp_function_size {
    int64_t memory_mb;
    int64_t timeout_ms; /* 0: not said */
};

extern const struct lp_fields lp_function_size_fields;

#endif
