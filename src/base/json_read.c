/* Reads JSON text into jansson's values. jansson's own reader takes each byte through a callback and costs several times
 * what the request did; this one walks over the text. What is accepted is the same: RFC 8259, UTF-8, 2,048 levels, no
 * NUL in a name; of members with one name the last counts, unless the caller wants each once. */
#include "base/json.h"
#include "base/number.h"
#include "base/text.h"

#define MAX_DEPTH 2048

struct reader {
    struct lp_arena *arena;
    const char *begin, *at, *end;
    const char *problem; /* in words; NULL: none, or memory is out */
    bool once;           /* a name may stand only once in an object */
    struct lp_slice twice; /* the one that does not */
    int depth;
};

static json_t *read_value(struct reader *r);

static json_t *fail(struct reader *r, const char *problem)
{
    if (!r->problem) r->problem = problem;
    return NULL;
}

static void skip_space(struct reader *r)
{
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\n' || *r->at == '\r' || *r->at == '\t')) r->at++;
}

static char peek(const struct reader *r)
{
    return r->at < r->end ? *r->at : '\0';
}

/* ---- text ---- */

static bool read_hex(struct reader *r, uint32_t *code)
{
    *code = 0;
    if (r->end - r->at < 4) return false;
    for (int i = 0; i < 4; i++) {
        char c = r->at[i];
        uint32_t digit = c >= '0' && c <= '9'                 ? (uint32_t)(c - '0')
                         : (c | 32) >= 'a' && (c | 32) <= 'f' ? (uint32_t)((c | 32) - 'a' + 10)
                                                              : 16;
        if (digit == 16) return false;
        *code = *code << 4 | digit;
    }
    r->at += 4;
    return true;
}

/* Behind the backslash; writes the character and returns its bytes, 0 when it is none. */
static size_t read_escape(struct reader *r, char out[4])
{
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    uint32_t code, low;
    char c = peek(r);
    const char *name = c ? strchr(names, c) : NULL;
    r->at++;
    if (name) {
        *out = values[name - names];
        return 1;
    }
    if (c != 'u' || !read_hex(r, &code)) return 0;
    if (code >= 0xDC00 && code < 0xE000) return 0;
    if (code >= 0xD800 && code < 0xDC00) {
        if (r->end - r->at < 6 || r->at[0] != '\\' || r->at[1] != 'u') return 0;
        r->at += 2;
        if (!read_hex(r, &low) || low < 0xDC00 || low >= 0xE000) return 0;
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    }
    return lp_utf8_put(code, out);
}

/* A text with escapes is put together in the arena; it is never longer than it was written. */
static bool unescape(struct reader *r, const char *start, struct lp_slice *text)
{
    const char *close = r->at;
    while (close < r->end && *close != '"') close += *close == '\\' ? 2 : 1;
    if (close >= r->end) return fail(r, "a text has no end") != NULL;
    char *copy = lp_arena_alloc(r->arena, (size_t)(close - start) + 4);
    size_t len = (size_t)(r->at - start);
    if (!copy) return false;
    memcpy(copy, start, len);
    while (r->at < close) {
        unsigned char c = (unsigned char)*r->at;
        if (c < 0x20) return fail(r, "a control character in a text") != NULL;
        if (c != '\\') {
            copy[len++] = (char)c;
            r->at++;
            continue;
        }
        r->at++;
        size_t n = read_escape(r, copy + len);
        if (!n) return fail(r, "an escape that JSON does not know") != NULL;
        len += n;
    }
    *text = (struct lp_slice){copy, len};
    return true;
}

/* From behind the opening quote to behind the closing one. */
static bool read_text(struct reader *r, struct lp_slice *text)
{
    const char *start = r->at;
    while (r->at < r->end && *r->at != '"' && *r->at != '\\' && (unsigned char)*r->at >= 0x20) r->at++;
    if (r->at == r->end) return fail(r, "a text has no end") != NULL;
    *text = (struct lp_slice){start, (size_t)(r->at - start)};
    if ((unsigned char)*r->at < 0x20) return fail(r, "a control character in a text") != NULL;
    if (*r->at == '\\' && !unescape(r, start, text)) return false;
    r->at++;
    return true;
}

