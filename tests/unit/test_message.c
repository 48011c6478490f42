/* A notice in words: subject, text, HTML, JSON; and the mail made of them. */
#include "test.h"

#include "base/json.h"
#include "base/secret.h"
#include "base/text.h"
#include "notify/mime.h"

static struct lp_err err;

static struct lp_notice a_notice(enum lp_notify_event event)
{
    return (struct lp_notice){.event = event,
                              .pipeline = "weather",
                              .status = event == LP_ON_FAILURE ? "failed" : "ok",
                              .run_id = "20261122T180000Z-1",
                              .slot_us = INT64_C(1795370400000000),
                              .duration_ms = 1200,
                              .requests = {.total = 5, .ok = 5, .retried = 1},
                              .rows = {.read = 5, .written = 5},
                              .again = "lambda-pipeline run weather.yaml --slot 2026-11-22T18:00:00Z",
                              .worked_us = INT64_MIN,
                              .next_us = INT64_MIN};
}

static struct lp_notice a_failure(const char *error)
{
    struct lp_notice n = a_notice(LP_ON_FAILURE);
    n.rows.written = 0;
    n.code = LP_AUTH;
    n.error = error;
    return n;
}

static struct lp_message message_of(const struct lp_notice *n)
{
    struct lp_message m;
    assert_ok(lp_message_make(n, &m, &err));
    return m;
}

static void assert_subject(const struct lp_notice *n, const char *wanted)
{
    struct lp_message m = message_of(n);
    assert_string_equal(lp_buf_text(&m.subject), wanted);
    lp_message_release(&m);
}

static void assert_has(const struct lp_buf *text, const char *piece)
{
    if (!strstr(lp_buf_text(text), piece)) fail_msg("\"%s\" is not in:\n%s", piece, lp_buf_text(text));
}

static void the_mail_of_a_success_reads_as_it_should(void **state)
{
    struct lp_notice n = a_notice(LP_ON_SUCCESS);
    n.files[0] = (struct lp_notice_file){"s3://bucket/weather/dt=2026-11-22/20261122T180000Z.parquet", 5, 4000};
    n.file_count = n.file_total = 1;
    n.next_us = n.slot_us + INT64_C(86400000000);
    struct lp_message m = message_of(&n);
    assert_string_equal(lp_buf_text(&m.subject), "weather: 5 records written (2026-11-22 18:00 UTC)");
    assert_string_equal(lp_buf_text(&m.id), "weather.20261122T180000Z.success");
    assert_string_equal(lp_buf_text(&m.text),
                        "weather ran for 2026-11-22 18:00 UTC and wrote 5 records.\n\n"
                        "  took        1.2 s, 1 retry\n"
                        "  records     5 written, 0 quarantined, 0 requests failed\n"
                        "  written to  s3://bucket/weather/dt=2026-11-22/20261122T180000Z.parquet\n"
                        "  next run    2026-11-23 18:00 UTC\n");
    lp_message_release(&m);
}

static void a_failure_says_so_first_then_what_to_do_and_how_it_was_before(void **state)
{
    struct lp_notice n = a_failure("401 \"Invalid API key\" from api.example.com");
    n.history_known = true;
    n.failed_in_row = 3;
    n.worked_us = n.slot_us - 3 * INT64_C(86400000000);
    struct lp_message m = message_of(&n);
    assert_string_equal(lp_buf_text(&m.subject),
                        "weather FAILED: 401 \"Invalid API key\" from api.example.com (2026-11-22 18:00 UTC)");
    assert_string_equal(lp_buf_text(&m.text),
                        "weather FAILED for 2026-11-22 18:00 UTC: 401 \"Invalid API key\" from api.example.com\n\n"
                        "  what to do  check the key or the permission that it names, then run the slot again\n"
                        "              lambda-pipeline run weather.yaml --slot 2026-11-22T18:00:00Z\n"
                        "  failed      3 times in a row\n"
                        "  worked      last for 2026-11-19 18:00 UTC\n"
                        "  took        1.2 s, 1 retry\n"
                        "  records     0 written, 0 quarantined, 0 requests failed\n");
    lp_message_release(&m);
}

