/* board.h — what the service shows of itself: one plain struct, from which the front page, /metrics, /healthz and /readyz are
 *           written.
 * Model:   the service keeps it up to date; pages only read it. Past runs come from the records, and from each run that ends.
 * Owns:    the service owns it all; texts are borrowed for as long as a page is written.
 * Units:   microseconds UTC; milliseconds where the name says so.
 * Errors:  none.
 * Threads: one thread.
 */
#ifndef LP_PAGE_BOARD_H
#define LP_PAGE_BOARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LP_BOARD_BARS 30

enum lp_bar_state { LP_BAR_OK, LP_BAR_PARTIAL, LP_BAR_FAILED, LP_BAR_MISSED /* due, and no record of it */ };

/* One slot of the strip. */
struct lp_bar {
    int64_t slot_us;
    uint32_t duration_ms, rows, quarantined, failed /* items */;
    uint8_t state; /* of enum lp_bar_state */
};

struct lp_board_pipeline {
    const char *name, *path;
    const char *words;      /* the schedule, plainly: "every day at 18:00 UTC"; NULL: it has none */
    const char *fault;      /* what is wrong with the file, or with its lake; NULL: nothing */
    int64_t next_us;        /* INT64_MAX: it is not due any more */
    int64_t running_us;     /* the slot at work, INT64_MIN: none */
    size_t waiting;         /* slots that wait for their turn */
    struct lp_bar bars[LP_BOARD_BARS]; /* the oldest first */
    size_t bar_count;
    const char *last_error; /* of the last run that failed or was partial, "" otherwise; came from strangers */
    /* Since the service began, for /metrics. */
    uint64_t runs_ok, runs_partial, runs_failed, rows_written, rows_quarantined, retries, slots_skipped;
    int64_t last_success_us;  /* the slot; INT64_MIN: none is known */
    int64_t last_duration_ms; /* -1: none is known */
    int64_t last_lateness_ms; /* from slot to start; -1: none is known */
};

struct lp_board {
    struct lp_board_pipeline *list; /* in the order they were named */
    size_t count;
    int64_t now_us, started_us;
    bool standing_by;  /* another service fires; this one watches */
    bool ready;        /* the schedule runs */
    bool stopping;
    size_t at_work, at_once; /* runs at this moment, and at most */
    const char *version;
};

#endif
