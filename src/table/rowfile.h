/* rowfile.h — rows on their way into a file, whatever its format: one contract, a file of code per format.
 * Model:   open → write* → finish, then free; free alone throws away what is held. Bytes go to the target in order, and the
 *          file is complete once finish returned LP_OK. A format may hold rows back; shed hands them on, so that who
 *          holds many files can bound what they hold together. The bytes depend on the rows and on where shed was called,
 *          not on how the rows lay in batches.
 * Owns:    the writer, until free. Setting and target are copied; what they point to is borrowed until free.
 * Units:   bytes.
 * Errors:  LP_NOMEM, LP_LIMIT, and what the target returns. After an error only free is of use.
 * Threads: one writer per thread.
 */
#ifndef LP_TABLE_ROWFILE_H
#define LP_TABLE_ROWFILE_H

#include "table/batch.h"

enum lp_format { LP_FORMAT_CSV, LP_FORMAT_PARQUET, LP_FORMAT_COUNT };

struct lp_rowfile_target {
    enum lp_code (*write)(void *room, const void *bytes, size_t len, struct lp_err *err);
    void *room;
};
struct lp_rowfile_setting {
    const struct lp_columns *columns;
    const char *pipeline;   /* named in files that can say what they are */
    struct lp_buf *scratch; /* for text on its way, shared by all writers */
};

struct lp_rowfile {
    const struct lp_rowfile_ops *ops;
    struct lp_rowfile_setting setting;
    struct lp_rowfile_target target;
    size_t held_bytes;    /* of rows that were not handed on */
    size_t lasting_bytes; /* what no shed gives back: where the parts of the file lie, and what is in them */
};
struct lp_rowfile_ops {
    /* The good rows of the batch for which keep[row] is true (keep NULL: all good rows). */
    enum lp_code (*write)(struct lp_rowfile *r, const struct lp_batch *b, const bool *keep, struct lp_err *err);
    enum lp_code (*shed)(struct lp_rowfile *r, struct lp_err *err);
    enum lp_code (*finish)(struct lp_rowfile *r, struct lp_err *err);
    void (*free)(struct lp_rowfile *r);
};

struct lp_format_info {
    const char *name, *ending; /* "csv", ".csv" */
    const char *missing;       /* why this build cannot write it; NULL: it can */
    enum lp_code (*open)(const struct lp_rowfile_setting *s, const struct lp_rowfile_target *t, struct lp_rowfile **out,
                         struct lp_err *err);
};
const struct lp_format_info *lp_format_info(enum lp_format f);
/* The format whose ending the name has; false: none's. */
bool lp_format_of_name(const char *name, enum lp_format *out);
void lp_rowfile_free(struct lp_rowfile **r); /* *r may be NULL */

/* A home each: rowfile_csv.c; parquet.c, or parquet_none.c in a build without carquet. */
extern const struct lp_format_info lp_format_csv, lp_format_parquet;

#endif
