#include "notify/messenger.h"

#include <stdlib.h>

enum lp_code lp_messenger_new(const struct lp_address *a, const struct lp_messenger_means *means,
                              struct lp_messenger **out, struct lp_err *err)
{
    *out = NULL;
    switch (a->kind) {
    case LP_TO_STDERR: return lp_messenger_stderr_new(a, means, out, err);
    case LP_TO_TOPIC: return lp_messenger_sns_new(a, means, out, err);
    case LP_TO_MAIL: return lp_messenger_smtp_new(a, means, out, err);
    case LP_TO_WEBHOOK: return lp_messenger_webhook_new(a, means, out, err);
    }
    return lp_fail(err, LP_BUG, "an address of no kind");
}

void lp_messenger_free(struct lp_messenger *m)
{
    if (m) m->ops->free(m);
}

/* ---- standard error ---- */

struct said {
    struct lp_messenger messenger;
    const struct lp_messenger_means *means;
};

static enum lp_code say(struct lp_messenger *m, const struct lp_notice *n, const struct lp_message *message,
                        int64_t limit_ms, struct lp_err *err)
{
    (void)limit_ms, (void)err;
    const struct lp_messenger_means *means = ((struct said *)m)->means;
    if (means->say) means->say(means->who, n, message);
    return LP_OK;
}

static void said_free(struct lp_messenger *m)
{
    free(m);
}

enum lp_code lp_messenger_stderr_new(const struct lp_address *a, const struct lp_messenger_means *means,
                                     struct lp_messenger **out, struct lp_err *err)
{
    static const struct lp_messenger_ops ops = {"stderr", say, said_free};
    (void)a;
    struct said *s = calloc(1, sizeof *s);
    if (!s) return lp_nomem(err);
    s->messenger.ops = &ops;
    s->means = means;
    *out = &s->messenger;
    return LP_OK;
}
