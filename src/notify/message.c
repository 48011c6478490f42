#include "notify/message.h"

#include "base/clock.h"
#include "base/number.h"
#include "base/secret.h"

#define TEXT_BYTES ((size_t)64 << 10)

static void put_count(struct lp_buf *out, uint64_t n, const char *one, const char *many)
{
    char text[LP_NUMBER_TEXT_BYTES];
    lp_count_format(n, text);
    lp_buf_printf(out, "%s %s", text, n == 1 ? one : many);
}

/* 2026-11-22 18:00 UTC, with seconds where there are some. */
static void put_time(struct lp_buf *out, int64_t us)
{
    char text[LP_TIME_TEXT_BYTES];
    struct lp_civil c = lp_civil_of(us);
    size_t n = lp_time_format(us, c.second ? "%Y-%m-%d %H:%M:%S UTC" : "%Y-%m-%d %H:%M UTC", text, sizeof text);
    lp_buf_put(out, text, n);
}

/* At most so many characters, what is longer ends in "…"; a byte that is no UTF-8 becomes U+FFFD. */
static void put_cut(struct lp_buf *out, const char *text, size_t characters)
{
    const char *end = text + strlen(text);
    size_t left = characters;
    while (text < end) {
        const char *at = text;
        uint32_t c = lp_utf8_next(&at, end);
        char bytes[4];
        if (--left == 0 && at < end) {
            lp_buf_puts(out, "…");
            return;
        }
        lp_buf_put(out, bytes, lp_utf8_put(c, bytes));
        text = at;
    }
}

/* What others wrote: without secrets, on one line, and no longer than may be read. */
static void put_foreign(struct lp_buf *out, const char *text, size_t characters)
{
    LP_AUTO(lp_buf) masked = {.max_bytes = TEXT_BYTES}, visible = {.max_bytes = TEXT_BYTES};
    if (!text) return; /* there was no memory for it */
    lp_secret_mask(text, strlen(text), &masked);
    lp_text_put_visible(&visible, lp_buf_text(&masked), masked.len);
    put_cut(out, lp_buf_text(&visible), characters);
    if (masked.failed || visible.failed) out->failed = masked.failed ? masked.failed : visible.failed;
}

/* ---- the subject ---- */

static void put_failed_shards(const struct lp_notice *n, struct lp_buf *out)
{
    char failed[LP_NUMBER_TEXT_BYTES];
    lp_count_format(n->shards_failed, failed);
    lp_buf_printf(out, "%s of ", failed);
    put_count(out, n->shards, "shard", "shards");
    lp_buf_puts(out, " failed");
}

/* What was told of the run in few words. */
static void put_outcome(const struct lp_notice *n, struct lp_buf *out)
{
    switch (n->event) {
    case LP_ON_FAILURE: put_foreign(out, n->error ? n->error : "it did not end well", 400); return;
    case LP_ON_PARTIAL:
        put_count(out, n->rows.written, "record", "records");
        lp_buf_puts(out, " written, ");
        if (n->shards_failed) {
            put_failed_shards(n, out);
            return;
        }
        put_count(out, n->requests.failed, "request", "requests");
        lp_buf_puts(out, " failed");
        return;
    default:
        put_count(out, n->rows.written, "record", "records");
        lp_buf_puts(out, " written");
        if (n->rows.quarantined) {
            char text[LP_NUMBER_TEXT_BYTES];
            lp_count_format(n->rows.quarantined, text);
            lp_buf_printf(out, ", %s quarantined", text);
        }
    }
}

/* weather FAILED: 401 from api.example.com (2026-11-22 18:00 UTC): the middle gives way. */
static void put_subject(const struct lp_notice *n, struct lp_buf *out)
{
    LP_AUTO(lp_buf) slot = {.max_bytes = 256}, outcome = {.max_bytes = TEXT_BYTES}, name = {.max_bytes = 1024};
    const char *word = n->event == LP_ON_FAILURE ? " FAILED: " : n->event == LP_ON_RECOVERY ? " works again: " : ": ";
    put_cut(&name, n->pipeline, 30);
    lp_buf_puts(&slot, " (");
    put_time(&slot, n->slot_us);
    lp_buf_putc(&slot, ')');
    put_outcome(n, &outcome);
    lp_buf_puts(out, lp_buf_text(&name));
    lp_buf_puts(out, word);
    size_t taken = lp_utf8_length(lp_buf_text(&name), name.len) + strlen(word) + slot.len;
    put_cut(out, lp_buf_text(&outcome), LP_SUBJECT_CHARACTERS - taken);
    lp_buf_puts(out, lp_buf_text(&slot));
    if (slot.failed || outcome.failed || name.failed) out->failed = LP_NOMEM;
}

