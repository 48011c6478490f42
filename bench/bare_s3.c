/* bare_s3 API S3 BUCKET/KEY: asks API?id=0000001 to 5 at once through libcurl's multi interface, takes the four fields out
 * of each reply by their names alone, and puts the rows as one CSV object, signed (Signature Version 4) with libcrypto: what
 * a process costs that does no more than that. Keys, region and, for https, the file of trusted certificates
 * (AWS_CA_BUNDLE) come from the environment. With AWS_LAMBDA_RUNTIME_API it does so for each event, with the other calls to
 * S3 that the program makes for one whose slot has no record yet, until it is told to end: what a warm invocation costs. */
#include <curl/curl.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ITEMS 5

struct text {
    size_t len;
    char s[4096];
};

static void end(const char *what)
{
    fprintf(stderr, "bare_s3: %s\n", what);
    exit(1);
}

static const char *variable(const char *name)
{
    const char *value = getenv(name);
    if (!value) end(name);
    return value;
}

__attribute__((format(printf, 2, 3))) static void put(struct text *t, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(t->s + t->len, sizeof t->s - t->len, format, args);
    va_end(args);
    if (n < 0 || (size_t)n >= sizeof t->s - t->len) end("a text is too long");
    t->len += (size_t)n;
}

static size_t take(char *data, size_t size, size_t count, void *user)
{
    struct text *t = user;
    if (t->len + size * count >= sizeof t->s) return 0;
    memcpy(t->s + t->len, data, size * count);
    t->len += size * count;
    t->s[t->len] = '\0';
    return size * count;
}

static long status_of(CURL *easy, CURLcode result)
{
    long status = 0;
    if (result != CURLE_OK) end(curl_easy_strerror(result));
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    return status;
}

static void require(CURL *easy, CURLcode result)
{
    if (status_of(easy, result) != 200) end("a status that is not 200");
}

/* ---- the API ---- */

static void prepare_all(const char *api, CURL *easy[ITEMS], struct text replies[ITEMS])
{
    for (int i = 0; i < ITEMS; i++) {
        struct text url = {0};
        put(&url, "%s?id=%07d", api, i + 1);
        easy[i] = curl_easy_init();
        curl_easy_setopt(easy[i], CURLOPT_URL, url.s);
        curl_easy_setopt(easy[i], CURLOPT_NOSIGNAL, 1L);
        if (getenv("AWS_CA_BUNDLE")) curl_easy_setopt(easy[i], CURLOPT_CAINFO, getenv("AWS_CA_BUNDLE"));
        curl_easy_setopt(easy[i], CURLOPT_WRITEFUNCTION, take);
        curl_easy_setopt(easy[i], CURLOPT_WRITEDATA, &replies[i]);
    }
}

static void ask_all(CURL *easy[ITEMS], struct text replies[ITEMS], CURLM *multi)
{
    CURLMsg *message;
    int running = 1, left;
    for (int i = 0; i < ITEMS; i++) {
        replies[i].len = 0;
        curl_multi_add_handle(multi, easy[i]);
    }
    while (running)
        if (curl_multi_perform(multi, &running) || (running && curl_multi_poll(multi, NULL, 0, 10000, NULL)))
            end("libcurl failed");
    while ((message = curl_multi_info_read(multi, &left))) require(message->easy_handle, message->data.result);
    for (int i = 0; i < ITEMS; i++) curl_multi_remove_handle(multi, easy[i]);
}

static const char *behind(const char *json, const char *mark)
{
    const char *at = strstr(json, mark);
    if (!at) end("a reply lacks a field");
    return at + strlen(mark);
}

