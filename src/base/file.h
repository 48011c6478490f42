/* file.h — files that appear whole or not at all, and the plain reading of others.
 * Model:   begin makes a part, a file of another name on the same file system; commit makes it durable and visible:
 *          flush, fsync, rename, fsync of the folder. Until then the target is as it was. Who is killed leaves the
 *          part behind, so that those who may be name one in a folder that they clear (lake/store_dir.c).
 * Owns:    the descriptor and buffer, until commit or abort. {0} is a closed file.
 * Units:   bytes.
 * Errors:  LP_IO with the path and what the system said. A failed write sticks and is reported by commit as well.
 * Threads: one thread per file.
 */
#ifndef LP_BASE_FILE_H
#define LP_BASE_FILE_H

#include "base/buf.h"

#include <stdint.h>
#include <stdio.h>

struct lp_newfile {
    char *path, *part_path;
    int fd; /* -1 when closed */
    struct lp_buf pending;
    uint64_t bytes; /* written in all */
    struct lp_err failure;
};

/* Makes missing folders of path first. part NULL: hidden beside the target, in this process's name. */
enum lp_code lp_newfile_begin(struct lp_newfile *f, const char *path, const char *part, struct lp_err *err) LP_CHECKED;
enum lp_code lp_newfile_write(struct lp_newfile *f, const void *bytes, size_t len, struct lp_err *err) LP_CHECKED;
/* Writes out what is buffered and gives the descriptor back to the system; the next write opens it again. For those
 * who hold many files at once. */
enum lp_code lp_newfile_park(struct lp_newfile *f, struct lp_err *err) LP_CHECKED;
enum lp_code lp_newfile_commit(struct lp_newfile *f, struct lp_err *err) LP_CHECKED;
void lp_newfile_release(struct lp_newfile *f); /* abort unless committed */

/* Whole content into out; LP_NOTFOUND, LP_LIMIT past out->max_bytes, LP_IO. */
enum lp_code lp_file_read(const char *path, struct lp_buf *out, struct lp_err *err) LP_CHECKED;
/* mkdir -p for the folder part of path; with fsync of what was made. */
enum lp_code lp_file_make_folders(const char *path, struct lp_err *err) LP_CHECKED;
/* Removes path and makes that durable; LP_OK when it was not there. */
enum lp_code lp_file_remove(const char *path, struct lp_err *err) LP_CHECKED;

/* A lock that goes with the process: LP_LOCKED when somebody else holds it. */
struct lp_filelock {
    int fd;
    char *path;
};
enum lp_code lp_filelock_take(struct lp_filelock *l, const char *path, struct lp_err *err) LP_CHECKED;
/* For locks that are leases as well: whoever holds one that was not renewed for so long is taken for stopped, and its lock is
 * put aside. That one learns so at its next renewal (LP_LOCKED). */
enum lp_code lp_filelock_take_lease(struct lp_filelock *l, const char *path, int64_t lease_us, struct lp_err *err) LP_CHECKED;
enum lp_code lp_filelock_renew(struct lp_filelock *l, struct lp_err *err) LP_CHECKED;
void lp_filelock_release(struct lp_filelock *l);

#endif
