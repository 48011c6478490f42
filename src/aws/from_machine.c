/* Keys from where the program runs: a container's agent, a virtual machine's metadata. */
#include "aws/provider.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/number.h"
#include "base/secret.h"

#include <stdio.h>
#include <stdlib.h>

#define TOKEN_BYTES ((size_t)16 * 1024)
#define URL_BYTES   ((size_t)4096)

static const struct lp_aws_key_names machine_names = {"AccessKeyId", "SecretAccessKey", "Token", "Expiration"};

/* ---- containers: ECS, EKS, Greengrass ---- */

/* Over http keys come from this machine or its neighbour alone. */
static bool host_is_near(const char *host, size_t len)
{
    static const char *const names[] = {"169.254.170.2", "169.254.170.23", "[fd00:ec2::23]", "localhost", "[::1]"};
    for (size_t i = 0; i < LP_COUNT(names); i++)
        if (strlen(names[i]) == len && !strncasecmp(names[i], host, len)) return true;
    unsigned a, b, c;
    char text[20], rest;
    if (len >= sizeof text) return false;
    snprintf(text, sizeof text, "%.*s", (int)len, host);
    return sscanf(text, "127.%3u.%3u.%3u%c", &a, &b, &c, &rest) == 3 && a < 256 && b < 256 && c < 256;
}

