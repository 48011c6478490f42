/* The grammar of the two files that AWS's tools share. */
#include "test.h"

#include "aws/profile.h"
#include "base/secret.h"

static struct lp_err err;
static struct lp_profiles profiles;

static int forget(void **state)
{
    lp_profiles_release(&profiles);
    lp_secret_forget();
    return 0;
}

static enum lp_code parse(const char *text, bool credentials)
{
    return lp_profiles_parse(&profiles, text, strlen(text), credentials, "file", &err);
}

static void config(const char *text)
{
    assert_ok(parse(text, false));
}

static void credentials(const char *text)
{
    assert_ok(parse(text, true));
}

/* value NULL: there is none */
static void assert_value(const char *profile, const char *key, const char *value)
{
    const char *got = lp_profiles_get(&profiles, profile, key);
    if (!value) assert_null(got);
    else {
        assert_non_null(got);
        assert_string_equal(got, value);
    }
}

static void assert_fails(const char *text, bool is_credentials, const char *words)
{
    forget(NULL);
    assert_code(parse(text, is_credentials), LP_CONFIG);
    if (!strstr(err.text, words)) fail_msg("%s: %s", text, err.text);
    assert_memory_equal(err.text, "file:", 5);
}

static void profiles_have_properties_whose_keys_ignore_case(void **state)
{
    config("[default]\nRegion = eu-west-1\n[profile work]\nregion=eu-west-2\noutput =json\n");
    assert_value("default", "region", "eu-west-1");
    assert_value("work", "region", "eu-west-2");
    assert_value("work", "output", "json");
    assert_value("work", "none", NULL);
    assert_value("nobody", "region", NULL);
    assert_true(lp_profiles_have(&profiles, "work"));
    assert_false(lp_profiles_have(&profiles, "nobody"));
}

static void line_ends_of_windows_a_byte_order_mark_and_a_missing_last_line_end_are_borne(void **state)
{
    config("\xEF\xBB\xBF[default]\r\nregion = eu-west-1\r\n\r\n[profile a]\r\nregion = x");
    assert_value("default", "region", "eu-west-1");
    assert_value("a", "region", "x");
}

static void comments_stand_on_lines_of_their_own_behind_brackets_and_behind_a_space(void **state)
{
    config("# first\n; second\n  # third\n[default] # fourth\na = b # fifth\nc = d;e\nf = g#h ;i\nj = #k\n");
    assert_value("default", "a", "b");
    assert_value("default", "c", "d;e");
    assert_value("default", "f", "g#h");
    assert_value("default", "j", NULL);
}

static void a_value_keeps_what_follows_its_first_equals_sign(void **state)
{
    config("[default]\na = b=c==\n");
    assert_value("default", "a", "b=c==");
}

static void an_indented_line_goes_on_with_the_value_comments_in_it_included(void **state)
{
    config("[default]\na = b\n  c # d\n\te = f\ng = h\n");
    assert_value("default", "a", "b\nc # d\ne = f");
    assert_value("default", "g", "h");
}

static void below_a_property_without_value_lie_properties_of_its_own(void **state)
{
    config(
        "[services mine]\nglue =\n  endpoint_url = http://g\n  other=2\nsns =\n\n  # a comment\n  Endpoint_URL = http://s\n"
        "[default]\ns3 =\n addressing_style = path\nregion = r\n");
    const struct lp_profile_section *s = lp_profiles_section(&profiles, LP_PROFILE_SERVICES, "mine");
    assert_string_equal(lp_profile_below(s, "glue", "endpoint_url"), "http://g");
    assert_string_equal(lp_profile_below(s, "glue", "other"), "2");
    assert_string_equal(lp_profile_below(s, "sns", "endpoint_url"), "http://s");
    assert_null(lp_profile_below(s, "athena", "endpoint_url"));
    assert_null(lp_profile_below(NULL, "glue", "endpoint_url"));
    assert_value("default", "region", "r");
    assert_value("default", "s3", NULL);
}

static void a_file_may_be_indented_as_a_whole(void **state)
{
    config("  [default]\n  region = eu-west-1\n  s3 =\n    a = b\n  output = json\n");
    assert_value("default", "region", "eu-west-1");
    assert_value("default", "output", "json");
}

static void sections_of_one_name_are_one_and_the_later_property_wins(void **state)
{
    config("[profile a]\nx = 1\ny = 2\n[profile b]\nx = 9\n[profile a]\nx = 3\nz = 4\nz = 5\n");
    assert_value("a", "x", "3");
    assert_value("a", "y", "2");
    assert_value("a", "z", "5");
    assert_value("b", "x", "9");
}

static void the_default_profile_with_its_prefix_beats_the_one_without_wherever_it_stands(void **state)
{
    config("[default]\nx = 1\ny = 1\n[profile default]\nx = 2\n[default]\nx = 3\n");
    assert_value("default", "x", "2");
    assert_value("default", "y", NULL);
}

static void credentials_come_before_config_property_by_property(void **state)
{
    config("[profile a]\nregion = r\naws_access_key_id = from config\n");
    credentials("[a]\naws_access_key_id = from credentials\n[profile a]\naws_access_key_id = no\n");
    assert_value("a", "aws_access_key_id", "from credentials");
    assert_value("a", "region", "r");
    assert_value("profile a", "aws_access_key_id", NULL);
}

