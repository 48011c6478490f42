/* The signer: path, query and headers of any kind. The input's parts are cut at NUL bytes. */
#include "fuzz.h"

#include "aws/sign.h"

#define PARTS 12

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    const char *parts[PARTS], *again[PARTS];
    size_t count = 0;
    char *text = malloc(len + 1);
    if (!text || !len) {
        free(text);
        return 0;
    }
    memcpy(text, bytes, len);
    text[len] = '\0';
    for (char *at = text + 1; count < PARTS && at <= text + len; at += strlen(at) + 1) parts[count++] = at;
    size_t headers = count > 3 ? count - 3 : 0;
    struct lp_sign_request q = {.method = "GET",
                                .path = count > 0 ? parts[0] : "/",
                                .query = count > 1 ? parts[1] : NULL,
                                .headers = parts + 3,
                                .header_count = headers,
                                .payload_hash = LP_SIGN_UNSIGNED,
                                .time = "20150830T123600Z",
                                .region = "us-east-1",
                                .service = "service",
                                .access_key = "AKIDEXAMPLE",
                                .secret_key = count > 2 ? parts[2] : "",
                                .path_rule = (enum lp_sign_path)(*bytes % 3)};
    struct lp_signature s, turned;
    struct lp_err err = {0};
    enum lp_code code = lp_sign(&q, &s, &err);
    LP_HOLDS(code == LP_OK || code == LP_CONFIG || code == LP_LIMIT);
    if (!code) {
        LP_HOLDS(strlen(s.hex) == 64 && strspn(s.hex, "0123456789abcdef") == 64);
        LP_HOLDS(!strpbrk(s.authorization.data, "\r\n"));
        /* One line per signed header, and six more: what is signed cannot be read in two ways. */
        size_t lines = 0, names = 0;
        for (const char *c = s.canonical.data; *c; c++) lines += *c == '\n';
        const char *signed_names = strstr(s.authorization.data, "SignedHeaders=");
        for (const char *c = signed_names; *c && *c != ','; c++) names += *c == ';';
        names += signed_names[14] != ',';
        if (q.path_rule != LP_SIGN_PATH_AS_SENT) LP_HOLDS(lines == names + (names ? 5 : 6));
        for (size_t i = 0; i < headers; i++) again[i] = parts[3 + i];
        q.headers = again;
        LP_HOLDS(!lp_sign(&q, &turned, &err) && !strcmp(turned.hex, s.hex));
        lp_signature_release(&turned);
    }
    lp_signature_release(&s);
    free(text);
    return 0;
}
