#include "page/page_text.h"

#include "base/clock.h"
#include "base/number.h"
#include "page/page.h"

/* ---- texts ---- */

void lp_html_put(struct lp_buf *out, const char *text, size_t len)
{
    const char *at = text, *end = text + len;
    while (at < end) {
        const char *from = at;
        uint32_t c = lp_utf8_next(&at, end);
        switch (c) {
        case '<': lp_buf_puts(out, "&lt;"); break;
        case '>': lp_buf_puts(out, "&gt;"); break;
        case '&': lp_buf_puts(out, "&amp;"); break;
        case '"': lp_buf_puts(out, "&quot;"); break;
        case '\'': lp_buf_puts(out, "&#39;"); break;
        case '\n': lp_buf_putc(out, ' '); break;
        case 0xFFFD: lp_buf_puts(out, "\xEF\xBF\xBD"); break;
        default:
            if (c >= ' ' && c < 0x7F) lp_buf_putc(out, (char)c);
            else lp_text_put_visible(out, from, (size_t)(at - from));
        }
    }
}

void lp_html_puts(struct lp_buf *out, const char *text)
{
    lp_html_put(out, text, strlen(text));
}

void lp_html_put_cut(struct lp_buf *out, const char *text, size_t most)
{
    size_t len = strlen(text), cut = len;
    if (len > most) {
        for (cut = most; cut && ((unsigned char)text[cut] & 0xC0) == 0x80;) cut--;
    }
    lp_html_put(out, text, cut);
    if (cut < len) lp_buf_puts(out, "…");
}

/* ---- times and counts ---- */

void lp_page_put_span(struct lp_buf *out, int64_t us)
{
    int64_t minutes = us / 60000000, hours = minutes / 60, days = hours / 24;
    if (minutes < 1) lp_buf_puts(out, "less than a minute");
    else if (hours < 1) lp_buf_printf(out, "%lld min", (long long)minutes);
    else if (hours < 48 && minutes % 60) lp_buf_printf(out, "%lld h %02lld min", (long long)hours, (long long)(minutes % 60));
    else if (hours < 48) lp_buf_printf(out, "%lld h", (long long)hours);
    else lp_buf_printf(out, "%lld days", (long long)days);
}

void lp_page_put_instant(struct lp_buf *out, int64_t us)
{
    char text[LP_TIME_TEXT_BYTES];
    lp_buf_put(out, text, lp_time_format(us, us / 1000000 % 60 ? "%Y-%m-%d %H:%M:%SZ" : "%Y-%m-%d %H:%MZ", text, sizeof text));
}

void lp_page_put_time(struct lp_buf *out, int64_t us)
{
    char iso[LP_TIME_TEXT_BYTES];
    lp_time_format_iso(us, iso);
    lp_buf_printf(out, "<time datetime=\"%s\">", iso);
    lp_page_put_instant(out, us);
    lp_buf_puts(out, "</time>");
}

void lp_page_put_away(struct lp_buf *out, int64_t us, int64_t now_us)
{
    char iso[LP_TIME_TEXT_BYTES];
    lp_time_format_iso(us, iso);
    lp_buf_printf(out, "<time datetime=\"%s\" title=\"", iso);
    lp_page_put_instant(out, us);
    lp_buf_puts(out, us >= now_us ? "\">in " : "\">");
    lp_page_put_span(out, us >= now_us ? us - now_us : now_us - us);
    lp_buf_puts(out, us >= now_us ? "</time>" : " ago</time>");
}

void lp_page_put_count(struct lp_buf *out, uint64_t n, const char *one, const char *many)
{
    char text[LP_NUMBER_TEXT_BYTES];
    lp_count_format(n, text);
    lp_buf_printf(out, "%s %s", text, n == 1 ? one : many);
}

void lp_page_put_duration(struct lp_buf *out, int64_t ms)
{
    char text[LP_TIME_TEXT_BYTES];
    lp_duration_format(ms, text);
    lp_buf_puts(out, text);
}

/* ---- the frame ---- */

