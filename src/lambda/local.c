#include "lambda/local.h"

#include "base/cancel.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/number.h"
#include "base/text.h"
#include "lambda/called.h"
#include "lambda/event.h"
#include "net/listen.h"

#include <errno.h>
#include <microhttpd.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#define REQUEST_BYTES  ((size_t)6 << 20)
#define TREE_BYTES     ((size_t)64 << 20) /* of a request, as a tree */
#define CONNECTIONS    64u
#define IDLE_SECONDS   30u
#define HEADER_BYTES   ((size_t)32 << 10)
#define WAITING_EVENTS 64
#define TAIL_BYTES     ((size_t)4096)
#define LOOK_MS        250 /* a signal that comes just before poll is noticed then */

/* An event whose caller has gone on already. */
struct waiting {
    char *event;
    size_t len;
    char id[LP_REQUEST_ID_BYTES];
};

struct local {
    struct lp_function *f;
    struct MHD_Daemon *daemon;
    int64_t timeout_us;
    struct waiting waiting[WAITING_EVENTS]; /* the oldest first */
    size_t waiting_count;
    /* The log goes where it went before, and its end is kept for who asks. */
    struct lp_log before;
    struct lp_buf tail;
};

struct request {
    struct lp_buf body;
};

/* ---- calls ---- */

enum lp_code lp_local_timeout(int64_t *us, struct lp_err *err)
{
    const char *text = getenv("AWS_LAMBDA_FUNCTION_TIMEOUT");
    int64_t seconds = 0;
    *us = 0;
    if (!text || !*text) return LP_OK;
    if (!lp_int64_parse(text, strlen(text), &seconds) || seconds < 1 || seconds > 86400)
        return lp_fail(err, LP_USAGE, "AWS_LAMBDA_FUNCTION_TIMEOUT is \"%.40s\"; write a number of seconds", text);
    *us = seconds * 1000000;
    return LP_OK;
}

