#include "serve/keeper.h"

#include "base/cancel.h"
#include "base/clock.h"
#include "base/secret.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LOOK_S     5  /* how often it is looked for a lock that another holds, and after a service that is stopped */
#define LOOK_S3_S  10 /* the same where each look is two requests */
#define AGAIN_S    10
#define NOTE_BYTES 1024

struct keeping {
    const struct lp_roster *roster;
    const struct lp_served *any;
    uint64_t group;
    pid_t service;
};

/* ---- the child ---- */

/* Stopped by a signal or a debugger: it would not fire, so another shall. */
static bool is_stopped(pid_t pid)
{
    char path[64], text[512];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *f = fopen(path, "re");
    size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;
    if (f) fclose(f);
    text[n] = '\0';
    const char *at = strrchr(text, ')');
    return at && at[1] == ' ' && (at[2] == 'T' || at[2] == 't');
}

static void tell(char state, const char *why, char last[NOTE_BYTES])
{
    char note[NOTE_BYTES];
    snprintf(note, sizeof note, "%c%s", state, why);
    lp_secret_mask_text(note, sizeof note);
    if (!strcmp(note, last)) return;
    memcpy(last, note, sizeof note);
    lp_errand_note(note);
}

/* "is held by process 12 on x, which wrote it 3 s ago" would be news every time. */
static const char *in_short(const struct lp_err *err)
{
    return err->code == LP_LOCKED ? "another service over this lake fires these pipelines" : err->text;
}

static void wait_a_little(const struct lp_store *store)
{
    const struct timespec pause = {.tv_sec = strcmp(store->ops->scheme, "s3") != 0 ? LOOK_S : LOOK_S3_S};
    if (!lp_cancel_signal()) nanosleep(&pause, NULL);
}

static void keep(struct lp_store *store, const char *key, const struct keeping *k)
{
    struct lp_lock *lock = NULL;
    struct lp_err err;
    char last[NOTE_BYTES] = "";
    while (!lp_cancel_signal()) {
        bool stopped = is_stopped(k->service);
        enum lp_code code = stopped ? LP_LOCKED : lock ? lock->ops->renew(lock, &err) : store->ops->lock(store, key, &lock, &err);
        if (stopped) (void)!lp_fail(&err, LP_LOCKED, "%s", "");
        if (code && lock) {
            lp_lock_release(&lock);
            if (!stopped) code = store->ops->lock(store, key, &lock, &err); /* was it taken over, or is the lake away? */
        }
        if (code) tell(code == LP_LOCKED ? 'W' : 'A', in_short(&err), last);
        else tell('H', "", last);
        wait_a_little(store);
    }
    lp_cancel_wind_up(); /* the lock is given back although the service was asked to stop */
    lp_lock_release(&lock);
}

static enum lp_code work(void *arg, struct lp_buf *out, struct lp_err *err)
{
    const struct keeping *k = arg;
    struct lp_pipeline p;
    struct lp_store *store = NULL;
    struct lp_aws *aws = NULL;
    char key[80];
    (void)out;
    lp_cancel_install();
    snprintf(key, sizeof key, "_serve/.%016llx.lock", (unsigned long long)k->group);
    enum lp_code code = lp_served_load(k->roster, k->any, &p, err);
    if (!code) code = lp_aws_new(&k->roster->aws, &aws, err);
    if (!code) code = lp_store_open(p.sink.root, &p.sink.s3, aws, &store, err);
    if (!code) {
        store->lease_s = LP_KEEPER_LEASE_S;
        keep(store, key, k);
    }
    lp_store_free(store);
    lp_aws_free(aws);
    lp_pipeline_release(&p);
    return code;
}

/* ---- the service ---- */

static void set(struct lp_keeper *k, enum lp_keeper_state state, const char *why)
{
    k->state = state;
    lp_served_set(&k->why, why && *why ? why : NULL);
}

enum lp_code lp_keeper_start(struct lp_keeper *k, struct lp_errands *all, const struct lp_roster *r, const struct lp_served *any,
                             struct lp_err *err)
{
    struct keeping what = {r, any, k->group, getpid()};
    const struct lp_errand_limits limits = {NOTE_BYTES * 8, LP_ERRAND_FOREVER_MS};
    k->answer_by_us = lp_clock_monotonic_us() + LP_KEEPER_ANSWER_S * INT64_C(1000000);
    return lp_errand_start(all, work, &what, &limits, &k->errand, err);
}

void lp_keeper_fail(struct lp_keeper *k, const char *why)
{
    bool same = k->state == LP_KEEPER_AWAY && k->why && !strcmp(k->why, why);
    lp_errand_free(&k->errand);
    k->again_us = lp_clock_monotonic_us() + INT64_C(1000000) * AGAIN_S;
    set(k, LP_KEEPER_AWAY, why);
    k->unheard = k->unheard || !same;
}

bool lp_keeper_turn(struct lp_keeper *k)
{
    struct lp_err err = {0};
    bool news = k->unheard;
    k->unheard = false;
    if (!k->errand) return news;
    enum lp_errand_state state = lp_errand_turn(k->errand, &err);
    const char *note = lp_errand_heard(k->errand);
    news = news || note;
    if (note) {
        k->answer_by_us = INT64_MAX;
        set(k, *note == 'H' ? LP_KEEPER_HOLDS : *note == 'W' ? LP_KEEPER_WAITS : LP_KEEPER_AWAY, note + 1);
    } else if (lp_clock_monotonic_us() >= k->answer_by_us) {
        k->answer_by_us = INT64_MAX;
        set(k, LP_KEEPER_AWAY, "the lake does not answer");
        news = true;
    }
    if (state == LP_ERRAND_RUNNING) return news;
    lp_keeper_fail(k, state == LP_ERRAND_FAILED ? err.text : "the process that keeps the lock ended");
    news = news || k->unheard;
    k->unheard = false;
    return news;
}

void lp_keeper_ask_to_end(const struct lp_keeper *k)
{
    if (k->errand) lp_errand_signal(k->errand, SIGTERM);
}

static void end(struct lp_keeper *k)
{
    lp_keeper_ask_to_end(k);
    const struct timespec moment = {.tv_nsec = 10000000};
    for (int i = 0; k->errand && i < 100; i++) { /* a second, to give the lock back */
        if (lp_errand_turn(k->errand, NULL) != LP_ERRAND_RUNNING) break;
        nanosleep(&moment, NULL);
    }
    lp_errand_free(&k->errand);
}

void lp_keeper_reset(struct lp_keeper *k)
{
    end(k);
    set(k, LP_KEEPER_ASKS, NULL);
    k->again_us = 0;
    k->unheard = true;
}

void lp_keeper_release(struct lp_keeper *k)
{
    end(k);
    free(k->lake);
    free(k->why);
    free(k->told);
    *k = (struct lp_keeper){0};
}
