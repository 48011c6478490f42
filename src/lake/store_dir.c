/* A directory as a store: every key is a file below it (base/file.h). While a lock is held, parts lie in a folder of their
 * own beside it, so that no other run meets them and the next one to hold the lock clears what a killed one left. */
#include "base/file.h"
#include "lake/store.h"

#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct dir_store {
    struct lp_store store;
    char *root;  /* without a slash at its end, "" for the root of the file system */
    char *parts; /* the folder of parts, NULL without a lock */
    uint64_t part_count;
};
struct dir_upload {
    struct lp_upload upload;
    struct lp_newfile file;
};
struct lp_lock {
    struct lp_filelock file;
    bool has_parts; /* the first lock's folder of parts is the store's */
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

static enum lp_code next_part(struct dir_store *d, char **part, struct lp_err *err)
{
    *part = NULL;
    if (!d->parts) return LP_OK;
    if (!d->part_count && mkdir(d->parts, 0777) != 0 && errno != EEXIST)
        return lp_fail_errno(err, "%s: cannot make the folder", d->parts);
    if (asprintf(part, "%s/%llu.part", d->parts, (unsigned long long)d->part_count++) >= 0) return LP_OK;
    *part = NULL;
    return lp_nomem(err);
}

static void clear_parts(const char *folder)
{
    DIR *open = opendir(folder);
    for (struct dirent *e; open && (e = readdir(open));)
        if (strstr(e->d_name, ".part")) unlinkat(dirfd(open), e->d_name, 0);
    if (open) closedir(open);
}

static enum lp_code begin(struct lp_store *s, const char *key, struct lp_upload **out, struct lp_err *err)
{
    LP_TRY(lp_store_check_key(key, err));
    struct dir_upload *u = calloc(1, sizeof *u);
    char *path = path_of(s, key), *part = NULL;
    enum lp_code code = u && path ? next_part((struct dir_store *)s, &part, err) : lp_nomem(err);
    if (!code) code = lp_newfile_begin(&u->file, path, part, err);
    free(path);
    free(part);
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

static void unlock(struct lp_store *s, struct lp_lock **lock)
{
    struct dir_store *d = (struct dir_store *)s;
    if (!*lock) return;
    if ((*lock)->has_parts) {
        rmdir(d->parts);
        free(d->parts);
        d->parts = NULL;
        d->part_count = 0;
    }
    lp_filelock_release(&(*lock)->file);
    free(*lock);
    *lock = NULL;
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
    struct dir_store *d = (struct dir_store *)s;
    *out = l;
    if (d->parts) return LP_OK;
    if (asprintf(&d->parts, "%s.parts", l->file.path) < 0) {
        d->parts = NULL;
        unlock(s, out);
        return lp_nomem(err);
    }
    l->has_parts = true;
    clear_parts(d->parts);
    return LP_OK;
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
    free(((struct dir_store *)s)->parts);
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
