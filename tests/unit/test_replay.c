/* Replies kept in a folder and read from there. */
#include "test.h"

#include "base/secret.h"
#include "net/replay.h"

#define TEXT(literal) literal, sizeof literal - 1

static struct lp_err err;

static const char *named(const struct lp_slice *values, size_t count)
{
    static char copy[4][300];
    static unsigned turn;
    char *shown = copy[turn++ % 4];
    LP_AUTO(lp_buf) out = {0};
    assert_ok(lp_replay_name(values, count, &out, &err));
    snprintf(shown, sizeof copy[0], "%s", lp_buf_text(&out));
    return shown;
}

static const char *named_one(const char *value)
{
    struct lp_slice slice = lp_slice_of(value);
    return named(&slice, 1);
}

static void a_reply_is_named_after_its_item(void **state)
{
    static const char *const known[][2] = {{"Dallas", "Dallas.http"},
                                           {"New York", "New York.http"},
                                           {"Zürich 日本", "Zürich 日本.http"},
                                           {"a/b", "a%2Fb.http"},
                                           {"a%b", "a%25b.http"},
                                           {".", "%2E.http"},
                                           {"..", "%2E..http"},
                                           {".hidden", "%2Ehidden.http"},
                                           {"a.b", "a.b.http"},
                                           {"", "%.http"},
                                           {"x\\y:z*?\"<>|", "x%5Cy%3Az%2A%3F%22%3C%3E%7C.http"},
                                           {"\x01\xFF", "%01%FF.http"},
                                           {"a-b_c,d", "a-b_c,d.http"},
                                           {"../../etc", "%2E.%2F..%2Fetc.http"}};
    for (size_t i = 0; i < LP_COUNT(known); i++) assert_string_equal(named_one(known[i][0]), known[i][1]);
    struct lp_slice two[2] = {lp_slice_of("Dallas"), lp_slice_of("US")};
    assert_string_equal(named(two, 2), "Dallas, US.http");
    assert_string_equal(named(NULL, 0), "reply.http");
}

static void a_long_name_is_cut_and_told_apart_by_a_hash(void **state)
{
    char text[1001], other[1001];
    memset(text, 'x', sizeof text);
    text[1000] = '\0';
    memcpy(other, text, sizeof other);
    other[999] = 'y';
    assert_int_equal(strlen(named_one(text)), LP_REPLAY_NAME_BYTES + 5);
    assert_string_not_equal(named_one(text), named_one(other));
    assert_string_equal(named_one(text), named_one(text));
    text[LP_REPLAY_NAME_BYTES] = '\0';
    assert_int_equal(strlen(named_one(text)), LP_REPLAY_NAME_BYTES + 5);
    assert_null(strchr(named_one(text), '-'));
    for (size_t i = 0; i + 1 < sizeof text; i += 2) memcpy(text + i, "ü", 2);
    const char *name = named_one(text);
    assert_true(strlen(name) <= LP_REPLAY_NAME_BYTES + 5);
    assert_int_equal(lp_utf8_check(name, strlen(name)), strlen(name));
}

static void two_items_never_share_a_recorded_reply(void **state)
{
    static const char *const pairs[][2] = {{"a, b", "c"}, {"a", "b, c"}, {"a,", "b"}, {"a", ",b"},
                                           {"a, ", "b"},  {"", "a"},     {"a", ""},   {"a%2C", "b"}};
    for (size_t i = 0; i < LP_COUNT(pairs); i++)
        for (size_t k = 0; k < i; k++) {
            struct lp_slice one[2] = {lp_slice_of(pairs[i][0]), lp_slice_of(pairs[i][1])};
            struct lp_slice other[2] = {lp_slice_of(pairs[k][0]), lp_slice_of(pairs[k][1])};
            assert_string_not_equal(named(one, 2), named(other, 2));
        }
}

static void assert_slice(struct lp_slice s, const char *text)
{
    if (!lp_slice_is(s, text)) fail_msg("\"%.*s\" is not \"%s\"", (int)s.len, s.at, text);
}

