/* seen.h — has this key occurred in this run before?
 * Model:   a set of 128-bit fingerprints (XXH3). It begins in memory; past LP_SEEN_MEMORY_KEYS it moves to a hash table
 *          in a temporary file that is deleted as soon as it is open, so that memory stays bounded.
 * Owns:    table and file, until release. {0} is a valid empty set.
 * Units:   keys.
 * Errors:  LP_NOMEM, LP_IO (the folder for temporary files: TMPDIR, else /tmp).
 * Threads: one thread per set.
 */
#ifndef LP_QUALITY_SEEN_H
#define LP_QUALITY_SEEN_H

#include "base/error.h"

#include <stdint.h>

#define LP_SEEN_MEMORY_KEYS 40000

struct lp_seen {
    uint64_t *slots; /* pairs; both 0: free */
    uint64_t capacity, count;
    int fd; /* once spilled */
    bool spilled;
};

enum lp_code lp_seen_has(struct lp_seen *s, const void *key, size_t len, bool *before, struct lp_err *err) LP_CHECKED;
/* Adds the key; *before tells whether it was there. */
enum lp_code lp_seen_add(struct lp_seen *s, const void *key, size_t len, bool *before, struct lp_err *err) LP_CHECKED;
void lp_seen_release(struct lp_seen *s);

#endif
