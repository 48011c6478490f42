/* definition.h — a whole pipeline file as one struct.
 * Model:   the sections, read and checked; nothing here touches the network.
 * Owns:    everything the sections point to lies in its arena; lp_pipeline_release gives it back.
 * Errors:  LP_CONFIG when there are faults: all of them, in *faults, sorted by place. LP_NOTFOUND, LP_IO, LP_NOMEM.
 * Threads: read only once loaded.
 */
#ifndef LP_PIPELINE_DEFINITION_H
#define LP_PIPELINE_DEFINITION_H

#include "lake/sink.h"
#include "notify/notify.h"
#include "pipeline/function_size.h"
#include "quality/quality.h"
#include "schedule/schedule.h"
#include "source/source.h"
#include "table/columns.h"

struct lp_pipeline {
    const char *name, *description;
    struct lp_source source;
    struct lp_columns columns;
    struct lp_checks checks; /* of the columns */
    struct lp_quality quality;
    struct lp_sink sink;
    struct lp_schedule schedule;
    struct lp_notify notify;
    struct lp_function_size function;
    struct lp_variables variables;

    struct lp_arena arena;
    struct lp_buf text; /* the file */
    const char *path, *folder;
};

enum lp_code lp_pipeline_load(struct lp_pipeline *p, const char *path, struct lp_faults *faults,
                              struct lp_err *err) LP_CHECKED;
/* The same for a run elsewhere: what the file takes from the environment is asked of *e. */
enum lp_code lp_pipeline_load_for(struct lp_pipeline *p, const char *path, struct lp_environment *e,
                                  struct lp_faults *faults, struct lp_err *err) LP_CHECKED;
/* The same of a text that was read from there before; NULL: it is read now. */
enum lp_code lp_pipeline_load_text(struct lp_pipeline *p, const char *path, const struct lp_buf *text,
                                   struct lp_environment *e, struct lp_faults *faults, struct lp_err *err) LP_CHECKED;
void lp_pipeline_release(struct lp_pipeline *p);

/* docs/pipeline-file.md and the JSON Schema, from the field tables. */
void lp_pipeline_put_reference(struct lp_buf *out);
void lp_pipeline_put_schema(struct lp_buf *out);

#endif
