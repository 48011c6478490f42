#include "base/text.h"

#include <stdlib.h>

struct lp_slice lp_slice_of(const char *text)
{
    return (struct lp_slice){text, strlen(text)};
}

bool lp_slice_is(struct lp_slice s, const char *text)
{
    return s.len == strlen(text) && memcmp(s.at, text, s.len) == 0;
}

/* Length of the valid sequence at p, 0 when it is not valid (Unicode 15, table 3-7). */
static size_t sequence(const unsigned char *p, size_t left)
{
    unsigned char lead = p[0], low = 0x80, high = 0xBF;
    size_t len;
    if (lead < 0x80) return 1;
    if (lead >= 0xC2 && lead <= 0xDF) len = 2;
    else if (lead >= 0xE0 && lead <= 0xEF) len = 3;
    else if (lead >= 0xF0 && lead <= 0xF4) len = 4;
    else return 0;
    if (left < len) return 0;
    if (lead == 0xE0) low = 0xA0;
    if (lead == 0xED) high = 0x9F;
    if (lead == 0xF0) low = 0x90;
    if (lead == 0xF4) high = 0x8F;
    if (p[1] < low || p[1] > high) return 0;
    for (size_t i = 2; i < len; i++)
        if ((p[i] & 0xC0) != 0x80) return 0;
    return len;
}

size_t lp_utf8_check(const char *text, size_t len)
{
    const unsigned char *p = (const unsigned char *)text;
    for (size_t i = 0; i < len;) {
        uint64_t eight;
        while (len - i >= sizeof eight && (memcpy(&eight, p + i, sizeof eight), !(eight & 0x8080808080808080u)))
            i += sizeof eight;
        if (i == len) return len;
        size_t n = p[i] < 0x80 ? 1 : sequence(p + i, len - i);
        if (!n) return i;
        i += n;
    }
    return len;
}

size_t lp_utf8_length(const char *text, size_t len)
{
    size_t count = 0;
    for (size_t i = 0; i < len; i++) count += ((unsigned char)text[i] & 0xC0) != 0x80;
    return count;
}

uint32_t lp_utf8_next(const char **at, const char *end)
{
    const unsigned char *p = (const unsigned char *)*at;
    size_t n = sequence(p, (size_t)(end - *at));
    if (!n) {
        (*at)++;
        return 0xFFFD;
    }
    *at += n;
    if (n == 1) return p[0];
    uint32_t code = p[0] & (0xFFu >> (n + 1));
    for (size_t i = 1; i < n; i++) code = code << 6 | (p[i] & 0x3F);
    return code;
}

static size_t cells(uint32_t c)
{
    if (c < 0x20 || (c >= 0x7F && c < 0xA0)) return 0;
    if ((c >= 0x300 && c <= 0x36F) || (c >= 0x200B && c <= 0x200F) || (c >= 0xFE00 && c <= 0xFE0F) || c == 0xFEFF)
        return 0;
    if ((c >= 0x1100 && c <= 0x115F) || (c >= 0x2E80 && c <= 0xA4CF) || (c >= 0xAC00 && c <= 0xD7A3) ||
        (c >= 0xF900 && c <= 0xFAFF) || (c >= 0xFE30 && c <= 0xFE6F) || (c >= 0xFF00 && c <= 0xFF60) ||
        (c >= 0xFFE0 && c <= 0xFFE6) || (c >= 0x1F300 && c <= 0x1F64F) || (c >= 0x1F680 && c <= 0x1F6FF) ||
        (c >= 0x1F900 && c <= 0x1FAFF) || (c >= 0x20000 && c <= 0x3FFFD))
        return 2;
    return 1;
}

size_t lp_utf8_put(uint32_t code, char out[4])
{
    static const unsigned char lead[] = {0, 0, 0xC0, 0xE0, 0xF0};
    size_t n = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = n; i-- > 1; code >>= 6) out[i] = (char)(0x80 | (code & 0x3F));
    out[0] = (char)(n == 1 ? code : lead[n] | code);
    return n;
}

size_t lp_text_columns(const char *text, size_t len)
{
    size_t columns = 0;
    for (const char *at = text, *end = text + len; at < end;) columns += cells(lp_utf8_next(&at, end));
    return columns;
}

/* Where the first `columns` cells of text end. */
static const char *after_columns(const char *text, const char *end, size_t columns)
{
    size_t used = 0;
    while (text < end) {
        const char *next = text;
        used += cells(lp_utf8_next(&next, end));
        if (used > columns) break;
        text = next;
    }
    return text;
}

void lp_text_cut(struct lp_buf *out, const char *text, size_t len, size_t columns)
{
    if (lp_text_columns(text, len) <= columns) {
        lp_buf_put(out, text, len);
        return;
    }
    if (!columns) return;
    lp_buf_put(out, text, (size_t)(after_columns(text, text + len, columns - 1) - text));
    lp_buf_puts(out, "…");
}

void lp_text_put_visible(struct lp_buf *out, const char *text, size_t len)
{
    for (const char *at = text, *end = text + len; at < end;) {
        const char *start = at;
        uint32_t code = lp_utf8_next(&at, end);
        bool turns = (code >= 0x202A && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069) || code == 0x200E ||
                     code == 0x200F;
        if (code < 0x20 || (code >= 0x7F && code < 0xA0) || turns) lp_buf_printf(out, "\\u%04x", (unsigned)code);
        else lp_buf_put(out, start, (size_t)(at - start));
    }
}

