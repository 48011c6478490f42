/* bare_s3 API S3 BUCKET/KEY: asks API?id=0000001 to 5 at once through libcurl's multi interface, takes the four fields out
 * of each reply by their names alone, and puts the rows as one CSV object, signed (Signature Version 4) with libcrypto: what
 * a process costs that does no more than that. Keys, region and, for https, the file of
 * trusted certificates (AWS_CA_BUNDLE) come from the environment. */
#include <curl/curl.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

#include <stdarg.h>
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

static void require(CURL *easy, CURLcode result)
{
    long status = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    if (result != CURLE_OK) end(curl_easy_strerror(result));
    if (status != 200) end("a status that is not 200");
}

/* ---- the API ---- */

static void ask_all(const char *api, CURL *easy[ITEMS], struct text replies[ITEMS], CURLM *multi)
{
    CURLMsg *message;
    int running = 1, left;
    for (int i = 0; i < ITEMS; i++) {
        struct text url = {0};
        put(&url, "%s?id=%07d", api, i + 1);
        easy[i] = curl_easy_init();
        curl_easy_setopt(easy[i], CURLOPT_URL, url.s);
        curl_easy_setopt(easy[i], CURLOPT_NOSIGNAL, 1L);
        if (getenv("AWS_CA_BUNDLE")) curl_easy_setopt(easy[i], CURLOPT_CAINFO, getenv("AWS_CA_BUNDLE"));
        curl_easy_setopt(easy[i], CURLOPT_WRITEFUNCTION, take);
        curl_easy_setopt(easy[i], CURLOPT_WRITEDATA, &replies[i]);
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

static struct curl_slist *sign(const char *host, const char *key, const struct text *body)
{
    static const char names[] = "content-type;host;x-amz-content-sha256;x-amz-date";
    const char *region = variable("AWS_REGION"), *id = variable("AWS_ACCESS_KEY_ID");
    char stamp[17], body_hash[65], hex[65];
    struct text canonical = {0}, scope = {0}, to_sign = {0}, secret = {0}, line = {0};
    struct tm utc;
    time_t now = time(NULL);
    gmtime_r(&now, &utc);
    strftime(stamp, sizeof stamp, "%Y%m%dT%H%M%SZ", &utc);
    hash(body, body_hash);
    put(&canonical, "PUT\n/%s\n\ncontent-type:text/csv\nhost:%s\nx-amz-content-sha256:%s\nx-amz-date:%s\n\n%s\n%s", key, host,
        body_hash, stamp, names, body_hash);
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
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: text/csv");
    put(&line, "X-Amz-Content-Sha256: %s", body_hash);
    headers = curl_slist_append(headers, line.s);
    line.len = 0;
    put(&line, "X-Amz-Date: %s", stamp);
    headers = curl_slist_append(headers, line.s);
    line.len = 0;
    put(&line, "Authorization: AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%s", id, scope.s, names, hex);
    return curl_slist_append(headers, line.s);
}

int main(int argc, char **argv)
{
    static struct text replies[ITEMS], csv, url;
    CURL *easy[ITEMS];
    if (argc != 4 || !strstr(argv[2], "://")) end("usage: bare_s3 API S3 BUCKET/KEY");
    curl_global_init(CURL_GLOBAL_DEFAULT);
    CURLM *multi = curl_multi_init();
    ask_all(argv[1], easy, replies, multi);
    put(&csv, "temperature,humidity,description,observed_at\n");
    for (int i = 0; i < ITEMS; i++) put_row(&csv, replies[i].s);

    struct curl_slist *headers = sign(strstr(argv[2], "://") + 3, argv[3], &csv);
    put(&url, "%s/%s", argv[2], argv[3]);
    replies[0].len = 0;
    curl_easy_setopt(easy[0], CURLOPT_URL, url.s);
    curl_easy_setopt(easy[0], CURLOPT_CUSTOMREQUEST, "PUT");
    curl_easy_setopt(easy[0], CURLOPT_POSTFIELDS, csv.s);
    curl_easy_setopt(easy[0], CURLOPT_POSTFIELDSIZE, (long)csv.len);
    curl_easy_setopt(easy[0], CURLOPT_HTTPHEADER, headers);
    require(easy[0], curl_easy_perform(easy[0]));
    curl_slist_free_all(headers);
    for (int i = 0; i < ITEMS; i++) curl_easy_cleanup(easy[i]);
    curl_multi_cleanup(multi);
    curl_global_cleanup();
    return 0;
}
