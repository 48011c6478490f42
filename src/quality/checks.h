/* checks.h — the checks a column may carry: Pandera's names, Pandera's rules.
 * Model:   a check is a rule about one value; its text, as Pandera prints it (in_range(0, 10)), names it in failure
 *          cases. NULLs are passed over unless ignore_na is false; they are `nullable`'s business.
 * Owns:    the list lies in the arena of the definition, compiled patterns are freed by lp_checks_release.
 * Units:   values are compared as the column's type: integers exactly, times as instants.
 * Errors:  faults with place.
 * Threads: read only once read, but for the patterns' match data.
 */
#ifndef LP_QUALITY_CHECKS_H
#define LP_QUALITY_CHECKS_H

#include "table/batch.h"
#include "table/convert.h"

enum lp_check_kind {
    LP_CHECK_EQ,
    LP_CHECK_NE,
    LP_CHECK_GT,
    LP_CHECK_GE,
    LP_CHECK_LT,
    LP_CHECK_LE,
    LP_CHECK_RANGE,
    LP_CHECK_ISIN,
    LP_CHECK_NOTIN,
    LP_CHECK_MATCHES,
    LP_CHECK_CONTAINS,
    LP_CHECK_STARTS,
    LP_CHECK_ENDS,
    LP_CHECK_LENGTH,
    LP_CHECK_VALUES_EQ,
    LP_CHECK_UNIQUE
};

struct lp_pattern; /* a compiled regular expression */

struct lp_check {
    struct lp_check *next;
    enum lp_check_kind kind;
    size_t column;
    const char *text;        /* in_range(0, 10) */
    struct lp_value *values; /* one, two (range) or a set */
    size_t value_count;
    const char **words;      /* the values as written */
    bool open_min, open_max; /* range: the end itself is out */
    int64_t least, most;     /* length, in code points; most -1: no upper end */
    struct lp_pattern *pattern;
    bool ignore_na, raise_warning;
    size_t rule; /* index among the rules of the pipeline */
};

struct lp_checks {
    struct lp_check *first, *last;
    size_t count;
    struct lp_columns *columns;
};

/* Names, aliases and helps, for documentation and schema. */
extern const struct lp_fields lp_check_fields;

/* What lp_columns_read hands the keys that are not the column's own. */
void lp_checks_extras(struct lp_checks *c, struct lp_columns *columns, struct lp_column_extras *out);
void lp_checks_release(struct lp_checks *c);

/* Does the value at row pass? The cell is not NULL. */
bool lp_check_passes(const struct lp_check *c, const struct lp_cells *cells, enum lp_type type, size_t row);
/* Does a NULL pass, when it is looked at at all? */
bool lp_check_passes_null(const struct lp_check *c);
/* Index of the value within the check's set, or -1. */
ptrdiff_t lp_check_find(const struct lp_check *c, const struct lp_cells *cells, enum lp_type type, size_t row);

#endif
