/* memory_glue.h — AWS Glue in memory, for tests of lake/catalog_glue.h: as strict as the service where that matters.
 * Model:   databases, tables and partitions by name. A database has to be made first, a table is made once, an update of
 *          another version than the one there is a concurrent modification, members that Glue only tells are refused in a
 *          TableInput, and so are more than a hundred partitions. A named fault is answered to the next calls instead.
 * Owns:    everything, until memory_glue_release.
 * Units:   calls and writes are counted.
 * Errors:  AWS's own codes.
 * Threads: one thread.
 */
#ifndef LP_TESTS_UNIT_MEMORY_GLUE_H
#define LP_TESTS_UNIT_MEMORY_GLUE_H

#include "lake/catalog_glue.h"

struct memory_glue_table {
    char *name, *text; /* a TableInput */
    unsigned version;
    size_t writes;
};
struct memory_glue {
    char *database; /* NULL: none yet */
    struct memory_glue_table tables[4];
    size_t table_count;
    char *partitions[1000]; /* PartitionInputs, in their order */
    size_t partition_count, partition_updates;
    struct lp_buf calls;                      /* "GetTable GetTable CreateTable " */
    struct lp_buf update;                     /* the last UpdateTable that was taken */
    const char *fault_operation, *fault_code; /* the next calls of this operation fail so */
    size_t faults;
    const char *partition_fault; /* a partition whose Values hold this text is refused within a good answer */
};

struct lp_glue memory_glue_caller(struct memory_glue *g);
const char *memory_glue_text(const struct memory_glue *g, const char *table); /* NULL: not there */
void memory_glue_put(struct memory_glue *g, const char *table, const char *text);
size_t memory_glue_writes(const struct memory_glue *g, const char *table);
void memory_glue_release(struct memory_glue *g);

#endif
