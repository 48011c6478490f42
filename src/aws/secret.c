/* Secrets kept at AWS: Parameter Store (ssm) and Secrets Manager. Asked once, kept with the session, wiped with it. */
#include "aws/session.h"

#include "base/json.h"
#include "base/secret.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

#define ONE_TRY_MS   10000 /* a few hundred bytes of answer */
#define ALL_TRIES_MS 20000

#define REPLY_BYTES ((size_t)1 << 20) /* of JSON as a tree; AWS's values have 64 KiB at most */

struct lp_aws_kept_secret {
    struct lp_aws_kept_secret *next;
    char *value;
    char place[];
};

static void wipe(char *text, size_t len)
{
    if (text) explicit_bzero(text, len);
    free(text);
}

void lp_aws_secrets_free(struct lp_aws *aws)
{
    for (struct lp_aws_kept_secret *s = aws->secrets, *next; s; s = next) {
        next = s->next;
        wipe(s->value, strlen(s->value));
        free(s);
    }
    aws->secrets = NULL;
}

/* "ssm:/path" or "secretsmanager:NAME#key"; a name that is an ARN names its region as well. */
struct place {
    bool ssm;
    char name[2048], region[LP_AWS_REGION_BYTES];
    const char *member; /* NULL: the whole */
};

static enum lp_code read_place(const char *text, struct place *p, struct lp_err *err)
{
    *p = (struct place){.ssm = !strncmp(text, "ssm:", 4)};
    bool known = p->ssm || !strncmp(text, "secretsmanager:", 15);
    const char *name = text + (!known ? strlen(text) : p->ssm ? 4 : 15), *hash = p->ssm ? NULL : strchr(name, '#');
    if (!*name || hash == name || (hash && !hash[1]))
        return lp_fail(err, LP_CONFIG, "\"%s\" names no secret; write ssm:/path/name or secretsmanager:NAME", text);
    size_t len = hash ? (size_t)(hash - name) : strlen(name);
    if (len >= sizeof p->name)
        return lp_fail(err, LP_CONFIG, "%.40s…: the name of a secret is that long nowhere", text);
    memcpy(p->name, name, len);
    p->member = hash ? hash + 1 : NULL;
    if (strncmp(p->name, "arn:", 4) != 0) return LP_OK;
    sscanf(p->name, "arn:%*[^:]:%*[^:]:%63[^:]", p->region);
    if (lp_aws_region_valid(p->region)) return LP_OK;
    return lp_fail(err, LP_CONFIG, "%s: the name begins like an ARN, and has no region in its fourth part", text);
}

static char *decode_base64(const char *text, size_t *len)
{
    size_t n = strlen(text), padding = n && text[n - 1] == '=' ? 1u + (n > 1 && text[n - 2] == '=') : 0;
    unsigned char *out = n % 4 ? NULL : malloc(n / 4 * 3 + 1);
    int got = out ? EVP_DecodeBlock(out, (const unsigned char *)text, (int)n) : -1;
    if (got < 0 || (size_t)got < padding) {
        free(out);
        return NULL;
    }
    *len = (size_t)got - padding;
    out[*len] = '\0';
    return (char *)out;
}

/* The text of one member; a number as it would be written. */
static char *member_of(struct lp_arena *a, const char *text, size_t len, const char *name)
{
    json_t *root;
    LP_AUTO(lp_buf) number = {0};
    if (lp_json_parse(a, text, len, &root, NULL)) return NULL;
    const json_t *value = json_object_get(root, name);
    if (json_is_string(value)) return strdup(json_string_value(value));
    if (!json_is_integer(value)) return NULL;
    lp_json_put_value(&number, value);
    return number.failed ? NULL : strdup(lp_buf_text(&number));
}

