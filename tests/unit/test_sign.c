/* Signatures as AWS computes them: its own suite (tests/data/sigv4-suite), and what botocore signs for S3. */
#include "test.h"

#include "aws/sign.h"
#include "base/file.h"
#include "base/json.h"

#include <dirent.h>

#define SUITE "tests/data/sigv4-suite"

static struct lp_err err;

static char *read_case(const char *name, const char *file)
{
    struct lp_buf text = {0};
    char path[300];
    snprintf(path, sizeof path, "%s/%s/%s", SUITE, name, file);
    assert_ok(lp_file_read(path, &text, &err));
    char *copy = strdup(lp_buf_text(&text));
    lp_buf_release(&text);
    return copy;
}

struct suite_case {
    char *text, *body, *method, *path, *query;
    const char *headers[40];
    size_t count;
    char extra[3][400];
};

/* "METHOD TARGET HTTP/1.1", headers (a line that begins with a space goes on), an empty line, the body. */
static void parse_case(struct suite_case *c)
{
    char *at = c->text, *line_end = strchr(at, '\n');
    *line_end = '\0';
    char *protocol = strstr(at, " HTTP/1.1");
    assert_non_null(protocol);
    *protocol = '\0';
    c->method = at;
    c->path = strchr(at, ' ');
    *c->path++ = '\0';
    if ((c->query = strchr(c->path, '?'))) *c->query++ = '\0';
    c->body = "";
    for (at = line_end + 1; *at; at = line_end + 1) {
        line_end = strchr(at, '\n');
        if (!line_end) line_end = at + strlen(at) - 1;
        else *line_end = '\0';
        if (!*at) {
            c->body = line_end + 1;
            return;
        }
        if (*at == ' ') at[-1] = ' ';
        else c->headers[c->count++] = at;
    }
}

static void add_header(struct suite_case *c, size_t extra, const char *name, const char *value)
{
    snprintf(c->extra[extra], sizeof c->extra[extra], "%s: %s", name, value);
    c->headers[c->count++] = c->extra[extra];
}

static void check_case(const char *name)
{
    LP_AUTO(lp_arena) arena = {0};
    LP_AUTO(lp_signature) s = {0};
    json_t *context;
    char hash[LP_SHA256_HEX_BYTES], time[] = "20150830T123600Z";
    struct suite_case c = {.text = read_case(name, "request.txt")};
    char *json = read_case(name, "context.json");
    parse_case(&c);
    assert_ok(lp_json_parse(&arena, json, strlen(json), &context, &err));
    assert_string_equal(json_string_value(json_object_get(context, "timestamp")), "2015-08-30T12:36:00Z");
    const json_t *keys = json_object_get(context, "credentials");
    const char *token = json_string_value(json_object_get(keys, "token"));
    lp_sha256_hex(c.body, strlen(c.body), hash);
    add_header(&c, 0, "X-Amz-Date", time);
    if (token && !json_is_true(json_object_get(context, "omit_session_token")))
        add_header(&c, 1, "X-Amz-Security-Token", token);
    if (json_is_true(json_object_get(context, "sign_body"))) add_header(&c, 2, "X-Amz-Content-Sha256", hash);
    struct lp_sign_request q = {
        .method = c.method,
        .path = c.path,
        .query = c.query,
        .headers = c.headers,
        .header_count = c.count,
        .payload_hash = hash,
        .time = time,
        .region = json_string_value(json_object_get(context, "region")),
        .service = json_string_value(json_object_get(context, "service")),
        .access_key = json_string_value(json_object_get(keys, "access_key_id")),
        .secret_key = json_string_value(json_object_get(keys, "secret_access_key")),
        .path_rule = json_is_true(json_object_get(context, "normalize")) ? LP_SIGN_PATH_NORMAL : LP_SIGN_PATH_ENCODED,
    };
    assert_ok(lp_sign(&q, &s, &err));
    char *canonical = read_case(name, "header-canonical-request.txt");
    char *to_sign = read_case(name, "header-string-to-sign.txt"), *hex = read_case(name, "header-signature.txt");
    if (strcmp(canonical, s.canonical.data)) fail_msg("%s:\n%s\ninstead of\n%s", name, s.canonical.data, canonical);
    assert_string_equal(to_sign, s.to_sign.data);
    assert_string_equal(hex, s.hex);
    char *all[] = {canonical, to_sign, hex, json, c.text};
    for (size_t i = 0; i < LP_COUNT(all); i++) free(all[i]);
}

static void aws_own_suite_of_signatures_comes_out_right(void **state)
{
    struct dirent **names;
    int count = scandir(SUITE, &names, NULL, alphasort), checked = 0;
    assert_true(count > 0);
    for (int i = 0; i < count; i++) {
        char path[400];
        snprintf(path, sizeof path, SUITE "/%s/request.txt", names[i]->d_name);
        if (exists(path)) {
            check_case(names[i]->d_name);
            checked++;
        }
        free(names[i]);
    }
    free(names);
    assert_int_equal(checked, 38);
}

/* ---- S3, whose paths are signed as they are sent; signatures from botocore ---- */

