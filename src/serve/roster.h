/* roster.h — the pipelines that are served, as their files have them.
 * Model:   files and folders are named once; what they hold is read then, and again when it changes. A file with faults keeps
 *          what it said before; one that is gone is not fired until it is back. Of a definition only its text and what the
 *          schedule needs are kept: each run reads the text again, in a process of its own.
 * Owns:    everything it lists. Pipelines keep their address as long as they are in the list.
 * Units:   microseconds UTC.
 * Errors:  LP_CONFIG only when the roster is first read and nothing can be served; later faults are a pipeline's `fault`.
 *          LP_NOMEM.
 * Threads: one thread.
 */
#ifndef LP_SERVE_ROSTER_H
#define LP_SERVE_ROSTER_H

#include "aws/aws.h"
#include "pipeline/definition.h"
#include "serve/agenda.h"
#include "page/board.h"

#define LP_ROSTER_FILES 10000

struct lp_served {
    char *path;
    struct lp_buf text; /* of the file, as it last was without fault; empty: never */
    char *name;         /* NULL: never without fault */
    char *lake;         /* sink.root */
    char *words;        /* the schedule, plainly; NULL: there is none */
    char *fault;        /* what is wrong with the file now; NULL: nothing */
    char *lake_fault;   /* what is wrong with its lake; NULL: nothing */
    char *past_fault;   /* why its records could not be read; NULL: they could */
    char *last_error;   /* of the last run; NULL: it went well */
    struct lp_schedule rules; /* its texts are NULL: expression and zone are read */
    struct lp_expression expression;
    const struct lp_zone *zone; /* the roster's */
    struct lp_agenda agenda;
    struct lp_board_pipeline shown;
    uint64_t name_hash;
    int64_t since_us;  /* when it was first served */
    struct lp_served_news *news; /* while the files are read */
    size_t place;                /* in the list, then */
    bool scheduled;    /* it has an expression */
    bool told_unscheduled, told_past;
    bool gone;         /* its file is */
    bool named;        /* itself, not its folder */
    bool seen;         /* at the last reading */
    bool stands_by;    /* another service fires it */
    bool fires;        /* its lake's lock is held: it runs from active_us on */
    bool looked;       /* its past is known */
    bool in_look;      /* somebody reads it at this moment */
    int64_t active_us;
    int64_t look_us;   /* monotonic: not looked at before */
};

struct lp_served_news;
struct lp_roster_zone;
struct lp_roster {
    const char *const *paths; /* as named */
    size_t path_count;
    const char *to;           /* the lake instead of the files' own; NULL: theirs */
    const char *replay;       /* a folder of recorded replies instead of the network; NULL: the network */
    struct lp_aws_options aws;
    struct lp_served **list;
    size_t count, cap;
    size_t found; /* behind the file that was met last */
    size_t left_out; /* files, as there are too many */
    struct lp_roster_zone *zones;
    size_t zone_count;
    uint64_t changes; /* of what is served, counted */
    /* Told of each change of a pipeline's state; what is NULL when all is well again. s is NULL for the whole. */
    void (*say)(void *who, const struct lp_served *s, const char *what);
    void *who;
};

/* Reads what has changed. `first`: nothing was read before. */
enum lp_code lp_roster_read(struct lp_roster *r, bool first, int64_t now_us, struct lp_err *err) LP_CHECKED;
/* Drops those whose files are gone and that nothing is under way for. */
void lp_roster_forget_gone(struct lp_roster *r);
struct lp_served *lp_roster_find(const struct lp_roster *r, const char *name);
void lp_roster_release(struct lp_roster *r);

/* The whole definition, from the text that is kept; lp_pipeline_release afterwards. For a child process. */
enum lp_code lp_served_load(const struct lp_roster *r, const struct lp_served *s, struct lp_pipeline *p,
                            struct lp_err *err) LP_CHECKED;
/* When it is due next, also while another service fires it; INT64_MAX: it is not. */
int64_t lp_served_next_us(const struct lp_served *s, int64_t now_us);
/* Replaces one of the texts above; NULL when memory is out, or for NULL. */
void lp_served_set(char **text, const char *value);

#endif
