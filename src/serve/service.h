/* service.h — the service's own state, for the files that it is made of.
 * Model:   serve.c is the loop; runs.c fires and listens to runs; lakes.c keeps the locks and the past; shown.c writes the board.
 * Owns:    everything in it, from lp_serve's beginning to its end.
 * Units:   now_us: the wall clock at the beginning of this turn; monotonic where it says so.
 * Errors:  as serve.h.
 * Threads: one thread.
 */
#ifndef LP_SERVE_SERVICE_H
#define LP_SERVE_SERVICE_H

#include "page/web.h"
#include "serve/fire.h"
#include "serve/keeper.h"
#include "serve/look.h"
#include "serve/serve.h"
#include "serve/supervisor.h"
#include "serve/watch.h"

#include <signal.h>

#define LP_SERVICE_LOOKS 2

struct lp_service {
    const struct lp_serve_options *options;
    struct lp_roster roster;
    struct lp_errands errands;
    struct lp_firing *firings; /* at_once of them; those without an errand are free */
    size_t at_work;
    struct lp_keeper *keepers;
    size_t keeper_count;
    uint64_t roster_readings, followed; /* what the keepers say has been passed on since that reading */
    struct lp_look looks[LP_SERVICE_LOOKS];
    struct lp_supervisor supervisor;
    struct lp_watch watch;
    struct lp_board board;
    struct lp_web *web; /* NULL: there is no page */
    int signal_fd, timer_fd;
    sigset_t mask_before; /* signals that were blocked before the service read them */
    int64_t now_us, started_us;
    int64_t start_again_us; /* monotonic: no run could be started; 0: the last one could */
    int64_t look_again_us; /* monotonic: lakes that could not be read; INT64_MAX: all could */
    bool asked;    /* for a page, or something of one is ready */
    bool stopping;
    unsigned stop_signals;
    int64_t stop_us; /* monotonic: from then on runs are asked to stop */
    struct lp_buf text; /* of the line that is being said */
};

void lp_service_say(struct lp_service *v, enum lp_serve_level level, const struct lp_served *s, int64_t slot_us,
                    const char *format, ...) LP_PRINTF(5, 6);

/* runs.c */
bool lp_service_cannot_start(const struct lp_service *v);
void lp_service_run_due(struct lp_service *v);   /* starts what is due */
void lp_service_hear_runs(struct lp_service *v); /* takes in what has ended */
void lp_service_stop_runs(struct lp_service *v);

/* lakes.c */
void lp_service_set_keepers(struct lp_service *v);  /* after the roster was read */
void lp_service_hear_keepers(struct lp_service *v);
void lp_service_look(struct lp_service *v);         /* reads the past of those whose past is not known */
/* When one that stands by looks what the other has made of the slot that was due; INT64_MAX: not by itself. */
int64_t lp_service_follow_us(const struct lp_served *s);

/* shown.c */
void lp_service_show(struct lp_service *v); /* brings the board up to date */
/* Past runs, sorted by slot. */
void lp_service_take_bars(struct lp_served *s, const struct lp_bar *more, size_t more_count);
void lp_service_show_run(struct lp_served *s, const struct lp_firing *f, const struct lp_fire_report *r);

#endif
