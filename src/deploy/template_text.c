/* Texts of the template: stand-ins become references. */
#include "aws/sign.h"
#include "base/json.h"
#include "deploy/template_parts.h"

void lp_template_put_id(struct lp_buf *out, const char *name)
{
    bool upper = true;
    for (; *name; name++) {
        bool small = *name >= 'a' && *name <= 'z', large = *name >= 'A' && *name <= 'Z';
        if (small && upper) lp_buf_putc(out, (char)(*name - 'a' + 'A'));
        else if (small || large || (*name >= '0' && *name <= '9')) lp_buf_putc(out, *name);
        upper = !small && !large;
    }
}

/* A name that no other is written like: capitals, and words of them that begin with a letter. */
static bool is_regular(const char *name, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        bool letter = name[i] >= 'A' && name[i] <= 'Z', digit = name[i] >= '0' && name[i] <= '9';
        bool begins = i + 1 < len && name[i + 1] >= 'A' && name[i + 1] <= 'Z';
        if (!letter && !digit && !(name[i] == '_' && i > 0 && begins)) return false;
    }
    return true;
}

/* OPENWEATHER_API_KEY as OpenweatherApiKey; of names that would be written alike each gets a sign of its own behind it. */
static void put_parameter(struct lp_buf *out, const char *name, size_t len)
{
    bool upper = true;
    for (size_t i = 0; i < len; i++) {
        bool large = name[i] >= 'A' && name[i] <= 'Z';
        if (large && !upper) lp_buf_putc(out, (char)(name[i] - 'A' + 'a'));
        else if (name[i] >= 'a' && name[i] <= 'z' && upper) lp_buf_putc(out, (char)(name[i] - 'a' + 'A'));
        else if (name[i] != '_') lp_buf_putc(out, name[i]);
        upper = name[i] == '_';
    }
    if (!is_regular(name, len)) {
        char sign[LP_SHA256_HEX_BYTES];
        lp_sha256_hex(name, len, sign);
        lp_buf_put(out, sign, 8);
    }
    lp_buf_puts(out, "Parameter");
}

/* One stand-in at text as a reference; its length, 0 when there is none. */
static size_t put_reference(struct lp_buf *out, const char *text)
{
    static const struct {
        const char *stand_in, *reference;
    } list[] = {{LP_STACK_BUCKET, "${Bucket}"}, {LP_STACK_TOPIC, "${Topic}"}, {LP_STACK_STAGE, "${Stage}"}};
    for (size_t i = 0; i < LP_COUNT(list); i++) {
        size_t len = strlen(list[i].stand_in);
        if (strncmp(text, list[i].stand_in, len) != 0) continue;
        lp_buf_puts(out, list[i].reference);
        return len;
    }
    size_t len = strlen(LP_STACK_PARAMETER);
    if (!strncmp(text, LP_STACK_PARAMETER, len)) {
        size_t name = strcspn(text + len, ".");
        lp_buf_puts(out, "${");
        put_parameter(out, text + len, name);
        lp_buf_puts(out, "}");
        return len + name + (text[len + name] == '.');
    }
    len = strncmp(text, "${AWS::", 7) ? 0 : strcspn(text, "}") + 1;
    lp_buf_put(out, text, len);
    return len;
}

void lp_template_put_value(struct lp_buf *out, const char *text)
{
    LP_AUTO(lp_buf) made = {0};
    size_t references = 0, literal = 0, len;
    for (const char *at = text; *at; at += len) {
        len = put_reference(&made, at);
        references += len > 0;
        if (len) continue;
        literal++;
        len = 1;
        if (at[0] == '$' && at[1] == '{') lp_buf_puts(&made, "${!"), len = 2;
        else lp_buf_putc(&made, *at);
    }
    if (made.failed) out->failed = made.failed;
    else if (!references) lp_json_put_text(out, text, strlen(text));
    else if (references == 1 && !literal) lp_buf_printf(out, "!Ref %.*s", (int)made.len - 3, made.data + 2);
    else {
        lp_buf_puts(out, "!Sub ");
        lp_json_put_text(out, made.data, made.len);
    }
}
