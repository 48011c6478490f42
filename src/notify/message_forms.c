/* The message for programs and chats (JSON), and for mail readers (HTML). */
#include "base/clock.h"
#include "base/json.h"
#include "base/secret.h"
#include "notify/message.h"

/* ---- HTML: the text's own lines, laid out ---- */

static void put_escaped(struct lp_buf *out, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        switch (text[i]) {
        case '&': lp_buf_puts(out, "&amp;"); break;
        case '<': lp_buf_puts(out, "&lt;"); break;
        case '>': lp_buf_puts(out, "&gt;"); break;
        case '"': lp_buf_puts(out, "&quot;"); break;
        default: lp_buf_putc(out, text[i]);
        }
    }
}

#define LABEL_BYTES 14 /* "  took        " */

/* A line of the text is a sentence, or two spaces and a row of two cells: its label has a fixed width in the first
 * table, and ends at the next two spaces in those below it. */
static void put_row(struct lp_buf *out, const char *line, size_t len, bool fixed)
{
    size_t cut = 2;
    if (fixed) cut = len < LABEL_BYTES ? len : LABEL_BYTES;
    else
        while (cut < len && strncmp(line + cut, "  ", 2)) cut++;
    size_t end = cut, from = cut;
    while (end > 2 && line[end - 1] == ' ') end--;
    while (from < len && line[from] == ' ') from++;
    lp_buf_puts(out, "<tr><td style=\"padding-right:1.5em;vertical-align:top;color:#666\">");
    put_escaped(out, line + 2, end > 2 ? end - 2 : 0);
    lp_buf_puts(out, "</td><td>");
    put_escaped(out, line + from, len - from);
    lp_buf_puts(out, "</td></tr>\n");
}

void lp_message_put_html(const char *text, struct lp_buf *out)
{
    bool table = false;
    int tables = 0;
    lp_buf_puts(out, "<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\"></head>\n"
                     "<body style=\"font-family:sans-serif\">\n");
    while (*text) {
        size_t len = strcspn(text, "\n");
        bool row = len > 2 && !strncmp(text, "  ", 2);
        if (table && !row) lp_buf_puts(out, "</table>\n");
        if (row && !table) {
            lp_buf_puts(out, "<table style=\"border-collapse:collapse\">\n");
            tables++;
        }
        table = row;
        if (row) {
            put_row(out, text, len, tables == 1);
        } else if (len) {
            lp_buf_puts(out, tables ? "<p>" : "<p style=\"font-size:1.1em\"><strong>");
            put_escaped(out, text, len);
            lp_buf_puts(out, tables ? "</p>\n" : "</strong></p>\n");
        }
        text += len + (text[len] == '\n');
    }
    lp_buf_puts(out, table ? "</table>\n</body></html>\n" : "</body></html>\n");
}

/* ---- JSON ---- */

/* A row of the text as "label: value", as letters of a chat are not of one width. */
static void put_chat_line(const char *line, size_t len, struct lp_buf *out)
{
    const char *value = len > 2 && !strncmp(line, "  ", 2) ? memmem(line + 2, len - 2, "  ", 2) : NULL;
    while (len && *line == ' ') line++, len--;
    if (value && value > line) {
        lp_buf_put(out, line, (size_t)(value - line));
        lp_buf_puts(out, ": ");
        len -= (size_t)(value - line);
        for (line = value; len && *line == ' '; line++) len--;
    }
    lp_buf_put(out, line, len);
}

/* What a chat shows. Behind a '<' goes a space, so that no text of others calls a whole channel (<!channel>); two spaces
 * end a line where Markdown would join it to the next. */
static void put_chat(const char *text, struct lp_buf *out)
{
    LP_AUTO(lp_buf) lines = {0};
    for (size_t len; *text; text += len + (text[len] == '\n')) {
        len = strcspn(text, "\n");
        put_chat_line(text, len, &lines);
        lp_buf_puts(&lines, "  \n");
    }
    const char *at = lp_buf_text(&lines), *end = at + lines.len;
    size_t characters = 0;
    while (at < end && characters < LP_CHAT_CHARACTERS - 2) {
        const char *from = at;
        uint32_t c = lp_utf8_next(&at, end);
        lp_buf_put(out, from, (size_t)(at - from));
        if (c == '<') lp_buf_putc(out, ' ');
        characters += c == '<' || c > 0xFFFF ? 2 : 1; /* Discord counts in UTF-16 */
    }
    if (at < end) lp_buf_puts(out, "…");
    if (lines.failed) out->failed = lines.failed;
}