static enum lp_code take_value(struct lp_arena *a, const struct place *p, const struct lp_aws_reply *r, char **value,
                               struct lp_err *err)
{
    json_t *root;
    size_t len = 0;
    char *text = NULL;
    LP_TRY(lp_json_parse(a, lp_buf_text(&r->body), r->body.len, &root, err));
    const json_t *from = p->ssm ? json_object_get(root, "Parameter") : root;
    const json_t *plain = json_object_get(from, p->ssm ? "Value" : "SecretString");
    const json_t *binary = p->ssm ? NULL : json_object_get(from, "SecretBinary");
    if (json_is_string(plain)) {
        len = json_string_length(plain);
        text = strdup(json_string_value(plain));
    } else if (json_is_string(binary)) {
        text = decode_base64(json_string_value(binary), &len);
    } else {
        return lp_fail(err, LP_REMOTE, "the answer holds no value");
    }
    if (!text) return lp_fail(err, LP_DATA, "its bytes cannot be read");
    if (p->member) {
        char *whole = text;
        text = member_of(a, whole, len, p->member);
        wipe(whole, len);
        if (!text)
            return lp_fail(err, LP_CONFIG, "it is no JSON object with a text or a whole number named \"%s\"",
                           p->member);
        len = strlen(text);
    }
    *value = text;
    if (!len || strlen(text) != len || lp_utf8_check(text, len) != len)
        return lp_fail(err, LP_CONFIG, "a secret is UTF-8 text, not empty");
    return lp_secret_add(text, len, err);
}

static enum lp_code ask(struct lp_aws *aws, const struct place *p, char **value, struct lp_err *err)
{
    LP_AUTO(lp_buf) body = {0};
    LP_AUTO(lp_arena) arena = {0};
    struct lp_aws_reply reply;
    lp_arena_init(&arena, REPLY_BYTES);
    struct lp_json_writer w = {.out = &body};
    lp_json_open(&w, NULL, '{');
    lp_json_text(&w, p->ssm ? "Name" : "SecretId", p->name);
    if (p->ssm) lp_json_bool(&w, "WithDecryption", true);
    lp_json_close(&w, '}');
    LP_TRY(lp_buf_code(&body, "the name of a secret", err));
    const struct lp_aws_request q = {.service = p->ssm ? "ssm" : "secretsmanager",
                                     .region = *p->region ? p->region : NULL,
                                     .target = p->ssm ? "AmazonSSM.GetParameter" : "secretsmanager.GetSecretValue",
                                     .body = body.data,
                                     .body_len = body.len,
                                     .total_ms = ONE_TRY_MS,
                                     .within_ms = ALL_TRIES_MS};
    enum lp_code code = lp_aws_call(aws, &q, &reply, err);
    if (!code) code = take_value(&arena, p, &reply, value, err);
    if (reply.body.data) explicit_bzero(reply.body.data, reply.body.cap);
    lp_aws_reply_release(&reply);
    return code;
}

enum lp_code lp_aws_secret(struct lp_aws *aws, const char *place, const char **value, struct lp_err *err)
{
    struct place p;
    char *text = NULL;
    *value = NULL;
    for (const struct lp_aws_kept_secret *s = aws->secrets; s; s = s->next)
        if (!strcmp(s->place, place)) {
            *value = s->value;
            return LP_OK;
        }
    LP_TRY(read_place(place, &p, err));
    enum lp_code code = ask(aws, &p, &text, err);
    if (code == LP_NOTFOUND) code = lp_wrap(err, LP_CONFIG, "there is none of that name");
    if (!code) {
        struct lp_aws_kept_secret *kept = calloc(1, sizeof *kept + strlen(place) + 1);
        if (kept) {
            memcpy(kept->place, place, strlen(place) + 1);
            kept->next = aws->secrets;
            kept->value = text;
            aws->secrets = kept;
            *value = text;
            return LP_OK;
        }
        code = lp_nomem(err);
    }
    if (text) wipe(text, strlen(text));
    return lp_wrap(err, code, "the secret %s", place);
}
