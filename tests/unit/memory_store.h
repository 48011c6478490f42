/* memory_store.h — a store in memory: the twin of the directory for the contract suite and for tests above it.
 * Model:   a list of keys with their bytes, changed only by commit and remove; behind it a list of locked keys.
 * Owns:    all objects, until the store is freed. Uploads and locks as in lake/store.h.
 * Units:   bytes; an object over max_object_bytes fails its write with LP_LIMIT, as a full disk would (0: no limit).
 * Errors:  as in lake/store.h; keys it does not allow are LP_BUG.
 * Threads: one thread.
 */
#ifndef LP_TESTS_UNIT_MEMORY_STORE_H
#define LP_TESTS_UNIT_MEMORY_STORE_H

#include "lake/store.h"

struct lp_store *memory_store_new(void);
void memory_store_limit(struct lp_store *s, size_t max_object_bytes);
size_t memory_store_count(const struct lp_store *s);

#endif