/* ---- the text ---- */

static void put_label(struct lp_buf *out, const char *label)
{
    lp_buf_printf(out, "  %-12s", label);
}

static void put_first_line(const struct lp_notice *n, struct lp_buf *out)
{
    lp_buf_puts(out, n->pipeline);
    if (n->event == LP_ON_FAILURE) {
        lp_buf_puts(out, " FAILED for ");
        put_time(out, n->slot_us);
        lp_buf_puts(out, ": ");
        put_foreign(out, n->error ? n->error : "it did not end well", 1000);
        lp_buf_puts(out, "\n");
        return;
    }
    lp_buf_puts(out, n->event == LP_ON_RECOVERY ? " works again: it ran for " : " ran for ");
    put_time(out, n->slot_us);
    lp_buf_puts(out, " and wrote ");
    put_count(out, n->rows.written, "record", "records");
    if (n->event == LP_ON_PARTIAL) {
        char of[LP_NUMBER_TEXT_BYTES];
        lp_count_format(n->requests.total, of);
        lp_buf_puts(out, "; ");
        if (n->shards_failed) put_failed_shards(n, out);
        if (n->shards_failed && n->requests.failed) lp_buf_puts(out, ", ");
        if (n->requests.failed || !n->shards_failed) {
            put_count(out, n->requests.failed, "request", "requests");
            lp_buf_printf(out, " of %s failed", of);
        }
    }
    lp_buf_puts(out, ".\n");
}

static const char *advice(enum lp_code code)
{
    switch (code) {
    case LP_AUTH: return "check the key or the permission that it names, then run the slot again";
    case LP_CONFIG: return "set right what it names, then run the slot again";
    case LP_GATE: return "look at the quarantined rows and their reasons; once they are right, run the slot again";
    case LP_REMOTE:
    case LP_BUSY: return "see whether the API works and what it asks for, then run the slot again";
    case LP_LIMIT: return "raise the limit that it names, then run the slot again";
    default: return "mend what it names, then run the slot again";
    }
}

static void put_what_to_do(const struct lp_notice *n, struct lp_buf *out)
{
    if (n->event != LP_ON_FAILURE && n->event != LP_ON_PARTIAL) return;
    put_label(out, "what to do");
    lp_buf_printf(out, "%s\n", n->error    ? advice(n->code)
                               : n->shards ? "run the slot again; it replaces what was written"
                                           : "ask again for what failed; the rows that stand stay");
    if (!n->again) return;
    put_label(out, "");
    lp_buf_printf(out, "%s\n", n->again);
}

static void put_history(const struct lp_notice *n, struct lp_buf *out)
{
    if (!n->history_known || (n->event != LP_ON_FAILURE && n->event != LP_ON_RECOVERY)) return;
    if (n->failed_in_row) {
        put_label(out, "failed");
        lp_buf_puts(out, n->failed_more ? "at least " : "");
        put_count(out, n->failed_in_row, "time", "times");
        lp_buf_puts(out, n->event == LP_ON_FAILURE ? " in a row\n" : " in a row before that\n");
    }
    put_label(out, "worked");
    if (n->worked_us != INT64_MIN) {
        lp_buf_puts(out, "last for ");
        put_time(out, n->worked_us);
    } else {
        lp_buf_puts(out, n->failed_more ? "longer ago" : "never yet, as far as the records tell");
    }
    lp_buf_putc(out, '\n');
}

static void put_numbers(const struct lp_notice *n, struct lp_buf *out)
{
    char text[LP_TIME_TEXT_BYTES];
    put_label(out, "took");
    lp_duration_format(n->duration_ms, text);
    lp_buf_puts(out, text);
    if (n->requests.retried) {
        lp_buf_puts(out, ", ");
        put_count(out, n->requests.retried, "retry", "retries");
    }
    lp_buf_putc(out, '\n');
    put_label(out, "records");
    lp_count_format(n->rows.written, text);
    lp_buf_printf(out, "%s written, ", text);
    lp_count_format(n->rows.quarantined, text);
    lp_buf_printf(out, "%s quarantined, ", text);
    put_count(out, n->requests.failed, "request", "requests");
    lp_buf_puts(out, " failed\n");
}

static void put_places(const struct lp_notice *n, struct lp_buf *out)
{
    for (size_t i = 0; i < n->file_count; i++) {
        put_label(out, i ? "" : "written to");
        put_foreign(out, n->files[i].url, 1000);
        lp_buf_putc(out, '\n');
    }
    if (n->file_total > n->file_count) {
        put_label(out, "");
        lp_buf_puts(out, "and ");
        put_count(out, n->file_total - n->file_count, "more file\n", "more files\n");
    }
    if (n->record_url) {
        put_label(out, "record");
        put_foreign(out, n->record_url, 1000);
        lp_buf_putc(out, '\n');
    }
    if (n->next_us != INT64_MIN) {
        put_label(out, "next run");
        put_time(out, n->next_us);
        lp_buf_putc(out, '\n');
    }
}