void lp_text_put_quoted(struct lp_buf *out, const char *text, size_t len)
{
    LP_AUTO(lp_buf) visible = {0};
    lp_text_put_visible(&visible, text, len < 400 ? len : 400);
    lp_text_cut(out, lp_buf_text(&visible), visible.len, 60);
    if (visible.failed) out->failed = visible.failed;
}

void lp_text_cut_middle(struct lp_buf *out, const char *text, size_t len, size_t columns)
{
    size_t width = lp_text_columns(text, len);
    if (width <= columns) {
        lp_buf_put(out, text, len);
        return;
    }
    if (columns < 3) {
        lp_text_cut(out, text, len, columns);
        return;
    }
    size_t left = (columns - 1) / 2, right = columns - 1 - left;
    lp_buf_put(out, text, (size_t)(after_columns(text, text + len, left) - text));
    lp_buf_puts(out, "…");
    const char *tail = after_columns(text, text + len, width - right);
    /* A wide character that the cut would go through stays out. */
    while (tail < text + len && lp_text_columns(tail, (size_t)(text + len - tail)) > right)
        lp_utf8_next(&tail, text + len);
    lp_buf_put(out, tail, (size_t)(text + len - tail));
}

void lp_percent_encode(struct lp_buf *out, const char *bytes, size_t len, const char *also)
{
    static const char hex[] = "0123456789ABCDEF";
    if (!lp_buf_reserve(out, len * 3)) return;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)bytes[i];
        if ((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
            c == '.' || c == '~' || (c && strchr(also, c))) {
            lp_buf_putc(out, (char)c);
        } else {
            char escape[3] = {'%', hex[c >> 4], hex[c & 15]};
            lp_buf_put(out, escape, sizeof escape);
        }
    }
}

void lp_percent_decode(struct lp_buf *out, const char *text, size_t len, bool form)
{
    static const char digits[] = "0123456789ABCDEF0123456789abcdef";
    for (size_t i = 0; i < len; i++) {
        const char *high = i + 2 < len && text[i] == '%' ? memchr(digits, text[i + 1], 32) : NULL;
        const char *low = high ? memchr(digits, text[i + 2], 32) : NULL;
        if (low) {
            lp_buf_putc(out, (char)(((high - digits) & 15) << 4 | ((low - digits) & 15)));
            i += 2;
        } else lp_buf_putc(out, form && text[i] == '+' ? ' ' : text[i]);
    }
}

void lp_base64_put(struct lp_buf *out, const void *bytes, size_t len)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *at = bytes;
    if (!lp_buf_reserve(out, (len + 2) / 3 * 4)) return;
    for (; len; at += 3) {
        size_t n = len < 3 ? len : 3;
        unsigned group = (unsigned)at[0] << 16 | (n > 1 ? (unsigned)at[1] << 8 : 0) | (n > 2 ? at[2] : 0);
        for (size_t i = 0; i < 4; i++) lp_buf_putc(out, i <= n ? letters[group >> (18 - 6 * i) & 63] : '=');
        len -= n;
    }
}

#define LONGEST_WORD 64

/* Optimal string alignment: a swap of neighbours counts as one edit, as typists make them. */
static size_t edits(const char *a, size_t alen, const char *b, size_t blen)
{
    size_t row[3][LONGEST_WORD + 1];
    for (size_t j = 0; j <= blen; j++) row[1][j] = j;
    for (size_t i = 1; i <= alen; i++) {
        size_t *now = row[(i + 1) % 3], *before = row[i % 3], *two_before = row[(i + 2) % 3];
        now[0] = i;
        for (size_t j = 1; j <= blen; j++) {
            size_t best = before[j - 1] + (a[i - 1] != b[j - 1]);
            if (before[j] + 1 < best) best = before[j] + 1;
            if (now[j - 1] + 1 < best) best = now[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && two_before[j - 2] + 1 < best)
                best = two_before[j - 2] + 1;
            now[j] = best;
        }
    }
    return row[(alen + 1) % 3][blen];
}

const char *lp_text_nearest(const char *word, size_t len, const char *const *candidates, size_t count)
{
    const char *best = NULL;
    size_t fewest = len <= 3 ? 2 : len <= 8 ? 3 : 4; /* one more than is near enough */
    if (len > LONGEST_WORD) return NULL;
    for (size_t i = 0; i < count; i++) {
        size_t candidate_len = strlen(candidates[i]);
        if (candidate_len > LONGEST_WORD) continue;
        size_t distance = edits(word, len, candidates[i], candidate_len);
        bool starts_so = len >= 3 && candidate_len > len && strncmp(candidates[i], word, len) == 0;
        if (starts_so) distance = 1;
        if (distance < fewest) {
            fewest = distance;
            best = candidates[i];
        }
    }
    return best;
}

bool lp_text_equal_ignoring_case(const char *a, const char *b)
{
    for (; *a && *b; a++, b++) {
        int x = *a >= 'A' && *a <= 'Z' ? *a + 32 : *a, y = *b >= 'A' && *b <= 'Z' ? *b + 32 : *b;
        if (x != y) return false;
    }
    return *a == *b;
}

uint64_t lp_text_hash(const char *text)
{
    uint64_t h = UINT64_C(0xCBF29CE484222325);
    for (; *text; text++) h = (h ^ (unsigned char)*text) * UINT64_C(0x100000001B3);
    return h;
}