#define S3_HOST "Host: bkt.s3.us-east-1.amazonaws.com"
#define S3_DATE "X-Amz-Date: 20150830T123600Z"
#define NOTHING "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static struct lp_sign_request s3_request(const char *method, const char *path, const char *query,
                                         const char *const *headers, size_t count, const char *hash)
{
    return (struct lp_sign_request){.method = method,
                                    .path = path,
                                    .query = query,
                                    .headers = headers,
                                    .header_count = count,
                                    .payload_hash = hash,
                                    .time = "20150830T123600Z",
                                    .region = "us-east-1",
                                    .service = "s3",
                                    .access_key = "AKIDEXAMPLE",
                                    .secret_key = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
                                    .path_rule = LP_SIGN_PATH_AS_SENT};
}

static void check_s3(const char *method, const char *path, const char *query, const char *const *headers, size_t count,
                     const char *hash, const char *wanted)
{
    LP_AUTO(lp_signature) s = {0};
    struct lp_sign_request q = s3_request(method, path, query, headers, count, hash);
    assert_ok(lp_sign(&q, &s, &err));
    assert_string_equal(s.hex, wanted);
}

static void requests_to_s3_are_signed_as_botocore_signs_them(void **state)
{
    const char *plain[] = {S3_HOST, S3_DATE, "x-amz-content-sha256: " NOTHING};
    char hash[LP_SHA256_HEX_BYTES], hash_header[120];
    lp_sha256_hex("hello", 5, hash);
    snprintf(hash_header, sizeof hash_header, "X-Amz-Content-SHA256: %s", hash);
    const char *put[] = {S3_HOST,
                         S3_DATE,
                         hash_header,
                         "Content-Type: text/csv",
                         "If-None-Match: *",
                         "x-amz-checksum-crc32: NhCmhg==",
                         "User-Agent: not signed",
                         "Expect:"};
    check_s3("GET", "/ds/dt%3D2024-01-01/a%20b%2Bc%3Ad~e.csv", NULL, plain, 3, NOTHING,
             "747b303c0ee78f2ac2714124d86ca4734c4638be5aaf44af327008c0ab93b2d6");
    check_s3("PUT", "/ds/dt%3D2024-01-01/f.csv", NULL, put, 8, hash,
             "fe145c948e56a0525bfc656423abe305aef3a68356b00b8306edf44eb1d435c9");
    check_s3("GET", "/", "list-type=2&prefix=ds%2Fdt%3D2024-01-01%2F&delimiter=%2F&encoding-type=url", plain, 3,
             NOTHING, "59e64bce9cfd962409969e49eecd2755a19bc10da1e478d06e26dd58edf6e2a1");
    check_s3("POST", "/k", "uploads", plain, 3, NOTHING,
             "c21628ebd1b4c5d43859e747fad16ffdc9755e689bd6a28c2574b40d457ba351");
}

static void the_authorization_header_names_scope_and_signed_headers(void **state)
{
    const char *plain[] = {S3_HOST, S3_DATE, "x-amz-content-sha256: " NOTHING};
    LP_AUTO(lp_signature) s = {0};
    struct lp_sign_request q = s3_request("POST", "/k", "uploads", plain, 3, NOTHING);
    assert_ok(lp_sign(&q, &s, &err));
    assert_string_equal(s.authorization.data,
                        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/s3/aws4_request, "
                        "SignedHeaders=host;x-amz-content-sha256;x-amz-date, "
                        "Signature=c21628ebd1b4c5d43859e747fad16ffdc9755e689bd6a28c2574b40d457ba351");
}

static void a_secret_key_longer_than_a_block_is_hashed_first(void **state)
{
    char key[200];
    const char *plain[] = {S3_HOST, S3_DATE};
    LP_AUTO(lp_signature) longer = {0};
    LP_AUTO(lp_signature) shorter = {0};
    memset(key, 'k', sizeof key);
    key[199] = '\0';
    struct lp_sign_request q = s3_request("GET", "/", NULL, plain, 2, NOTHING);
    q.secret_key = key;
    assert_ok(lp_sign(&q, &longer, &err));
    key[198] = '\0';
    assert_ok(lp_sign(&q, &shorter, &err));
    assert_string_not_equal(longer.hex, shorter.hex);
}

static void a_header_without_a_name_or_with_a_line_break_is_refused(void **state)
{
    static const char *const bad[] = {"no colon", "a name;two: x", ": no name", "X-Two: a\r\nX-Three: b",
                                      "X-Four: a\nb"};
    for (size_t i = 0; i < LP_COUNT(bad); i++) {
        LP_AUTO(lp_signature) s = {0};
        struct lp_sign_request q = s3_request("GET", "/", NULL, &bad[i], 1, NOTHING);
        assert_code(lp_sign(&q, &s, &err), LP_CONFIG);
    }
}

static void a_query_of_more_parts_than_can_be_sorted_is_refused(void **state)
{
    struct lp_buf query = {0};
    const char *plain[] = {S3_HOST};
    LP_AUTO(lp_signature) s = {0};
    for (int i = 0; i < 300; i++) lp_buf_printf(&query, "a%d&", i);
    struct lp_sign_request q = s3_request("GET", "/", query.data, plain, 1, NOTHING);
    assert_code(lp_sign(&q, &s, &err), LP_LIMIT);
    lp_buf_release(&query);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(aws_own_suite_of_signatures_comes_out_right),
        cmocka_unit_test(requests_to_s3_are_signed_as_botocore_signs_them),
        cmocka_unit_test(the_authorization_header_names_scope_and_signed_headers),
        cmocka_unit_test(a_secret_key_longer_than_a_block_is_hashed_first),
        cmocka_unit_test(a_header_without_a_name_or_with_a_line_break_is_refused),
        cmocka_unit_test(a_query_of_more_parts_than_can_be_sorted_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
