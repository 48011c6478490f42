/* What a function is sent: anything at all. */
#include "fuzz.h"

#include "base/clock.h"
#include "lambda/event.h"
#include "source/each.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static const int64_t now_us = INT64_C(1349114430000000); /* 2012-10-01T18:00:30Z */
    struct lp_event e;
    struct lp_err err = {0};
    char *text = malloc(len + 1); /* not terminated: nothing may look behind its end */
    if (!text) return 0;
    memcpy(text, bytes, len);
    enum lp_code code = lp_event_read(text, len, now_us, &e, &err);
    LP_HOLDS(code == LP_OK || code == LP_DATA);
    LP_HOLDS(!code || !strncmp(err.text, "event: ", 7));
    if (!code) {
        LP_HOLDS(e.slot_us % 1000000 == 0 && e.slot_us <= now_us + LP_EVENT_AHEAD_US);
        LP_HOLDS(e.shards <= LP_SHARDS_MAX && (e.shards ? e.shard < e.shards : !e.shard));
    }
    for (const char *c = err.text; *c; c++) LP_HOLDS((unsigned char)*c >= ' ');
    free(text);
    return 0;
}