static void what_is_written_reads_back(void **state)
{
    char body[3000];
    for (size_t i = 0; i < sizeof body; i++) body[i] = (char)(i * 7);
    struct lp_http_reply reply = {.status = 429, .body = {body, sizeof body}, .elapsed_ms = 77}, back = {.user = &err};
    reply.headers = lp_slice_of(
        "Content-Type: application/json\r\nRetry-After: 5\r\nDate: Mon, 01 Oct 2012 18:00:00 GMT\r\nX-RateLimit-Remaining: 0\r\n");
    LP_AUTO(lp_buf) storage = {0};
    assert_ok(lp_replay_write(path_in(*state, "a/b"), "Dallas.http", &reply, &err));
    assert_ok(lp_replay_read(path_in(*state, "a/b"), NULL, "Dallas.http", 3000, &storage, &back, &err));
    assert_int_equal(back.outcome, LP_HTTP_ANSWERED);
    assert_int_equal(back.status, 429);
    assert_int_equal(back.body.len, sizeof body);
    assert_memory_equal(back.body.at, body, sizeof body);
    assert_int_equal(back.body.at[back.body.len], '\0');
    assert_slice(back.content_type, "application/json");
    assert_slice(back.retry_after, "5");
    assert_slice(back.date, "Mon, 01 Oct 2012 18:00:00 GMT");
    struct lp_slice value;
    assert_true(lp_http_header(&back, "x-ratelimit-remaining", &value));
    assert_slice(value, "0");
    assert_false(lp_http_header(&back, "etag", &value));
    assert_ptr_equal(back.user, &err);
    assert_int_equal(back.elapsed_ms, 0);
    assert_string_equal(back.error, "");
    assert_int_equal(count_names(path_in(*state, "a/b")), 1);
}

static void secrets_are_not_written(void **state)
{
    struct lp_http_reply reply = {.status = 200,
                                  .body = lp_slice_of("{\"key\":\"topsecret\",\"url\":\"?k=top%73ecret\"}"),
                                  .headers = lp_slice_of("ETag: topsecret\r\n")},
                         back = {0};
    LP_AUTO(lp_buf) storage = {0};
    assert_ok(lp_secret_add("topsecret", 9, &err));
    assert_ok(lp_replay_write(*state, "x.http", &reply, &err));
    lp_secret_forget();
    assert_ok(lp_replay_read(*state, NULL, "x.http", 1000, &storage, &back, &err));
    assert_slice(back.body, "{\"key\":\"•••\",\"url\":\"?k=•••\"}");
    assert_null(strstr(lp_buf_text(&storage), "topsecret"));
}

/* "STATUS outcome body", or the error. */
static const char *read_back(const char *folder, const char *bytes, size_t len, size_t max)
{
    static char shown[1200];
    struct lp_http_reply reply = {0};
    LP_AUTO(lp_buf) storage = {0};
    write_text(path_in(folder, "x.http"), bytes, len);
    err = (struct lp_err){0};
    enum lp_code code = lp_replay_read(folder, NULL, "x.http", max, &storage, &reply, &err);
    if (code) snprintf(shown, sizeof shown, "%s: %s", lp_code_info(code)->name, err.text);
    else
        snprintf(shown, sizeof shown, "%d %s [%.*s]", reply.status, lp_http_outcome_name(reply.outcome),
                 (int)reply.body.len, reply.body.at);
    return shown;
}

static void what_curl_prints_is_a_reply(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
        const char *read;
    } known[] = {
        {TEXT("HTTP/1.1 200 OK\r\nContent-Type: a\r\n\r\nbody"), "200 answered [body]"},
        {TEXT("HTTP/1.1 200 OK\nA: b\n\nbody\n"), "200 answered [body\n]"},
        {TEXT("HTTP/2 404 \r\n\r\n"), "404 answered []"},
        {TEXT("HTTP/3 503\n\nx"), "503 answered [x]"},
        {TEXT("HTTP/1.0 200\r\nTransfer-Encoding: chunked\r\nContent-Encoding: gzip\r\n\r\nplain"),
         "200 answered [plain]"},
        {TEXT("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\nbody"), "200 answered [body]"},
        {TEXT("HTTP/1.1 301 Moved\r\nLocation: /x\r\n\r\nHTTP/1.1 302 Found\r\n\r\nHTTP/2 200\r\n\r\nend"),
         "200 answered [end]"},
        {TEXT("HTTP/1.1 304 Not Modified\r\n\r\n"), "304 answered []"},
        {TEXT("HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 500 Inside\r\n\r\nx"), "200 answered [HTTP/1.1 500 Inside\r\n\r\nx]"},
        {TEXT("HTTP/1.1 200 OK\r\n\r\n\r\n\r\nbody"), "200 answered [\r\n\r\nbody]"}};
    for (size_t i = 0; i < LP_COUNT(known); i++)
        assert_string_equal(read_back(*state, known[i].bytes, known[i].len, 1000), known[i].read);
}

