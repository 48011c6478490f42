/* Secrets are hidden in every form they are sent or written in. */
#include "test.h"

#include "base/json.h"
#include "base/secret.h"
#include "base/text.h"

static struct lp_err err;

static int forget(void **state)
{
    lp_secret_forget();
    return 0;
}

static void keep(const char *secret)
{
    assert_ok(lp_secret_add(secret, strlen(secret), &err));
}

static const char *masked(const char *text)
{
    static char copy[20000];
    LP_AUTO(lp_buf) out = {0};
    lp_secret_mask(text, strlen(text), &out);
    assert_ok(lp_buf_code(&out, "it", &err));
    snprintf(copy, sizeof copy, "%s", lp_buf_text(&out));
    return copy;
}

static void encode_base64(const char *bytes, size_t len, const char *last_two, char *out)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    for (size_t i = 0; i < len; i += 3) {
        unsigned group = 0;
        for (size_t k = 0; k < 3; k++) group = group << 8 | (i + k < len ? (unsigned char)bytes[i + k] : 0u);
        for (size_t k = 0; k < 4; k++) {
            unsigned value = group >> (18 - 6 * k) & 63;
            *out++ = i + k > len ? '=' : value < 62 ? letters[value] : last_two[value - 62];
        }
    }
    *out = '\0';
}

static void without_secrets_text_stays_as_it_is(void **state)
{
    char text[] = "nothing to hide";
    assert_false(lp_secret_any());
    assert_false(lp_secret_found(text, strlen(text)));
    assert_string_equal(masked(text), text);
    lp_secret_mask_text(text, sizeof text);
    assert_string_equal(text, "nothing to hide");
}

static void a_secret_is_hidden_wherever_it_stands(void **state)
{
    keep("s3cr3t+/key");
    assert_true(lp_secret_any());
    assert_string_equal(masked("s3cr3t+/key"), "•••");
    assert_string_equal(masked("?appid=s3cr3t+/key&q=Dallas"), "?appid=•••&q=Dallas");
    assert_string_equal(masked("s3cr3t+/keys3cr3t+/key"), "••••••");
    assert_string_equal(masked("s3cr3t+/ke s3cr3t+/key s3cr3t"), "s3cr3t+/ke ••• s3cr3t");
    assert_string_equal(masked("s3cr3s3cr3t+/key"), "s3cr3•••");
    assert_string_equal(masked("S3CR3T+/KEY"), "S3CR3T+/KEY");
    assert_true(lp_secret_found("xs3cr3t+/key", 12));
    assert_false(lp_secret_found("xs3cr3t+/key", 11));
}

static void a_secret_is_hidden_percent_encoded(void **state)
{
    keep("a b&c/ü");
    assert_string_equal(masked("q=a%20b%26c%2F%C3%BC;"), "q=•••;");
    assert_string_equal(masked("q=a%20b%26c%2f%c3%bc;"), "q=•••;");
    assert_string_equal(masked("q=a+b%26c/%C3%BC;"), "q=•••;");
    assert_string_equal(masked("%61%20%62%26%63%2F%C3%BC"), "•••");
    assert_string_equal(masked("a%20b%26c%2F%C3%BD"), "a%20b%26c%2F%C3%BD");
}

static void a_secret_with_a_percent_sign_is_hidden_both_ways(void **state)
{
    keep("50%41off");
    assert_string_equal(masked("=50%41off="), "=•••=");
    assert_string_equal(masked("=50%2541off="), "=•••=");
    assert_string_equal(masked("=50Aoff="), "=50Aoff=");
}

static void a_secret_is_hidden_in_base64_at_every_alignment(void **state)
{
    static const char secret[] = "p\xC3\xBFss>w?rd~\xEF\xBF\xBE";
    char plain[200], encoded[400];
    keep(secret);
    for (int alphabet = 0; alphabet < 2; alphabet++)
        for (int before = 0; before < 7; before++)
            for (int after = 0; after < 4; after++) {
                snprintf(plain, sizeof plain, "%.*s%s%.*s", before, "user-x:", secret, after, "tail");
                encode_base64(plain, strlen(plain), alphabet ? "-_" : "+/", encoded);
                if (!lp_secret_found(encoded, strlen(encoded))) fail_msg("%s (%d, %d)", encoded, before, after);
                assert_non_null(strstr(masked(encoded), "•••"));
            }
}

