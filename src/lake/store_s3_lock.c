/* A lock in a bucket is an object that only one can make (If-None-Match). It is a lease: its holder writes it anew while it
 * works, and one that has not been written for LEASE_S seconds of the server's own clock is taken over, at once where its
 * holder was a process of this machine that has ended. */
#include "base/clock.h"
#include "base/json.h"
#include "lake/store_s3.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define LEASE_S    120 /* unless the store has another */
#define TRIES      4
#define NAME_BYTES 256

struct s3_lock {
    struct lp_lock lock;
    struct lp_s3_store *store;
    char *key, *version; /* the ETag of what we wrote last */
    char token[20];      /* tells our own writing from another's */
    int64_t lease_s;
    int64_t written_us;  /* monotonic, before the request went out */
    bool lost;
};

/* Which process this is, so that others on the same machine can see whether it is still there. */
struct holder {
    char host[NAME_BYTES], machine[NAME_BYTES]; /* machine: this start of it, and the set of process numbers */
    char token[20];
    long long pid, started, lease_s;
};

static void read_line(const char *path, char *out)
{
    FILE *f = fopen(path, "re");
    if (!f || !fgets(out, NAME_BYTES / 2, f)) *out = '\0';
    out[strcspn(out, "\n")] = '\0';
    if (f) fclose(f);
}

/* When a process began, in ticks since the start of the machine; 0: there is none. */
static long long start_of(long long pid)
{
    char path[64], text[1024];
    long long started = 0;
    snprintf(path, sizeof path, "/proc/%lld/stat", pid);
    FILE *f = fopen(path, "re");
    size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;
    if (f) fclose(f);
    text[n] = '\0';
    const char *at = strrchr(text, ')'); /* the name before it may hold anything */
    for (int field = 2; at && field < 22; field++) at = strchr(at + 1, ' ');
    if (at) started = strtoll(at + 1, NULL, 10);
    return started;
}

static void describe_self(struct holder *h)
{
    char boot[NAME_BYTES], numbers[NAME_BYTES / 2];
    *h = (struct holder){.pid = getpid()};
    if (gethostname(h->host, sizeof h->host - 1)) snprintf(h->host, sizeof h->host, "unknown");
    /* Functions thawed from one snapshot are alike in everything: among them only time tells. */
    if (getenv("AWS_LAMBDA_FUNCTION_NAME")) return;
    read_line("/proc/sys/kernel/random/boot_id", boot);
    ssize_t n = readlink("/proc/self/ns/pid", numbers, sizeof numbers - 1);
    if (n <= 0 || !*boot) return;
    numbers[n] = '\0';
    snprintf(h->machine, sizeof h->machine, "%.80s %.80s", boot, numbers);
    h->started = start_of(h->pid);
}

static void put_holder(const struct holder *h, struct lp_buf *out)
{
    struct lp_json_writer w = {.out = out};
    char now[LP_TIME_TEXT_BYTES];
    lp_time_format_iso(lp_clock_now_us() / 1000000 * 1000000, now);
    lp_json_open(&w, NULL, '{');
    lp_json_text(&w, "host", h->host);
    lp_json_text(&w, "machine", h->machine);
    lp_json_text(&w, "token", h->token);
    lp_json_int(&w, "pid", h->pid);
    lp_json_int(&w, "started", h->started);
    lp_json_text(&w, "written_at", now);
    lp_json_int(&w, "lease_s", h->lease_s);
    lp_json_close(&w, '}');
    lp_buf_putc(out, '\n');
}

static void read_holder(const struct lp_buf *text, struct holder *h)
{
    LP_AUTO(lp_arena) arena = {.max_bytes = 1 << 20};
    json_t *root;
    *h = (struct holder){0};
    if (lp_json_parse(&arena, lp_buf_text(text), text->len, &root, NULL)) return;
    const char *host = json_string_value(json_object_get(root, "host"));
    const char *machine = json_string_value(json_object_get(root, "machine"));
    const char *token = json_string_value(json_object_get(root, "token"));
    snprintf(h->host, sizeof h->host, "%s", host ? host : "");
    snprintf(h->machine, sizeof h->machine, "%s", machine ? machine : "");
    snprintf(h->token, sizeof h->token, "%s", token ? token : "");
    h->pid = json_integer_value(json_object_get(root, "pid"));
    h->started = json_integer_value(json_object_get(root, "started"));
    h->lease_s = json_integer_value(json_object_get(root, "lease_s"));
    if (h->lease_s <= 0 || h->lease_s > LEASE_S) h->lease_s = LEASE_S;
}

