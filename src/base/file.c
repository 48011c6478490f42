#include "base/file.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define FLUSH_BYTES ((size_t)256 * 1024)

/* The folder of path as a new string; "." when there is none. */
static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash) return strdup(".");
    return strndup(path, slash == path ? 1 : (size_t)(slash - path));
}

static enum lp_code sync_folder(const char *path, struct lp_err *err)
{
    char *folder = folder_of(path);
    if (!folder) return lp_nomem(err);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    enum lp_code code = LP_OK;
    /* Some file systems cannot sync a folder (EINVAL); there is nothing more to be done there. */
    if (fd < 0 || (fsync(fd) != 0 && errno != EINVAL))
        code = lp_fail_errno(err, "%s: cannot make the folder durable", folder);
    if (fd >= 0) close(fd);
    free(folder);
    return code;
}

/* The folder itself, or when that has nowhere to be, first the one it lies in: most are there already. */
static enum lp_code make_folder(char *path, struct lp_err *err)
{
    char *slash = strrchr(path, '/');
    bool made = mkdir(path, 0777) == 0;
    if (!made && errno == ENOENT && slash && slash > path) {
        *slash = '\0';
        enum lp_code code = make_folder(path, err);
        *slash = '/';
        if (code) return code;
        made = mkdir(path, 0777) == 0;
    }
    if (made) return sync_folder(path, err);
    return errno == EEXIST ? LP_OK : lp_fail_errno(err, "%s: cannot make the folder", path);
}

enum lp_code lp_file_make_folders(const char *path, struct lp_err *err)
{
    char *copy = strdup(path), *slash = copy ? strrchr(copy, '/') : NULL;
    if (!copy) return lp_nomem(err);
    enum lp_code code = LP_OK;
    if (slash && slash > copy) {
        *slash = '\0';
        code = make_folder(copy, err);
    }
    free(copy);
    return code;
}

static char *part_path_of(const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    char *part = NULL;
    return asprintf(&part, "%.*s.%s.%ld.part", (int)(name - path), path, name, (long)getpid()) < 0 ? NULL : part;
}

static enum lp_code reopen(struct lp_newfile *f, int flags, struct lp_err *err)
{
    f->fd = open(f->part_path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | flags, 0666);
    return f->fd < 0 ? lp_fail_errno(err, "%s: cannot be written", f->part_path) : LP_OK;
}

enum lp_code lp_newfile_begin(struct lp_newfile *f, const char *path, const char *part, struct lp_err *err)
{
    *f = (struct lp_newfile){.fd = -1};
    LP_TRY(lp_file_make_folders(path, err));
    f->path = strdup(path);
    f->part_path = part ? strdup(part) : part_path_of(path);
    enum lp_code code = f->path && f->part_path ? reopen(f, O_TRUNC, err) : lp_nomem(err);
    if (code) lp_newfile_release(f);
    return code;
}

static enum lp_code remember(struct lp_newfile *f, struct lp_err *err)
{
    struct lp_err *kept = &f->failure;
    if (err && !kept->code) *kept = *err;
    return err ? err->code : LP_IO;
}

static enum lp_code write_all(struct lp_newfile *f, const char *bytes, size_t len, struct lp_err *err)
{
    while (len) {
        ssize_t n = write(f->fd, bytes, len);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return lp_fail_errno(err, "%s: cannot be written", f->path);
        bytes += n;
        len -= (size_t)n;
    }
    return LP_OK;
}

static enum lp_code flush(struct lp_newfile *f, struct lp_err *err)
{
    struct lp_err local = {0};
    if (!err) err = &local;
    if (f->failure.code) {
        *err = f->failure;
        return err->code;
    }
    enum lp_code code = f->fd < 0 ? reopen(f, O_APPEND, err) : LP_OK;
    if (!code) code = write_all(f, lp_buf_text(&f->pending), f->pending.len, err);
    lp_buf_clear(&f->pending);
    return code ? remember(f, err) : LP_OK;
}

enum lp_code lp_newfile_write(struct lp_newfile *f, const void *bytes, size_t len, struct lp_err *err)
{
    lp_buf_put(&f->pending, bytes, len);
    f->bytes += len;
    LP_TRY(lp_buf_code(&f->pending, f->path, err));
    return f->pending.len >= FLUSH_BYTES ? flush(f, err) : LP_OK;
}

enum lp_code lp_newfile_park(struct lp_newfile *f, struct lp_err *err)
{
    LP_TRY(flush(f, err));
    lp_buf_release(&f->pending);
    if (f->fd >= 0 && close(f->fd) != 0) {
        f->fd = -1;
        return lp_fail_errno(err, "%s: cannot be written", f->path);
    }
    f->fd = -1;
    return LP_OK;
}

