#include "cli/shard.h"

#include "base/number.h"
#include "source/each.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The first that is set; an empty one is not. */
static const char *given_number(const char **name)
{
    static const char *const names[] = {"JOB_COMPLETION_INDEX", "AWS_BATCH_JOB_ARRAY_INDEX"};
    for (size_t i = 0; i < LP_COUNT(names); i++) {
        const char *value = getenv(names[i]);
        if (!value || !*value) continue;
        *name = names[i];
        return value;
    }
    return NULL;
}

static enum lp_code take_given(const char *text, const char *count, uint64_t *shard, uint64_t *shards, struct lp_err *err)
{
    const char *name, *value = given_number(&name);
    char share[32];
    int64_t index;
    /* N is judged as in 1/N. */
    if ((size_t)snprintf(share, sizeof share, "1/%s", count) >= sizeof share || !lp_shard_parse(share, shard, shards))
        return lp_fail(err, LP_USAGE, "--shard %.40s is no share; write auto/N with the number of shares, like auto/16", text);
    if (!value)
        return lp_fail(err, LP_USAGE, "--shard %.40s: neither JOB_COMPLETION_INDEX nor AWS_BATCH_JOB_ARRAY_INDEX is set, so this is no "
                       "Indexed Job of Kubernetes and no array job of AWS Batch; write I/N, like 1/%llu", text,
                       (unsigned long long)*shards);
    if (!lp_int64_parse(value, strlen(value), &index) || index < 0)
        return lp_fail(err, LP_USAGE, "--shard %.40s: %s is \"%.40s\", which is no number of a shard", text, name, value);
    if ((uint64_t)index >= *shards)
        return lp_fail(err, LP_USAGE, "--shard %.40s: %s is %lld, and counts from 0, so the last shard is %llu; let the job have %llu "
                       "completions, or write auto/N with as many as it has", text, name, (long long)index,
                       (unsigned long long)*shards - 1, (unsigned long long)*shards);
    *shard = (uint64_t)index;
    return LP_OK;
}

enum lp_code lp_cli_shard(const char *text, uint64_t *shard, uint64_t *shards, struct lp_err *err)
{
    static const char given[] = "auto/";
    if (!strncmp(text, given, strlen(given))) return take_given(text, text + strlen(given), shard, shards, err);
    if (lp_shard_parse(text, shard, shards)) return LP_OK;
    return lp_fail(err, LP_USAGE, "--shard %.40s is no share; write I/N with I from 1 to N, like 3/16", text);
}
