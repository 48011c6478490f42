/* mirror.h — a lake in S3 brought here, as far as a question needs it.
 * Model:   the objects of the tables asked for are fetched, pieces side by side, into a cache that knows them by address
 *          and ETag; a folder of hard links to them then looks like the lake. An object that is there already is not
 *          fetched again, unless its server names no ETag. Whoever removes from the cache takes nothing away from a question under way: its links keep
 *          the bytes. Files appear whole or not at all, so that questions may run side by side.
 * Owns:    the folder of links, until release. The cache stays, up to LP_MIRROR_CACHE_BYTES; what was not used for longest
 *          goes first.
 * Units:   bytes.
 * Errors:  LP_LIMIT when the question alone needs more than the cache may hold; the store's, LP_IO.
 * Threads: one thread; several processes may share a cache.
 */
#ifndef LP_QUERY_MIRROR_H
#define LP_QUERY_MIRROR_H

#include "query/tables.h"

#define LP_MIRROR_CACHE_BYTES ((uint64_t)8 << 30)

struct lp_mirror {
    char *folder; /* looks like the lake; NULL: none */
    uint64_t files, fetched, fetched_bytes;
};

enum lp_code lp_mirror_make(struct lp_mirror *m, struct lp_store *s3, const struct lp_tables *tables,
                            const struct lp_where *where, const char *cache, struct lp_err *err) LP_CHECKED;
/* Has SQL written into the folder? The bucket knows nothing of it, and release removes it; what the cache held of it is
 * fetched anew next time. */
bool lp_mirror_was_written(const struct lp_mirror *m);
void lp_mirror_release(struct lp_mirror *m);

#endif
