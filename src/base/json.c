#include "base/json.h"

#include "base/number.h"
#include "base/text.h"

#include <stdlib.h>
#include <sys/auxv.h>

/* jansson asks for memory through two global functions; while a tree is made they are an arena's. */
static struct lp_arena *building_in;

static void *arena_malloc(size_t bytes)
{
    return building_in ? lp_arena_alloc(building_in, bytes) : malloc(bytes);
}

static void arena_free(void *at)
{
    if (!building_in) free(at);
}

void lp_json_build_in(struct lp_arena *a)
{
    static bool ready;
    if (!ready) {
        json_set_alloc_funcs(arena_malloc, arena_free);
        /* What the kernel gave each process at its start; jansson would read a device for it. */
        size_t seed;
        const void *random = (const void *)(uintptr_t)getauxval(AT_RANDOM);
        if (random) json_object_seed((memcpy(&seed, random, sizeof seed), seed));
        ready = true;
    }
    building_in = a;
}

void lp_json_put_text(struct lp_buf *out, const char *text, size_t len)
{
    static const char hex[] = "0123456789abcdef";
    const char *end = text + len, *plain = text;
    lp_buf_putc(out, '"');
    while (text < end) {
        unsigned char c = (unsigned char)*text;
        if (c >= 0x20 && c != '"' && c != '\\' && c < 0x7F) {
            text++;
            continue;
        }
        const char *next = text;
        uint32_t code = lp_utf8_next(&next, end);
        bool broken = code == 0xFFFD && next - text == 1;
        if (c >= 0x80 && !broken) {
            text = next;
            continue;
        }
        lp_buf_put(out, plain, (size_t)(text - plain));
        const char *name = c == '"'    ? "\\\""
                           : c == '\\' ? "\\\\"
                           : c == '\n' ? "\\n"
                           : c == '\r' ? "\\r"
                           : c == '\t' ? "\\t"
                                       : NULL;
        if (broken) {
            lp_buf_puts(out, "\xEF\xBF\xBD");
        } else if (name) {
            lp_buf_puts(out, name);
        } else {
            char escape[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
            lp_buf_put(out, escape, sizeof escape);
        }
        plain = text = next;
    }
    lp_buf_put(out, plain, (size_t)(end - plain));
    lp_buf_putc(out, '"');
}

static void put_real(struct lp_buf *out, double value)
{
    char text[LP_NUMBER_TEXT_BYTES];
    lp_buf_put(out, text, lp_double_format(value, text));
}

/* Depth is jansson's own limit of 2,048. */
void lp_json_put_value(struct lp_buf *out, const json_t *value)
{
    char number[LP_NUMBER_TEXT_BYTES];
    switch (json_typeof(value)) {
    case JSON_OBJECT: {
        const char *key;
        json_t *member;
        bool more = false;
        lp_buf_putc(out, '{');
        json_object_foreach ((json_t *)(uintptr_t)value, key, member) {
            if (more) lp_buf_putc(out, ',');
            lp_json_put_text(out, key, strlen(key));
            lp_buf_putc(out, ':');
            lp_json_put_value(out, member);
            more = true;
        }
        lp_buf_putc(out, '}');
        return;
    }
    case JSON_ARRAY:
        lp_buf_putc(out, '[');
        for (size_t i = 0; i < json_array_size(value); i++) {
            if (i) lp_buf_putc(out, ',');
            lp_json_put_value(out, json_array_get(value, i));
        }
        lp_buf_putc(out, ']');
        return;
    case JSON_STRING: lp_json_put_text(out, json_string_value(value), json_string_length(value)); return;
    case JSON_INTEGER: lp_buf_put(out, number, lp_int64_format(json_integer_value(value), number)); return;
    case JSON_REAL: put_real(out, json_real_value(value)); return;
    case JSON_TRUE: lp_buf_puts(out, "true"); return;
    case JSON_FALSE: lp_buf_puts(out, "false"); return;
    case JSON_NULL: lp_buf_puts(out, "null"); return;
    }
}

static void before_value(struct lp_json_writer *w, const char *key)
{
    if (w->more) lp_buf_putc(w->out, ',');
    w->more = true;
    if (!key) return;
    lp_json_put_text(w->out, key, strlen(key));
    lp_buf_putc(w->out, ':');
}

void lp_json_open(struct lp_json_writer *w, const char *key, char bracket)
{
    before_value(w, key);
    lp_buf_putc(w->out, bracket);
    w->more = false;
}

void lp_json_close(struct lp_json_writer *w, char bracket)
{
    lp_buf_putc(w->out, bracket);
    w->more = true;
}

void lp_json_key(struct lp_json_writer *w, const char *key, size_t len)
{
    if (w->more) lp_buf_putc(w->out, ',');
    lp_json_put_text(w->out, key, len);
    lp_buf_putc(w->out, ':');
    w->more = false;
}

void lp_json_text(struct lp_json_writer *w, const char *key, const char *text)
{
    before_value(w, key);
    if (text) lp_json_put_text(w->out, text, strlen(text));
    else lp_buf_puts(w->out, "null");
}

void lp_json_int(struct lp_json_writer *w, const char *key, int64_t value)
{
    char number[LP_NUMBER_TEXT_BYTES];
    before_value(w, key);
    lp_buf_put(w->out, number, lp_int64_format(value, number));
}

void lp_json_bool(struct lp_json_writer *w, const char *key, bool value)
{
    before_value(w, key);
    lp_buf_puts(w->out, value ? "true" : "false");
}

void lp_json_null(struct lp_json_writer *w, const char *key)
{
    before_value(w, key);
    lp_buf_puts(w->out, "null");
}