void lp_page_begin(struct lp_buf *out, const char *title, unsigned refresh_s)
{
    lp_buf_puts(out, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                     "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                     "<meta name=\"color-scheme\" content=\"light dark\">\n");
    if (refresh_s) lp_buf_printf(out, "<meta http-equiv=\"refresh\" content=\"%u\">\n", refresh_s);
    lp_buf_puts(out, "<title>");
    lp_html_puts(out, title);
    lp_buf_printf(out, "</title>\n<link rel=\"stylesheet\" href=\"%s\">\n<link rel=\"icon\" href=\"/icon.svg\" "
                       "type=\"image/svg+xml\">\n</head>\n<body>\n", lp_page_style_path());
}

void lp_page_end(struct lp_buf *out, const struct lp_board *b)
{
    lp_buf_puts(out, "<footer>\n<p>");
    if (b) {
        lp_page_put_time(out, b->now_us - b->now_us % 1000000);
        lp_buf_puts(out, " · lambda-pipeline ");
        lp_html_puts(out, b->version ? b->version : "");
        lp_buf_puts(out, ", for ");
        lp_page_put_span(out, b->now_us > b->started_us ? b->now_us - b->started_us : 0);
        lp_buf_puts(out, " · <a href=\"/metrics\">metrics</a>");
    } else {
        lp_buf_puts(out, "lambda-pipeline");
    }
    lp_buf_puts(out, "</p>\n</footer>\n</body>\n</html>\n");
}

/* ---- how a pipeline is ---- */

enum lp_mood lp_page_mood(const struct lp_board_pipeline *p)
{
    if (p->fault) return LP_MOOD_FAULT;
    if (p->running_us != INT64_MIN) return LP_MOOD_RUNNING;
    if (!p->bar_count) return LP_MOOD_NEVER;
    switch (p->bars[p->bar_count - 1].state) {
    case LP_BAR_OK: return LP_MOOD_OK;
    case LP_BAR_PARTIAL: return LP_MOOD_PARTIAL;
    case LP_BAR_FAILED: return LP_MOOD_FAILED;
    default: return LP_MOOD_MISSED;
    }
}

const char *lp_mood_word(enum lp_mood m)
{
    static const char *const words[] = {"ok", "partial", "failed", "running", "missed", "never ran", "fault"};
    return words[m];
}

void lp_mood_put_mark(enum lp_mood m, struct lp_buf *out)
{
    static const char *const drawings[] = {
        "<path d=\"M3.5 8.5l3 3 6-7\"/>",                                       /* a tick */
        "<path d=\"M8 3v6.5M8 12.4v.2\"/>",                                     /* an exclamation */
        "<path d=\"M4 4l8 8M12 4l-8 8\"/>",                                     /* a cross */
        "<path d=\"M5.5 3.5l6 4.5-6 4.5z\"/>",                                  /* a triangle */
        "<circle cx=\"8\" cy=\"8\" r=\"4\"/>",                                  /* a hollow ring */
        "<path d=\"M4 8h8\"/>",                                                 /* a dash */
        "<path d=\"M8 2.5l6 11H2zM8 6.7v3M8 11.6v.1\" class=\"fine\"/>",        /* a warning sign */
    };
    static const char *const classes[] = {"ok", "partial", "failed", "running", "missed", "never", "fault"};
    lp_buf_printf(out, "<svg class=\"mark %s\" viewBox=\"0 0 16 16\" width=\"16\" height=\"16\" aria-hidden=\"true\">%s</svg>",
                  classes[m], drawings[m]);
}

void lp_page_put_next(const struct lp_board_pipeline *p, int64_t now_us, struct lp_buf *out)
{
    if (p->running_us != INT64_MIN) {
        lp_buf_puts(out, "at work on ");
        lp_page_put_time(out, p->running_us);
        if (p->waiting) lp_buf_printf(out, ", %zu waiting", p->waiting);
        return;
    }
    if (p->waiting) {
        lp_page_put_count(out, p->waiting, "slot", "slots");
        lp_buf_puts(out, " waiting");
        return;
    }
    if (!p->words) {
        lp_buf_puts(out, p->fault ? "not run until that is mended" : "no schedule");
    } else if (p->next_us == INT64_MAX) {
        lp_buf_puts(out, "not due any more");
    } else if (p->next_us <= now_us) {
        lp_buf_puts(out, "due now");
    } else {
        lp_buf_puts(out, "next ");
        lp_page_put_away(out, p->next_us, now_us);
    }
}
