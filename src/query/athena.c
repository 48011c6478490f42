/* SQL by Athena: start, wait, and what it cost. */
#include "query/athena.h"

#include "base/cancel.h"
#include "base/clock.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <xxhash.h>

#define FIRST_WAIT_MS   250
#define LONGEST_WAIT_MS 5000
#define MOST_SQL_BYTES  ((size_t)262144)
#define PRIMARY         "primary"
#define STOP_MS         5000 /* nobody waits long for what they do not want any more */
#define ANSWER_BYTES    ((size_t)64 << 20)

struct athena {
    struct lp_query query;
    struct lp_athena_options o;
    struct lp_arena arena;
    char id[160]; /* of what is under way; "" without */
    char location[1100];
    bool dml, ddl;
};

enum lp_code lp_athena_call(struct lp_aws *aws, const char *operation, const struct lp_buf *body, int64_t limit_ms,
                            struct lp_arena *arena, json_t **answer, struct lp_err *err)
{
    char target[80];
    struct lp_aws_reply reply = {0};
    snprintf(target, sizeof target, "AmazonAthena.%s", operation);
    LP_TRY(lp_buf_code(body, "what is asked of Athena", err));
    struct lp_aws_request q = {.service = "athena",
                               .target = target,
                               .body = lp_buf_text(body),
                               .body_len = body->len,
                               .total_ms = limit_ms,
                               .within_ms = limit_ms};
    enum lp_code code = lp_aws_call(aws, &q, &reply, err);
    lp_arena_reset(arena);
    if (!code) code = lp_json_parse(arena, lp_buf_text(&reply.body), reply.body.len, answer, err);
    if (code == LP_DATA) code = lp_wrap(err, LP_REMOTE, "Athena's answer to %s", operation);
    lp_aws_reply_release(&reply);
    return code;
}

static enum lp_code call(struct athena *a, const char *operation, const struct lp_buf *body, json_t **answer,
                         struct lp_err *err)
{
    return lp_athena_call(a->o.aws, operation, body, 0, &a->arena, answer, err);
}

static const char *text_at(const json_t *it, const char *first, const char *second, const char *third)
{
    it = json_object_get(it, first);
    if (second) it = json_object_get(it, second);
    if (third) it = json_object_get(it, third);
    return json_string_value(it);
}

/* ---- where answers go ---- */

static const char *workgroup_of(const struct athena *a)
{
    return a->o.workgroup ? a->o.workgroup : PRIMARY;
}

/* Without a place Athena would refuse in words that help nobody. Whoever may not look is let on. */
static enum lp_code check_place(struct athena *a, struct lp_err *err)
{
    LP_AUTO(lp_buf) body = {0};
    struct lp_json_writer w = {.out = &body};
    json_t *answer;
    if (a->o.output) return LP_OK;
    lp_json_open(&w, NULL, '{');
    lp_json_text(&w, "WorkGroup", workgroup_of(a));
    lp_json_close(&w, '}');
    enum lp_code code = call(a, "GetWorkGroup", &body, &answer, err);
    if (code == LP_AUTH) return LP_OK;
    LP_TRY(code);
    const json_t *settings = json_object_get(json_object_get(answer, "WorkGroup"), "Configuration");
    const char *place = text_at(settings, "ResultConfiguration", "OutputLocation", NULL);
    bool managed =
        json_is_true(json_object_get(json_object_get(settings, "ManagedQueryResultsConfiguration"), "Enabled"));
    if (managed || (place && *place)) return LP_OK;
    return lp_fail(err, LP_USAGE,
                   "the workgroup %.100s has no place for the answers of Athena; name one with --output "
                   "s3://bucket/prefix/, or choose a --workgroup that has one",
                   workgroup_of(a));
}

/* ---- start and stop ---- */

/* Of the question and its start: the same for every try of the request, another for every question. */
static enum lp_code make_token(const struct athena *a, const char *sql, size_t len, char out[40], struct lp_err *err)
{
    LP_AUTO(lp_buf) text = {0};
    lp_buf_printf(&text, "%lld %lld %ld %s\n", (long long)lp_clock_now_us(), (long long)lp_clock_monotonic_us(),
                  (long)getpid(), workgroup_of(a));
    lp_buf_put(&text, sql, len);
    LP_TRY(lp_buf_code(&text, "the token of a question", err));
    XXH128_hash_t hash = XXH3_128bits(text.data, text.len);
    snprintf(out, 40, "%016llx%016llx", (unsigned long long)hash.high64, (unsigned long long)hash.low64);
    return LP_OK;
}

