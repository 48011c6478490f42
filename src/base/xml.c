#include "base/xml.h"

#include "base/buf.h"

#include <expat.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX  16
#define TEXT_BYTES ((size_t)1 << 20)

struct reading {
    XML_Parser parser;
    lp_xml_element_fn *element;
    void *who;
    struct lp_buf path, text;
    size_t path_len[DEPTH_MAX], text_from[DEPTH_MAX]; /* of each element that is open */
    size_t depth;
    struct lp_err *err;
    enum lp_code code;
};

static void stop(struct reading *r, enum lp_code code)
{
    r->code = code;
    XML_StopParser(r->parser, XML_FALSE);
}

static void XMLCALL start_element(void *context, const XML_Char *name, const XML_Char **attributes)
{
    struct reading *r = context;
    const char *colon = strrchr(name, ':');
    (void)attributes;
    if (r->code) return;
    if (r->depth == DEPTH_MAX) {
        stop(r, lp_fail(r->err, LP_LIMIT, "XML with elements more than %d deep", DEPTH_MAX));
        return;
    }
    r->path_len[r->depth] = r->path.len;
    r->text_from[r->depth++] = r->text.len;
    if (r->path.len) lp_buf_putc(&r->path, '/');
    lp_buf_puts(&r->path, colon && colon[1] ? colon + 1 : name); /* never empty */
}

static void XMLCALL take_text(void *context, const XML_Char *text, int len)
{
    struct reading *r = context;
    if (!r->code) lp_buf_put(&r->text, text, (size_t)len);
}

static void XMLCALL end_element(void *context, const XML_Char *name)
{
    struct reading *r = context;
    (void)name;
    if (r->code) return;
    enum lp_code code = lp_buf_code(&r->path, "XML", r->err);
    if (!code) code = lp_buf_code(&r->text, "the text of an element of XML", r->err);
    size_t from = r->text_from[--r->depth];
    if (!code) code = r->element(r->who, lp_buf_text(&r->path), lp_buf_text(&r->text) + from, r->text.len - from, r->err);
    if (code) {
        stop(r, code);
        return;
    }
    /* What is within an element is no text of its parent. */
    if (r->text.data) r->text.data[r->text.len = from] = '\0';
    r->path.data[r->path.len = r->path_len[r->depth]] = '\0';
}

static void XMLCALL refuse_doctype(void *context, const XML_Char *name, const XML_Char *system, const XML_Char *public,
                                   int internal)
{
    struct reading *r = context;
    (void)name, (void)system, (void)public, (void)internal;
    stop(r, lp_fail(r->err, LP_DATA, "XML with a document type"));
}

enum lp_code lp_xml_read(const char *bytes, size_t len, lp_xml_element_fn *element, void *who, struct lp_err *err)
{
    struct lp_err local;
    struct reading r = {.element = element, .who = who, .err = err ? err : &local, .path.max_bytes = 4096,
                        .text.max_bytes = TEXT_BYTES};
    r.parser = XML_ParserCreate(NULL);
    if (!r.parser) return lp_nomem(err);
    XML_SetUserData(r.parser, &r);
    XML_SetElementHandler(r.parser, start_element, end_element);
    XML_SetCharacterDataHandler(r.parser, take_text);
    XML_SetStartDoctypeDeclHandler(r.parser, refuse_doctype);
    if (len > (size_t)1 << 30) r.code = lp_fail(r.err, LP_LIMIT, "XML of more than 1 GiB");
    else if (XML_Parse(r.parser, bytes, (int)len, XML_TRUE) == XML_STATUS_ERROR && !r.code) {
        enum XML_Error error = XML_GetErrorCode(r.parser);
        if (error == XML_ERROR_NO_MEMORY) r.code = lp_nomem(r.err);
        else
            r.code = lp_fail(r.err, LP_DATA, "no XML, in line %lu: %s", (unsigned long)XML_GetCurrentLineNumber(r.parser),
                             XML_ErrorString(error));
    }
    XML_ParserFree(r.parser);
    lp_buf_release(&r.path);
    lp_buf_release(&r.text);
    return r.code;
}

struct search {
    const char *path;
    char *found;
};

static enum lp_code compare(void *who, const char *path, const char *text, size_t len, struct lp_err *err)
{
    struct search *s = who;
    size_t at = strlen(path), n = strlen(s->path);
    if (s->found || at < n || strcmp(path + at - n, s->path) || (at > n && path[at - n - 1] != '/')) return LP_OK;
    s->found = strndup(text, len);
    return s->found ? LP_OK : lp_nomem(err);
}

enum lp_code lp_xml_find(const char *bytes, size_t len, const char *path, char **text, struct lp_err *err)
{
    struct search s = {.path = path};
    enum lp_code code = lp_xml_read(bytes, len, compare, &s, err);
    *text = NULL;
    if (!code && s.found) *text = s.found;
    else free(s.found);
    return code ? code : s.found ? LP_OK : lp_fail(err, LP_NOTFOUND, "the answer has no %s", path);
}