static json_t *read_string(struct reader *r)
{
    struct lp_slice text;
    r->at++;
    return read_text(r, &text) ? json_stringn_nocheck(text.at, text.len) : NULL;
}

/* ---- numbers ---- */

static size_t count_digits(struct reader *r)
{
    const char *start = r->at;
    while (r->at < r->end && *r->at >= '0' && *r->at <= '9') r->at++;
    return (size_t)(r->at - start);
}

/* Up to 15 digits and a power of ten that a double holds exactly: then one operation rounds as it must. */
static bool quick_real(const char *at, const char *end, double *value)
{
    static const double powers[] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                    1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
    bool minus = *at == '-';
    int64_t digits = 0;
    size_t count = 0, decimals = 0;
    bool fraction = false;
    for (at += minus; at < end; at++) {
        if (*at == '.') {
            fraction = true;
            continue;
        }
        if (*at == 'e' || *at == 'E' || ++count > 15) return false;
        digits = digits * 10 + (*at - '0');
        decimals += fraction;
    }
    *value = (double)digits / powers[decimals];
    if (minus) *value = -*value;
    return true;
}

static json_t *whole_number(const char *start, const char *end)
{
    bool minus = *start == '-';
    uint64_t magnitude = 0;
    for (const char *c = start + minus; c < end; c++)
        if (__builtin_mul_overflow(magnitude, (uint64_t)10, &magnitude) ||
            __builtin_add_overflow(magnitude, (uint64_t)(*c - '0'), &magnitude))
            return json_stringn_nocheck(start, (size_t)(end - start));
    if (magnitude > (uint64_t)INT64_MAX + minus) return json_stringn_nocheck(start, (size_t)(end - start));
    return json_integer(minus ? (json_int_t)(0 - magnitude) : (json_int_t)magnitude);
}

/* What neither 64 bits nor a double can hold stays text. */
static json_t *read_number(struct reader *r)
{
    const char *start = r->at;
    bool real = false;
    double value;
    if (peek(r) == '-') r->at++;
    bool zero = peek(r) == '0';
    size_t digits = count_digits(r);
    if (!digits || (zero && digits > 1)) return fail(r, "a number that JSON does not know");
    if (peek(r) == '.') {
        real = true;
        r->at++;
        if (!count_digits(r)) return fail(r, "a number that JSON does not know");
    }
    if ((peek(r) | 32) == 'e') {
        real = true;
        r->at++;
        if (peek(r) == '+' || peek(r) == '-') r->at++;
        if (!count_digits(r)) return fail(r, "a number that JSON does not know");
    }
    if (!real) return whole_number(start, r->at);
    if (quick_real(start, r->at, &value) || lp_double_parse(start, (size_t)(r->at - start), &value))
        return json_real(value);
    return json_stringn_nocheck(start, (size_t)(r->at - start));
}

/* ---- values ---- */

static json_t *read_word(struct reader *r)
{
    static const char *const words[] = {"true", "false", "null"};
    for (size_t i = 0; i < LP_COUNT(words); i++) {
        size_t len = strlen(words[i]);
        if ((size_t)(r->end - r->at) < len || memcmp(r->at, words[i], len)) continue;
        r->at += len;
        return i == 0 ? json_true() : i == 1 ? json_false() : json_null();
    }
    return fail(r, r->at == r->end ? "the text ends too early" : "a value was expected");
}

static json_t *read_array(struct reader *r)
{
    json_t *array = json_array(), *element;
    r->at++;
    skip_space(r);
    if (peek(r) == ']') {
        r->at++;
        return array;
    }
    while (array) {
        element = read_value(r);
        if (!element || json_array_append_new(array, element)) return NULL;
        skip_space(r);
        char c = peek(r);
        if (c != ',' && c != ']') return fail(r, r->at == r->end ? "a list has no end" : "a comma or ] was expected");
        r->at++;
        if (c == ']') return array;
    }
    return NULL;
}