static void put_start(const struct athena *a, const char *sql, size_t len, const char *token, struct lp_buf *body)
{
    struct lp_json_writer w = {.out = body};
    lp_json_open(&w, NULL, '{');
    lp_json_key(&w, "QueryString", strlen("QueryString"));
    lp_json_put_text(body, sql, len);
    w.more = true;
    lp_json_text(&w, "ClientRequestToken", token);
    if (a->o.database) {
        lp_json_open(&w, "QueryExecutionContext", '{');
        lp_json_text(&w, "Database", a->o.database);
        lp_json_text(&w, "Catalog", "AwsDataCatalog");
        lp_json_close(&w, '}');
    }
    if (a->o.output) {
        lp_json_open(&w, "ResultConfiguration", '{');
        lp_json_text(&w, "OutputLocation", a->o.output);
        lp_json_close(&w, '}');
    }
    lp_json_text(&w, "WorkGroup", workgroup_of(a));
    lp_json_close(&w, '}');
}

static bool keep_id(struct athena *a, const json_t *answer)
{
    const char *id = text_at(answer, "QueryExecutionId", NULL, NULL);
    if (!id || !*id || strlen(id) >= sizeof a->id) return false;
    snprintf(a->id, sizeof a->id, "%s", id);
    return true;
}

static void put_id(const struct athena *a, struct lp_buf *body)
{
    struct lp_json_writer w = {.out = body};
    lp_json_open(&w, NULL, '{');
    lp_json_text(&w, "QueryExecutionId", a->id);
    lp_json_close(&w, '}');
}

/* Nobody waits for it any more: it shall cost nothing more either. */
static void stop(struct athena *a)
{
    LP_AUTO(lp_buf) body = {0};
    struct lp_err ignored;
    json_t *answer;
    put_id(a, &body);
    lp_cancel_wind_up();
    (void)!lp_athena_call(a->o.aws, "StopQueryExecution", &body, STOP_MS, &a->arena, &answer, &ignored);
    lp_cancel_heed();
}

/* Stopped while Athena took the question: asked once more with the same token it starts nothing new, and says what it calls
 * the one that it may have begun. */
static void stop_unnamed(struct athena *a, const struct lp_buf *start_body)
{
    struct lp_err ignored;
    json_t *answer;
    lp_cancel_wind_up();
    enum lp_code code =
        lp_athena_call(a->o.aws, "StartQueryExecution", start_body, STOP_MS, &a->arena, &answer, &ignored);
    lp_cancel_heed();
    if (!code && keep_id(a, answer)) stop(a);
}

static enum lp_code start(struct athena *a, const char *sql, struct lp_err *err)
{
    LP_AUTO(lp_buf) body = {0};
    json_t *answer;
    char token[40];
    size_t len = strlen(sql);
    while (len && strchr(" \t\r\n;", sql[len - 1])) len--;
    if (!len) return lp_fail(err, LP_USAGE, "the SQL is empty");
    if (len > MOST_SQL_BYTES)
        return lp_fail(err, LP_USAGE, "the SQL has %zu bytes; Athena takes at most %zu", len, MOST_SQL_BYTES);
    LP_TRY(make_token(a, sql, len, token, err));
    put_start(a, sql, len, token, &body);
    enum lp_code code = call(a, "StartQueryExecution", &body, &answer, err);
    if (code == LP_CANCELLED) stop_unnamed(a, &body);
    if (code) return lp_wrap(err, code, "Athena did not take the question");
    return keep_id(a, answer) ? LP_OK : lp_fail(err, LP_REMOTE, "Athena named no execution of the question");
}

/* ---- waiting ---- */

static enum lp_code pause_ms(int ms, struct lp_err *err)
{
    int64_t until = lp_clock_monotonic_us() + (int64_t)ms * 1000, left;
    while ((left = until - lp_clock_monotonic_us()) > 0) {
        LP_TRY(lp_cancel_check(err));
        (void)poll(NULL, 0, left > 100000 ? 100 : (int)(left / 1000) + 1); /* a signal just before it is noticed soon */
    }
    return lp_cancel_check(err);
}

static double dollars_for(uint64_t bytes)
{
    const uint64_t least = (uint64_t)10 << 20;
    if (!bytes) return 0;
    return (double)(bytes < least ? least : bytes) / (double)((uint64_t)1 << 40) * 5;
}

