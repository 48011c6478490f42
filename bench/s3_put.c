/* s3_put make MIB FILE: writes MIB pieces of 1 MiB, each of them different.
 * s3_put to MIB S3-ADDRESS KEY: hands the same pieces to the program's own store, one after the other, and commits. */
#include "aws/aws.h"
#include "base/error.h"
#include "lake/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PIECE ((size_t)1 << 20)

static void end(const char *what)
{
    fprintf(stderr, "s3_put: %s\n", what);
    exit(1);
}

/* A piece differs from its neighbours in its first bytes: parts that change places are seen. */
static void stamp(char *piece, size_t n)
{
    snprintf(piece, 32, "%020zu", n);
}

static void put(size_t count, const char *to, const char *key, char *piece)
{
    struct lp_aws *aws;
    struct lp_store *store;
    struct lp_upload *upload;
    struct lp_err err;
    if (lp_aws_new(&(struct lp_aws_options){0}, &aws, &err) || lp_store_open(to, NULL, aws, &store, &err) ||
        store->ops->begin(store, key, &upload, &err))
        end(err.text);
    for (size_t i = 0; i < count; i++) {
        stamp(piece, i);
        if (upload->ops->write(upload, piece, PIECE, &err)) end(err.text);
    }
    if (lp_upload_commit(&upload, &err)) end(err.text);
    lp_store_free(store);
    lp_aws_free(aws);
}

int main(int argc, char **argv)
{
    char *piece = malloc(PIECE);
    uint64_t state = 88172645463325252u;
    size_t count = argc > 2 ? strtoull(argv[2], NULL, 10) : 0;
    if (!piece) end("no memory");
    for (size_t i = 0; i < PIECE; i += sizeof state) { /* xorshift */
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        memcpy(piece + i, &state, sizeof state);
    }
    if (argc == 5 && !strcmp(argv[1], "to")) {
        put(count, argv[3], argv[4], piece);
    } else if (argc == 4 && !strcmp(argv[1], "make")) {
        FILE *f = fopen(argv[3], "we");
        for (size_t i = 0; f && i < count; i++) {
            stamp(piece, i);
            if (fwrite(piece, 1, PIECE, f) != PIECE) end("cannot write");
        }
        if (!f || fclose(f)) end("cannot write");
    } else {
        end("usage: s3_put make MIB FILE | to MIB S3-ADDRESS KEY");
    }
    free(piece);
    return 0;
}