static bool is_gone(const struct holder *h)
{
    struct holder self;
    describe_self(&self);
    return *self.machine && !strcmp(self.machine, h->machine) && !strcmp(self.host, h->host) && h->pid > 0 &&
           start_of(h->pid) != h->started;
}

/* How long ago the lock was written, by the server's clock; -1 when it does not say. */
static int64_t age_s(const struct lp_aws_reply *reply)
{
    struct lp_slice date, modified;
    char text[64];
    int64_t now_us, then_us;
    if (!lp_aws_reply_header(reply, "date", &date) || !lp_aws_reply_header(reply, "last-modified", &modified)) return -1;
    snprintf(text, sizeof text, "%.*s", (int)(date.len < 63 ? date.len : 63), date.at);
    if (!lp_time_parse_http(text, &now_us)) return -1;
    snprintf(text, sizeof text, "%.*s", (int)(modified.len < 63 ? modified.len : 63), modified.at);
    return lp_time_parse_http(text, &then_us) ? (now_us - then_us) / 1000000 : -1;
}

static enum lp_code keep_version(const struct lp_aws_reply *reply, char **version, struct lp_err *err)
{
    struct lp_slice etag;
    bool named = lp_aws_reply_header(reply, "etag", &etag);
    *version = named ? strndup(etag.at, etag.len) : strdup("");
    return *version ? LP_OK : lp_nomem(err);
}

/* Writes the lock where the condition holds; *version is then what it is called, and NULL where another was first. */
static enum lp_code write_lock(struct s3_lock *l, const char *condition, char **version, struct lp_err *err)
{
    struct lp_s3_request q;
    struct lp_aws_reply reply = {0};
    struct holder self;
    LP_AUTO(lp_buf) text = {0};
    describe_self(&self);
    memcpy(self.token, l->token, sizeof self.token);
    self.lease_s = l->lease_s;
    put_holder(&self, &text);
    *version = NULL;
    LP_TRY(lp_buf_code(&text, "a lock", err));
    lp_s3_request_init(&q, l->store, "PUT", l->key);
    lp_s3_add_object_headers(&q, l->store, l->key);
    lp_s3_add_header(&q, "%s", condition);
    q.aws.body = text.data;
    q.aws.body_len = text.len;
    enum lp_code code = lp_s3_call(l->store, &q, &reply, err);
    if (!code) code = keep_version(&reply, version, err);
    else if (reply.status == 412 || reply.status == 409 || !strcmp(reply.error_code, "NoSuchKey")) code = LP_OK;
    lp_aws_reply_release(&reply);
    lp_s3_request_release(&q);
    return code;
}

struct seen { /* a lock as it lies there */
    struct holder holder;
    char *version; /* NULL: there is none */
    int64_t age_s;
};

static enum lp_code look(struct s3_lock *l, struct seen *seen, struct lp_err *err)
{
    struct lp_s3_request q;
    struct lp_aws_reply reply = {0};
    *seen = (struct seen){0};
    lp_s3_request_init(&q, l->store, "GET", l->key);
    enum lp_code code = lp_s3_call(l->store, &q, &reply, err);
    if (!code) {
        seen->age_s = age_s(&reply);
        read_holder(&reply.body, &seen->holder);
        code = keep_version(&reply, &seen->version, err);
    }
    lp_s3_request_release(&q);
    lp_aws_reply_release(&reply);
    return code == LP_NOTFOUND ? LP_OK : code;
}

static void put_condition(const char *version, char out[200])
{
    snprintf(out, 200, "if-match: %.150s", version);
}

/* Somebody has the lock: takes it over when that one is no more. An answer that was lost makes us meet our own writing.
 * *version stays NULL when the lock has changed meanwhile. */