static void put_row(struct text *csv, const char *json)
{
    double celsius = strtod(behind(json, "\"temp\":"), NULL);
    const char *description = behind(json, "\"description\":\"");
    time_t at = strtol(behind(json, "\"dt\":"), NULL, 10);
    char number[32], when[24];
    struct tm utc;
    for (int digits = 15; digits <= 17; digits++) { /* the shortest that reads back the same */
        snprintf(number, sizeof number, "%.*g", digits, celsius * 9 / 5 + 32);
        if (strtod(number, NULL) == celsius * 9 / 5 + 32) break;
    }
    gmtime_r(&at, &utc);
    strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &utc);
    put(csv, "%s,%ld,%.*s,%s\n", number, strtol(behind(json, "\"humidity\":"), NULL, 10), (int)strcspn(description, "\""),
        description, when);
}

/* ---- S3 ---- */

struct digest {
    unsigned char bytes[SHA256_DIGEST_LENGTH];
};

static struct digest hmac(const void *key, size_t len, const char *text)
{
    struct digest d;
    HMAC(EVP_sha256(), key, (int)len, (const unsigned char *)text, strlen(text), d.bytes, NULL);
    return d;
}

static void put_hex(const struct digest *d, char out[65])
{
    for (size_t i = 0; i < sizeof d->bytes; i++) snprintf(out + 2 * i, 3, "%02x", d->bytes[i]);
}

static void hash(const struct text *t, char out[65])
{
    struct digest d;
    SHA256((const unsigned char *)t->s, t->len, d.bytes);
    put_hex(&d, out);
}

/* type may be NULL: there is no body then. */
static struct curl_slist *sign(const char *method, const char *host, const char *key, const char *type, const struct text *body)
{
    const char *names = type ? "content-type;host;x-amz-content-sha256;x-amz-date" : "host;x-amz-content-sha256;x-amz-date";
    const char *region = variable("AWS_REGION"), *id = variable("AWS_ACCESS_KEY_ID");
    char stamp[17], body_hash[65], hex[65];
    struct text canonical = {0}, scope = {0}, to_sign = {0}, secret = {0}, line = {0};
    struct tm utc;
    time_t now = time(NULL);
    gmtime_r(&now, &utc);
    strftime(stamp, sizeof stamp, "%Y%m%dT%H%M%SZ", &utc);
    hash(body, body_hash);
    put(&canonical, "%s\n/%s\n\n", method, key);
    if (type) put(&canonical, "content-type:%s\n", type);
    put(&canonical, "host:%s\nx-amz-content-sha256:%s\nx-amz-date:%s\n\n%s\n%s", host, body_hash, stamp, names, body_hash);
    hash(&canonical, hex);
    put(&scope, "%.8s/%s/s3/aws4_request", stamp, region);
    put(&to_sign, "AWS4-HMAC-SHA256\n%s\n%s\n%s", stamp, scope.s, hex);
    put(&secret, "AWS4%s", variable("AWS_SECRET_ACCESS_KEY"));
    stamp[8] = '\0'; /* the day */
    struct digest d = hmac(secret.s, secret.len, stamp);
    stamp[8] = 'T';
    d = hmac(d.bytes, sizeof d.bytes, region);
    d = hmac(d.bytes, sizeof d.bytes, "s3");
    d = hmac(d.bytes, sizeof d.bytes, "aws4_request");
    d = hmac(d.bytes, sizeof d.bytes, to_sign.s);
    put_hex(&d, hex);
    struct curl_slist *headers = NULL;
    if (type) {
        put(&line, "Content-Type: %s", type);
        headers = curl_slist_append(headers, line.s);
        line.len = 0;
    }
    put(&line, "X-Amz-Content-Sha256: %s", body_hash);
    headers = curl_slist_append(headers, line.s);
    line.len = 0;
    put(&line, "X-Amz-Date: %s", stamp);
    headers = curl_slist_append(headers, line.s);
    line.len = 0;
    put(&line, "Authorization: AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%s", id, scope.s, names, hex);
    return curl_slist_append(headers, line.s);
}

/* One call; its connection stays with the handle. */
static long call(CURL *easy, const char *method, const char *url, struct curl_slist *headers, const struct text *body)
{
    static struct text answer;
    answer.len = 0;
    curl_easy_reset(easy);
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    if (getenv("AWS_CA_BUNDLE")) curl_easy_setopt(easy, CURLOPT_CAINFO, getenv("AWS_CA_BUNDLE"));
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, &answer);
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    if (body) {
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body->s);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)body->len);
    }
    return status_of(easy, curl_easy_perform(easy));
}

