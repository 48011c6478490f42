/* output.h — a run's files, unseen until they are published together.
 * Model:   good rows go to one data file per partition, bad rows to quarantine. publish commits the data, then the
 *          quarantine; what an earlier run of the same slot left and this one no longer has is removed in between.
 *          Without publish nothing is seen: release throws everything away.
 * Owns:    the uploads and their buffers. At most LP_OUTPUT_OPEN of them hold a descriptor and a buffer at a time; the
 *          rows that formats hold back are at most LP_OUTPUT_HELD_BYTES in all files together, beyond which the file with
 *          most of them hands its own on; what formats have to remember of files until they are whole is at most
 *          LP_OUTPUT_LASTING_BYTES.
 * Units:   rows and bytes.
 * Errors:  LP_LIMIT past LP_OUTPUT_PARTITIONS partitions in one run and past these bytes, LP_IO, LP_NOMEM.
 * Threads: one thread.
 */
#ifndef LP_LAKE_OUTPUT_H
#define LP_LAKE_OUTPUT_H

#include "lake/layout.h"
#include "lake/store.h"
#include "source/each.h"
#include "table/rowfile.h"

#define LP_OUTPUT_OPEN          16
#define LP_OUTPUT_PARTITIONS    10000
#define LP_OUTPUT_HELD_BYTES    ((size_t)24 << 20)
#define LP_OUTPUT_LASTING_BYTES ((size_t)256 << 20)

struct lp_earlier { /* what earlier runs of the slot may have left */
    struct lp_buf keys; /* of data files, one per line */
    bool any;           /* false: nothing at all, so that there is nothing to remove */
    bool written;       /* the record says so: all rows, or some */
    uint64_t shards;    /* of so many shares, each with a quarantine of its own; 0: of none */
    struct lp_buf refused; /* runs of shares that were refused together, one per line: their rows are gone */
};

void lp_earlier_release(struct lp_earlier *e);

struct lp_output_file {
    char *partition, *key; /* owned */
    struct lp_upload *upload;
    struct lp_rowfile *writer; /* of data, until finished */
    uint64_t rows, bytes;
    uint64_t used; /* when last written to, in writes */
    bool parked, published;
};

struct lp_output {
    struct lp_store *store;
    struct lp_layout layout;
    const struct lp_columns *columns;
    const struct lp_each *each;
    const struct lp_bindings *run; /* borrowed: slot, run_id, pipeline */
    struct lp_output_file *files;  /* of data, in the order of their first row */
    size_t *by_partition;          /* their indices, in the order of their partitions' names */
    size_t file_count, file_cap, last;
    size_t writing; /* the file whose writer is at work */
    size_t held_bytes, lasting_bytes; /* by all writers */
    struct lp_output_file quarantine;
    struct lp_buf text, partition;
    size_t *file_of_row;
    bool *keep;
    uint64_t writes;
};

enum lp_code lp_output_begin(struct lp_output *o, struct lp_store *store, const struct lp_layout *layout,
                             const struct lp_columns *columns, const struct lp_each *each,
                             const struct lp_bindings *run, struct lp_err *err) LP_CHECKED;
/* The batch is judged: rows with failures are bad. */
enum lp_code lp_output_write(struct lp_output *o, const struct lp_batch *b, const struct lp_item *item,
                             const struct lp_bindings *bind, struct lp_err *err) LP_CHECKED;
/* How many rows stand already in the file that an item's rows go to, and in quarantine; false where rows choose their files. */
bool lp_output_place(struct lp_output *o, const struct lp_bindings *bind, uint64_t *rows, uint64_t *quarantined);
/* What an earlier run of the slot wrote and is to stay: good rows of a partition, lines of quarantine. */
enum lp_code lp_output_write_kept(struct lp_output *o, const char *partition, const struct lp_batch *b,
                                  struct lp_err *err) LP_CHECKED;
enum lp_code lp_output_write_kept_bad(struct lp_output *o, const char *lines, size_t len, uint64_t rows,
                                      struct lp_err *err) LP_CHECKED;
enum lp_code lp_output_publish(struct lp_output *o, const struct lp_earlier *before, struct lp_err *err) LP_CHECKED;
/* Only what was quarantined: for a run whose rows were refused. */
enum lp_code lp_output_publish_quarantine(struct lp_output *o, const struct lp_earlier *before,
                                          struct lp_err *err) LP_CHECKED;
void lp_output_release(struct lp_output *o);

#endif