static void put_numbers(struct lp_json_writer *w, const struct lp_notice *n)
{
    lp_json_open(w, "rows", '{');
    lp_json_int(w, "read", (int64_t)n->rows.read);
    lp_json_int(w, "written", (int64_t)n->rows.written);
    lp_json_int(w, "quarantined", (int64_t)n->rows.quarantined);
    lp_json_close(w, '}');
    lp_json_open(w, "requests", '{');
    lp_json_int(w, "total", (int64_t)n->requests.total);
    lp_json_int(w, "ok", (int64_t)n->requests.ok);
    lp_json_int(w, "failed", (int64_t)n->requests.failed);
    lp_json_int(w, "retried", (int64_t)n->requests.retried);
    lp_json_close(w, '}');
}

static void put_time(struct lp_json_writer *w, const char *key, int64_t us)
{
    char text[LP_TIME_TEXT_BYTES];
    lp_time_format_iso(us, text);
    lp_json_text(w, key, text);
}

static void put_lists(struct lp_json_writer *w, const struct lp_notice *n)
{
    lp_json_open(w, "failures", '[');
    for (size_t i = 0; i < n->failure_count; i++) {
        lp_json_open(w, NULL, '{');
        lp_json_text(w, "item", n->failures[i].item);
        lp_json_text(w, "error", n->failures[i].error);
        lp_json_close(w, '}');
    }
    lp_json_close(w, ']');
    lp_json_open(w, "quarantined", '[');
    for (size_t i = 0; i < n->reason_count; i++) {
        lp_json_open(w, NULL, '{');
        lp_json_text(w, "rule", n->reasons[i].rule);
        lp_json_int(w, "rows", (int64_t)n->reasons[i].rows);
        lp_json_close(w, '}');
    }
    lp_json_close(w, ']');
    lp_json_open(w, "written", '[');
    for (size_t i = 0; i < n->file_count; i++) {
        lp_json_open(w, NULL, '{');
        lp_json_text(w, "url", n->files[i].url);
        lp_json_int(w, "rows", (int64_t)n->files[i].rows);
        lp_json_int(w, "bytes", (int64_t)n->files[i].bytes);
        lp_json_close(w, '}');
    }
    lp_json_close(w, ']');
}

void lp_message_put_json(const struct lp_notice *n, const struct lp_message *m, struct lp_buf *out)
{
    LP_AUTO(lp_buf) chat = {0}, json = {0};
    struct lp_json_writer w = {.out = &json};
    put_chat(lp_buf_text(&m->text), &chat);
    lp_json_open(&w, NULL, '{');
    lp_json_text(&w, "text", lp_buf_text(&chat));
    lp_json_text(&w, "content", lp_buf_text(&chat));
    lp_json_open(&w, "allowed_mentions", '{'); /* Discord's word for: call nobody */
    lp_json_open(&w, "parse", '[');
    lp_json_close(&w, ']');
    lp_json_close(&w, '}');
    lp_json_text(&w, "id", lp_buf_text(&m->id));
    lp_json_text(&w, "subject", lp_buf_text(&m->subject));
    lp_json_text(&w, "event", lp_notify_event_name(n->event));
    lp_json_text(&w, "pipeline", n->pipeline);
    lp_json_text(&w, "run_id", n->run_id);
    lp_json_text(&w, "status", n->status);
    put_time(&w, "slot", n->slot_us);
    lp_json_int(&w, "duration_ms", n->duration_ms);
    put_numbers(&w, n);
    lp_json_text(&w, "error", n->error);
    put_lists(&w, n);
    if (n->history_known) {
        lp_json_int(&w, "failed_in_a_row", (int64_t)n->failed_in_row);
        if (n->worked_us != INT64_MIN) put_time(&w, "last_worked", n->worked_us);
    }
    lp_json_text(&w, "record", n->record_url);
    lp_json_close(&w, '}');
    lp_secret_mask(lp_buf_text(&json), json.len, out);
    lp_buf_putc(out, '\n');
    if (chat.failed || json.failed) out->failed = chat.failed ? chat.failed : json.failed;
}
