/* The same tables, told to people (the reference page) and to editors (JSON Schema, draft 2020-12). */
#include "base/json.h"
#include "config/field.h"

#include <stdio.h>

static const char *kind_words(const struct lp_field *f)
{
    switch (f->kind) {
    case LP_FIELD_TEXT: return "text";
    case LP_FIELD_NAME: return "name";
    case LP_FIELD_TEMPLATE: return "text with variables";
    case LP_FIELD_BOOL: return "true or false";
    case LP_FIELD_INT: return "whole number";
    case LP_FIELD_DURATION: return "duration";
    case LP_FIELD_SIZE: return "size";
    case LP_FIELD_SHARE: return "share";
    case LP_FIELD_WORD: return "word";
    case LP_FIELD_PAIRS: return "mapping";
    case LP_FIELD_SECTION: return "section";
    case LP_FIELD_CUSTOM: return "";
    }
    return "";
}

/* A pipe would end the cell of a table. */
static void put_cell(struct lp_buf *out, const char *text, bool code)
{
    if (code && *text) lp_buf_putc(out, '`');
    for (; *text; text++) {
        if (*text == '|') lp_buf_putc(out, '\\');
        lp_buf_putc(out, *text);
    }
}

static void put_code_cell(struct lp_buf *out, const char *text)
{
    put_cell(out, text ? text : "", true);
    if (text && *text) lp_buf_putc(out, '`');
}

static void put_row(const struct lp_field *f, struct lp_buf *out)
{
    lp_buf_puts(out, "| ");
    put_code_cell(out, f->name);
    lp_buf_puts(out, " | ");
    put_cell(out, f->help ? f->help : "", false);
    for (size_t i = 0; i < f->word_count; i++) lp_buf_printf(out, "%s`%s`", i ? ", " : " One of ", f->words[i]);
    if (f->word_count) lp_buf_putc(out, '.');
    const char *kind = kind_words(f);
    if (*kind && f->kind != LP_FIELD_WORD) lp_buf_printf(out, " *(%s)*", kind);
    lp_buf_puts(out, " | ");
    if (f->required) lp_buf_puts(out, "required");
    else put_code_cell(out, f->fallback);
    lp_buf_puts(out, " | ");
    put_code_cell(out, f->example);
    lp_buf_puts(out, " |\n");
}

void lp_fields_put_markdown(const struct lp_fields *fields, struct lp_buf *out)
{
    if (*fields->path) lp_buf_printf(out, "## %s\n\n", fields->path);
    lp_buf_printf(out, "%s\n\n| key | meaning | default | example |\n|---|---|---|---|\n", fields->help);
    for (size_t i = 0; i < fields->count; i++) put_row(&fields->list[i], out);
    lp_buf_putc(out, '\n');
    for (size_t i = 0; i < fields->count; i++)
        if (fields->list[i].kind == LP_FIELD_SECTION) lp_fields_put_markdown(fields->list[i].section, out);
}

static void put_words(const struct lp_field *f, struct lp_buf *out)
{
    lp_buf_puts(out, "{\"enum\":[");
    for (size_t i = 0; i < f->word_count; i++) {
        if (i) lp_buf_putc(out, ',');
        lp_json_put_text(out, f->words[i], strlen(f->words[i]));
    }
    lp_buf_puts(out, "]}");
}

/* ${NAME} may stand for any scalar, so numbers are also texts. */
static void put_type(const struct lp_field *f, struct lp_buf *out)
{
    switch (f->kind) {
    case LP_FIELD_TEXT:
    case LP_FIELD_TEMPLATE: lp_buf_puts(out, "{\"type\":[\"string\",\"number\",\"boolean\"]}"); return;
    case LP_FIELD_NAME:
        lp_buf_puts(out, "{\"type\":\"string\",\"pattern\":\"^([A-Za-z_][A-Za-z0-9_-]*|.*[$][{].*)$\"}");
        return;
    case LP_FIELD_BOOL:
        lp_buf_puts(out, "{\"anyOf\":[{\"type\":\"boolean\"},{\"type\":\"string\",\"pattern\":\"[$][{]\"}]}");
        return;
    case LP_FIELD_INT:
        lp_buf_puts(out, "{\"anyOf\":[{\"type\":\"integer\"");
        if (f->min != 0 || f->max != 0) lp_buf_printf(out, ",\"minimum\":%.0f,\"maximum\":%.0f", f->min, f->max);
        lp_buf_puts(out, "},{\"type\":\"string\",\"pattern\":\"[$][{]\"}]}");
        return;
    case LP_FIELD_DURATION:
        lp_buf_puts(
            out,
            "{\"type\":[\"string\",\"integer\"],\"pattern\":\"^([0-9]+(\\\\.[0-9]+)?(ms|s|m|h|d)|0|.*[$][{].*)$\"}");
        return;
    case LP_FIELD_SIZE:
        lp_buf_puts(
            out,
            "{\"type\":[\"string\",\"integer\"],\"pattern\":\"^([0-9]+ *(B|kB|KB|MB|GB|KiB|MiB|GiB)?|.*[$][{].*)$\"}");
        return;
    case LP_FIELD_SHARE:
        lp_buf_puts(out, "{\"type\":[\"string\",\"number\"],\"pattern\":\"^([0-9.]+%?|.*[$][{].*)$\"}");
        return;
    case LP_FIELD_WORD:
        lp_buf_puts(out, "{\"anyOf\":[");
        put_words(f, out);
        lp_buf_puts(out, ",{\"type\":\"string\",\"pattern\":\"[$][{]\"}]}");
        return;
    case LP_FIELD_PAIRS:
        lp_buf_puts(out,
                    "{\"type\":\"object\",\"additionalProperties\":{\"type\":[\"string\",\"number\",\"boolean\"]}}");
        return;
    case LP_FIELD_SECTION: lp_fields_put_schema(f->section, NULL, out); return;
    case LP_FIELD_CUSTOM: lp_buf_puts(out, f->schema ? f->schema : "{}"); return;
    }
}

static void put_properties(const struct lp_fields *fields, bool *more, struct lp_buf *out)
{
    for (size_t i = 0; i < fields->count; i++) {
        const struct lp_field *f = &fields->list[i];
        if (*more) lp_buf_putc(out, ',');
        *more = true;
        lp_json_put_text(out, f->name, strlen(f->name));
        lp_buf_puts(out, ":{\"description\":");
        lp_json_put_text(out, f->help ? f->help : "", f->help ? strlen(f->help) : 0);
        if (f->fallback) {
            lp_buf_puts(out, ",\"default\":");
            lp_json_put_text(out, f->fallback, strlen(f->fallback));
        }
        lp_buf_puts(out, ",\"allOf\":[");
        put_type(f, out);
        lp_buf_puts(out, "]}");
    }
}

void lp_fields_put_schema(const struct lp_fields *fields, const struct lp_fields *extra, struct lp_buf *out)
{
    bool more = false;
    lp_buf_puts(out, "{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{");
    put_properties(fields, &more, out);
    if (extra) put_properties(extra, &more, out);
    lp_buf_puts(out, "},\"required\":[");
    more = false;
    for (size_t i = 0; i < fields->count; i++) {
        if (!fields->list[i].required) continue;
        if (more) lp_buf_putc(out, ',');
        more = true;
        lp_json_put_text(out, fields->list[i].name, strlen(fields->list[i].name));
    }
    lp_buf_puts(out, "]}");
}
