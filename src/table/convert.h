/* convert.h — from what a reply holds to the value a column wants: one rule, documented in docs/pipeline-file.md.
 * Model:   absent and null are NULL (or the column's default). A number that arrives as text is read strictly as JSON
 *          would; a whole number may arrive as 5.0; nothing is rounded or guessed. What does not fit makes the row bad,
 *          with the value as failure case, and the cell NULL. Units are converted here.
 * Owns:    texts stay where they are (the reply's tree, the item's bindings); what must be made lies in the batch's
 *          arena.
 * Units:   as in columns.h.
 * Errors:  only the arena's; a value that does not fit is no error of the program.
 * Threads: one thread per batch.
 */
#ifndef LP_TABLE_CONVERT_H
#define LP_TABLE_CONVERT_H

#include "table/batch.h"

/* value may be NULL: absent. */
enum lp_code lp_convert_json(struct lp_batch *b, size_t column, size_t row, const json_t *value,
                             struct lp_err *err) LP_CHECKED;
enum lp_code lp_convert_text(struct lp_batch *b, size_t column, size_t row, struct lp_slice text,
                             struct lp_err *err) LP_CHECKED;

/* A value of the column's type, outside any batch. */
struct lp_value {
    struct lp_slice text;
    int64_t i64;
    double f64;
    bool boolean;
};
/* Reads text as the column's type (no unit conversion); false when it is not of that type. */
bool lp_value_parse(const struct lp_column *c, struct lp_slice text, struct lp_value *out);

#endif