static void make_id(char id[LP_REQUEST_ID_BYTES])
{
    unsigned char r[16] = {0};
    (void)!getrandom(r, sizeof r, GRND_NONBLOCK);
    r[6] = (unsigned char)((r[6] & 0x0F) | 0x40);
    r[8] = (unsigned char)((r[8] & 0x3F) | 0x80);
    size_t at = 0;
    for (size_t i = 0; i < sizeof r; i++)
        at += (size_t)snprintf(id + at, LP_REQUEST_ID_BYTES - at, "%s%02x",
                               i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", r[i]);
}

static void call(struct lp_function *f, const char *event, size_t len, const char *id, int64_t timeout_us,
                 struct lp_outcome *out)
{
    const struct lp_call c = {.event = event,
                              .event_len = len,
                              .request_id = id,
                              .deadline_us = timeout_us ? lp_clock_now_us() + timeout_us : 0};
    lp_function_call(f, &c, out);
    lp_log_set_request(f->log, "");
}

enum lp_code lp_local_call(struct lp_function *f, const char *event, size_t event_len, char id[LP_REQUEST_ID_BYTES],
                           struct lp_outcome *out, struct lp_err *err)
{
    int64_t timeout_us;
    *out = (struct lp_outcome){0};
    LP_TRY(lp_local_timeout(&timeout_us, err));
    make_id(id);
    call(f, event, event_len, id, timeout_us, out);
    return LP_OK;
}

/* ---- answers ---- */

static void keep_line(void *who, const char *line, size_t len)
{
    struct local *l = who;
    if (l->before.write) l->before.write(l->before.who, line, len);
    if (l->tail.len > 4 * TAIL_BYTES) {
        memmove(l->tail.data, l->tail.data + l->tail.len - TAIL_BYTES, TAIL_BYTES);
        l->tail.len = TAIL_BYTES;
    }
    lp_buf_put(&l->tail, line, len);
}

static void add_tail(const struct local *l, struct MHD_Response *r)
{
    LP_AUTO(lp_buf) text = {0};
    size_t len = l->tail.len > TAIL_BYTES ? TAIL_BYTES : l->tail.len;
    lp_base64_put(&text, lp_buf_text(&l->tail) + l->tail.len - len, len);
    if (!text.failed && text.len) MHD_add_response_header(r, "X-Amz-Log-Result", lp_buf_text(&text));
}

static struct MHD_Response *make_response(const char *text, size_t len, const char *id)
{
    struct MHD_Response *r = MHD_create_response_from_buffer(len, (void *)(uintptr_t)text, MHD_RESPMEM_MUST_COPY);
    if (!r) return NULL;
    MHD_add_response_header(r, "Content-Type", "application/json");
    if (id) MHD_add_response_header(r, "X-Amzn-RequestId", id);
    return r;
}

/* Hands the response over; without one the connection is closed. */
static enum MHD_Result respond(struct MHD_Connection *c, unsigned status, struct MHD_Response *r)
{
    if (!r) return MHD_NO;
    enum MHD_Result result = MHD_queue_response(c, status, r);
    MHD_destroy_response(r);
    return result;
}

/* An error of the service, not of the function, as AWS's SDKs know them. */
static enum MHD_Result refuse(struct MHD_Connection *c, unsigned status, const char *type, const char *message)
{
    LP_AUTO(lp_buf) body = {0};
    struct lp_json_writer w = {.out = &body};
    char id[LP_REQUEST_ID_BYTES];
    make_id(id);
    lp_json_open(&w, NULL, '{');
    lp_json_text(&w, "Type", "User");
    lp_json_text(&w, "message", message);
    lp_json_close(&w, '}');
    struct MHD_Response *r = body.failed ? NULL : make_response(body.data, body.len, id);
    if (r) MHD_add_response_header(r, "X-Amzn-ErrorType", type);
    if (r && status == MHD_HTTP_METHOD_NOT_ALLOWED) MHD_add_response_header(r, "Allow", "POST");
    return respond(c, status, r);
}

static enum MHD_Result too_large(struct MHD_Connection *c, size_t most)
{
    char why[100];
    snprintf(why, sizeof why, "the event is too large; Lambda takes %zu bytes at most", most);
    return refuse(c, MHD_HTTP_CONTENT_TOO_LARGE, "RequestTooLargeException", why);
}

/* ---- requests ---- */

/* NAME of /2015-03-31/functions/NAME/invocations; at NULL: it is another path. */
static struct lp_slice called_in(const char *path)
{
    static const char head[] = "/2015-03-31/functions/", tail[] = "/invocations";
    const size_t around = strlen(head) + strlen(tail);
    size_t len = strlen(path);
    if (len < around || strncmp(path, head, strlen(head)) != 0 || strcmp(path + len - strlen(tail), tail) != 0)
        return (struct lp_slice){0};
    return (struct lp_slice){path + strlen(head), len - around};
}

static enum MHD_Result refuse_name(struct local *l, struct MHD_Connection *c, struct lp_slice called)
{
    LP_AUTO(lp_buf) why = {0};
    lp_buf_puts(&why, "Function not found: ");
    if (called.len) lp_text_put_quoted(&why, called.at, called.len);
    lp_buf_printf(&why, "%sthe one that is here, %.80s, answers at " LP_LOCAL_PATH, called.len ? "; " : "",
                  l->f->pipeline.name);
    return why.failed ? MHD_NO : refuse(c, MHD_HTTP_NOT_FOUND, "ResourceNotFoundException", lp_buf_text(&why));
}

/* Any version or alias is the one that is here, as long as the name and ?Qualifier= say the same. What is wrong, or NULL. */
static const char *judge_qualifier(struct MHD_Connection *c, struct lp_slice behind_name)
{
    const char *asked = MHD_lookup_connection_value(c, MHD_GET_ARGUMENT_KIND, "Qualifier");
    struct lp_slice beside = lp_slice_of(asked ? asked : "");
    if ((behind_name.at && !lp_called_qualifier_is_valid(behind_name)) ||
        (beside.len && !lp_called_qualifier_is_valid(beside)))
        return "a qualifier is $LATEST, a version or an alias: letters, digits, - and _";
    if (behind_name.at && beside.len && !lp_slice_is(behind_name, asked))
        return "The derived qualifier from the function name does not match the specified qualifier.";
    return NULL;
}

static bool is_json(const char *text, size_t len, struct lp_err *err)
{
    LP_AUTO(lp_arena) tree = {.max_bytes = TREE_BYTES};
    json_t *root;
    lp_event_trim(&text, &len);
    return !len || !lp_json_parse(&tree, text, len, &root, err);
}

static enum MHD_Result put_off(struct local *l, struct MHD_Connection *c, struct request *q)
{
    if (q->body.len > LP_EVENT_BYTES) return too_large(c, LP_EVENT_BYTES);
    if (l->waiting_count == WAITING_EVENTS)
        return refuse(c, MHD_HTTP_TOO_MANY_REQUESTS, "TooManyRequestsException", "too many events wait already");
    struct waiting *w = &l->waiting[l->waiting_count];
    *w = (struct waiting){.event = malloc(q->body.len + 1), .len = q->body.len};
    if (!w->event) return MHD_NO;
    memcpy(w->event, lp_buf_text(&q->body), q->body.len + 1);
    make_id(w->id);
    l->waiting_count++;
    return respond(c, MHD_HTTP_ACCEPTED, make_response("", 0, w->id));
}

static enum MHD_Result call_now(struct local *l, struct MHD_Connection *c, const struct request *q)
{
    struct lp_outcome o;
    char id[LP_REQUEST_ID_BYTES];
    const char *log_type = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "X-Amz-Log-Type");
    make_id(id);
    lp_buf_clear(&l->tail);
    /* While the function runs nobody looks at the connection; its time begins anew afterwards. */
    MHD_set_connection_option(c, MHD_CONNECTION_OPTION_TIMEOUT, 0u);
    call(l->f, lp_buf_text(&q->body), q->body.len, id, l->timeout_us, &o);
    MHD_set_connection_option(c, MHD_CONNECTION_OPTION_TIMEOUT, IDLE_SECONDS);
    struct MHD_Response *r = make_response(o.text, o.text_len, id);
    if (r) MHD_add_response_header(r, "X-Amz-Executed-Version", "$LATEST");
    if (r && o.error_type) MHD_add_response_header(r, "X-Amz-Function-Error", "Unhandled");
    if (r && log_type && !strcmp(log_type, "Tail")) add_tail(l, r);
    lp_outcome_release(&o);
    return respond(c, MHD_HTTP_OK, r);
}

