/* Included by the programs that use it: every program here is one file. */
#include "memory_store.h"

#include <stdlib.h>

struct memory_object {
    struct memory_object *next;
    char *key;
    struct lp_buf bytes;
};
struct memory_store {
    struct lp_store store;
    struct memory_object *objects, *locks;
    size_t max_object_bytes;
};
struct memory_upload {
    struct lp_upload upload;
    struct memory_store *store;
    struct memory_object *object; /* not in the store's list yet */
    struct lp_err failure;
};
struct memory_lock {
    struct lp_lock lock;
    struct memory_store *store;
    struct memory_object *held;
};

static struct memory_object *object_new(const char *key)
{
    struct memory_object *o = calloc(1, sizeof *o);
    char *copy = strdup(key);
    if (!o || !copy) abort();
    o->key = copy;
    return o;
}

static void object_free(struct memory_object *o)
{
    if (!o) return;
    free(o->key);
    lp_buf_release(&o->bytes);
    free(o);
}

static struct memory_object **object_find(struct memory_object **list, const char *key)
{
    while (*list && strcmp((*list)->key, key)) list = &(*list)->next;
    return list;
}

static enum lp_code memory_write(struct lp_upload *upload, const void *bytes, size_t len, struct lp_err *err)
{
    struct memory_upload *u = (struct memory_upload *)upload;
    if (!u->failure.code) {
        lp_buf_put(&u->object->bytes, bytes, len);
        (void)!lp_buf_code(&u->object->bytes, u->object->key, &u->failure);
    }
    if (err && u->failure.code) *err = u->failure;
    return u->failure.code;
}

static enum lp_code memory_park(struct lp_upload *upload, struct lp_err *err)
{
    return memory_write(upload, "", 0, err);
}

static void memory_abort(struct lp_upload *upload)
{
    struct memory_upload *u = (struct memory_upload *)upload;
    object_free(u->object);
    free(u);
}

static enum lp_code memory_commit(struct lp_upload *upload, struct lp_err *err)
{
    struct memory_upload *u = (struct memory_upload *)upload;
    enum lp_code code = memory_write(upload, "", 0, err);
    if (!code) {
        struct memory_object **at = object_find(&u->store->objects, u->object->key), *before = *at;
        u->object->next = before ? before->next : NULL;
        *at = u->object;
        u->object = before;
    }
    memory_abort(upload);
    return code;
}

static const struct lp_upload_ops memory_upload_ops = {memory_write, memory_park, memory_commit, memory_abort};

static enum lp_code memory_begin(struct lp_store *s, const char *key, struct lp_upload **out, struct lp_err *err)
{
    struct memory_store *m = (struct memory_store *)s;
    LP_TRY(lp_store_check_key(key, err));
    struct memory_upload *u = calloc(1, sizeof *u);
    if (!u) return lp_nomem(err);
    *u = (struct memory_upload){.upload.ops = &memory_upload_ops, .store = m, .object = object_new(key)};
    lp_buf_init(&u->object->bytes, m->max_object_bytes);
    *out = &u->upload;
    return LP_OK;
}

static enum lp_code memory_read(struct lp_store *s, const char *key, struct lp_buf *out, struct lp_err *err)
{
    LP_TRY(lp_store_check_key(key, err));
    const struct memory_object *o = *object_find(&((struct memory_store *)s)->objects, key);
    if (!o) return lp_fail(err, LP_NOTFOUND, "%s: not there", key);
    lp_buf_put(out, lp_buf_text(&o->bytes), o->bytes.len);
    return lp_buf_code(out, key, err);
}

static void drop(struct memory_object **list, const char *key)
{
    struct memory_object **at = object_find(list, key), *gone = *at;
    if (gone) *at = gone->next;
    object_free(gone);
}

static enum lp_code memory_remove(struct lp_store *s, const char *key, struct lp_err *err)
{
    LP_TRY(lp_store_check_key(key, err));
    drop(&((struct memory_store *)s)->objects, key);
    return LP_OK;
}

static enum lp_code memory_list(struct lp_store *s, const char *prefix, const char *after, struct lp_listing *out,
                                struct lp_err *err)
{
    for (const struct memory_object *o = ((struct memory_store *)s)->objects; o; o = o->next)
        if (!strncmp(o->key, prefix, strlen(prefix)) && strcmp(o->key, after) > 0 && !lp_store_key_is_hidden(o->key))
            LP_TRY(lp_listing_add(out, o->key, strlen(o->key), o->bytes.len, "", err));
    lp_listing_sort(out);
    return LP_OK;
}

static enum lp_code memory_renew(struct lp_lock *l, struct lp_err *err)
{
    (void)l, (void)err;
    return LP_OK;
}

static void memory_release(struct lp_lock *lock)
{
    struct memory_lock *l = (struct memory_lock *)lock;
    drop(&l->store->locks, l->held->key);
    free(l);
}

static enum lp_code memory_lock(struct lp_store *s, const char *key, struct lp_lock **out, struct lp_err *err)
{
    static const struct lp_lock_ops ops = {memory_renew, memory_release};
    LP_TRY(lp_store_check_key(key, err));
    struct memory_object **at = object_find(&((struct memory_store *)s)->locks, key);
    if (*at) return lp_fail(err, LP_LOCKED, "another run holds %s", key);
    struct memory_lock *l = calloc(1, sizeof *l);
    if (!l) return lp_nomem(err);
    *l = (struct memory_lock){.lock.ops = &ops, .store = (struct memory_store *)s};
    l->held = *at = object_new(key);
    *out = &l->lock;
    return LP_OK;
}

static void memory_put_url(const struct lp_store *s, const char *key, struct lp_buf *out)
{
    lp_buf_puts(out, "memory:/");
    lp_buf_puts(out, key);
}

static void memory_free(struct lp_store *s)
{
    struct memory_store *m = (struct memory_store *)s;
    while (m->objects) drop(&m->objects, m->objects->key);
    while (m->locks) drop(&m->locks, m->locks->key);
    free(m);
}

struct lp_store *memory_store_new(void)
{
    static const struct lp_store_ops ops = {"memory",    memory_begin, memory_read,    memory_remove,
                                            memory_list, memory_lock,  memory_put_url, memory_free};
    struct memory_store *m = calloc(1, sizeof *m);
    if (!m) abort();
    m->store.ops = &ops;
    return &m->store;
}

void memory_store_limit(struct lp_store *s, size_t max_object_bytes)
{
    ((struct memory_store *)s)->max_object_bytes = max_object_bytes;
}

size_t memory_store_count(const struct lp_store *s)
{
    size_t count = 0;
    for (const struct memory_object *o = ((const struct memory_store *)s)->objects; o; o = o->next) count++;
    return count;
}
