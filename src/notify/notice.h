/* notice.h — what there is to tell of a run, as plain data.
 * Model:   filled from a run's record and from those before it; notify lies below the record and knows neither.
 * Owns:    nothing: everything is borrowed for as long as somebody is told.
 * Units:   microseconds UTC, milliseconds, rows, bytes.
 * Errors:  none.
 * Threads: read only.
 */
#ifndef LP_NOTIFY_NOTICE_H
#define LP_NOTIFY_NOTICE_H

#include "notify/notify.h"

#include <stdint.h>

struct lp_notice_failure {
    const char *item, *error; /* for people */
};
struct lp_notice_reason {
    const char *rule; /* "humidity: in_range(0, 100)" */
    uint64_t rows;
};
struct lp_notice_file {
    const char *url;
    uint64_t rows, bytes;
};

#define LP_NOTICE_FAILURES 10
#define LP_NOTICE_REASONS  5
#define LP_NOTICE_FILES    5

struct lp_notice {
    enum lp_notify_event event;
    const char *pipeline, *status, *run_id;
    const char *again;      /* the command that runs the slot again, or of it what failed */
    uint64_t shards, shards_failed; /* of a slot that was run in shares: how many; 0: it was not */
    int64_t slot_us, duration_ms;
    struct {
        uint64_t total, ok, failed, retried;
    } requests;
    struct {
        uint64_t read, written, quarantined;
    } rows;
    enum lp_code code; /* why the run as a whole failed; LP_OK: it did not */
    const char *error; /* the same as a sentence; NULL: it did not */

    struct lp_notice_failure failures[LP_NOTICE_FAILURES]; /* the first ones, as all lists here */
    size_t failure_count;
    struct lp_notice_reason reasons[LP_NOTICE_REASONS];
    size_t reason_count, reason_total;
    struct lp_notice_file files[LP_NOTICE_FILES];
    size_t file_count, file_total;
    const char *record_url, *quarantine_url; /* NULL: there is none */

    bool history_known;
    bool failed_more;       /* at least so often */
    uint64_t failed_in_row; /* slots that failed one after another: with this one when it failed, else before it */
    int64_t worked_us;      /* the last slot before this one that wrote rows; INT64_MIN: none is known */
    int64_t next_us;        /* when it runs next; INT64_MIN: not known */
};

#endif