static void base64_that_is_percent_encoded_is_hidden_too(void **state)
{
    static const char secret[] = "\xC3\xBE\xC3\xBE\xC3\xBE\xC3\xBE>>>???";
    char encoded[100];
    LP_AUTO(lp_buf) url = {0};
    keep(secret);
    encode_base64(secret, strlen(secret), "+/", encoded);
    assert_true(strpbrk(encoded, "+/") != NULL);
    lp_percent_encode(&url, encoded, strlen(encoded), "");
    assert_true(lp_secret_found(lp_buf_text(&url), url.len));
}

static void a_secret_is_hidden_in_json(void **state)
{
    keep("quo\"te\\back/slash ü");
    assert_string_equal(masked("{\"k\":\"quo\\\"te\\\\back/slash ü\"}"), "{\"k\":\"•••\"}");
    assert_string_equal(masked("{\"k\":\"quo\\\"te\\\\back\\/slash \\u00fc\"}"), "{\"k\":\"•••\"}");
    assert_string_equal(masked("\\u0071\\u0075\\u006F\\u0022te\\u005cback/slash \\u00FC"), "•••");
    LP_AUTO(lp_buf) json = {0};
    lp_json_put_text(&json, "quo\"te\\back/slash ü", 20);
    assert_string_equal(masked(lp_buf_text(&json)), "\"•••\"");
}

static void a_secret_with_control_characters_is_hidden_in_json(void **state)
{
    LP_AUTO(lp_buf) json = {0};
    keep("a\tb\rc\nd\be\ff");
    lp_json_put_text(&json, "a\tb\rc\nd\be\ff", 11);
    assert_string_equal(masked(lp_buf_text(&json)), "\"•••\"");
    assert_string_equal(masked("a\\tb\\rc\\nd\\be\\ff"), "•••");
    assert_string_equal(masked("a%09b\\u000dc\\nd\\u0008e\\ff"), "•••");
}

static void a_secret_outside_the_basic_plane_is_hidden_as_a_pair(void **state)
{
    keep("🌧rain");
    assert_string_equal(masked("\\ud83c\\udf27rain"), "•••");
    assert_string_equal(masked("%F0%9F%8C%A7rain"), "•••");
    assert_string_equal(masked("\\ud83crain"), "\\ud83crain");
}

static void of_secrets_that_overlap_none_is_left_whole(void **state)
{
    keep("abcdef");
    keep("defghi");
    keep("abcdefgh");
    keep("cdef");
    assert_string_equal(masked("abcdefghij"), "•••ij");
    assert_string_equal(masked("xabcdefx"), "x•••x");
    assert_string_equal(masked("defghi"), "•••");
    LP_AUTO(lp_buf) out = {0};
    lp_secret_mask("abcdefghiabcdefghi", 18, &out);
    assert_false(lp_secret_found(lp_buf_text(&out), out.len));
}

static void a_short_secret_is_not_searched_for(void **state)
{
    keep("abc");
    keep("");
    assert_false(lp_secret_any());
    assert_string_equal(masked("abc is a common beginning"), "abc is a common beginning");
    keep("abcd");
    assert_string_equal(masked("abcd"), "•••");
}

static void a_fixed_text_is_masked_and_cut_to_fit(void **state)
{
    char text[32] = "key=longsecretvalue; more", tight[10] = "x1234y";
    keep("longsecretvalue");
    keep("1234");
    lp_secret_mask_text(text, sizeof text);
    assert_string_equal(text, "key=•••; more");
    lp_secret_mask_text(tight, sizeof tight);
    assert_true(strlen(tight) < sizeof tight);
    assert_null(strstr(tight, "1234"));
}