static void what_is_no_reply_is_told(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
    } bad[] = {{TEXT("")},
               {TEXT("{\"json\":1}")},
               {TEXT("HTTP/1.1 200 OK\r\nA: b\r\n")},
               {TEXT("HTTP/1.1 abc\r\n\r\n")},
               {TEXT("HTTP/1.1 99\r\n\r\nx")},
               {TEXT("HTTP/1.1 700 X\r\n\r\n")},
               {TEXT("http/1.1 200 OK\r\n\r\n")},
               {TEXT("HTTP/1.1200 OK\r\n\r\n")},
               {TEXT("\r\nHTTP/1.1 200 OK\r\n\r\n")},
               {TEXT("HTTP/1.1 ")},
               {TEXT("HTTP/")}};
    for (size_t i = 0; i < LP_COUNT(bad); i++) {
        const char *read = read_back(*state, bad[i].bytes, bad[i].len, 1000);
        if (strncmp(read, "data: ", 6)) fail_msg("%s: %s", bad[i].bytes, read);
    }
}

static void a_body_past_the_limit_is_too_large(void **state)
{
    size_t len = 200000;
    char *bytes = malloc(len);
    assert_non_null(bytes);
    memset(bytes, 'x', len);
    memcpy(bytes, "HTTP/1.1 200 OK\r\n\r\n", 19);
    assert_memory_equal(read_back(*state, bytes, 19 + 10, 10), "200 answered [xxxxxxxxxx]", 25);
    assert_memory_equal(read_back(*state, bytes, 19 + 11, 10), "200 too large", 13);
    assert_memory_equal(read_back(*state, bytes, len, 10), "200 too large", 13);
    assert_memory_equal(read_back(*state, bytes, len, len - 19), "200 answered", 12);
    free(bytes);
}

static void the_folder_of_the_slot_comes_first(void **state)
{
    struct lp_http_reply plain = {.status = 200, .body = lp_slice_of("any")},
                         of_slot = {.status = 201, .body = lp_slice_of("slot")}, back = {0};
    LP_AUTO(lp_buf) storage = {0};
    assert_ok(lp_replay_write(*state, "x.http", &plain, &err));
    assert_ok(lp_replay_write(path_in(*state, "20121001T180000Z"), "x.http", &of_slot, &err));
    assert_ok(lp_replay_read(*state, "20121001T180000Z", "x.http", 100, &storage, &back, &err));
    assert_slice(back.body, "slot");
    assert_ok(lp_replay_read(*state, "20121001T190000Z", "x.http", 100, &storage, &back, &err));
    assert_slice(back.body, "any");
    assert_ok(lp_replay_read(*state, NULL, "x.http", 100, &storage, &back, &err));
    assert_slice(back.body, "any");
    assert_code(lp_replay_read(*state, "20121001T180000Z", "y.http", 100, &storage, &back, &err), LP_NOTFOUND);
    assert_non_null(strstr(err.text, "no recorded reply"));
    assert_non_null(strstr(err.text, "has no y.http"));
    assert_ok(lp_replay_write(path_in(*state, "20121001T180000Z"), "y.http", &of_slot, &err));
    assert_ok(lp_replay_write(path_in(*state, "20121002T180000Z"), "y.http", &of_slot, &err));
    assert_code(lp_replay_read(*state, "20121003T180000Z", "y.http", 100, &storage, &back, &err), LP_NOTFOUND);
    assert_non_null(strstr(err.text, "has y.http of other slots, like 20121001T180000Z, but not of 20121003T180000Z"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reply_is_named_after_its_item),
        cmocka_unit_test(a_long_name_is_cut_and_told_apart_by_a_hash),
        cmocka_unit_test(two_items_never_share_a_recorded_reply),
        with_folder(what_is_written_reads_back),
        with_folder(secrets_are_not_written),
        with_folder(what_curl_prints_is_a_reply),
        with_folder(what_is_no_reply_is_told),
        with_folder(a_body_past_the_limit_is_too_large),
        with_folder(the_folder_of_the_slot_comes_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
