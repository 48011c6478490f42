/* store_s3.h — what the files of the S3 store share: the store itself and one request for one of its keys.
 * Model:   a bucket and a prefix below it. Every request names the owner that is expected and, where it writes, the
 *          encryption that is asked for.
 * Owns:    the store owns its texts and the file that parked uploads lie in; the session is borrowed. A request owns what
 *          it was given to send until it is released, except the body.
 * Units:   bytes.
 * Errors:  those of aws/aws.h, and, where there is one, what to do.
 * Threads: one thread per session.
 */
#ifndef LP_LAKE_STORE_S3_H
#define LP_LAKE_STORE_S3_H

#include "aws/aws.h"
#include "lake/store.h"

#define LP_S3_SINGLE_BYTES ((size_t)16 << 20) /* up to this an object is one PUT */
#define LP_S3_PART_BYTES   ((size_t)8 << 20)
#define LP_S3_HEADERS      16
#define LP_S3_CHUNK_BYTES  ((size_t)64 << 10)
#define LP_S3_CHUNKS       (LP_S3_SINGLE_BYTES / LP_S3_CHUNK_BYTES) /* of one upload: what is not parts yet */

/* An unlinked file for the bytes of parked uploads, in chunks that are used again. */
struct lp_s3_spill {
    int fd; /* -1 until an upload is parked */
    uint32_t made, *spare;
    size_t spare_count, spare_cap;
};

struct lp_s3_store {
    struct lp_store store;
    struct lp_aws *aws;
    char *bucket, *prefix; /* "" or "a/b/" */
    struct lp_s3_options options;
    struct lp_lock *lock; /* the first that is held; renewed as the store works */
    int64_t lease_ends_us; /* of the lock, monotonic: nothing is changed past it; 0: no lock */
    bool sweeps;          /* a killed run may have left unfinished uploads */
    struct lp_s3_spill spill;
};

struct lp_s3_request {
    struct lp_aws_request aws;
    struct lp_buf path, query;
    char *headers[LP_S3_HEADERS];
    bool failed; /* for want of memory */
};

void lp_s3_request_init(struct lp_s3_request *q, const struct lp_s3_store *s, const char *method, const char *key);
void lp_s3_request_release(struct lp_s3_request *q);
void lp_s3_add_header(struct lp_s3_request *q, const char *format, ...) LP_PRINTF(2, 3);
/* "name=value" of a query, value percent-encoded; NULL: the name alone. */
void lp_s3_add_query(struct lp_s3_request *q, const char *name, const char *value);
/* The headers of an object that is being made: type, encryption. */
void lp_s3_add_object_headers(struct lp_s3_request *q, const struct lp_s3_store *s, const char *key);
void lp_s3_add_checksum(struct lp_s3_request *q, uint32_t crc);
/* The CRC-32 as S3 writes it: base64 of its four bytes, the highest first. */
void lp_s3_put_checksum(uint32_t crc, char out[9]);

/* Sends it; *reply is to be released in any case. */
enum lp_code lp_s3_call(struct lp_s3_store *s, struct lp_s3_request *q, struct lp_aws_reply *reply,
                        struct lp_err *err) LP_CHECKED;
/* The first half of a call, for those that go side by side; lp_aws_finish is the other. */
enum lp_code lp_s3_start(struct lp_s3_store *s, struct lp_s3_request *q, struct lp_aws_call **out,
                         struct lp_err *err) LP_CHECKED;
/* Puts a remedy to a failure, where there is one. */
enum lp_code lp_s3_explain(const struct lp_s3_store *s, const struct lp_aws_reply *reply, enum lp_code code,
                           struct lp_err *err) LP_CHECKED;

void lp_s3_put_url(const struct lp_s3_store *s, const char *key, struct lp_buf *out);
/* The lock that the store holds, renewed where that is due. */
enum lp_code lp_s3_renew(struct lp_s3_store *s, struct lp_err *err) LP_CHECKED;

/* store_s3_spill.c: what an upload has put aside, as a list of its chunks. */
struct lp_s3_parked {
    uint32_t *chunks; /* LP_S3_CHUNKS of them, or NULL */
    size_t count, bytes;
};
/* Puts these bytes behind what is parked already; LP_S3_SINGLE_BYTES in all are the most. */
enum lp_code lp_s3_spill_add(struct lp_s3_spill *s, struct lp_s3_parked *p, const char *bytes, size_t len,
                             struct lp_err *err) LP_CHECKED;
/* Copies all that is parked to `out`. */
enum lp_code lp_s3_spill_read(const struct lp_s3_spill *s, const struct lp_s3_parked *p, char *out,
                              struct lp_err *err) LP_CHECKED;
/* Gives the chunks back. */
void lp_s3_spill_drop(struct lp_s3_spill *s, struct lp_s3_parked *p);
void lp_s3_spill_release(struct lp_s3_spill *s);

/* store_s3_upload.c */
enum lp_code lp_s3_begin(struct lp_store *s, const char *key, struct lp_upload **out, struct lp_err *err) LP_CHECKED;
/* store_s3_lock.c */
enum lp_code lp_s3_lock(struct lp_store *s, const char *key, struct lp_lock **out, struct lp_err *err) LP_CHECKED;
/* store_s3_list.c */
enum lp_code lp_s3_list(struct lp_store *s, const char *prefix, const char *after, struct lp_listing *out,
                        struct lp_err *err) LP_CHECKED;
/* Ends the unfinished uploads of a key: a killed run left them. */
enum lp_code lp_s3_sweep(struct lp_s3_store *s, const char *key, struct lp_err *err) LP_CHECKED;

#endif