/* A call to S3; a type goes with a body. */
static void call_s3(CURL *easy, const char *method, const char *s3, const char *key, const char *type, const struct text *body,
                    const char *more, long wanted)
{
    static const struct text nothing;
    struct text url = {0};
    put(&url, "%s/%s", s3, key);
    struct curl_slist *headers = sign(method, strstr(s3, "://") + 3, key, type, body ? body : &nothing);
    if (more) headers = curl_slist_append(headers, more);
    if (call(easy, method, url.s, headers, body) != wanted) end("an answer of S3 that was not expected");
    curl_slist_free_all(headers);
}

/* ---- both ---- */

static void put_rows(struct text *csv, struct text replies[ITEMS])
{
    csv->len = 0;
    put(csv, "temperature,humidity,description,observed_at\n");
    for (int i = 0; i < ITEMS; i++) put_row(csv, replies[i].s);
}

/* Events until the runtime API says that it is over. */
static void be_a_function(const char *s3, const char *key, CURL *easy[ITEMS], CURLM *multi, struct text replies[ITEMS])
{
    static struct text csv, next, answer, record, name;
    CURL *runtime = curl_easy_init(), *lake = curl_easy_init();
    put(&next, "http://%s/2018-06-01/runtime/invocation/next", variable("AWS_LAMBDA_RUNTIME_API"));
    put(&answer, "http://%s/2018-06-01/runtime/invocation/1/response", variable("AWS_LAMBDA_RUNTIME_API"));
    put(&record, "{\"of\": \"%0600d\"}", 0); /* about as large as a run's */
    for (int n = 0; call(runtime, "GET", next.s, NULL, NULL) == 200; n++) {
        struct text lock = {0}, run = {0};
        name.len = 0;
        put(&name, "%.*s-%d.csv", (int)strcspn(key, "."), key, n);
        put(&lock, "%s.lock", name.s);
        put(&run, "%s.json", name.s);
        call_s3(lake, "PUT", s3, lock.s, "application/json", &record, "If-None-Match: *", 200);
        call_s3(lake, "GET", s3, run.s, NULL, NULL, NULL, 404);
        call_s3(lake, "GET", s3, "bench/catalog.json", NULL, NULL, NULL, 404);
        ask_all(easy, replies, multi);
        put_rows(&csv, replies);
        call_s3(lake, "PUT", s3, name.s, "text/csv", &csv, NULL, 200);
        call_s3(lake, "PUT", s3, run.s, "application/json", &record, NULL, 200);
        call_s3(lake, "DELETE", s3, lock.s, NULL, NULL, NULL, 204);
        if (call(runtime, "POST", answer.s, NULL, &record) != 202) end("the answer was not taken");
    }
    curl_easy_cleanup(runtime);
    curl_easy_cleanup(lake);
}

int main(int argc, char **argv)
{
    static struct text replies[ITEMS], csv;
    CURL *easy[ITEMS];
    if (argc != 4 || !strstr(argv[2], "://")) end("usage: bare_s3 API S3 BUCKET/KEY");
    curl_global_init(CURL_GLOBAL_DEFAULT);
    CURLM *multi = curl_multi_init();
    prepare_all(argv[1], easy, replies);
    bool function = getenv("AWS_LAMBDA_RUNTIME_API") != NULL;
    if (function) {
        be_a_function(argv[2], argv[3], easy, multi, replies);
    } else {
        ask_all(easy, replies, multi);
        put_rows(&csv, replies);
        call_s3(easy[0], "PUT", argv[2], argv[3], "text/csv", &csv, NULL, 200);
    }
    for (int i = 0; i < ITEMS; i++) curl_easy_cleanup(easy[i]);
    curl_multi_cleanup(multi);
    curl_global_cleanup();
    return function; /* as the program, which is told to end */
}
