/* Units: what UDUNITS-2 says, without its XML; celsius to fahrenheit as a person would write it. */
#include "table/units.h"
#include "table/units_db.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <udunits2.h>

static double converted(const char *from, const char *to, double value)
{
    struct lp_unit *u;
    struct lp_err err;
    if (lp_unit_new(from, to, &u, NULL, &err)) fail_msg("%s -> %s: %s", from, to, err.text);
    double result = lp_unit_convert(u, value);
    lp_unit_free(u);
    return result;
}

static bool known(const char *text)
{
    struct lp_unit *u;
    struct lp_err err;
    if (lp_unit_new(text, text, &u, NULL, &err)) return false;
    lp_unit_free(u);
    return true;
}

static void celsius_to_fahrenheit_is_nine_fifths_and_thirty_two(void **state)
{
    (void)state;
    struct lp_unit *u;
    struct lp_err err;
    assert_int_equal(lp_unit_new("celsius", "fahrenheit", &u, NULL, &err), LP_OK);
    for (int i = -9000; i < 9000; i++) {
        double c = i / 100.0, f = lp_unit_convert(u, c), wanted = c * 9 / 5 + 32;
        assert_memory_equal(&f, &wanted, sizeof f);
    }
    lp_unit_free(u);
}

static void common_conversions_are_what_people_expect(void **state)
{
    (void)state;
    assert_true(converted("kelvin", "celsius", 300) == 300 - 273.15);
    assert_true(converted("m/s", "km/h", 10) == 36);
    assert_true(converted("m s-1", "km h-1", 2.5) == 9);
    assert_true(converted("hPa", "Pa", 1013.25) == 101325);
    assert_true(converted("percent", "1", 50) == 0.5);
    assert_true(fabs(converted("inch", "mm", 1) - 25.4) < 1e-12);
    assert_true(fabs(converted("mile/hour", "m/s", 1) - 0.44704) < 1e-15);
    assert_true(fabs(converted("°C", "°F", 100) - 212) < 1e-12);
    assert_true(fabs(converted("µm", "m", 1) - 1e-6) < 1e-20);
    assert_true(fabs(converted("m2", "km^2", 1e6) - 1) < 1e-12);
    assert_true(fabs(converted("knots", "m/s", 1) - 1852.0 / 3600) < 1e-12);
    assert_true(fabs(converted("lg(re 1 mW)", "W", 0) - 0.001) < 1e-12);
}

static void unknown_and_unlike_units_are_told_apart(void **state)
{
    (void)state;
    struct lp_unit *u;
    const char *unknown;
    struct lp_err err;
    assert_int_equal(lp_unit_new("celcius", "kelvin", &u, &unknown, &err), LP_CONFIG);
    assert_string_equal(unknown, "celcius");
    assert_string_equal(err.text, "\"celcius\" is not a unit that UDUNITS-2 knows");
    assert_int_equal(lp_unit_new("celsius", "hPa", &u, &unknown, &err), LP_CONFIG);
    assert_null(unknown);
    assert_string_equal(err.text, "\"celsius\" does not convert to \"hPa\"");
    assert_string_equal(lp_unit_nearest("celcius"), "celsius");
    assert_string_equal(lp_unit_nearest("farenheit"), "fahrenheit");
    assert_false(known(""));
    assert_false(known("m/"));
    assert_true(known("m"));
}

/* Every name of the database, against the system that UDUNITS itself reads from its XML. */
static void every_unit_of_the_database_is_udunits_own(void **state)
{
    (void)state;
    ut_set_error_message_handler(ut_ignore);
    ut_system *reference = ut_read_xml(NULL);
    assert_non_null(reference);
    size_t compared = 0;
    for (size_t i = 0; i < lp_units_id_count; i++) {
        const char *name = lp_units_ids[i].name;
        ut_unit *theirs = ut_parse(reference, name, UT_UTF8);
        if (!theirs) {
            assert_false(known(name));
            continue;
        }
        char base[512];
        assert_true(ut_format(theirs, base, sizeof base, UT_ASCII | UT_DEFINITION) > 0);
        ut_unit *definition = ut_parse(reference, base, UT_ASCII);
        /* To what it is made of: the definition without its factor is found by asking for SI base units. */
        static const char *const si[] = {"m",        "kg",  "s",     "A",   "K",     "mol",     "cd",      "rad",
                                         "1",        "m2",  "m3",    "m/s", "m/s2",  "kg m/s2", "kg/m/s2", "kg m2/s2",
                                         "kg m2/s3", "1/s", "kg/m3", "A s", "m2/s2", "lm"};
        for (size_t k = 0; k < LP_COUNT(si); k++) {
            ut_unit *to = ut_parse(reference, si[k], UT_ASCII);
            if (ut_are_convertible(theirs, to)) {
                cv_converter *cv = ut_get_converter(theirs, to);
                double wanted = cv_convert_double(cv, 12.5), ours = converted(name, si[k], 12.5);
                if (!(fabs(wanted - ours) <= 1e-12 * fabs(wanted) + 1e-9 * (fabs(wanted) < 1000 && fabs(wanted) > 100)))
                    fail_msg("%s -> %s: %.17g, UDUNITS says %.17g", name, si[k], ours, wanted);
                cv_free(cv);
                compared++;
            }
            ut_free(to);
        }
        ut_free(definition);
        ut_free(theirs);
    }
    ut_free_system(reference);
    print_message("%zu conversions compared\n", compared);
    assert_true(compared > 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(celsius_to_fahrenheit_is_nine_fifths_and_thirty_two),
        cmocka_unit_test(common_conversions_are_what_people_expect),
        cmocka_unit_test(unknown_and_unlike_units_are_told_apart),
        cmocka_unit_test(every_unit_of_the_database_is_udunits_own),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    lp_unit_forget();
    return failed;
}