static enum MHD_Result serve(struct local *l, struct MHD_Connection *c, struct request *q)
{
    struct lp_err err;
    char why[600];
    const char *kind = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "X-Amz-Invocation-Type");
    if (q->body.failed == LP_LIMIT) return too_large(c, REQUEST_BYTES);
    if (q->body.failed) return MHD_NO;
    if (!is_json(lp_buf_text(&q->body), q->body.len, &err)) {
        snprintf(why, sizeof why, "Could not parse request body into json: %.500s", err.text);
        return refuse(c, MHD_HTTP_BAD_REQUEST, "InvalidRequestContentException", why);
    }
    if (!kind || !strcmp(kind, "RequestResponse")) return call_now(l, c, q);
    if (!strcmp(kind, "Event")) return put_off(l, c, q);
    if (!strcmp(kind, "DryRun")) return respond(c, MHD_HTTP_NO_CONTENT, make_response("", 0, NULL));
    return refuse(c, MHD_HTTP_BAD_REQUEST, "InvalidParameterValueException",
                  "X-Amz-Invocation-Type is RequestResponse, Event or DryRun");
}

/* What can be said to the header alone is said before the body comes. */
static enum MHD_Result meet(struct local *l, struct MHD_Connection *c, const char *path, const char *method,
                            void **state)
{
    const char *length = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Content-Length");
    /* Any page in a browser on this machine can send requests here, and its browser says so. */
    if (MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Origin"))
        return refuse(c, MHD_HTTP_FORBIDDEN, "AccessDeniedException", "a page in a browser may not call the function");
    struct lp_slice called = called_in(path), qualifier;
    if (!called.at ||
        (!lp_called_is(called, l->f->pipeline.name, &qualifier) && !lp_called_is(called, "function", &qualifier)))
        return refuse_name(l, c, called);
    const char *wrong = judge_qualifier(c, qualifier);
    if (wrong) return refuse(c, MHD_HTTP_BAD_REQUEST, "InvalidParameterValueException", wrong);
    if (strcmp(method, "POST") != 0)
        return refuse(c, MHD_HTTP_METHOD_NOT_ALLOWED, "MethodNotAllowedException", "an event is sent by POST");
    if (length && strtoull(length, NULL, 10) > REQUEST_BYTES) return too_large(c, REQUEST_BYTES);
    struct request *q = calloc(1, sizeof *q);
    if (!q) return MHD_NO;
    lp_buf_init(&q->body, REQUEST_BYTES + 1);
    *state = q;
    return MHD_YES;
}

static enum MHD_Result take(void *who, struct MHD_Connection *c, const char *path, const char *method,
                            const char *version, const char *bytes, size_t *len, void **state)
{
    struct local *l = who;
    struct request *q = *state;
    (void)version;
    if (!q) return meet(l, c, path, method, state);
    if (!*len) return serve(l, c, q);
    lp_buf_put(&q->body, bytes, *len);
    *len = 0;
    return MHD_YES;
}

static void forget(void *who, struct MHD_Connection *c, void **state, enum MHD_RequestTerminationCode how)
{
    struct request *q = *state;
    (void)who, (void)c, (void)how;
    if (q) lp_buf_release(&q->body);
    free(q);
    *state = NULL;
}

/* ---- the server ---- */

static enum lp_code start(struct local *l, int fd, struct lp_err *err)
{
    l->daemon = MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, take, l, MHD_OPTION_LISTEN_SOCKET, fd,
                                 MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT, IDLE_SECONDS,
                                 MHD_OPTION_CONNECTION_MEMORY_LIMIT, HEADER_BYTES, MHD_OPTION_NOTIFY_COMPLETED, forget,
                                 NULL, MHD_OPTION_END);
    if (l->daemon) return LP_OK;
    close(fd);
    return lp_fail(err, LP_NOMEM, "the local server cannot be started; is there memory?");
}

