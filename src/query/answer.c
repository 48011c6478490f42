#include "query/answer.h"

/* ---- CSV ---- */

/* The field that ends here: held back because it may be NULL's word, or empty. */
static void end_held(struct lp_answer *a, struct lp_buf *out)
{
    if (!a->matched) lp_buf_puts(out, "\"\"");
    else if (a->null_word[a->matched]) lp_buf_put(out, a->null_word, a->matched);
    a->matched = 0;
}

static bool ends_field(char c)
{
    return c == ',' || c == '\n';
}

/* One byte where a field begins or is held back. */
static void put_csv_byte(struct lp_answer *a, char c, struct lp_buf *out)
{
    if (a->state == LP_ANSWER_START && c == '"') {
        a->state = LP_ANSWER_QUOTED;
        lp_buf_putc(out, c);
    } else if (ends_field(c)) {
        end_held(a, out);
        lp_buf_putc(out, c);
        a->state = LP_ANSWER_START;
    } else if (c == a->null_word[a->matched]) {
        a->matched++;
        a->state = LP_ANSWER_MATCH;
    } else {
        lp_buf_put(out, a->null_word, a->matched);
        lp_buf_putc(out, c);
        a->matched = 0;
        a->state = LP_ANSWER_PLAIN;
    }
}

static void put_csv(struct lp_answer *a, const char *at, const char *end, struct lp_buf *out)
{
    while (at < end) {
        const char *from = at;
        if (a->state == LP_ANSWER_PLAIN) {
            while (at < end && !ends_field(*at)) at++;
            lp_buf_put(out, from, (size_t)(at - from));
            if (at == end) return;
            lp_buf_putc(out, *at++);
            a->state = LP_ANSWER_START;
        } else if (a->state == LP_ANSWER_QUOTED) {
            const char *quote = memchr(at, '"', (size_t)(end - at));
            at = quote ? quote + 1 : end;
            lp_buf_put(out, from, (size_t)(at - from));
            if (quote) a->state = LP_ANSWER_QUOTE;
        } else if (a->state == LP_ANSWER_QUOTE) {
            /* A second quote is one of the text; anything else is what comes behind the field. */
            a->state = *at == '"' ? LP_ANSWER_QUOTED : LP_ANSWER_PLAIN;
            if (*at == '"') lp_buf_putc(out, *at++);
        } else {
            put_csv_byte(a, *at++, out);
        }
    }
}

/* ---- JSON ---- */

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* null, true, false, and the e of 1e300 stay; what JSON does not know is null. */
static void end_word(struct lp_answer *a, struct lp_buf *out)
{
    const char *word = a->word;
    size_t len = a->word_len;
    bool known = (len == 4 && (!memcmp(word, "null", 4) || !memcmp(word, "true", 4))) ||
                 (len == 5 && !memcmp(word, "false", 5)) || (len == 1 && !is_letter(*word)) ||
                 (a->last >= '0' && a->last <= '9');
    a->word_len = 0;
    if (known) lp_buf_put(out, word, len);
    else lp_buf_puts(out, "null");
}

static void put_json_outside(struct lp_answer *a, char c, struct lp_buf *out)
{
    bool in_word = a->word_len && is_letter(c), begins = !a->word_len && (is_letter(c) || c == '-');
    if (a->depth && (in_word || begins) && a->word_len < sizeof a->word) {
        a->word[a->word_len++] = c;
        return;
    }
    if (a->word_len) end_word(a, out);
    lp_buf_putc(out, c);
    a->last = c;
    a->in_text = a->depth && c == '"';
    if (c == '[' || (a->depth && c == '{')) a->depth++;
    if (a->depth && (c == ']' || c == '}')) a->depth--;
}

static void put_json(struct lp_answer *a, const char *at, const char *end, struct lp_buf *out)
{
    while (at < end) {
        const char *from = at;
        if (!a->in_text) {
            put_json_outside(a, *at++, out);
            continue;
        }
        for (bool inside = true; at < end && inside; at++) {
            inside = a->escaped || *at != '"';
            a->escaped = !a->escaped && *at == '\\';
            a->in_text = inside;
        }
        lp_buf_put(out, from, (size_t)(at - from));
    }
}

void lp_answer_put(struct lp_answer *a, const char *bytes, size_t len, struct lp_buf *out)
{
    if (a->form == LP_ANSWER_CSV) put_csv(a, bytes, bytes + len, out);
    else if (a->form == LP_ANSWER_JSON) put_json(a, bytes, bytes + len, out);
    else lp_buf_put(out, bytes, len);
}

void lp_answer_end(struct lp_answer *a, struct lp_buf *out)
{
    if (a->state == LP_ANSWER_MATCH) end_held(a, out);
    if (a->word_len) end_word(a, out);
}
