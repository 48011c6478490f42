/* The header that tells X-Ray why a call failed. */
#include "test.h"

#include "lambda/cause.h"

#include <jansson.h>
#include <string.h>

#define NAME "Lambda-Runtime-Function-XRay-Error-Cause: "

/* The message as its reader gets it; the header is one line of visible ASCII. */
static void sent(const char *message, char *got, size_t bytes)
{
    LP_AUTO(lp_buf) line = {0};
    lp_cause_put_header("Function.RunFailed", message, &line);
    const char *text = lp_buf_text(&line);
    assert_int_equal(strncmp(text, NAME, strlen(NAME)), 0);
    assert_true(line.len < 2 * LP_CAUSE_BYTES);
    for (size_t i = 0; i < line.len; i++) assert_in_range((unsigned char)text[i], 0x20, 0x7E);
    json_t *root = json_loads(text + strlen(NAME), 0, NULL);
    assert_non_null(root);
    json_t *one = json_array_get(json_object_get(root, "exceptions"), 0);
    assert_string_equal(json_string_value(json_object_get(one, "type")), "Function.RunFailed");
    snprintf(got, bytes, "%s", json_string_value(json_object_get(one, "message")));
    json_decref(root);
}

static void a_message_arrives_as_it_was(void **state)
{
    static const char *const messages[] = {"", "a \"b\" \\ c", "Zürich — 🌧", "two\nlines\r\n\x01\x7F"};
    char got[200];
    for (size_t i = 0; i < LP_COUNT(messages); i++) {
        sent(messages[i], got, sizeof got);
        assert_string_equal(got, messages[i]);
    }
    sent("bad \xFF byte", got, sizeof got);
    assert_string_equal(got, "bad \xEF\xBF\xBD byte");
}

static void a_long_message_is_cut_between_letters(void **state)
{
    static const char *const letters[] = {"x", "\"", "ü", "🌧"};
    static char message[100001], got[100001];
    for (size_t i = 0; i < LP_COUNT(letters); i++) {
        size_t len = strlen(letters[i]);
        for (size_t at = 0; at + len < sizeof message; at += len) memcpy(message + at, letters[i], len + 1);
        sent(message, got, sizeof got);
        size_t kept = strlen(got) - strlen("…");
        assert_true(kept > 0 && kept % len == 0);
        assert_int_equal(strncmp(got, message, kept), 0);
        assert_string_equal(got + kept, "…");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_arrives_as_it_was),
        cmocka_unit_test(a_long_message_is_cut_between_letters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
