#include "base/arena.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALIGNMENT          ((size_t)16)
#define FIRST_BLOCK_BYTES  ((size_t)16 * 1024)
#define LARGEST_STEP_BYTES ((size_t)1024 * 1024)

struct lp_arena_block {
    struct lp_arena_block *next;
    size_t used, size;
    _Alignas(16) char bytes[];
};

void lp_arena_init(struct lp_arena *a, size_t max_bytes)
{
    *a = (struct lp_arena){.max_bytes = max_bytes};
}

static void free_from(struct lp_arena_block *block)
{
    while (block) {
        struct lp_arena_block *next = block->next;
        free(block);
        block = next;
    }
}

void lp_arena_release(struct lp_arena *a)
{
    if (!a) return;
    free_from(a->first);
    *a = (struct lp_arena){.max_bytes = a->max_bytes};
}

void lp_arena_reset(struct lp_arena *a)
{
    if (a->first) {
        free_from(a->first->next);
        a->first->next = NULL;
        a->first->used = 0;
    }
    a->current = a->first;
    a->used_bytes = 0;
    a->over_limit = false;
}

static struct lp_arena_block *add_block(struct lp_arena *a, size_t bytes)
{
    size_t size = a->current ? a->current->size * 2 : FIRST_BLOCK_BYTES;
    if (size > LARGEST_STEP_BYTES) size = LARGEST_STEP_BYTES;
    if (size < bytes) size = bytes;
    struct lp_arena_block *block = malloc(sizeof *block + size);
    if (!block) return NULL;
    *block = (struct lp_arena_block){.size = size};
    if (a->current) a->current->next = block;
    else a->first = block;
    a->current = block;
    return block;
}

void *lp_arena_alloc(struct lp_arena *a, size_t bytes)
{
    if (bytes > SIZE_MAX / 2) return NULL;
    size_t need = bytes ? (bytes + ALIGNMENT - 1) & ~(ALIGNMENT - 1) : ALIGNMENT;
    if (a->max_bytes && need > a->max_bytes - a->used_bytes) {
        a->over_limit = true;
        return NULL;
    }
    struct lp_arena_block *block = a->current;
    if (!block || need > block->size - block->used) block = add_block(a, need);
    if (!block) return NULL;
    void *at = block->bytes + block->used;
    block->used += need;
    a->used_bytes += need;
    return at;
}

void *lp_arena_zalloc(struct lp_arena *a, size_t bytes)
{
    void *at = lp_arena_alloc(a, bytes);
    if (at) memset(at, 0, bytes);
    return at;
}

char *lp_arena_strndup(struct lp_arena *a, const char *text, size_t len)
{
    char *copy = lp_arena_alloc(a, len + 1);
    if (!copy) return NULL;
    if (len) memcpy(copy, text, len);
    copy[len] = '\0';
    return copy;
}

char *lp_arena_strdup(struct lp_arena *a, const char *text)
{
    return lp_arena_strndup(a, text, strlen(text));
}

char *lp_arena_printf(struct lp_arena *a, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *text = len < 0 ? NULL : lp_arena_alloc(a, (size_t)len + 1);
    if (!text) return NULL;
    va_start(args, format);
    vsnprintf(text, (size_t)len + 1, format, args);
    va_end(args);
    return text;
}

enum lp_code lp_arena_code(const struct lp_arena *a, struct lp_err *err)
{
    if (!a->over_limit) return lp_nomem(err);
    return lp_fail(err, LP_LIMIT, "more than %zu MiB of memory would be needed", a->max_bytes >> 20);
}
