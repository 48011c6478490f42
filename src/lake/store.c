#include "lake/store.h"

#include <stdlib.h>
#include <string.h>

enum lp_code lp_store_check_key(const char *key, struct lp_err *err)
{
    size_t len;
    if (!*key || strlen(key) > LP_STORE_KEY_BYTES) return lp_fail(err, LP_BUG, "\"%.100s\" is not a key", key);
    for (const char *at = key;; at += len + 1) {
        len = strcspn(at, "/");
        bool part = *at == '.' && len > 5 && !memcmp(at + len - 5, ".part", 5);
        if (len > LP_STORE_NAME_BYTES)
            return lp_fail(err, LP_LIMIT, "the name %.40s… is longer than %d bytes; partition by something shorter", at,
                           LP_STORE_NAME_BYTES);
        if (!len || part || (len == 1 && *at == '.') || (len == 2 && !memcmp(at, "..", 2)))
            return lp_fail(err, LP_BUG, "\"%.100s\" is not a key", key);
        if (!at[len]) return LP_OK;
    }
}

enum lp_code lp_upload_commit(struct lp_upload **u, struct lp_err *err)
{
    struct lp_upload *upload = *u;
    *u = NULL;
    return upload->ops->commit(upload, err);
}

void lp_upload_abort(struct lp_upload **u)
{
    struct lp_upload *upload = *u;
    *u = NULL;
    if (upload) upload->ops->abort(upload);
}

enum lp_code lp_store_put(struct lp_store *s, const char *key, const void *bytes, size_t len, struct lp_err *err)
{
    struct lp_upload *u;
    LP_TRY(s->ops->begin(s, key, &u, err));
    enum lp_code code = u->ops->write(u, bytes, len, err);
    if (!code) return lp_upload_commit(&u, err);
    lp_upload_abort(&u);
    return code;
}

bool lp_store_is_s3(const char *to)
{
    return !strncmp(to, "s3://", 5);
}

enum lp_code lp_store_open(const char *to, const struct lp_s3_options *s3, struct lp_aws *aws, struct lp_store **out,
                           struct lp_err *err)
{
    return lp_store_is_s3(to) ? lp_store_s3_new(to, s3, aws, out, err) : lp_store_dir_new(to, out, err);
}

void lp_lock_release(struct lp_lock **l)
{
    struct lp_lock *lock = *l;
    *l = NULL;
    if (lock) lock->ops->release(lock);
}

bool lp_store_key_is_hidden(const char *key)
{
    return *key == '.' || strstr(key, "/.");
}

enum lp_code lp_listing_add(struct lp_listing *l, const char *key, size_t key_len, uint64_t bytes, const char *version,
                            struct lp_err *err)
{
    if (!l->arena.max_bytes) l->arena.max_bytes = LP_LISTING_BYTES;
    if (l->count == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 64;
        struct lp_listed *list = reallocarray(l->list, cap, sizeof *list);
        if (!list) return lp_nomem(err);
        l->list = list;
        l->cap = cap;
    }
    struct lp_listed *entry = &l->list[l->count];
    *entry = (struct lp_listed){lp_arena_strndup(&l->arena, key, key_len), bytes, ""};
    if (*version) entry->version = lp_arena_strdup(&l->arena, version);
    if (!entry->key || !entry->version) return lp_arena_code(&l->arena, err);
    l->count++;
    return LP_OK;
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const struct lp_listed *)a)->key, ((const struct lp_listed *)b)->key);
}

void lp_listing_sort(struct lp_listing *l)
{
    if (l->count) qsort(l->list, l->count, sizeof *l->list, by_key);
}

void lp_listing_release(struct lp_listing *l)
{
    lp_arena_release(&l->arena);
    free(l->list);
    *l = (struct lp_listing){0};
}

void lp_store_free(struct lp_store *s)
{
    if (s) s->ops->free(s);
}
