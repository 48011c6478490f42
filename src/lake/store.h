/* store.h — where finished files go: one contract, a file of code per home.
 * Model:   begin → write* → commit | abort. A key is visible only after commit, whole or not at all; commit over an
 *          existing key replaces it. A lock on a key is held by one run at a time and goes with its process.
 * Owns:    the store owns its state; an upload or lock belongs to the caller until commit, abort or unlock, which free
 *          it and set the pointer to NULL even when they fail.
 * Units:   bytes; keys are relative, '/'-separated, without "." or "..", at most 1,024 bytes, 240 between two slashes;
 *          .NAME.part is the directory's own.
 * Errors:  LP_NOTFOUND (read), LP_LOCKED (lock), LP_LIMIT, LP_IO, LP_NOMEM. Write errors stick: commit reports one that
 *          was not looked at.
 * Threads: one upload per thread; a store may be shared.
 */
#ifndef LP_LAKE_STORE_H
#define LP_LAKE_STORE_H

#include "base/buf.h"

struct lp_store;
struct lp_upload;
struct lp_lock;

#define LP_STORE_KEY_BYTES  1024
#define LP_STORE_NAME_BYTES 240

struct lp_store_ops {
    const char *scheme;
    enum lp_code (*begin)(struct lp_store *s, const char *key, struct lp_upload **out, struct lp_err *err);
    /* The whole object, bounded by out->max_bytes. */
    enum lp_code (*read)(struct lp_store *s, const char *key, struct lp_buf *out, struct lp_err *err);
    enum lp_code (*remove)(struct lp_store *s, const char *key, struct lp_err *err); /* absent is fine */
    enum lp_code (*lock)(struct lp_store *s, const char *key, struct lp_lock **out, struct lp_err *err);
    void (*unlock)(struct lp_store *s, struct lp_lock **lock);
    void (*put_url)(const struct lp_store *s, const char *key, struct lp_buf *out); /* for people and records */
    void (*free)(struct lp_store *s);
};
struct lp_store {
    const struct lp_store_ops *ops;
};

struct lp_upload_ops {
    enum lp_code (*write)(struct lp_upload *u, const void *bytes, size_t len, struct lp_err *err);
    /* Lets go of what costs memory or descriptors; writing goes on later. */
    enum lp_code (*park)(struct lp_upload *u, struct lp_err *err);
    enum lp_code (*commit)(struct lp_upload *u, struct lp_err *err); /* frees u */
    void (*abort)(struct lp_upload *u);                              /* frees u */
};
struct lp_upload {
    const struct lp_upload_ops *ops;
};

enum lp_code lp_upload_commit(struct lp_upload **u, struct lp_err *err) LP_CHECKED;
void lp_upload_abort(struct lp_upload **u); /* *u may be NULL */
/* begin, write, commit for what is in memory already. */
enum lp_code lp_store_put(struct lp_store *s, const char *key, const void *bytes, size_t len,
                          struct lp_err *err) LP_CHECKED;

/* LP_BUG unless the key is one: for those who write a store. */
enum lp_code lp_store_check_key(const char *key, struct lp_err *err) LP_CHECKED;
/* The home an address names: a directory. */
enum lp_code lp_store_open(const char *to, struct lp_store **out, struct lp_err *err) LP_CHECKED;
void lp_store_free(struct lp_store *s);

/* store_dir.c */
enum lp_code lp_store_dir_new(const char *root, struct lp_store **out, struct lp_err *err) LP_CHECKED;

#endif