static void run_waiting(struct local *l)
{
    struct lp_outcome o;
    if (!l->waiting_count) return;
    struct waiting w = l->waiting[0];
    memmove(l->waiting, l->waiting + 1, --l->waiting_count * sizeof w);
    call(l->f, w.event, w.len, w.id, l->timeout_us, &o);
    lp_outcome_release(&o);
    free(w.event);
}

static enum lp_code turn(struct local *l, struct lp_err *err)
{
    MHD_UNSIGNED_LONG_LONG left_ms = 0;
    int wait_ms = LOOK_MS;
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(l->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    struct pollfd p = {.fd = info->epoll_fd, .events = POLLIN};
    if (MHD_get_timeout(l->daemon, &left_ms) == MHD_YES && left_ms < LOOK_MS) wait_ms = (int)left_ms;
    if (l->waiting_count) wait_ms = 0;
    if (poll(&p, 1, wait_ms) < 0 && errno != EINTR) return lp_fail_errno(err, "cannot watch connections");
    LP_TRY(lp_cancel_check(err));
    if (MHD_run(l->daemon) != MHD_YES) return lp_fail(err, LP_IO, "the local server cannot go on");
    run_waiting(l);
    return lp_cancel_check(err);
}

enum lp_code lp_local_serve(struct lp_function *f, const struct lp_local_options *o, struct lp_err *err)
{
    struct local l = {.f = f, .before = *f->log, .tail.max_bytes = (size_t)1 << 20};
    char url[200];
    int fd;
    LP_TRY(lp_local_timeout(&l.timeout_us, err));
    LP_TRY(lp_listen(o->host, o->port, &fd, url, err));
    snprintf(url + strlen(url), sizeof url - strlen(url), "%s", LP_LOCAL_PATH);
    LP_TRY(start(&l, fd, err));
    f->log->write = keep_line;
    f->log->who = &l;
    if (o->ready) o->ready(o->who, url);
    enum lp_code code = LP_OK;
    while (!code) code = turn(&l, err);
    MHD_run(l.daemon); /* the last answer goes out */
    MHD_stop_daemon(l.daemon);
    *f->log = l.before;
    while (l.waiting_count) free(l.waiting[--l.waiting_count].event);
    lp_buf_release(&l.tail);
    return code;
}