static enum lp_code put_container_url(struct lp_buf *url, bool *found, struct lp_err *err)
{
    const char *relative = lp_aws_variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
    const char *full = lp_aws_variable("AWS_CONTAINER_CREDENTIALS_FULL_URI");
    *found = relative || full;
    if (relative) {
        lp_buf_printf(url, "http://169.254.170.2%s%s", *relative == '/' ? "" : "/", relative);
        return lp_buf_code(url, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", err);
    }
    if (!full) return LP_OK;
    bool plain = !strncmp(full, "http://", 7);
    size_t host = plain ? strcspn(full + 7, "/?#") : 0, port = host;
    while (port && full[7 + port - 1] >= '0' && full[7 + port - 1] <= '9') port--;
    if (port && full[7 + port - 1] == ':') host = port - 1;
    if (strncmp(full, "https://", 8) != 0 && !(plain && host_is_near(full + 7, host)))
        return lp_fail(
            err, LP_CONFIG,
            "AWS_CONTAINER_CREDENTIALS_FULL_URI is \"%s\"; keys come over https, or over http from this machine "
            "(localhost) or its agent (169.254.170.2, 169.254.170.23)",
            full);
    lp_buf_puts(url, full);
    return lp_buf_code(url, "AWS_CONTAINER_CREDENTIALS_FULL_URI", err);
}

/* The header, if one is wanted: from the file, which may change, before the variable. */
static enum lp_code put_authorization(struct lp_buf *header, struct lp_err *err)
{
    const char *path = lp_aws_variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
    const char *plain = lp_aws_variable("AWS_CONTAINER_AUTHORIZATION_TOKEN");
    struct lp_buf token = {.max_bytes = TOKEN_BYTES};
    enum lp_code code = LP_OK;
    if (path) code = lp_file_read(path, &token, err);
    else if (plain) lp_buf_puts(&token, plain);
    if (!code) code = lp_buf_code(&token, "AWS_CONTAINER_AUTHORIZATION_TOKEN", err);
    if (!code && token.len && strpbrk(token.data, "\r\n"))
        code = lp_fail(err, LP_AUTH, "%s holds a line break",
                       path ? "the file that AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE names"
                            : "AWS_CONTAINER_AUTHORIZATION_TOKEN");
    if (!code && token.len) code = lp_secret_add_passing(token.data, token.len, err);
    if (!code && token.len) {
        lp_buf_reserve(header, token.len + 32);
        lp_buf_printf(header, "Authorization: %s", token.data);
    }
    lp_aws_wipe(&token);
    return code ? code == LP_NOTFOUND ? lp_wrap(err, LP_AUTH, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE") : code
                : lp_buf_code(header, "a token", err);
}

enum lp_code lp_aws_from_container(const struct lp_aws_finder *f, struct lp_aws_credentials *out, bool *found,
                                   struct lp_err *err)
{
    LP_AUTO(lp_buf) url = {.max_bytes = URL_BYTES};
    struct lp_buf header = {.max_bytes = TOKEN_BYTES + 64};
    struct lp_aws_answer answer = {0};
    LP_TRY(put_container_url(&url, found, err));
    if (!*found) return LP_OK;
    LP_TRY(put_authorization(&header, err));
    struct lp_aws_question q = {.method = "GET",
                                .url = url.data,
                                .headers = {"Accept: application/json", lp_buf_text(&header)},
                                .header_count = header.len ? 2 : 1,
                                .timeout_ms = 2000,
                                .pause_ms = 1000,
                                .attempts = 3};
    enum lp_code code = lp_aws_question_ask(f->s, &q, &answer, err);
    lp_aws_wipe(&header);
    if (!code && answer.status != 200) {
        char status[40];
        snprintf(status, sizeof status, "it answers with status %d", answer.status);
        code = lp_fail(err, LP_AUTH, "the container's agent gives no keys (%s): %s", url.data,
                       answer.status ? status : answer.error);
    }
    if (!code)
        code = lp_aws_keys_from_json(&answer.body, &machine_names, "the answer of the container's agent", out, err);
    lp_aws_answer_release(&answer);
    snprintf(out->source, sizeof out->source, "the container's agent");
    return code;
}

/* ---- virtual machines: the instance metadata service ---- */

struct imds {
    const struct lp_aws_settings *s;
    char base[300];
    int64_t timeout_ms;
    unsigned attempts;
    struct lp_buf token_header; /* empty: version 1 */
    bool answers;
};

static bool is_true(const char *text)
{
    return text && lp_text_equal_ignoring_case(text, "true");
}

static enum lp_code imds_begin(struct imds *m, const struct lp_aws_settings *s, struct lp_err *err)
{
    const char *base = lp_aws_setting(s, "AWS_EC2_METADATA_SERVICE_ENDPOINT", "ec2_metadata_service_endpoint");
    const char *mode =
        lp_aws_setting(s, "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "ec2_metadata_service_endpoint_mode");
    const char *seconds = lp_aws_setting(s, "AWS_METADATA_SERVICE_TIMEOUT", "metadata_service_timeout");
    const char *attempts = lp_aws_setting(s, "AWS_METADATA_SERVICE_NUM_ATTEMPTS", "metadata_service_num_attempts");
    double wait = 1;
    int64_t count = 1;
    if (seconds && (!lp_double_parse(seconds, strlen(seconds), &wait) || wait <= 0 || wait > 600))
        return lp_fail(err, LP_CONFIG, "AWS_METADATA_SERVICE_TIMEOUT is \"%s\"; write seconds", seconds);
    if (attempts && (!lp_int64_parse(attempts, strlen(attempts), &count) || count < 1 || count > 100))
        return lp_fail(err, LP_CONFIG, "AWS_METADATA_SERVICE_NUM_ATTEMPTS is \"%s\"; write a number from 1", attempts);
    if (!base)
        base = mode && lp_text_equal_ignoring_case(mode, "IPv6") ? "http://[fd00:ec2::254]" : "http://169.254.169.254";
    size_t len = strlen(base);
    while (len && base[len - 1] == '/') len--;
    if (len >= sizeof m->base || (strncmp(base, "http://", 7) != 0 && strncmp(base, "https://", 8) != 0))
        return lp_fail(err, LP_CONFIG, "AWS_EC2_METADATA_SERVICE_ENDPOINT is \"%s\"; write http://HOST", base);
    *m = (struct imds){.s = s, .timeout_ms = (int64_t)(wait * 1000), .attempts = (unsigned)count};
    snprintf(m->base, sizeof m->base, "%.*s", (int)len, base);
    return LP_OK;
}

static enum lp_code imds_ask(struct imds *m, const char *method, const char *path, const char *header,
                             struct lp_aws_answer *answer, struct lp_err *err)
{
    char url[800];
    if (snprintf(url, sizeof url, "%s%s", m->base, path) >= (int)sizeof url)
        return lp_fail(err, LP_AUTH, "the machine's metadata names a role longer than any");
    const struct lp_aws_question q = {.method = method,
                                      .url = url,
                                      .headers = {header},
                                      .header_count = *header ? 1 : 0,
                                      .timeout_ms = m->timeout_ms,
                                      .attempts = m->attempts};
    return lp_aws_question_ask(m->s, &q, answer, err);
}

/* A token for version 2. What does not know it is asked without one, unless that is forbidden. */
static enum lp_code imds_take_token(struct imds *m, struct lp_err *err)
{
    struct lp_aws_answer answer;
    LP_TRY(imds_ask(m, "PUT", "/latest/api/token", "x-aws-ec2-metadata-token-ttl-seconds: 21600", &answer, err));
    bool old =
        answer.status == 403 || answer.status == 404 || answer.status == 405 || answer.outcome == LP_HTTP_TIMED_OUT;
    bool only_new = is_true(lp_aws_setting(m->s, "AWS_EC2_METADATA_V1_DISABLED", "ec2_metadata_v1_disabled"));
    enum lp_code code = LP_OK;
    if (answer.status == 200 && answer.body.len && !strpbrk(answer.body.data, "\r\n")) {
        code = lp_secret_add_passing(answer.body.data, answer.body.len, err);
        m->token_header.max_bytes = TOKEN_BYTES;
        lp_buf_reserve(&m->token_header, answer.body.len + 32);
        lp_buf_printf(&m->token_header, "x-aws-ec2-metadata-token: %s", answer.body.data);
        if (!code) code = lp_buf_code(&m->token_header, "the metadata's token", err);
        m->answers = true;
    } else {
        m->answers = old && !only_new;
    }
    lp_aws_answer_release(&answer);
    return code;
}

static enum lp_code imds_get(struct imds *m, const char *path, struct lp_aws_answer *answer, struct lp_err *err)
{
    return imds_ask(m, "GET", path, lp_buf_text(&m->token_header), answer, err);
}

/* The first line of an answer, as a part of a path may be; false when it is none. */
static bool take_line(const struct lp_aws_answer *answer, char *out, size_t size)
{
    size_t n = answer->body.len ? strcspn(answer->body.data, "\r\n") : 0;
    if (answer->status != 200 || !n || n >= size) return false;
    memcpy(out, answer->body.data, n);
    out[n] = '\0';
    return strspn(out, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+=,.@_-/") == n;
}

/* With 200 there may be a code and a message instead of keys: the role is broken, and others may still have keys. */
static enum lp_code imds_take_keys(struct imds *m, const char *role, struct lp_aws_credentials *out, bool *found,
                                   struct lp_err *err)
{
    char path[400];
    struct lp_aws_answer answer;
    snprintf(path, sizeof path, "/latest/meta-data/iam/security-credentials/%s", role);
    LP_TRY(imds_get(m, path, &answer, err));
    enum lp_code code = LP_OK;
    *found = answer.status == 200 && strstr(lp_buf_text(&answer.body), "\"AccessKeyId\"");
    if (*found) code = lp_aws_keys_from_json(&answer.body, &machine_names, "the machine's metadata", out, err);
    lp_aws_answer_release(&answer);
    out->outlives_expiry = true;
    snprintf(out->source, sizeof out->source, "the machine's role %.150s", role);
    return code;
}

static enum lp_code imds_find(struct imds *m, struct lp_aws_credentials *out, bool *found, struct lp_err *err)
{
    char role[128];
    struct lp_aws_answer answer;
    LP_TRY(imds_take_token(m, err));
    if (!m->answers) return LP_OK;
    LP_TRY(imds_get(m, "/latest/meta-data/iam/security-credentials/", &answer, err));
    bool named = take_line(&answer, role, sizeof role);
    lp_aws_answer_release(&answer);
    return named ? imds_take_keys(m, role, out, found, err) : LP_OK;
}

enum lp_code lp_aws_from_imds(const struct lp_aws_finder *f, struct lp_aws_credentials *out, bool *found,
                              struct lp_err *err)
{
    struct imds m;
    *found = false;
    if (is_true(lp_aws_variable("AWS_EC2_METADATA_DISABLED"))) return LP_OK;
    LP_TRY(imds_begin(&m, f->s, err));
    enum lp_code code = imds_find(&m, out, found, err);
    lp_aws_wipe(&m.token_header);
    return code;
}

static enum lp_code imds_find_region(struct imds *m, char region[64], bool *found, struct lp_err *err)
{
    struct lp_aws_answer answer;
    LP_TRY(imds_take_token(m, err));
    if (!m->answers) return LP_OK;
    LP_TRY(imds_get(m, "/latest/meta-data/placement/availability-zone", &answer, err));
    *found = take_line(&answer, region, 64) && strlen(region) > 2;
    if (*found) region[strlen(region) - 1] = '\0';
    lp_aws_answer_release(&answer);
    return LP_OK;
}

enum lp_code lp_aws_imds_region(const struct lp_aws_settings *s, char region[64], bool *found, struct lp_err *err)
{
    struct imds m;
    *found = false;
    if (is_true(lp_aws_variable("AWS_EC2_METADATA_DISABLED"))) return LP_OK;
    LP_TRY(imds_begin(&m, s, err));
    enum lp_code code = imds_find_region(&m, region, found, err);
    lp_aws_wipe(&m.token_header);
    return code;
}
