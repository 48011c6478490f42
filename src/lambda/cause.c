#include "lambda/cause.h"

#include "base/text.h"

#include <limits.h>
#include <string.h>
#include <unistd.h>

/* A header has no other letters than those of ASCII. */
static void put_code(uint32_t code, struct lp_buf *out)
{
    unsigned value = code;
    if (value >= 0x10000) {
        lp_buf_printf(out, "\\u%04x", 0xD800 + ((value - 0x10000) >> 10));
        value = 0xDC00 + ((value - 0x10000) & 0x3FF);
    }
    lp_buf_printf(out, "\\u%04x", value);
}

/* A JSON string in ASCII, with quotes. */
static void put_text(const char *text, struct lp_buf *out)
{
    const char *end = text + strlen(text);
    size_t before = out->len;
    lp_buf_putc(out, '"');
    while (text < end && !out->failed) {
        if (out->len - before > LP_CAUSE_BYTES) {
            lp_buf_puts(out, "\\u2026");
            break;
        }
        uint32_t code = lp_utf8_next(&text, end);
        if (code == '"' || code == '\\') lp_buf_putc(out, '\\');
        if (code >= 0x20 && code < 0x7F) lp_buf_putc(out, (char)code);
        else put_code(code, out);
    }
    lp_buf_putc(out, '"');
}

void lp_cause_put_header(const char *type, const char *message, struct lp_buf *out)
{
    char folder[PATH_MAX];
    lp_buf_puts(out, "Lambda-Runtime-Function-XRay-Error-Cause: {\"working_directory\":");
    put_text(getcwd(folder, sizeof folder) ? folder : "", out);
    lp_buf_puts(out, ",\"exceptions\":[{\"type\":");
    put_text(type, out);
    lp_buf_puts(out, ",\"message\":");
    put_text(message, out);
    lp_buf_puts(out, ",\"stack\":[]}],\"paths\":[]}");
}
