#include "quality/seen.h"

#define XXH_INLINE_ALL
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#define FIRST_CAPACITY 1024
#define BLOCK_SLOTS    256 /* one page of a file */

struct fingerprint {
    uint64_t low, high;
};

static struct fingerprint fingerprint_of(const void *key, size_t len)
{
    XXH128_hash_t h = XXH3_128bits(key, len);
    return (struct fingerprint){h.low64 | !(h.low64 | h.high64), h.high64};
}

/* ---- in memory ---- */

static bool find_in_memory(uint64_t *slots, uint64_t capacity, struct fingerprint f, bool add)
{
    for (uint64_t i = f.low & (capacity - 1);; i = (i + 1) & (capacity - 1)) {
        if (slots[2 * i] == f.low && slots[2 * i + 1] == f.high) return true;
        if (slots[2 * i] | slots[2 * i + 1]) continue;
        if (!add) return false;
        slots[2 * i] = f.low;
        slots[2 * i + 1] = f.high;
        return false;
    }
}

static enum lp_code grow_in_memory(struct lp_seen *s, struct lp_err *err)
{
    uint64_t capacity = s->capacity ? s->capacity * 2 : FIRST_CAPACITY;
    uint64_t *slots = calloc(capacity, 2 * sizeof *slots);
    if (!slots) return lp_nomem(err);
    for (uint64_t i = 0; i < s->capacity; i++)
        if (s->slots[2 * i] | s->slots[2 * i + 1])
            find_in_memory(slots, capacity, (struct fingerprint){s->slots[2 * i], s->slots[2 * i + 1]}, true);
    free(s->slots);
    s->slots = slots;
    s->capacity = capacity;
    return LP_OK;
}

/* ---- in a file ---- */

static enum lp_code open_file(uint64_t capacity, int *fd, struct lp_err *err)
{
    const char *folder = getenv("TMPDIR");
    if (!folder || !*folder) folder = "/tmp";
    *fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (*fd < 0) return lp_fail_errno(err, "%s: no temporary file for the keys of unique", folder);
    if (ftruncate(*fd, (off_t)(capacity * 2 * sizeof(uint64_t))) == 0) return LP_OK;
    enum lp_code code = lp_fail_errno(err, "%s: no room for the keys of unique", folder);
    close(*fd);
    *fd = -1;
    return code;
}

static enum lp_code file_io(bool write, int fd, void *bytes, size_t len, uint64_t offset, struct lp_err *err)
{
    char *at = bytes;
    while (len) {
        ssize_t n = write ? pwrite(fd, at, len, (off_t)offset) : pread(fd, at, len, (off_t)offset);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return lp_fail_errno(err, "the temporary file for the keys of unique");
        at += n;
        offset += (uint64_t)n;
        len -= (size_t)n;
    }
    return LP_OK;
}

/* Looks from the key's place on, a page at a time. */
static enum lp_code find_in_file(int fd, uint64_t capacity, struct fingerprint f, bool add, bool *before,
                                 struct lp_err *err)
{
    uint64_t block[2 * BLOCK_SLOTS], home = f.low & (capacity - 1), page = home / BLOCK_SLOTS,
                                     first = home % BLOCK_SLOTS;
    for (;; page = (page + 1) % (capacity / BLOCK_SLOTS), first = 0) {
        LP_TRY(file_io(false, fd, block, sizeof block, page * sizeof block, err));
        for (uint64_t i = first; i < BLOCK_SLOTS; i++) {
            *before = block[2 * i] == f.low && block[2 * i + 1] == f.high;
            if (*before) return LP_OK;
            if (block[2 * i] | block[2 * i + 1]) continue;
            if (!add) return LP_OK;
            uint64_t slot[2] = {f.low, f.high};
            return file_io(true, fd, slot, sizeof slot, page * sizeof block + i * sizeof slot, err);
        }
    }
}

static enum lp_code move_page(int to, uint64_t to_capacity, const uint64_t *slots, uint64_t count, struct lp_err *err)
{
    bool ignored;
    for (uint64_t i = 0; i < count; i++)
        if (slots[2 * i] | slots[2 * i + 1])
            LP_TRY(find_in_file(to, to_capacity, (struct fingerprint){slots[2 * i], slots[2 * i + 1]}, true, &ignored,
                                err));
    return LP_OK;
}

static enum lp_code grow_in_file(struct lp_seen *s, struct lp_err *err)
{
    uint64_t capacity = s->capacity * 4, block[2 * BLOCK_SLOTS];
    int fd;
    LP_TRY(open_file(capacity, &fd, err));
    enum lp_code code = s->spilled ? LP_OK : move_page(fd, capacity, s->slots, s->capacity, err);
    for (uint64_t page = 0; s->spilled && !code && page < s->capacity / BLOCK_SLOTS; page++) {
        code = file_io(false, s->fd, block, sizeof block, page * sizeof block, err);
        if (!code) code = move_page(fd, capacity, block, BLOCK_SLOTS, err);
    }
    if (code) {
        close(fd);
        return code;
    }
    if (s->spilled) close(s->fd);
    free(s->slots);
    s->slots = NULL;
    s->fd = fd;
    s->spilled = true;
    s->capacity = capacity;
    return LP_OK;
}

enum lp_code lp_seen_has(struct lp_seen *s, const void *key, size_t len, bool *before, struct lp_err *err)
{
    struct fingerprint f = fingerprint_of(key, len);
    *before = false;
    if (!s->count) return LP_OK;
    if (s->spilled) return find_in_file(s->fd, s->capacity, f, false, before, err);
    *before = find_in_memory(s->slots, s->capacity, f, false);
    return LP_OK;
}

enum lp_code lp_seen_add(struct lp_seen *s, const void *key, size_t len, bool *before, struct lp_err *err)
{
    struct fingerprint f = fingerprint_of(key, len);
    bool full = s->count * 10 >= s->capacity * 7;
    if (full && (s->spilled || s->count >= LP_SEEN_MEMORY_KEYS)) LP_TRY(grow_in_file(s, err));
    else if (full) LP_TRY(grow_in_memory(s, err));
    if (s->spilled) LP_TRY(find_in_file(s->fd, s->capacity, f, true, before, err));
    else *before = find_in_memory(s->slots, s->capacity, f, true);
    s->count += !*before;
    return LP_OK;
}

void lp_seen_release(struct lp_seen *s)
{
    if (!s) return;
    if (s->spilled) close(s->fd);
    free(s->slots);
    *s = (struct lp_seen){0};
}
