/* arena.h — memory that is given back all at once.
 * Model:   a chain of blocks; allocation only moves a pointer. A run has one, a batch has one, a reply has one.
 * Owns:    everything allocated from it, until reset or release. The struct is the caller's; {0} is a valid arena
 *          without a cap.
 * Units:   bytes; allocations are aligned to 16.
 * Errors:  NULL when memory is out or max_bytes would be passed (lp_arena_code tells which).
 * Threads: one thread per arena.
 */
#ifndef LP_BASE_ARENA_H
#define LP_BASE_ARENA_H

#include "base/error.h"

struct lp_arena_block;

struct lp_arena {
    struct lp_arena_block *first, *current;
    size_t used_bytes; /* handed out since the last reset */
    size_t max_bytes;  /* 0: no cap */
    bool over_limit;
};

void lp_arena_init(struct lp_arena *a, size_t max_bytes);
void lp_arena_release(struct lp_arena *a);
/* Forgets everything allocated; keeps the first block, so that a loop does not allocate again. */
void lp_arena_reset(struct lp_arena *a);

void *lp_arena_alloc(struct lp_arena *a, size_t bytes) __attribute__((malloc, alloc_size(2)));
void *lp_arena_zalloc(struct lp_arena *a, size_t bytes) __attribute__((malloc, alloc_size(2)));
/* NUL-terminated copies. */
char *lp_arena_strndup(struct lp_arena *a, const char *text, size_t len);
char *lp_arena_strdup(struct lp_arena *a, const char *text);
char *lp_arena_printf(struct lp_arena *a, const char *format, ...) LP_PRINTF(2, 3);

/* Why the last allocation returned NULL: LP_LIMIT or LP_NOMEM, with a sentence in *err. */
enum lp_code lp_arena_code(const struct lp_arena *a, struct lp_err *err);

#endif
