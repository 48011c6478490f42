/* quality.h — the `quality` section, and the judgement of a run's rows.
 * Model:   a batch is judged column by column: NULLs where none may be, then the checks; then rows that are good so far
 *          are compared with all before them (`unique`: the first occurrence stays; keys that are NULL throughout are
 *          not compared). A failure makes its row bad. The gate speaks at the end, over all rows.
 * Owns:    the judge owns its sets of keys, until release.
 * Units:   rows; max_bad is a share from 0 to 1.
 * Errors:  lp_quality_gate: LP_GATE with the reason. LP_NOMEM, LP_LIMIT, LP_IO (unique's temporary file).
 * Threads: one judge per run and thread.
 */
#ifndef LP_QUALITY_QUALITY_H
#define LP_QUALITY_QUALITY_H

#include "quality/checks.h"
#include "quality/seen.h"

#define LP_UNIQUE_SETS    16
#define LP_UNIQUE_COLUMNS 16

struct lp_unique {
    const char *names[LP_UNIQUE_COLUMNS];
    size_t columns[LP_UNIQUE_COLUMNS];
    size_t count;
    const struct lp_node *node;
};
struct lp_uniques {
    struct lp_unique list[LP_UNIQUE_SETS];
    size_t count;
};

struct lp_quality {
    struct lp_uniques unique;
    int64_t min_rows;
    double max_bad; /* 1: no gate */
};

extern const struct lp_fields lp_quality_fields;

/* Finds the columns that are named; adds the columns that are `unique` by themselves. */
void lp_quality_bind(struct lp_reading *r, struct lp_quality *q, const struct lp_checks *checks,
                     const struct lp_columns *columns);

struct lp_judge {
    const struct lp_quality *quality;
    struct lp_checks *checks;
    const struct lp_columns *columns;
    uint64_t rows_read, rows_bad, warnings;
    uint64_t *rule_failures; /* per rule: checks, columns that may not be NULL, unique sets */
    size_t rule_count;
    bool **values_seen; /* per check: which of unique_values_eq's values occurred; NULL for others */
    struct lp_seen seen[LP_UNIQUE_SETS];
    struct lp_buf key;
    bool one_line; /* texts with a line break are bad, by the last rule */
};

enum lp_code lp_judge_init(struct lp_judge *j, const struct lp_quality *q, struct lp_checks *checks,
                           const struct lp_columns *columns, struct lp_err *err) LP_CHECKED;
/* Where rows go, a line break within a text would split its row: such a row fails with no_line_break. */
void lp_judge_require_one_line(struct lp_judge *j);
enum lp_code lp_quality_judge(struct lp_judge *j, struct lp_batch *b, struct lp_err *err) LP_CHECKED;
enum lp_code lp_quality_gate(const struct lp_judge *j, struct lp_err *err) LP_CHECKED;
/* Rules that no row broke, and rules that some row broke. */
void lp_judge_rules(const struct lp_judge *j, uint64_t *passed, uint64_t *failed);
/* "humidity: in_range(0, 100)": one of the rule_count rules, for people. */
void lp_judge_put_rule(const struct lp_judge *j, size_t rule, struct lp_buf *out);
void lp_judge_release(struct lp_judge *j);

#endif
