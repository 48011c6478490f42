#include "aws/credentials.h"

#include "base/clock.h"
#include "base/secret.h"

#include <stdio.h>
#include <stdlib.h>

#define MINUTE_US    INT64_C(60000000)
#define ADVISORY_US  (15 * MINUTE_US) /* with so little left renewed, where that works */
#define MANDATORY_US (10 * MINUTE_US) /* with so little left not used without */
#define PATIENCE_US  (MINUTE_US / 2)  /* between two attempts that need not succeed */

static void wipe(char **text)
{
    if (*text) explicit_bzero(*text, strlen(*text));
    free(*text);
    *text = NULL;
}

void lp_aws_credentials_release(struct lp_aws_credentials *c)
{
    if (!c) return;
    wipe(&c->access_key);
    wipe(&c->secret_key);
    wipe(&c->session_token);
    *c = (struct lp_aws_credentials){0};
}

enum lp_code lp_aws_credentials_set(struct lp_aws_credentials *c, const char *access_key, const char *secret_key,
                                    const char *token, struct lp_err *err)
{
    if (token && !*token) token = NULL;
    LP_TRY(lp_secret_add_passing(secret_key, strlen(secret_key), err));
    if (token) LP_TRY(lp_secret_add_passing(token, strlen(token), err));
    c->access_key = strdup(access_key);
    c->secret_key = strdup(secret_key);
    c->session_token = token ? strdup(token) : NULL;
    if (c->access_key && c->secret_key && (c->session_token || !token)) return LP_OK;
    return lp_nomem(err);
}

enum lp_code lp_aws_credentials_copy(struct lp_aws_credentials *to, const struct lp_aws_credentials *from,
                                     struct lp_err *err)
{
    *to = (struct lp_aws_credentials){.expires_us = from->expires_us, .outlives_expiry = from->outlives_expiry};
    memcpy(to->source, from->source, sizeof to->source);
    return lp_aws_credentials_set(to, from->access_key, from->secret_key, from->session_token, err);
}

/* ---- the keyring ---- */

static enum lp_code renew(struct lp_aws_keyring *k, const struct lp_aws_settings *s, struct lp_err *err)
{
    struct lp_aws_credentials fresh = {0};
    enum lp_code code = lp_aws_chain_find(s, &fresh, err);
    if (!code && fresh.expires_us && fresh.expires_us <= lp_clock_now_us() && !fresh.outlives_expiry)
        code = lp_fail(err, LP_AUTH, "the keys from %s are expired; get new ones", fresh.source);
    if (code) {
        lp_aws_credentials_release(&fresh);
        k->asked_us = lp_clock_now_us();
        return code;
    }
    lp_aws_credentials_release(&k->now);
    *k = (struct lp_aws_keyring){.now = fresh, .found = true, .life_us = fresh.expires_us - lp_clock_now_us()};
    return LP_OK;
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

enum lp_code lp_aws_keyring_get(struct lp_aws_keyring *k, const struct lp_aws_settings *s,
                                const struct lp_aws_credentials **out, struct lp_err *err)
{
    int64_t now = lp_clock_now_us(), left = k->now.expires_us - now;
    /* Keys that live a quarter of an hour in all are not renewed at each call. */
    int64_t advisory = smaller(ADVISORY_US, k->life_us / 2), mandatory = smaller(MANDATORY_US, k->life_us / 3);
    *out = &k->now;
    if (k->fixed || (k->found && (!k->now.expires_us || left > advisory))) return LP_OK;
    if (!k->found) return renew(k, s, err);
    bool needed = left <= mandatory && !k->now.outlives_expiry;
    if (!needed && k->asked_us && now - k->asked_us < PATIENCE_US) return LP_OK;
    struct lp_err problem;
    enum lp_code code = renew(k, s, &problem);
    if (!code || (!needed && code != LP_CANCELLED && code != LP_NOMEM)) return LP_OK;
    return lp_fail(err, code, "the keys from %s expire and cannot be renewed: %s", k->now.source, problem.text);
}

bool lp_aws_keyring_expire(struct lp_aws_keyring *k)
{
    if (k->fixed || !k->now.expires_us) return false;
    k->found = false; /* if it is not already, for another call */
    return true;
}

void lp_aws_keyring_release(struct lp_aws_keyring *k)
{
    lp_aws_credentials_release(&k->now);
    *k = (struct lp_aws_keyring){0};
}