static enum lp_code publish(struct lp_newfile *f, struct lp_err *err)
{
    LP_TRY(flush(f, err));
    if (fsync(f->fd) != 0) return lp_fail_errno(err, "%s: cannot be made durable", f->path);
    int fd = f->fd;
    f->fd = -1;
    if (close(fd) != 0) return lp_fail_errno(err, "%s: cannot be written", f->path);
    if (rename(f->part_path, f->path) != 0) return lp_fail_errno(err, "%s: cannot be put in place", f->path);
    free(f->part_path);
    f->part_path = NULL;
    return sync_folder(f->path, err);
}

enum lp_code lp_newfile_commit(struct lp_newfile *f, struct lp_err *err)
{
    enum lp_code code = publish(f, err);
    lp_newfile_release(f);
    return code;
}

void lp_newfile_release(struct lp_newfile *f)
{
    if (!f || !f->path) {
        if (f && f->part_path) free(f->part_path);
        if (f) *f = (struct lp_newfile){.fd = -1};
        return;
    }
    if (f->fd >= 0) close(f->fd);
    if (f->part_path) unlink(f->part_path);
    free(f->part_path);
    free(f->path);
    lp_buf_release(&f->pending);
    *f = (struct lp_newfile){.fd = -1};
}

/* Reads to the end, or one byte past the cap of out, which then says so. */
static enum lp_code read_all(int fd, const char *path, struct lp_buf *out, struct lp_err *err)
{
    char block[16 * 1024];
    for (;;) {
        ssize_t n = read(fd, block, sizeof block);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return lp_fail_errno(err, "%s", path);
        if (n == 0) return LP_OK;
        lp_buf_put(out, block, (size_t)n);
        LP_TRY(lp_buf_code(out, path, err));
    }
}

enum lp_code lp_file_read(const char *path, struct lp_buf *out, struct lp_err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a named pipe that nobody writes to is empty */
    if (fd < 0) {
        bool absent = errno == ENOENT || errno == ENOTDIR;
        enum lp_code code = lp_fail_errno(err, "%s", path);
        if (absent && err) err->code = LP_NOTFOUND;
        return absent ? LP_NOTFOUND : code;
    }
    fcntl(fd, F_SETFL, 0);
    enum lp_code code = read_all(fd, path, out, err);
    close(fd);
    return code;
}

enum lp_code lp_file_remove(const char *path, struct lp_err *err)
{
    if (unlink(path) == 0) return sync_folder(path, err);
    return errno == ENOENT || errno == ENOTDIR ? LP_OK : lp_fail_errno(err, "%s: cannot be removed", path);
}

static bool lies_at(int fd, const char *path)
{
    struct stat ours, there;
    return fstat(fd, &ours) == 0 && stat(path, &there) == 0 && ours.st_ino == there.st_ino && ours.st_dev == there.st_dev;
}

enum lp_code lp_filelock_take(struct lp_filelock *l, const char *path, struct lp_err *err)
{
    *l = (struct lp_filelock){.fd = -1};
    LP_TRY(lp_file_make_folders(path, err));
    for (int tries = 0; tries < 10; tries++) {
        int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
        if (fd < 0) return lp_fail_errno(err, "%s: cannot be locked", path);
        if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
            bool held = errno == EWOULDBLOCK;
            enum lp_code code = held ? lp_fail(err, LP_LOCKED, "another run holds %s", path)
                                     : lp_fail_errno(err, "%s: cannot be locked", path);
            close(fd);
            return code;
        }
        /* The holder before us may have removed the file between our open and our lock. */
        if (lies_at(fd, path)) {
            l->fd = fd;
            l->path = strdup(path);
            if (l->path) return LP_OK;
            close(fd);
            l->fd = -1;
            return lp_nomem(err);
        }
        close(fd);
    }
    return lp_fail(err, LP_LOCKED, "another run holds %s", path);
}

enum lp_code lp_filelock_renew(struct lp_filelock *l, struct lp_err *err)
{
    int64_t now_us = lp_clock_now_us();
    const struct timespec now = {.tv_sec = now_us / 1000000, .tv_nsec = now_us % 1000000 * 1000}, times[2] = {now, now};
    if (!lies_at(l->fd, l->path)) return lp_fail(err, LP_LOCKED, "another has taken %s over", l->path);
    return futimens(l->fd, times) ? lp_fail_errno(err, "%s: cannot be renewed", l->path) : LP_OK;
}

static bool is_stale(const char *path, int64_t lease_us)
{
    struct stat there;
    return stat(path, &there) == 0 && lp_clock_now_us() - (int64_t)there.st_mtim.tv_sec * 1000000 > lease_us;
}

enum lp_code lp_filelock_take_lease(struct lp_filelock *l, const char *path, int64_t lease_us, struct lp_err *err)
{
    enum lp_code code = lp_filelock_take(l, path, err);
    if (code == LP_LOCKED && is_stale(path, lease_us)) {
        unlink(path);
        code = lp_filelock_take(l, path, err);
    }
    return code ? code : lp_filelock_renew(l, err);
}

void lp_filelock_release(struct lp_filelock *l)
{
    if (!l || !l->path) return;
    if (lies_at(l->fd, l->path)) unlink(l->path);
    close(l->fd);
    free(l->path);
    *l = (struct lp_filelock){.fd = -1};
}