/* One member, from its name on. */
static bool read_member(struct reader *r, json_t *object)
{
    struct lp_slice name;
    skip_space(r);
    if (peek(r) != '"')
        return fail(r, r->at == r->end ? "an object has no end" : "a name in quotes was expected") != NULL;
    const char *start = r->at++;
    if (!read_text(r, &name)) return false;
    if (memchr(name.at, '\0', name.len)) return fail(r, "a NUL in a name") != NULL;
    if (r->once && json_object_getn(object, name.at, name.len)) {
        r->twice = name;
        r->at = start;
        return fail(r, "is given twice") != NULL;
    }
    skip_space(r);
    if (peek(r) != ':') return fail(r, "a colon was expected") != NULL;
    r->at++;
    json_t *value = read_value(r);
    return value && !json_object_setn_new_nocheck(object, name.at, name.len, value);
}

static json_t *read_object(struct reader *r)
{
    json_t *object = json_object();
    r->at++;
    skip_space(r);
    if (peek(r) == '}') {
        r->at++;
        return object;
    }
    while (object) {
        if (!read_member(r, object)) return NULL;
        skip_space(r);
        char c = peek(r);
        if (c != ',' && c != '}')
            return fail(r, r->at == r->end ? "an object has no end" : "a comma or } was expected");
        r->at++;
        if (c == '}') return object;
    }
    return NULL;
}

static json_t *read_value(struct reader *r)
{
    json_t *value;
    skip_space(r);
    if (++r->depth > MAX_DEPTH) return fail(r, "it is nested too deeply");
    switch (peek(r)) {
    case '{': value = read_object(r); break;
    case '[': value = read_array(r); break;
    case '"': value = read_string(r); break;
    case '-':
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9': value = read_number(r); break;
    default: value = read_word(r); break;
    }
    r->depth--;
    return value;
}

static enum lp_code tell_place(const struct reader *r, struct lp_err *err)
{
    size_t line = 1, column = 1;
    for (const char *c = r->begin; c < r->at && c < r->end; c++) {
        if (*c == '\n') line++, column = 0;
        if (((unsigned char)*c & 0xC0) != 0x80) column++;
    }
    if (r->twice.at) {
        LP_AUTO(lp_buf) shown = {0};
        lp_text_put_quoted(&shown, r->twice.at, r->twice.len);
        return lp_fail(err, LP_DATA, "line %zu, column %zu: \"%s\" %s", line, column, lp_buf_text(&shown), r->problem);
    }
    return lp_fail(err, LP_DATA, "it is not JSON: line %zu, column %zu: %s", line, column, r->problem);
}

static enum lp_code parse(struct lp_arena *a, const char *text, size_t len, bool once, json_t **root,
                          struct lp_err *err)
{
    *root = NULL;
    if (len >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) {
        text += 3;
        len -= 3;
    }
    if (!len) return lp_fail(err, LP_DATA, "it is empty, JSON was expected");
    size_t bad = lp_utf8_check(text, len);
    if (bad < len) return lp_fail(err, LP_DATA, "it is not UTF-8 (byte %zu), as JSON must be", bad);
    struct reader r = {.arena = a, .begin = text, .at = text, .end = text + len, .once = once};
    lp_json_build_in(a);
    *root = read_value(&r);
    lp_json_build_in(NULL);
    skip_space(&r);
    if (*root && r.at < r.end) *root = fail(&r, "something stands behind its end");
    if (*root) return LP_OK;
    return r.problem ? tell_place(&r, err) : lp_arena_code(a, err);
}

enum lp_code lp_json_parse(struct lp_arena *a, const char *text, size_t len, json_t **root, struct lp_err *err)
{
    return parse(a, text, len, false, root, err);
}

enum lp_code lp_json_parse_once(struct lp_arena *a, const char *text, size_t len, json_t **root, struct lp_err *err)
{
    return parse(a, text, len, true, root, err);
}