static void errors_never_show_a_secret(void **state)
{
    keep("topsecret");
    lp_fail(&err, LP_REMOTE, "GET http://x/?key=%s: 401", "topsecret");
    assert_string_equal(err.text, "GET http://x/?key=•••: 401");
    lp_wrap(&err, err.code, "with %s", "top%73ecret");
    assert_string_equal(err.text, "with •••: GET http://x/?key=•••: 401");
    assert_int_equal(err.code, LP_REMOTE);
}

static void too_many_or_too_long_secrets_are_refused(void **state)
{
    char secret[4098];
    memset(secret, 'x', sizeof secret);
    assert_code(lp_secret_add(secret, 16385, &err), LP_LIMIT);
    for (int i = 0; i < 32; i++) {
        snprintf(secret, sizeof secret, "secret-%d-value", i);
        keep(secret);
        keep(secret);
    }
    assert_code(lp_secret_add("one more", 8, &err), LP_LIMIT);
    for (int i = 0; i < 32; i++) {
        snprintf(secret, sizeof secret, "secret-%d-value", i);
        assert_string_equal(masked(secret), "•••");
    }
}

static void keys_that_expire_never_fill_the_list_and_the_newest_are_hidden(void **state)
{
    char secret[40];
    keep("this one stays");
    for (int i = 0; i < 1000; i++) {
        snprintf(secret, sizeof secret, "passing-%d-value", i);
        assert_ok(lp_secret_add_passing(secret, strlen(secret), &err));
        assert_ok(lp_secret_add_passing("used all the time", 17, &err));
    }
    for (int i = 0; i < 1000; i++) {
        snprintf(secret, sizeof secret, "passing-%d-value", i);
        assert_string_equal(masked(secret), i < 1000 - 47 ? secret : "•••");
    }
    assert_string_equal(masked("used all the time, this one stays"), "•••, •••");
    keep("used all the time"); /* from now on it stays as well */
    for (int i = 0; i < 100; i++) {
        snprintf(secret, sizeof secret, "later-%d-value", i);
        assert_ok(lp_secret_add_passing(secret, strlen(secret), &err));
    }
    assert_string_equal(masked("used all the time"), "•••");
}

static void a_secret_of_four_thousand_bytes_is_hidden(void **state)
{
    static char secret[4097], encoded[6000];
    for (size_t i = 0; i < 4096; i++) secret[i] = (char)('a' + i * 7 % 26);
    keep(secret);
    assert_string_equal(masked(secret), "•••");
    encode_base64(secret, 4096, "+/", encoded);
    assert_true(strlen(masked(encoded)) < 20);
    secret[4000] = '!';
    assert_false(lp_secret_found(secret, 4096));
}

static void forgotten_secrets_are_no_secrets(void **state)
{
    keep("forget me");
    lp_secret_forget();
    assert_false(lp_secret_any());
    assert_string_equal(masked("forget me"), "forget me");
}

#define TEST(test) cmocka_unit_test_teardown(test, forget)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(without_secrets_text_stays_as_it_is),
        TEST(a_secret_is_hidden_wherever_it_stands),
        TEST(a_secret_is_hidden_percent_encoded),
        TEST(a_secret_with_a_percent_sign_is_hidden_both_ways),
        TEST(a_secret_is_hidden_in_base64_at_every_alignment),
        TEST(base64_that_is_percent_encoded_is_hidden_too),
        TEST(a_secret_is_hidden_in_json),
        TEST(a_secret_with_control_characters_is_hidden_in_json),
        TEST(a_secret_outside_the_basic_plane_is_hidden_as_a_pair),
        TEST(of_secrets_that_overlap_none_is_left_whole),
        TEST(a_short_secret_is_not_searched_for),
        TEST(a_fixed_text_is_masked_and_cut_to_fit),
        TEST(errors_never_show_a_secret),
        TEST(too_many_or_too_long_secrets_are_refused),
        TEST(keys_that_expire_never_fill_the_list_and_the_newest_are_hidden),
        TEST(a_secret_of_four_thousand_bytes_is_hidden),
        TEST(forgotten_secrets_are_no_secrets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