static void other_subjects_say_what_came_of_it(void **state)
{
    struct lp_notice n = a_notice(LP_ON_RECOVERY);
    n.rows.written = 1;
    assert_subject(&n, "weather works again: 1 record written (2026-11-22 18:00 UTC)");
    n = a_notice(LP_ON_PARTIAL);
    n.requests.failed = 2;
    n.rows.written = 12403;
    assert_subject(&n, "weather: 12,403 records written, 2 requests failed (2026-11-22 18:00 UTC)");
    n.shards = 16;
    n.shards_failed = 3;
    assert_subject(&n, "weather: 12,403 records written, 3 of 16 shards failed (2026-11-22 18:00 UTC)");
    n = a_notice(LP_ON_SUCCESS);
    n.rows.quarantined = 7;
    n.slot_us += 5000000;
    assert_subject(&n, "weather: 5 records written, 7 quarantined (2026-11-22 18:00:05 UTC)");
    n = a_failure(NULL);
    assert_subject(&n, "weather FAILED: it did not end well (2026-11-22 18:00 UTC)");
}

/* Errors of every length, of ASCII, of letters of two, three and four bytes, of marks without width, of broken bytes. */
static void every_subject_has_fewer_than_100_characters_on_one_line(void **state)
{
    static const char *const pieces[] = {"x", "ü", "日", "🌧", "e\xCC\x81", "\xFF", "\r\n", "…"};
    char name[130];
    memset(name, 'p', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    for (size_t p = 0; p < LP_COUNT(pieces); p++)
        for (size_t count = 0; count < 130; count++)
            for (int long_name = 0; long_name < 2; long_name++) {
                LP_AUTO(lp_buf) error = {0}, ascii = {0};
                for (size_t i = 0; i < count; i++) lp_buf_puts(&error, pieces[p]);
                struct lp_notice n = a_failure(lp_buf_text(&error));
                if (long_name) n.pipeline = name;
                struct lp_message m = message_of(&n);
                const char *s = lp_buf_text(&m.subject);
                assert_int_equal(lp_utf8_check(s, m.subject.len), m.subject.len);
                assert_true(lp_utf8_length(s, m.subject.len) < 100);
                assert_null(strpbrk(s, "\r\n"));
                assert_int_equal(s[m.subject.len - 1], ')');
                assert_non_null(strstr(s, " FAILED: "));
                lp_message_put_ascii(s, 99, &ascii);
                assert_true(ascii.len < 100);
                for (size_t i = 0; i < ascii.len; i++) assert_in_range(ascii.data[i], 0x20, 0x7E);
                lp_message_release(&m);
            }
}

static void ascii_has_the_nearest_character(void **state)
{
    LP_AUTO(lp_buf) out = {0};
    lp_message_put_ascii("a…b•••c\nd–ü“x”", 99, &out);
    assert_string_equal(lp_buf_text(&out), "a...b***c d-?\"x\"");
    lp_buf_clear(&out);
    lp_message_put_ascii("abc…", 5, &out);
    assert_string_equal(lp_buf_text(&out), "abc");
}

static void secrets_and_control_characters_are_in_none_of_the_forms(void **state)
{
    assert_ok(lp_secret_add("hidden-key-0815", 15, &err));
    struct lp_notice n = a_failure("GET /?k=hidden-key-0815\x1b[31m: no");
    n.failures[0] = (struct lp_notice_failure){"Dallas hidden-key-0815", "hidden-key-0815\a"};
    n.failure_count = 1;
    n.reasons[0] = (struct lp_notice_reason){"city: isin(hidden-key-0815)", 2};
    n.reason_count = n.reason_total = 1;
    n.rows.quarantined = 2;
    n.record_url = "./lake/hidden-key-0815";
    struct lp_message m = message_of(&n);
    const struct lp_buf *forms[] = {&m.subject, &m.text, &m.html, &m.json};
    for (size_t i = 0; i < LP_COUNT(forms); i++) {
        assert_null(strstr(lp_buf_text(forms[i]), "hidden-key-0815"));
        assert_null(strpbrk(lp_buf_text(forms[i]), "\x1b\a"));
        assert_has(forms[i], "•••");
    }
    lp_message_release(&m);
    lp_secret_forget();
}

static void lists_are_cut_and_say_how_much_more_there_is(void **state)
{
    struct lp_notice n = a_notice(LP_ON_PARTIAL);
    for (size_t i = 0; i < LP_NOTICE_FAILURES; i++) n.failures[i] = (struct lp_notice_failure){"Dallas", "500"};
    for (size_t i = 0; i < LP_NOTICE_FILES; i++) n.files[i] = (struct lp_notice_file){"./lake/x.csv", 1, 1};
    for (size_t i = 0; i < LP_NOTICE_REASONS; i++) n.reasons[i] = (struct lp_notice_reason){"a: isin(1)", 1};
    n.failure_count = LP_NOTICE_FAILURES;
    n.file_count = LP_NOTICE_FILES;
    n.reason_count = LP_NOTICE_REASONS;
    n.requests.failed = LP_NOTICE_FAILURES + 2490;
    n.file_total = LP_NOTICE_FILES + 1;
    n.reason_total = LP_NOTICE_REASONS + 2;
    n.rows.quarantined = 7;
    struct lp_message m = message_of(&n);
    assert_has(&m.text, "\n  and 2,490 more\n");
    assert_has(&m.text, "\n              and 1 more file\n");
    assert_has(&m.text, "\n  and 2 more reasons\n");
    lp_message_release(&m);
}

static void html_escapes_what_others_wrote(void **state)
{
    struct lp_notice n = a_failure("<script>&\"x\"</script>");
    struct lp_message m = message_of(&n);
    assert_has(&m.html, "&lt;script&gt;&amp;&quot;x&quot;&lt;/script&gt;");
    assert_null(strstr(lp_buf_text(&m.html), "<script>"));
    assert_has(&m.html, "took</td><td>1.2 s, 1 retry</td></tr>");
    assert_has(&m.html, "</table>\n</body></html>\n");
    lp_message_release(&m);
}

static void chats_get_a_text_of_bounded_length_that_calls_nobody(void **state)
{
    static char error[1000];
    memset(error, 'x', sizeof error - 1);
    memcpy(error, "<!channel> <@U123>", 18);
    struct lp_notice n = a_failure(error);
    for (size_t i = 0; i < LP_NOTICE_FAILURES; i++) n.failures[i] = (struct lp_notice_failure){"Dallas", error};
    n.failure_count = LP_NOTICE_FAILURES;
    struct lp_message m = message_of(&n);
    LP_AUTO(lp_arena) arena = {0};
    json_t *root;
    assert_ok(lp_json_parse(&arena, lp_buf_text(&m.json), m.json.len, &root, &err));
    const char *text = json_string_value(json_object_get(root, "text"));
    assert_string_equal(text, json_string_value(json_object_get(root, "content")));
    assert_true(lp_utf8_length(text, strlen(text)) <= LP_CHAT_CHARACTERS);
    assert_null(strstr(text, "<!"));
    assert_null(strstr(text, "<@"));
    assert_string_equal(text + strlen(text) - strlen("…"), "…");
    assert_string_equal(json_string_value(json_object_get(root, "error")), error);
    assert_int_equal(json_integer_value(json_object_get(root, "duration_ms")), 1200);
    lp_message_release(&m);
}

/* ---- mail ---- */

static void assert_words(const char *text, size_t used, const char *wanted)
{
    LP_AUTO(lp_buf) out = {0};
    lp_mime_put_words(text, strlen(text), used, &out);
    assert_string_equal(lp_buf_text(&out), wanted);
}

static void headers_are_plain_or_encoded_words(void **state)
{
    assert_words("weather: 5 records", 9, "weather: 5 records");
    assert_words("Zürich", 9, "=?utf-8?Q?Z=C3=BCrich?=");
    assert_words("a b=c?_", 9, "a b=c?_");
    assert_words("a =? b", 9, "=?utf-8?Q?a_=3D=3F_b?=");
    assert_words("a\r\nBcc: x", 9, "=?utf-8?Q?a=0D=0ABcc=3A_x?=");
}

static void encoded_words_fold_between_characters(void **state)
{
    for (size_t used = 0; used < 30; used++) {
        LP_AUTO(lp_buf) text = {0}, out = {0};
        for (int i = 0; i < 30; i++) lp_buf_puts(&text, i % 3 ? "日" : "x");
        lp_mime_put_words(lp_buf_text(&text), text.len, used, &out);
        size_t column = used, words = 1;
        for (const char *at = lp_buf_text(&out); *at; at++) {
            column = *at == '\n' ? 0 : column + 1;
            assert_true(column <= 77); /* with its CR */
            if (!strncmp(at, "?=\r\n =?utf-8?Q?", 15)) words++;
            if (*at == '=' && !strncmp(at, "=97", 3)) assert_true(!strncmp(at - 3, "=E6", 3)); /* 日 is E6 97 A5 */
        }
        assert_true(words >= 3);
    }
}

static void quoted_printable_lines_are_short_and_ascii(void **state)
{
    LP_AUTO(lp_buf) out = {0};
    lp_mime_put_quoted("a=b \n.\nü", 9, &out);
    assert_string_equal(lp_buf_text(&out), "a=3Db=20\r\n.\r\n=C3=BC");
    lp_buf_clear(&out);
    char text[500];
    memset(text, 'x', sizeof text);
    lp_mime_put_quoted(text, sizeof text, &out);
    for (const char *at = lp_buf_text(&out); *at;) {
        size_t len = strcspn(at, "\r");
        assert_true(len <= 76);
        at += len + (at[len] ? 2 : 0);
    }
}

static void a_mail_has_its_headers_and_both_forms(void **state)
{
    const struct lp_address a = {
        .kind = LP_TO_MAIL, .mail = {{"a@example.org", "b@example.org"}, 2}, .from = "Weather <weather@example.org>"};
    struct lp_notice n = a_notice(LP_ON_SUCCESS);
    struct lp_message m = message_of(&n);
    LP_AUTO(lp_buf) mail = {0};
    lp_mime_put_mail(&a, &m, n.slot_us, &mail);
    assert_has(&mail, "From: \"Weather\"\r\n <weather@example.org>\r\nTo: a@example.org,\r\n b@example.org\r\n"
                      "Subject: weather: 5 records written (2026-11-22 18:00 UTC)\r\n"
                      "Date: Sun, 22 Nov 2026 18:00:00 +0000\r\n"
                      "Message-ID: <weather.20261122T180000Z.success.lambda-pipeline@example.org>\r\n");
    assert_has(&mail, "Content-Type: text/plain; charset=utf-8\r\n");
    assert_has(&mail, "Content-Type: text/html; charset=utf-8\r\n");
    static const char end[] = "\r\n--=_lambda-pipeline--\r\n";
    assert_string_equal(lp_buf_text(&mail) + mail.len - (sizeof end - 1), end);
    for (size_t i = 0; i < mail.len; i++)
        if (mail.data[i] == '\n') assert_int_equal(mail.data[i - 1], '\r');
    lp_message_release(&m);
}

/* ---- addresses ---- */

static void addresses_are_shown_without_what_is_not_for_everybody(void **state)
{
    const struct lp_address all[] = {
        {.kind = LP_TO_STDERR},
        {.kind = LP_TO_TOPIC, .text = "arn:aws:sns:us-west-2:123456789012:weather"},
        {.kind = LP_TO_WEBHOOK, .text = "https://hooks.example.com:8443/services/T0/B0/x?y=z"},
        {.kind = LP_TO_WEBHOOK, .text = "https://hooks.example.com"},
        {.kind = LP_TO_WEBHOOK, .secret = "env:SLACK_URL"},
        {.kind = LP_TO_MAIL, .mail = {{"ops@example.org", "b@x.org"}, 2}}};
    static const char *const shown[] = {"stderr",
                                        "arn:aws:sns:us-west-2:…:weather",
                                        "https://hooks.example.com:8443/•••",
                                        "https://hooks.example.com",
                                        "webhook env:SLACK_URL",
                                        "ops@example.org, b@x.org"};
    LP_AUTO(lp_buf) out = {0};
    for (size_t i = 0; i < LP_COUNT(all); i++) {
        lp_buf_clear(&out);
        lp_address_put_shown(&all[i], false, &out);
        assert_string_equal(lp_buf_text(&out), shown[i]);
    }
    lp_buf_clear(&out);
    lp_address_put_shown(&all[5], true, &out);
    assert_string_equal(lp_buf_text(&out), "o…@example.org, b…@x.org");
    lp_buf_clear(&out);
    lp_address_put_private(&all[5], "550 <OPS@example.org> of b@x.org", &out);
    assert_string_equal(lp_buf_text(&out), "550 <o…@example.org> of b…@x.org");
}

static void mail_addresses_are_told_from_what_is_none(void **state)
{
    static const char *const good[] = {"a@b", "ops+weather@example.org", "o'brien@x.org", "a.b@xn--zrich-kva.example"};
    static const char *const bad[] = {
        "",      "a",      "@b",   "a@",   "a b@c",         "a@b c",       "a@b@c", "<a@b>",     "a@b\r\nX: y",
        "a,b@c", "a@b..c", "a@.b", "a@-b", "ü@example.org", "a@[1.2.3.4]", "a\t@b", "\"a b\"@c", "a@b/c"};
    for (size_t i = 0; i < LP_COUNT(good); i++) assert_null(lp_mailbox_objection(good[i]));
    for (size_t i = 0; i < LP_COUNT(bad); i++)
        if (!lp_mailbox_objection(bad[i])) fail_msg("\"%s\" passes", bad[i]);
    assert_null(lp_sender_objection("Wetter für alle <weather@example.org>"));
    assert_null(lp_sender_objection("\"The weather\" <weather@example.org>"));
    assert_non_null(lp_sender_objection("a\r\nBcc: b@c <weather@example.org>"));
    assert_non_null(lp_sender_objection("Weather <weather>"));
}

static void servers_and_topics_are_told_from_what_is_none(void **state)
{
    static const char *const good[] = {"smtp://localhost", "smtps://mail.example.com:465", "smtp://[::1]:25",
                                       "smtps://mail.example.com/"};
    static const char *const bad[] = {"mail.example.com",        "smtp://",           "smtp://:25",
                                      "smtps://me:w@x.org",      "smtps://x.org:0",   "smtps://x.org:65536",
                                      "smtps://x.org:25x",       "smtps://x.org/abc", "https://x.org",
                                      "smtps://x.org\r\nMAIL:1", "smtps://x org"};
    const char *remedy;
    for (size_t i = 0; i < LP_COUNT(good); i++)
        if (lp_server_objection(good[i], &remedy)) fail_msg("\"%s\" does not pass", good[i]);
    for (size_t i = 0; i < LP_COUNT(bad); i++)
        if (!lp_server_objection(bad[i], &remedy)) fail_msg("\"%s\" passes", bad[i]);
    assert_null(lp_topic_objection("arn:aws:sns:us-west-2:123456789012:weather"));
    assert_null(lp_topic_objection("arn:aws-cn:sns:cn-north-1:123456789012:weather_1-2.fifo"));
    assert_non_null(lp_topic_objection("arn:aws:sns:us-west-2:123456789012:"));
    assert_non_null(lp_topic_objection("arn:aws:sns:us-west-2:123456789012:a.b"));
    assert_non_null(lp_topic_objection("arn:aws:sns:us-west-2:123456789012:t:subscription"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_mail_of_a_success_reads_as_it_should),
        cmocka_unit_test(a_failure_says_so_first_then_what_to_do_and_how_it_was_before),
        cmocka_unit_test(other_subjects_say_what_came_of_it),
        cmocka_unit_test(every_subject_has_fewer_than_100_characters_on_one_line),
        cmocka_unit_test(ascii_has_the_nearest_character),
        cmocka_unit_test(secrets_and_control_characters_are_in_none_of_the_forms),
        cmocka_unit_test(lists_are_cut_and_say_how_much_more_there_is),
        cmocka_unit_test(html_escapes_what_others_wrote),
        cmocka_unit_test(chats_get_a_text_of_bounded_length_that_calls_nobody),
        cmocka_unit_test(headers_are_plain_or_encoded_words),
        cmocka_unit_test(encoded_words_fold_between_characters),
        cmocka_unit_test(quoted_printable_lines_are_short_and_ascii),
        cmocka_unit_test(a_mail_has_its_headers_and_both_forms),
        cmocka_unit_test(addresses_are_shown_without_what_is_not_for_everybody),
        cmocka_unit_test(mail_addresses_are_told_from_what_is_none),
        cmocka_unit_test(servers_and_topics_are_told_from_what_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