static enum lp_code take_over(struct s3_lock *l, char **version, struct lp_err *err)
{
    struct seen seen;
    char condition[200];
    LP_TRY(look(l, &seen, err));
    if (!seen.version) return LP_OK;
    if (!strcmp(seen.holder.token, l->token)) {
        *version = seen.version;
        return LP_OK;
    }
    put_condition(seen.version, condition);
    free(seen.version);
    if (seen.age_s < seen.holder.lease_s && !is_gone(&seen.holder))
        return lp_fail(
            err, LP_LOCKED,
            "%s is held by process %lld on %s, which wrote it %lld s ago; were it killed, the lock ends after %lld s", l->key,
            seen.holder.pid, *seen.holder.host ? seen.holder.host : "another machine", (long long)seen.age_s,
            seen.holder.lease_s);
    l->store->sweeps = true; /* even if the answer is lost, and the lock met as our own */
    l->lock.orderly = false;
    return write_lock(l, condition, version, err);
}

static enum lp_code take(struct s3_lock *l, struct lp_err *err)
{
    for (int i = 0; i < TRIES; i++) {
        LP_TRY(write_lock(l, "if-none-match: *", &l->version, err));
        if (!l->version) LP_TRY(take_over(l, &l->version, err));
        if (l->version) return LP_OK;
    }
    return lp_fail(err, LP_LOCKED, "%s: others are faster to take the lock", l->key);
}

/* ---- the contract ---- */

/* Writes the lock anew; *version is NULL when it is not ours any more. */
static enum lp_code write_again(struct s3_lock *l, char **version, struct lp_err *err)
{
    struct seen seen;
    char condition[200];
    put_condition(l->version, condition);
    LP_TRY(write_lock(l, condition, version, err));
    if (*version) return LP_OK;
    LP_TRY(look(l, &seen, err));
    if (seen.version && !strcmp(seen.holder.token, l->token)) *version = seen.version;
    else free(seen.version);
    return LP_OK;
}

static enum lp_code renew(struct lp_lock *lock, struct lp_err *err)
{
    struct s3_lock *l = (struct s3_lock *)lock;
    int64_t now = lp_clock_monotonic_us(), age_us = now - l->written_us;
    char *version;
    LP_TRY(lp_aws_turn(l->store->aws, err));
    if (!l->lost && age_us < 1000000 * l->lease_s / 2) return LP_OK;
    enum lp_code code = l->lost ? LP_OK : write_again(l, &version, err);
    if (code) return age_us < 900000 * l->lease_s ? LP_OK : code; /* there is time to try again */
    if (l->lost || !version) {
        l->lost = true;
        return lp_fail(err, LP_LOCKED, "another run has taken %s over", l->key);
    }
    free(l->version);
    l->version = version;
    l->written_us = now;
    l->store->lease_ends_us = now + 1000000 * l->lease_s;
    return LP_OK;
}

static void release(struct lp_lock *lock)
{
    struct s3_lock *l = (struct s3_lock *)lock;
    struct lp_err ignored;
    if (l->store->lock == lock) l->store->lock = NULL;
    bool ours = !l->lost && lp_clock_monotonic_us() - l->written_us < 1000000 * l->lease_s;
    if (ours && !lock->unfinished)
        (void)!l->store->store.ops->remove(&l->store->store, l->key, &ignored);
    l->store->lease_ends_us = 0;
    free(l->key);
    free(l->version);
    free(l);
}

static const struct lp_lock_ops lock_ops = {renew, release};

enum lp_code lp_s3_lock(struct lp_store *store, const char *key, struct lp_lock **out, struct lp_err *err)
{
    struct lp_s3_store *s = (struct lp_s3_store *)store;
    LP_TRY(lp_store_check_key(key, err));
    struct s3_lock *l = calloc(1, sizeof *l);
    char *copy = strdup(key);
    if (!l || !copy) {
        free(l);
        free(copy);
        return lp_nomem(err);
    }
    *l = (struct s3_lock){.lock = {&lock_ops, .orderly = true}, .store = s, .key = copy, .written_us = lp_clock_monotonic_us(),
                          .lease_s = store->lease_s ? store->lease_s : LEASE_S};
    uint64_t random = 0;
    if (getrandom(&random, sizeof random, 0) != sizeof random) random = (uint64_t)l->written_us;
    snprintf(l->token, sizeof l->token, "%016llx", (unsigned long long)random);
    enum lp_code code = take(l, err);
    if (code) {
        free(copy);
        free(l);
        return code;
    }
    if (!s->lock) s->lock = &l->lock;
    s->lease_ends_us = l->written_us + 1000000 * l->lease_s;
    *out = &l->lock;
    return LP_OK;
}