static void put_failed_items(const struct lp_notice *n, struct lp_buf *out)
{
    if (!n->failure_count) return;
    lp_buf_puts(out, "\nWhat failed:\n");
    for (size_t i = 0; i < n->failure_count; i++) {
        lp_buf_puts(out, "  ");
        put_foreign(out, n->failures[i].item, 60);
        lp_buf_puts(out, "  ");
        put_foreign(out, n->failures[i].error, 300);
        lp_buf_putc(out, '\n');
    }
    uint64_t all = n->requests.failed + n->shards_failed;
    if (all <= n->failure_count) return;
    lp_buf_puts(out, "  and ");
    put_count(out, all - n->failure_count, "more\n", "more\n");
}

static void put_quarantined(const struct lp_notice *n, struct lp_buf *out)
{
    if (!n->rows.quarantined) return;
    lp_buf_puts(out, "\nWhat was quarantined:\n");
    for (size_t i = 0; i < n->reason_count; i++) {
        lp_buf_puts(out, "  ");
        put_count(out, n->reasons[i].rows, "row", "rows");
        lp_buf_puts(out, "  ");
        put_foreign(out, n->reasons[i].rule, 200);
        lp_buf_putc(out, '\n');
    }
    if (n->reason_total > n->reason_count) {
        lp_buf_puts(out, "  and ");
        put_count(out, n->reason_total - n->reason_count, "more reason\n", "more reasons\n");
    }
    if (!n->quarantine_url) return;
    lp_buf_puts(out, "  ");
    put_foreign(out, n->quarantine_url, 1000);
    lp_buf_putc(out, '\n');
}

/* ---- all of it ---- */

static void put_id(const struct lp_notice *n, struct lp_buf *out)
{
    char slot[LP_TIME_TEXT_BYTES];
    lp_time_format_slot(n->slot_us, slot);
    lp_buf_printf(out, "%s.%s", n->pipeline, slot);
    lp_buf_printf(out, ".%s", lp_notify_event_name(n->event));
}

enum lp_code lp_message_make(const struct lp_notice *n, struct lp_message *m, struct lp_err *err)
{
    *m = (struct lp_message){0};
    lp_buf_init(&m->text, TEXT_BYTES);
    put_id(n, &m->id);
    put_subject(n, &m->subject);
    put_first_line(n, &m->text);
    lp_buf_putc(&m->text, '\n');
    put_what_to_do(n, &m->text);
    put_history(n, &m->text);
    put_numbers(n, &m->text);
    put_places(n, &m->text);
    put_failed_items(n, &m->text);
    put_quarantined(n, &m->text);
    lp_message_put_html(lp_buf_text(&m->text), &m->html);
    lp_message_put_json(n, m, &m->json);
    enum lp_code code = lp_buf_code(&m->id, "the message", err);
    if (!code) code = lp_buf_code(&m->subject, "the message's subject", err);
    if (!code) code = lp_buf_code(&m->text, "the message", err);
    if (!code) code = lp_buf_code(&m->html, "the message", err);
    if (!code) code = lp_buf_code(&m->json, "the message", err);
    if (code) lp_message_release(m);
    return code;
}

void lp_message_release(struct lp_message *m)
{
    lp_buf_release(&m->id);
    lp_buf_release(&m->subject);
    lp_buf_release(&m->text);
    lp_buf_release(&m->html);
    lp_buf_release(&m->json);
}

void lp_message_put_ascii(const char *text, size_t max_bytes, struct lp_buf *out)
{
    static const struct {
        uint32_t code;
        const char *ascii;
    } near[] = {{0x2026, "..."}, {0x2022, "*"},  {0x2013, "-"}, {0x2014, "-"},  {0x2018, "'"},    {0x2019, "'"},
                {0x201C, "\""},  {0x201D, "\""}, {0x00A0, " "}, {0x2192, "->"}, {0x00B0, " deg "}};
    const char *end = text + strlen(text);
    size_t before = out->len;
    while (text < end) {
        uint32_t c = lp_utf8_next(&text, end);
        char plain[2] = {c < 0x20 || c == 0x7F ? ' ' : c < 0x80 ? (char)c : '?', '\0'};
        const char *as = plain;
        for (size_t i = 0; i < LP_COUNT(near); i++)
            if (near[i].code == c) as = near[i].ascii;
        if (out->len - before + strlen(as) > max_bytes) return;
        lp_buf_puts(out, as);
    }
}
