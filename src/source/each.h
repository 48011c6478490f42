/* each.h — the items of a run, one after another.
 * Model:   every combination of what `each` names; the file's rows vary slowest and are read as a stream, then the
 *          lists in their order, the last fastest. A shard takes every N-th item. Without `each` there is one item
 *          without values.
 * Owns:    struct lp_item owns its text; the cursor owns the open file.
 * Units:   items count from 0.
 * Errors:  LP_DATA with file and line, LP_IO, LP_LIMIT, LP_NOMEM.
 * Threads: one thread per cursor.
 */
#ifndef LP_SOURCE_EACH_H
#define LP_SOURCE_EACH_H

#include "source/source.h"
#include "table/csv.h"

#define LP_SHARDS_MAX 10000

struct lp_item {
    uint64_t index;
    struct lp_buf text; /* what the values point into */
    struct lp_slice *values;
    size_t value_count;
};
void lp_item_release(struct lp_item *i);

struct lp_items {
    const struct lp_each *each;
    uint64_t next_index, shard, shards; /* shard from 0 */
    size_t *position;                   /* per list */
    bool started, file_open, done;
    struct lp_csv_reader csv;
    FILE *lines; /* JSONL */
    size_t line_number;
    struct lp_buf line, row_text; /* row_text: the file's values of the row at hand */
    struct lp_slice *row;
    size_t row_count;
    struct lp_arena json;
};

void lp_each_read(struct lp_reading *r, const struct lp_node *node, void *each);

enum lp_code lp_items_open(struct lp_items *it, const struct lp_each *each, uint64_t shard, uint64_t shards,
                           struct lp_err *err) LP_CHECKED;
/* Fills *item with the next one; *more is false at the end. */
enum lp_code lp_items_next(struct lp_items *it, struct lp_item *item, bool *more, struct lp_err *err) LP_CHECKED;
void lp_items_release(struct lp_items *it);
/* How many there are; reads the file through when there is one. */
enum lp_code lp_items_count(const struct lp_each *each, uint64_t shard, uint64_t shards, uint64_t *count,
                            struct lp_err *err) LP_CHECKED;

/* "3/16": the third of sixteen shares; false when it is no share. */
bool lp_shard_parse(const char *text, uint64_t *shard, uint64_t *shards);

/* Names of an item's values, in their order. */
const char *lp_each_name(const struct lp_each *each, size_t value);
/* {"city":"Portland"} */
void lp_item_put_json(const struct lp_each *each, const struct lp_item *item, struct lp_buf *out);
/* "Portland, metric", for people; "the request" without values. */
void lp_item_put_label(const struct lp_item *item, struct lp_buf *out);

#endif
