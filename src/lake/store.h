/* store.h — where finished files go: one contract, a file of code per home.
 * Model:   begin → write* → commit | abort. A key is visible only after commit, whole or not at all; commit over an
 *          existing key replaces it. A lock on a key is held by one run at a time and goes with its process; who holds
 *          one renews it now and then, and learns so whether it still does.
 * Owns:    the store owns its state; an upload or lock belongs to the caller until commit, abort or release, which free
 *          it and set the pointer to NULL even when they fail. A listing belongs to the caller.
 * Units:   bytes; keys are relative, '/'-separated, without "." or "..", at most 1,024 bytes, 240 between two slashes;
 *          .NAME.part is the directory's own.
 * Errors:  LP_NOTFOUND (read), LP_LOCKED (lock, renew), LP_LIMIT, LP_IO, LP_NOMEM; from S3 those of aws/aws.h as well. Write
 *          errors stick: commit reports one that was not looked at.
 * Threads: one upload per thread; a store may be shared.
 */
#ifndef LP_LAKE_STORE_H
#define LP_LAKE_STORE_H

#include "base/arena.h"
#include "base/buf.h"

#include <stdint.h>

struct lp_store;
struct lp_upload;
struct lp_lock;

#define LP_STORE_KEY_BYTES  1024
#define LP_STORE_NAME_BYTES 240
#define LP_LISTING_BYTES    ((size_t)256 << 20)

struct lp_listed {
    const char *key;
    uint64_t bytes;
    const char *version; /* changes with the object's bytes: S3's ETag; "" where the home has none */
};
struct lp_listing { /* {0} is an empty one */
    struct lp_arena arena;
    struct lp_listed *list;
    size_t count, cap;
};

struct lp_store_ops {
    const char *scheme;
    enum lp_code (*begin)(struct lp_store *s, const char *key, struct lp_upload **out, struct lp_err *err);
    /* The whole object, bounded by out->max_bytes. */
    enum lp_code (*read)(struct lp_store *s, const char *key, struct lp_buf *out, struct lp_err *err);
    enum lp_code (*remove)(struct lp_store *s, const char *key, struct lp_err *err); /* absent is fine */
    /* The keys below `prefix` (a folder with its slash, or "" for all) that come behind `after` ("" for all), in the order
     * of their bytes. Names that begin with a dot are left out: they are the runs' own. */
    enum lp_code (*list)(struct lp_store *s, const char *prefix, const char *after, struct lp_listing *out,
                         struct lp_err *err);
    enum lp_code (*lock)(struct lp_store *s, const char *key, struct lp_lock **out, struct lp_err *err);
    void (*put_url)(const struct lp_store *s, const char *key, struct lp_buf *out); /* for people and records */
    void (*free)(struct lp_store *s);
};
struct lp_store {
    const struct lp_store_ops *ops;
    /* Locks taken from here on are leases of so many seconds: one that its holder has not renewed for so long is taken over,
     * even though that process is there. 0: as the home has it. */
    unsigned lease_s;
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

struct lp_lock_ops {
    /* LP_LOCKED when somebody else has taken it; costs nothing while there is time left. Moves on what the store has under
     * way, so whoever waits for something else calls it now and then. */
    enum lp_code (*renew)(struct lp_lock *l, struct lp_err *err);
    void (*release)(struct lp_lock *l); /* frees l */
};
struct lp_lock {
    const struct lp_lock_ops *ops;
    bool orderly;    /* whoever held it before has let go of it by itself; false where the home cannot tell */
    bool unfinished; /* set before release by a holder that leaves work for the next one: that one shall not find it orderly */
};
void lp_lock_release(struct lp_lock **l); /* *l may be NULL */

/* For those who write a store: texts are copied; sorts by key. */
enum lp_code lp_listing_add(struct lp_listing *l, const char *key, size_t key_len, uint64_t bytes, const char *version,
                            struct lp_err *err) LP_CHECKED;
void lp_listing_sort(struct lp_listing *l);
void lp_listing_release(struct lp_listing *l);
/* Does any name of the key begin with a dot? */
bool lp_store_key_is_hidden(const char *key);

enum lp_code lp_upload_commit(struct lp_upload **u, struct lp_err *err) LP_CHECKED;
void lp_upload_abort(struct lp_upload **u); /* *u may be NULL */
/* begin, write, commit for what is in memory already. */
enum lp_code lp_store_put(struct lp_store *s, const char *key, const void *bytes, size_t len,
                          struct lp_err *err) LP_CHECKED;

/* LP_BUG unless the key is one: for those who write a store. */
enum lp_code lp_store_check_key(const char *key, struct lp_err *err) LP_CHECKED;
enum lp_s3_encryption { LP_S3_NO_ENCRYPTION, LP_S3_AES256, LP_S3_KMS, LP_S3_KMS_DSSE };
struct lp_s3_options {       /* texts are borrowed for as long as the store lives; {0} asks for nothing */
    const char *region;      /* NULL: the session's, or the one that S3 names */
    int encryption;          /* of enum lp_s3_encryption; none: the bucket's own rule */
    const char *kms_key;
    const char *expected_bucket_owner; /* an account's number */
};

struct lp_aws;
/* The home an address names: a directory, or s3://bucket/prefix, for which a session is needed; both other arguments may
 * be NULL for a directory. */
enum lp_code lp_store_open(const char *to, const struct lp_s3_options *s3, struct lp_aws *aws, struct lp_store **out,
                           struct lp_err *err) LP_CHECKED;
bool lp_store_is_s3(const char *to);
void lp_store_free(struct lp_store *s);

/* store_s3.c */
enum lp_code lp_store_s3_new(const char *root, const struct lp_s3_options *o, struct lp_aws *aws, struct lp_store **out,
                             struct lp_err *err) LP_CHECKED;

/* store_dir.c */
enum lp_code lp_store_dir_new(const char *root, struct lp_store **out, struct lp_err *err) LP_CHECKED;

#endif
