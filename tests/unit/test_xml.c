/* XML as services answer with it: paths, texts, and what is refused. */
#include "test.h"

#include "base/xml.h"

static struct lp_err err;

static enum lp_code note(void *who, const char *path, const char *text, size_t len, struct lp_err *e)
{
    (void)e;
    lp_buf_printf(who, "%s=%.*s\n", path, (int)len, text);
    return LP_OK;
}

static void assert_reads(const char *xml, const char *expected)
{
    LP_AUTO(lp_buf) out = {0};
    assert_ok(lp_xml_read(xml, strlen(xml), note, &out, &err));
    assert_string_equal(lp_buf_text(&out), expected);
}

static void elements_come_as_they_end_with_path_and_text(void **state)
{
    assert_reads("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<a xmlns=\"urn:x\"><b>1 &amp; 2</b><c><b>ü</b>x<d/>y</c></a>\n",
                 "a/b=1 & 2\na/c/b=ü\na/c/d=\na/c=xy\na=\n");
    assert_reads("<s:a xmlns:s=\"urn:x\"><s:b><![CDATA[<1>]]></s:b></s:a>", "a/b=<1>\na=\n");
    assert_reads("  \n  <a/>", "a=\n");
}

static void the_first_element_of_a_path_is_found(void **state)
{
    static const char xml[] = "<r><xUploadId>no</xUploadId><UploadId>VXBs+/=</UploadId><UploadId>2</UploadId></r>";
    char *text;
    assert_ok(lp_xml_find(xml, sizeof xml - 1, "UploadId", &text, &err));
    assert_string_equal(text, "VXBs+/=");
    free(text);
    assert_code(lp_xml_find(xml, sizeof xml - 1, "Id", &text, &err), LP_NOTFOUND);
    assert_null(text);
}

static void what_is_no_xml_is_refused_with_its_line(void **state)
{
    static const char *const wrong[] = {"", "<a>", "<a></b>", "{\"a\":1}", "<a>\n\n<b></a>", "<a/><b/>", "<a>\xff</a>",
                                        "<a>&nbsp;</a>"};
    LP_AUTO(lp_buf) out = {0};
    for (size_t i = 0; i < LP_COUNT(wrong); i++) {
        err = (struct lp_err){0};
        assert_code(lp_xml_read(wrong[i], strlen(wrong[i]), note, &out, &err), LP_DATA);
        assert_non_null(strstr(err.text, "line"));
    }
}

static void a_document_type_is_refused(void **state)
{
    static const char xml[] = "<!DOCTYPE a [<!ENTITY e \"aaaaaaaaaa\">]><a>&e;&e;</a>";
    LP_AUTO(lp_buf) out = {0};
    assert_code(lp_xml_read(xml, sizeof xml - 1, note, &out, &err), LP_DATA);
    assert_non_null(strstr(err.text, "document type"));
}

static void depth_and_text_are_bounded(void **state)
{
    LP_AUTO(lp_buf) xml = {0}, out = {0};
    for (int i = 0; i < 17; i++) lp_buf_puts(&xml, "<a>");
    for (int i = 0; i < 17; i++) lp_buf_puts(&xml, "</a>");
    assert_code(lp_xml_read(xml.data, xml.len, note, &out, &err), LP_LIMIT);
    lp_buf_clear(&xml);
    lp_buf_puts(&xml, "<a>");
    for (int i = 0; i < 70000; i++) lp_buf_puts(&xml, "twenty bytes of text");
    lp_buf_puts(&xml, "</a>");
    assert_code(lp_xml_read(xml.data, xml.len, note, &out, &err), LP_LIMIT);
}

static enum lp_code refuse(void *who, const char *path, const char *text, size_t len, struct lp_err *e)
{
    (void)path, (void)text, (void)len;
    ++*(int *)who;
    return lp_fail(e, LP_REMOTE, "enough");
}

static void the_receiver_can_end_the_reading(void **state)
{
    int calls = 0;
    assert_code(lp_xml_read("<a><b/><c/></a>", 15, refuse, &calls, &err), LP_REMOTE);
    assert_int_equal(calls, 1);
    assert_string_equal(err.text, "enough");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(elements_come_as_they_end_with_path_and_text),
        cmocka_unit_test(the_first_element_of_a_path_is_found),
        cmocka_unit_test(what_is_no_xml_is_refused_with_its_line),
        cmocka_unit_test(a_document_type_is_refused),
        cmocka_unit_test(depth_and_text_are_bounded),
        cmocka_unit_test(the_receiver_can_end_the_reading),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