static void see(const struct athena *a, const char *state, const json_t *execution, int64_t started_us, bool over)
{
    const json_t *scanned = json_object_get(json_object_get(execution, "Statistics"), "DataScannedInBytes");
    uint64_t bytes =
        json_is_integer(scanned) && json_integer_value(scanned) > 0 ? (uint64_t)json_integer_value(scanned) : 0;
    struct lp_athena_progress p = {.state = state,
                                   .scanned_bytes = bytes,
                                   .took_ms = (lp_clock_monotonic_us() - started_us) / 1000,
                                   .over = over,
                                   .dollars = a->ddl ? 0 : dollars_for(bytes)};
    if (a->o.see) a->o.see(a->o.who, &p);
}

/* Why it ended without an answer: Athena's own words. */
static enum lp_code fail_ended(const struct athena *a, const char *state, const json_t *execution, struct lp_err *err)
{
    const char *reason = text_at(execution, "Status", "StateChangeReason", NULL);
    const char *message = text_at(execution, "Status", "AthenaError", "ErrorMessage");
    const json_t *category =
        json_object_get(json_object_get(json_object_get(execution, "Status"), "AthenaError"), "ErrorCategory");
    const char *why = reason && *reason ? reason : message && *message ? message : "it gave no reason";
    if (!strcmp(state, "CANCELLED"))
        return lp_fail(err, LP_REMOTE, "Athena: the question was cancelled: %.700s (execution %s)", why, a->id);
    bool system = json_is_integer(category) && json_integer_value(category) == 1;
    return lp_fail(err, system ? LP_BUSY : LP_DATA, "Athena: %.800s (execution %s)%s", why, a->id,
                   system ? "; ask again later" : "");
}

static enum lp_code look(struct athena *a, int64_t started_us, bool *over, struct lp_err *err)
{
    LP_AUTO(lp_buf) body = {0};
    json_t *answer;
    put_id(a, &body);
    LP_TRY(call(a, "GetQueryExecution", &body, &answer, err));
    const json_t *execution = json_object_get(answer, "QueryExecution");
    const char *state = text_at(execution, "Status", "State", NULL),
               *type = text_at(execution, "StatementType", NULL, NULL);
    const char *place = text_at(execution, "ResultConfiguration", "OutputLocation", NULL);
    if (!state) return lp_fail(err, LP_REMOTE, "Athena told no state of the execution %s", a->id);
    bool good = !strcmp(state, "SUCCEEDED"), bad = !strcmp(state, "FAILED") || !strcmp(state, "CANCELLED");
    a->dml = type && !strcmp(type, "DML");
    a->ddl = type && !strcmp(type, "DDL");
    snprintf(a->location, sizeof a->location, "%s", place ? place : "");
    *over = good || bad;
    see(a, state, execution, started_us, *over);
    if (!bad) return LP_OK;
    return fail_ended(a, state, execution, err);
}

static enum lp_code wait_for(struct athena *a, bool *over, struct lp_err *err)
{
    int64_t started_us = lp_clock_monotonic_us();
    int wait_ms = FIRST_WAIT_MS;
    for (;;) {
        LP_TRY(look(a, started_us, over, err));
        if (*over) return LP_OK;
        LP_TRY(pause_ms(wait_ms, err));
        wait_ms = wait_ms * 3 / 2 > LONGEST_WAIT_MS ? LONGEST_WAIT_MS : wait_ms * 3 / 2;
    }
}

/* ---- the engine ---- */

static enum lp_code ask(struct lp_query *q, const char *sql, enum lp_answer_form form, int fd, struct lp_err *err)
{
    struct athena *a = (struct athena *)q;
    bool over = false;
    a->id[0] = '\0';
    LP_TRY(check_place(a, err));
    LP_TRY(start(a, sql, err));
    enum lp_code code = wait_for(a, &over, err);
    if (code && !over) stop(a);
    LP_TRY(code);
    struct lp_athena_answer answer = {.aws = a->o.aws,
                                      .id = a->id,
                                      .dml = a->dml,
                                      .location = *a->location ? a->location : NULL,
                                      .form = form,
                                      .fd = fd};
    return lp_athena_put_rows(&answer, err);
}

static void free_athena(struct lp_query *q)
{
    lp_arena_release(&((struct athena *)q)->arena);
    free(q);
}

static const struct lp_query_ops ops = {"athena", ask, free_athena};

enum lp_code lp_query_athena_new(const struct lp_athena_options *o, struct lp_query **out, struct lp_err *err)
{
    struct athena *a = calloc(1, sizeof *a);
    if (!a) return lp_nomem(err);
    a->query.ops = &ops;
    a->o = *o;
    lp_arena_init(&a->arena, ANSWER_BYTES);
    *out = &a->query;
    return LP_OK;
}
