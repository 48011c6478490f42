#include "lambda/called.h"

#define QUALIFIER_MOST 128

static const char digits[] = "0123456789", small[] = "abcdefghijklmnopqrstuvwxyz",
                  word[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";

static size_t span(struct lp_slice s, const char *of)
{
    size_t len = 0;
    while (len < s.len && s.at[len] && strchr(of, s.at[len])) len++;
    return len;
}

static struct lp_slice behind(struct lp_slice s, size_t len)
{
    return (struct lp_slice){s.at + len, s.len - len};
}

static bool skip_text(struct lp_slice *s, const char *text)
{
    size_t len = strlen(text);
    if (s->len < len || memcmp(s->at, text, len)) return false;
    *s = behind(*s, len);
    return true;
}

/* aws, aws-cn, aws-us-gov */
static bool skip_partition(struct lp_slice *s)
{
    struct lp_slice at = *s;
    if (!skip_text(&at, "aws")) return false;
    at = behind(at, span(at, "-abcdefghijklmnopqrstuvwxyz"));
    if (!skip_text(&at, ":lambda:")) return false;
    *s = at;
    return true;
}

/* us-west-2, us-gov-east-1 */
static bool skip_region(struct lp_slice *s)
{
    struct lp_slice at = *s;
    size_t parts = 0, len;
    while ((len = span(at, small)) > 0 && len < at.len && at.at[len] == '-') {
        at = behind(at, len + 1);
        parts++;
    }
    if (parts < 2 || span(at, digits) != 1 || !skip_text(&(struct lp_slice){at.at + 1, at.len - 1}, ":")) return false;
    *s = behind(at, 2);
    return true;
}

static bool skip_account(struct lp_slice *s)
{
    if (span(*s, digits) != 12 || s->len < 13 || s->at[12] != ':') return false;
    *s = behind(*s, 13);
    return true;
}

static bool is_name(struct lp_slice s, const char *name, struct lp_slice *qualifier)
{
    *qualifier = (struct lp_slice){0};
    if (!skip_text(&s, name)) return false;
    if (!s.len) return true;
    if (!skip_text(&s, ":")) return false;
    *qualifier = s;
    return true;
}

bool lp_called_is(struct lp_slice called, const char *name, struct lp_slice *qualifier)
{
    struct lp_slice rest = called;
    bool arn = skip_text(&rest, "arn:");
    if (arn && !skip_partition(&rest)) return false;
    bool region = skip_region(&rest), account = skip_account(&rest);
    struct lp_slice bare = rest;
    if (skip_text(&rest, "function:") && (!arn || (region && account)) && is_name(rest, name, qualifier)) return true;
    /* "function" may be the name itself. */
    return !arn && is_name(bare, name, qualifier);
}

bool lp_called_qualifier_is_valid(struct lp_slice qualifier)
{
    return lp_slice_is(qualifier, "$LATEST") ||
           (qualifier.len && qualifier.len <= QUALIFIER_MOST && span(qualifier, word) == qualifier.len);
}
