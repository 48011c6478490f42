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
struct dir_lock {
    struct lp_lock lock;
    struct dir_store *store;
    struct lp_filelock file;
    bool lease;
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

/* ---- listing ---- */

struct walk {
    struct lp_listing *out;
    const char *after;
    struct lp_buf path, key; /* of the folder being read, each with its slash */
    size_t depth;
};

#define WALK_DEPTH 64

static enum lp_code walk_folder(struct walk *w, struct lp_err *err);

static enum lp_code walk_entry(struct walk *w, int folder, const char *name, struct lp_err *err)
{
    struct stat st;
    size_t path_len = w->path.len, key_len = w->key.len;
    enum lp_code code = LP_OK;
    if (*name == '.' || fstatat(folder, name, &st, 0)) return LP_OK; /* gone since, or a link that leads nowhere */
    lp_buf_puts(&w->key, name);
    if (S_ISDIR(st.st_mode)) {
        lp_buf_printf(&w->path, "%s/", name);
        lp_buf_putc(&w->key, '/');
        code = walk_folder(w, err);
    } else if (S_ISREG(st.st_mode) && !w->key.failed && strcmp(lp_buf_text(&w->key), w->after) > 0) {
        code = lp_listing_add(w->out, w->key.data, w->key.len, (uint64_t)st.st_size, "", err);
    }
    if (!code) code = lp_buf_code(&w->key, "a file's name", err);
    if (code) return code;
    w->path.data[w->path.len = path_len] = '\0';
    w->key.data[w->key.len = key_len] = '\0';
    return LP_OK;
}

static enum lp_code walk_folder(struct walk *w, struct lp_err *err)
{
    enum lp_code code = LP_OK;
    LP_TRY(lp_buf_code(&w->path, "a folder's name", err));
    DIR *open = opendir(lp_buf_text(&w->path));
    if (!open && (errno == ENOENT || errno == ENOTDIR)) return LP_OK;
    if (!open) return lp_fail_errno(err, "%s: cannot read the folder", lp_buf_text(&w->path));
    if (++w->depth > WALK_DEPTH)
        code = lp_fail(err, LP_LIMIT, "%s: folders lie more than %d deep", lp_buf_text(&w->path), WALK_DEPTH);
    while (!code) {
        errno = 0;
        const struct dirent *e = readdir(open);
        if (!e && errno) code = lp_fail_errno(err, "%s: cannot read the folder", lp_buf_text(&w->path));
        if (!e) break;
        code = walk_entry(w, dirfd(open), e->d_name, err);
    }
    w->depth--;
    closedir(open);
    return code;
}

static enum lp_code list(struct lp_store *s, const char *prefix, const char *after, struct lp_listing *out,
                         struct lp_err *err)
{
    struct walk w = {.out = out, .after = after, .path.max_bytes = 1 << 16, .key.max_bytes = 1 << 16};
    lp_buf_printf(&w.path, "%s/%s", ((const struct dir_store *)s)->root, prefix);
    lp_buf_puts(&w.key, prefix);
    enum lp_code code = walk_folder(&w, err);
    lp_buf_release(&w.path);
    lp_buf_release(&w.key);
    lp_listing_sort(out);
    return code;
}

/* ---- the lock ---- */

/* The system holds it for as long as the descriptor is open; a lease has to be written anew. */
static enum lp_code renew(struct lp_lock *lock, struct lp_err *err)
{
    struct dir_lock *l = (struct dir_lock *)lock;
    return l->lease ? lp_filelock_renew(&l->file, err) : LP_OK;
}

static void release(struct lp_lock *lock)
{
    struct dir_lock *l = (struct dir_lock *)lock;
    struct dir_store *d = l->store;
    if (l->has_parts) {
        rmdir(d->parts);
        free(d->parts);
        d->parts = NULL;
        d->part_count = 0;
    }
    lp_filelock_release(&l->file);
    free(l);
}

static const struct lp_lock_ops lock_ops = {renew, release};

static enum lp_code lock(struct lp_store *s, const char *key, struct lp_lock **out, struct lp_err *err)
{
    LP_TRY(lp_store_check_key(key, err));
    struct dir_lock *l = calloc(1, sizeof *l);
    char *path = path_of(s, key);
    enum lp_code code = l && path ? LP_OK : lp_nomem(err);
    if (!code && s->lease_s) code = lp_filelock_take_lease(&l->file, path, INT64_C(1000000) * s->lease_s, err);
    else if (!code) code = lp_filelock_take(&l->file, path, err);
    free(path);
    if (code) {
        free(l);
        return code;
    }
    struct dir_store *d = l->store = (struct dir_store *)s;
    l->lock.ops = &lock_ops;
    l->lease = s->lease_s > 0;
    *out = &l->lock;
    if (d->parts) return LP_OK;
    if (asprintf(&d->parts, "%s.parts", l->file.path) < 0) {
        d->parts = NULL;
        lp_lock_release(out);
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

static const struct lp_store_ops ops = {"file", begin, read_object, remove_object, list, lock, put_url, free_store};

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
