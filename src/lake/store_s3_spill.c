/* What parked uploads hold: bytes in a file, behind one another, so that an upload that is parked a thousand times is
 * written once. */
#include "lake/store_s3.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static enum lp_code open_file(struct lp_s3_spill *s, struct lp_err *err)
{
    const char *folder = getenv("TMPDIR");
    char path[4096];
    if (s->fd >= 0) return LP_OK;
    if (snprintf(path, sizeof path, "%s/lambda-pipeline-XXXXXX", folder && *folder ? folder : "/tmp") >= (int)sizeof path)
        return lp_fail(err, LP_LIMIT, "TMPDIR is too long; name a shorter folder");
    s->fd = mkostemp(path, O_CLOEXEC);
    if (s->fd < 0)
        return lp_fail_errno(err, "%s: cannot make a file for what waits to be uploaded; set TMPDIR to a folder with room",
                             path);
    unlink(path);
    return LP_OK;
}

static enum lp_code take_chunk(struct lp_s3_spill *s, uint32_t *chunk, struct lp_err *err)
{
    if (s->spare_count) {
        *chunk = s->spare[--s->spare_count];
        return LP_OK;
    }
    /* Room to give all of them back is made now: giving back cannot fail then. */
    if (s->made == s->spare_cap) {
        size_t cap = s->spare_cap ? s->spare_cap * 2 : 256;
        if (cap > UINT32_MAX) return lp_fail(err, LP_LIMIT, "more waits to be uploaded than a file may hold");
        uint32_t *spare = reallocarray(s->spare, cap, sizeof *spare);
        if (!spare) return lp_nomem(err);
        s->spare = spare;
        s->spare_cap = cap;
    }
    *chunk = s->made++;
    return LP_OK;
}

static enum lp_code write_at(int fd, const char *bytes, size_t len, uint64_t at, struct lp_err *err)
{
    for (size_t done = 0; done < len;) {
        ssize_t n = pwrite(fd, bytes + done, len - done, (off_t)(at + done));
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0)
            return lp_fail_errno(err, "cannot keep what waits to be uploaded; set TMPDIR to a folder with more room");
        done += (size_t)n;
    }
    return LP_OK;
}

enum lp_code lp_s3_spill_add(struct lp_s3_spill *s, struct lp_s3_parked *p, const char *bytes, size_t len,
                             struct lp_err *err)
{
    LP_TRY(open_file(s, err));
    if (!p->chunks && !(p->chunks = calloc(LP_S3_CHUNKS, sizeof *p->chunks))) return lp_nomem(err);
    while (len) {
        size_t used = p->bytes % LP_S3_CHUNK_BYTES, n = LP_S3_CHUNK_BYTES - used;
        if (n > len) n = len;
        if (p->bytes == p->count * LP_S3_CHUNK_BYTES) {
            if (p->count == LP_S3_CHUNKS) return lp_fail(err, LP_BUG, "more is parked than an upload holds");
            LP_TRY(take_chunk(s, &p->chunks[p->count], err));
            p->count++;
        }
        LP_TRY(write_at(s->fd, bytes, n, (uint64_t)p->chunks[p->count - 1] * LP_S3_CHUNK_BYTES + used, err));
        p->bytes += n;
        bytes += n;
        len -= n;
    }
    return LP_OK;
}

enum lp_code lp_s3_spill_read(const struct lp_s3_spill *s, const struct lp_s3_parked *p, char *out, struct lp_err *err)
{
    for (size_t done = 0; done < p->bytes;) {
        size_t in_chunk = done % LP_S3_CHUNK_BYTES, n = LP_S3_CHUNK_BYTES - in_chunk;
        if (n > p->bytes - done) n = p->bytes - done;
        uint64_t at = (uint64_t)p->chunks[done / LP_S3_CHUNK_BYTES] * LP_S3_CHUNK_BYTES + in_chunk;
        ssize_t got = pread(s->fd, out + done, n, (off_t)at);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return lp_fail_errno(err, "cannot read back what waits to be uploaded");
        if (!got) return lp_fail(err, LP_IO, "what waits to be uploaded was cut off in the folder for temporary files");
        done += (size_t)got;
    }
    return LP_OK;
}

void lp_s3_spill_drop(struct lp_s3_spill *s, struct lp_s3_parked *p)
{
    for (size_t i = 0; i < p->count; i++) s->spare[s->spare_count++] = p->chunks[i];
    free(p->chunks);
    *p = (struct lp_s3_parked){0};
}

void lp_s3_spill_release(struct lp_s3_spill *s)
{
    if (s->fd >= 0) close(s->fd);
    free(s->spare);
    *s = (struct lp_s3_spill){.fd = -1};
}
