/* Included by the programs that use it: every program here is one file. */
#include "memory_messenger.h"

#include <stdlib.h>
#include <unistd.h>

struct memory_messenger {
    struct lp_messenger messenger;
    const enum mood *mood;
    struct lp_buf *heard;
};

static enum lp_code memory_send(struct lp_messenger *messenger, const struct lp_notice *n,
                                const struct lp_message *message, int64_t limit_ms, struct lp_err *err)
{
    struct memory_messenger *m = (struct memory_messenger *)messenger;
    (void)n;
    if (*m->mood == REFUSES) return lp_fail(err, LP_REMOTE, "refused as told");
    if (*m->mood == HANGS) {
        usleep((useconds_t)limit_ms * 1000);
        return lp_fail(err, LP_BUSY, "nothing came within %lld ms", (long long)limit_ms);
    }
    lp_buf_printf(m->heard, "%s\n%s\n", lp_buf_text(&message->subject), lp_buf_text(&message->text));
    return LP_OK;
}

static void memory_messenger_free(struct lp_messenger *m)
{
    free(m);
}

struct lp_messenger *memory_messenger_new(const enum mood *mood, struct lp_buf *heard)
{
    static const struct lp_messenger_ops ops = {"memory", memory_send, memory_messenger_free};
    struct memory_messenger *m = calloc(1, sizeof *m);
    if (!m) abort();
    *m = (struct memory_messenger){{&ops}, mood, heard};
    return &m->messenger;
}