static void names_may_be_quoted_and_hold_what_arns_and_addresses_hold(void **state)
{
    config(
        "[profile \"my name\"]\nx = 1\n[ profile  a/b.c%d@e:+_- ]\nx = 2\n[profile 'it']\nx = 3\n[sso-session s]\nx = 4\n");
    assert_value("my name", "x", "1");
    assert_value("a/b.c%d@e:+_-", "x", "2");
    assert_value("it", "x", "3");
    assert_non_null(lp_profiles_section(&profiles, LP_PROFILE_SSO_SESSION, "s"));
}

static void sections_of_no_known_kind_are_left_out_with_all_that_is_in_them(void **state)
{
    config(
        "[work]\nx = 1\n  y = 2\nz =\n  a = b\n[profile]\nx = 1\n[profile two words]\nx = 1\n[plugins]\nx = 1\n[profile a!]\nx = 1\n"
        "[profile \"a]\nx = 1\n[]\nx = 1\n[profile kept]\nx = 2\n");
    assert_value("work", "x", NULL);
    assert_value("kept", "x", "2");
    assert_non_null(profiles.sections);
    assert_null(profiles.sections->next);
}

static void what_cannot_be_read_is_an_error_with_file_and_line(void **state)
{
    assert_fails("[default\nx = 1\n", false, "file:1: the section's name has no closing bracket");
    assert_fails("[default]\n[a\n", true, "file:2:");
    assert_fails("x = 1\n", false, "before any [section]");
    assert_fails("\n\n  x = 1\n", false, "file:3: a property stands before any [section]");
    assert_fails("[default]\nx\n", false, "file:2: the line is neither");
    assert_fails("[default]\n= 1\n", false, "no key");
    assert_fails("[default] x\n", false, "only a comment");
    assert_fails("[left out here]\nx\n", false, "file:2: the line is neither");
    assert_fails("[default]\ns3 =\n  no equals\n", false, "file:3:");
    forget(NULL);
    assert_code(lp_profiles_parse(&profiles, "[default]\nx = \0y\n", 17, false, "file", &err), LP_CONFIG);
}

static void secret_keys_are_masked_from_the_moment_they_are_read(void **state)
{
    credentials(
        "[a]\nAWS_Secret_Access_Key = the secret key\naws_session_token = the session token\naws_access_key_id = AKIA\n");
    assert_true(lp_secret_found("x the secret key x", 18));
    assert_true(lp_secret_found("the session token", 17));
    assert_false(lp_secret_found("AKIA", 4));
}

static void every_file_cut_anywhere_is_read_or_refused_and_never_more(void **state)
{
    static const char whole[] =
        "[default]\r\na = b # c\n[profile \"x y\"]\ns3 =\n  d = e\n  f = g\nh = i\n  j\n[sso-session k]\nl=m\n";
    for (size_t len = 0; len <= sizeof whole - 1; len++) {
        forget(NULL);
        char *copy = malloc(len ? len : 1); /* so that reading past its end is noticed */
        memcpy(copy, whole, len);
        enum lp_code code = lp_profiles_parse(&profiles, copy, len, len % 2, "file", &err);
        assert_true(code == LP_OK || code == LP_CONFIG);
        free(copy);
    }
}

static void the_home_folder_stands_for_a_tilde(void **state)
{
    static const char *const cases[][2] = {
        {"~", "/home/me"}, {"~/x", "/home/me/x"}, {"/~", "/~"}, {"~you/x", "~you/x"}};
    setenv("HOME", "/home/me", 1);
    for (size_t i = 0; i < LP_COUNT(cases); i++) {
        LP_AUTO(lp_buf) out = {0};
        lp_profile_put_path(&out, cases[i][0]);
        assert_string_equal(lp_buf_text(&out), cases[i][1]);
    }
}

static void the_files_are_those_that_the_environment_names_and_need_not_be_there(void **state)
{
    const char *path = path_in(*state, "config");
    write_text(path, "[default]\nregion = here\n", 24);
    setenv("AWS_CONFIG_FILE", path, 1);
    setenv("AWS_SHARED_CREDENTIALS_FILE", path_in(*state, "none"), 1);
    assert_ok(lp_profiles_read(&profiles, &err));
    assert_value("default", "region", "here");
    forget(NULL);
    setenv("AWS_CONFIG_FILE", *state, 1); /* a folder */
    assert_code(lp_profiles_read(&profiles, &err), LP_IO);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, forget, forget)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(profiles_have_properties_whose_keys_ignore_case),
        TEST(line_ends_of_windows_a_byte_order_mark_and_a_missing_last_line_end_are_borne),
        TEST(comments_stand_on_lines_of_their_own_behind_brackets_and_behind_a_space),
        TEST(a_value_keeps_what_follows_its_first_equals_sign),
        TEST(an_indented_line_goes_on_with_the_value_comments_in_it_included),
        TEST(below_a_property_without_value_lie_properties_of_its_own),
        TEST(a_file_may_be_indented_as_a_whole),
        TEST(sections_of_one_name_are_one_and_the_later_property_wins),
        TEST(the_default_profile_with_its_prefix_beats_the_one_without_wherever_it_stands),
        TEST(credentials_come_before_config_property_by_property),
        TEST(names_may_be_quoted_and_hold_what_arns_and_addresses_hold),
        TEST(sections_of_no_known_kind_are_left_out_with_all_that_is_in_them),
        TEST(what_cannot_be_read_is_an_error_with_file_and_line),
        TEST(secret_keys_are_masked_from_the_moment_they_are_read),
        TEST(every_file_cut_anywhere_is_read_or_refused_and_never_more),
        TEST(the_home_folder_stands_for_a_tilde),
        with_folder(the_files_are_those_that_the_environment_names_and_need_not_be_there),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    forget(NULL);
    return failed;
}
