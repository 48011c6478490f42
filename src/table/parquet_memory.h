/* parquet_memory.h — the memory that carquet takes, counted, and whether it was ever refused some.
 * Model:   carquet does not notice each allocation that fails, and a writer keeps something of every row group until its file
 *          is whole. Its allocator is ours: whoever calls it compares before and after.
 * Owns:    nothing; a block belongs to carquet.
 * Units:   bytes as malloc counts them.
 * Errors:  starved, until whoever calls carquet next puts it back.
 * Threads: the numbers are each thread's own; a block is given back by the thread that took it.
 */
#ifndef LP_TABLE_PARQUET_MEMORY_H
#define LP_TABLE_PARQUET_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

struct lp_parquet_memory {
    size_t in_use;
    bool starved; /* an allocation failed */
};
extern _Thread_local struct lp_parquet_memory lp_parquet_memory;

/* Before the first call to carquet. */
void lp_parquet_memory_use(void);

#endif
