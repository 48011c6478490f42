#include "notify/tell.h"

#include "base/cancel.h"
#include "base/clock.h"

#include <stdio.h>

#define ONE_MS 30000
#define ALL_MS 60000

bool lp_tell_wants(const struct lp_notify *notify, enum lp_notify_event event)
{
    return notify->to.count && notify->when & event;
}

/* As much as fits, between two characters. */
static void put_text(char *to, size_t bytes, const struct lp_buf *text)
{
    static const char more[] = "…";
    size_t len = text->len;
    if (text->failed) len = 0;
    if (len >= bytes) {
        len = bytes - sizeof more;
        while (len && ((unsigned char)text->data[len] & 0xC0) == 0x80) len--;
    }
    snprintf(to, bytes, "%.*s%s", (int)len, lp_buf_text(text), len < text->len || text->failed ? more : "");
}

static void note(const struct lp_address *a, enum lp_notify_event event, enum lp_code code, const struct lp_err *err,
                 struct lp_telling *out)
{
    LP_AUTO(lp_buf) to = {0}, error = {0};
    struct lp_told *t = &out->list[out->count++];
    *t = (struct lp_told){.event = event, .ok = !code};
    lp_address_put_shown(a, true, &to);
    put_text(t->to, sizeof t->to, &to);
    if (!code) return;
    lp_address_put_private(a, err->text, &error);
    if (!error.len) lp_buf_puts(&error, lp_code_info(code)->name);
    put_text(t->error, sizeof t->error, &error);
}

/* Reading a secret counts as well, and has a limit of its own (aws/secret.c). */
static enum lp_code tell_one(const struct lp_address *a, const struct lp_messenger_means *means,
                             const struct lp_notice *n, const struct lp_message *message, int64_t limit_ms,
                             struct lp_err *err)
{
    struct lp_messenger *m = NULL;
    int64_t until_us = lp_clock_monotonic_us() + limit_ms * 1000;
    if (limit_ms < 1) return lp_fail(err, LP_BUSY, "those before it took all the time that there is for telling");
    enum lp_code code = lp_messenger_new(a, means, &m, err);
    int64_t left_ms = (until_us - lp_clock_monotonic_us()) / 1000;
    if (!code) code = m->ops->send(m, n, message, left_ms > 0 ? left_ms : 1, err);
    lp_messenger_free(m);
    return code;
}

static enum lp_code tell_all(const struct lp_notify *notify, const struct lp_messenger_means *means,
                             const struct lp_notice *n, const struct lp_message *message, struct lp_telling *out,
                             struct lp_err *err)
{
    /* Where the time is short the record still wants some of it, to say how the telling went. */
    int64_t all_us = ALL_MS * INT64_C(1000), left_us = lp_cancel_bound(-1);
    if (left_us >= 0 && left_us / 3 * 2 < all_us) all_us = left_us / 3 * 2;
    int64_t until_us = lp_clock_monotonic_us() + all_us;
    for (size_t i = 0; i < notify->to.count; i++) {
        struct lp_err local = {0};
        const struct lp_address *a = &notify->to.list[i];
        int64_t share_ms = (until_us - lp_clock_monotonic_us()) / 1000 / (int64_t)(notify->to.count - i);
        LP_TRY(lp_cancel_check(err));
        if (share_ms > ONE_MS) share_ms = ONE_MS;
        enum lp_code code = tell_one(a, means, n, message, share_ms, &local);
        if (code == LP_CANCELLED) return lp_fail(err, code, "%s", local.text);
        if (a->kind != LP_TO_STDERR || code) note(a, n->event, code, &local, out);
    }
    return LP_OK;
}

enum lp_code lp_tell(const struct lp_notify *notify, const struct lp_messenger_means *means, const struct lp_notice *n,
                     struct lp_telling *out, struct lp_err *err)
{
    struct lp_message message;
    out->count = 0;
    LP_TRY(lp_message_make(n, &message, err));
    enum lp_code code = tell_all(notify, means, n, &message, out, err);
    lp_message_release(&message);
    return code;
}
