#include "source/url.h"

#include "config/field.h"

#include <arpa/inet.h>

static struct lp_slice authority(const char *url)
{
    const char *at = strstr(url, "://");
    if (!at) return (struct lp_slice){url, 0};
    at += 3;
    return (struct lp_slice){at, strcspn(at, "/?#")};
}

struct lp_slice lp_url_host(const char *url)
{
    struct lp_slice a = authority(url);
    const char *user = memrchr(a.at, '@', a.len);
    if (user) a = (struct lp_slice){user + 1, a.len - (size_t)(user + 1 - a.at)};
    if (a.len && *a.at == '[') {
        const char *end = memchr(a.at, ']', a.len);
        return end ? (struct lp_slice){a.at + 1, (size_t)(end - a.at - 1)} : (struct lp_slice){a.at, 0};
    }
    const char *colon = memchr(a.at, ':', a.len);
    if (colon) a.len = (size_t)(colon - a.at);
    return a;
}

static bool loopback(struct lp_slice host)
{
    char text[64];
    struct in_addr four;
    struct in6_addr six;
    if (host.len >= sizeof text) return false;
    memcpy(text, host.at, host.len);
    text[host.len] = '\0';
    if (lp_text_equal_ignoring_case(text, "localhost")) return true;
    if (inet_pton(AF_INET, text, &four) == 1) return (ntohl(four.s_addr) >> 24) == 127;
    return inet_pton(AF_INET6, text, &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six);
}

bool lp_url_is_here(const char *url)
{
    return loopback(lp_url_host(url));
}

static const char *objection(const char *url, const char **remedy)
{
    bool secure = !strncmp(url, "https://", 8), plain = !strncmp(url, "http://", 7);
    struct lp_slice whole = authority(url);
    *remedy = "write https://host/path";
    if (!secure && !plain) return "the address is not https://";
    if (!lp_url_host(url).len) return "the address has no host";
    if (memchr(whole.at, '@', whole.len)) {
        *remedy = "take user and password out and write auth: { basic: USER, secret: \"env:NAME\" }";
        return "the address holds a user or a secret in plain text";
    }
    if (plain && !loopback(lp_url_host(url))) {
        *remedy = "write https://";
        return "http:// sends everything readable for all, so it is refused except to this machine";
    }
    return NULL;
}

enum lp_code lp_url_check(const char *url, struct lp_err *err)
{
    const char *remedy, *what = objection(url, &remedy);
    return what ? lp_fail(err, LP_CONFIG, "%s; %s", what, remedy) : LP_OK;
}

/* Keys by value in the query of the address. */
static bool query_holds_secret(const char *url)
{
    static const char *const names[] = {
        "appid=", "api_key=", "apikey=", "access_token=", "token=", "password=", "key="};
    for (const char *at = strpbrk(url, "?&"); at; at = strpbrk(at + 1, "?&"))
        for (size_t i = 0; i < LP_COUNT(names); i++)
            if (!strncasecmp(at + 1, names[i], strlen(names[i])) && at[1 + strlen(names[i])] &&
                at[1 + strlen(names[i])] != '&')
                return true;
    return false;
}

/* What stands before the first variable decides, unless the host itself varies: then each address is looked at when it
 * is made. */
void lp_url_check_template(struct lp_reading *r, const struct lp_template *t)
{
    LP_AUTO(lp_buf) text = {0};
    bool whole = true;
    for (size_t i = 0; i < t->part_count; i++) {
        if (t->parts[i].name) whole = false;
        lp_buf_put(&text, t->parts[i].text ? t->parts[i].text : "x", t->parts[i].text ? t->parts[i].len : 1);
    }
    if (text.failed) {
        r->faults->out_of_memory = true;
        return;
    }
    const char *remedy, *what = objection(lp_buf_text(&text), &remedy);
    bool varies = t->part_count && t->parts[0].name;
    if (what && !(varies && !whole)) lp_node_fault(r, t->node, remedy, "get: %s", what);
    else if (query_holds_secret(lp_buf_text(&text)))
        lp_node_fault(r, t->node, "write auth: { query: NAME, secret: \"env:NAME\" }",
                      "get: the address holds a secret in plain text");
}
