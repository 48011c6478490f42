/* A directory as a store: every key is a file below it (base/file.h). */
#include "base/file.h"
#include "lake/store.h"

#include <stdlib.h>

struct dir_store {
    struct lp_store store;
    char *root; /* without a slash at its end, "" for the root of the file system */
};
struct dir_upload {
    struct lp_upload upload;
    struct lp_newfile file;
};
struct lp_lock {
    struct lp_filelock file;
};

static char *path_of(const struct lp_store *s, const char *key)
{
    char *path = NULL;
    return asprintf(&path, "%s/%s", ((const struct dir_store *)s)->root, key) < 0 ? NULL : path;
}

static enum lp_code write_bytes(struct lp_upload *u, const void *bytes, size_t len, struct lp_err *err)
{
    return lp_newfile_write(&((struct dir_upload *)u)->file, bytes, len, err);
}

static enum lp_code park(struct lp_upload *u, struct lp_err *err)
{
    return lp_newfile_park(&((struct dir_upload *)u)->file, err);
}

static enum lp_code commit(struct lp_upload *u, struct lp_err *err)
{
    enum lp_code code = lp_newfile_commit(&((struct dir_upload *)u)->file, err);
    free(u);
    return code;
}

static void abort_upload(struct lp_upload *u)
{
    lp_newfile_release(&((struct dir_upload *)u)->file);
    free(u);
}

static const struct lp_upload_ops upload_ops = {write_bytes, park, commit, abort_upload};

static enum lp_code begin(struct lp_store *s, const char *key, struct lp_upload **out, struct lp_err *err)
{
    LP_TRY(lp_store_check_key(key, err));
    struct dir_upload *u = calloc(1, sizeof *u);
    char *path = path_of(s, key);
    enum lp_code code = u && path ? lp_newfile_begin(&u->file, path, err) : lp_nomem(err);
    free(path);
    if (code) {
        free(u);
        return code;
    }
    u->upload.ops = &upload_ops;
    *out = &u->upload;
    return LP_OK;
}

static enum lp_code read_object(struct lp_store *s, const char *key, struct lp_buf *out, struct lp_err *err)
{
    LP_TRY(lp_store_check_key(key, err));
    char *path = path_of(s, key);
    enum lp_code code = path ? lp_file_read(path, out, err) : lp_nomem(err);
    free(path);
    return code;
}

static enum lp_code remove_object(struct lp_store *s, const char *key, struct lp_err *err)
{
    LP_TRY(lp_store_check_key(key, err));
    char *path = path_of(s, key);
    enum lp_code code = path ? lp_file_remove(path, err) : lp_nomem(err);
    free(path);
    return code;
}

static enum lp_code lock(struct lp_store *s, const char *key, struct lp_lock **out, struct lp_err *err)
{
    LP_TRY(lp_store_check_key(key, err));
    struct lp_lock *l = calloc(1, sizeof *l);
    char *path = path_of(s, key);
    enum lp_code code = l && path ? lp_filelock_take(&l->file, path, err) : lp_nomem(err);
    free(path);
    if (code) {
        free(l);
        return code;
    }
    *out = l;
    return LP_OK;
}

static void unlock(struct lp_store *s, struct lp_lock **lock)
{
    (void)s;
    if (!*lock) return;
    lp_filelock_release(&(*lock)->file);
    free(*lock);
    *lock = NULL;
}

static void put_url(const struct lp_store *s, const char *key, struct lp_buf *out)
{
    lp_buf_puts(out, ((const struct dir_store *)s)->root);
    lp_buf_putc(out, '/');
    lp_buf_puts(out, key);
}

static void free_store(struct lp_store *s)
{
    free(((struct dir_store *)s)->root);
    free(s);
}

static const struct lp_store_ops ops = {"file", begin, read_object, remove_object, lock, unlock, put_url, free_store};

enum lp_code lp_store_dir_new(const char *root, struct lp_store **out, struct lp_err *err)
{
    struct dir_store *d = calloc(1, sizeof *d);
    if (!strncmp(root, "file://", 7)) root += 7;
    size_t len = strlen(root);
    while (len && root[len - 1] == '/') len--;
    if (d) d->root = strndup(root, len);
    if (!d || !d->root) {
        free(d);
        return lp_nomem(err);
    }
    d->store.ops = &ops;
    *out = &d->store;
    return LP_OK;
}
