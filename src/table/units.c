#include "table/units.h"

#include "base/text.h"
#include "table/units_db.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <udunits2.h>

#define MAX_UNIT_BYTES 256
#define MAX_DEPTH      12 /* of units defined by units */
#define RESERVE_BYTES  ((size_t)1 << 20)

struct lp_unit {
    cv_converter *converter;
    bool affine; /* x * p / q + b; else the converter's word counts */
    double p, q, b;
};

/* The system grows as units are named. */
static ut_system *units;
static ut_unit **built;  /* per unit of the database */
static bool *has_prefix; /* per prefix: the system knows it */
static bool starved;     /* UDUNITS had no memory for something, so that what it says is not known may well be */

static ut_unit *build(int unit, int depth);

static void note_status(void)
{
    if (ut_get_status() == UT_OS) starved = true;
}

static ut_unit *parse_known(const char *text)
{
    ut_unit *u = ut_parse(units, text, UT_UTF8);
    note_status();
    return u;
}

void lp_unit_forget(void)
{
    for (size_t i = 0; built && i < lp_units_unit_count; i++) ut_free(built[i]);
    free(built);
    free(has_prefix);
    built = NULL;
    has_prefix = NULL;
    if (units) ut_free_system(units);
    units = NULL;
}

/* Short of memory UDUNITS ends the process or loops, so it is asked only when there is more than it will want. */
static bool reserve(void)
{
    void *room = mmap(NULL, RESERVE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (room == MAP_FAILED) return false;
    munmap(room, RESERVE_BYTES);
    return true;
}

static bool begin(void)
{
    if (!reserve()) return false;
    if (units) return true;
    ut_set_error_message_handler(ut_ignore);
    units = ut_new_system();
    built = calloc(lp_units_unit_count, sizeof(ut_unit *));
    has_prefix = calloc(lp_units_prefix_count, sizeof *has_prefix);
    if (units && built && has_prefix) return true;
    lp_unit_forget();
    return false;
}

static const struct lp_units_id *find_id(const char *name, size_t len)
{
    size_t low = 0, high = lp_units_id_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = strncmp(lp_units_ids[middle].name, name, len);
        if (!order && lp_units_ids[middle].name[len]) order = 1;
        if (!order) return &lp_units_ids[middle];
        if (order < 0) low = middle + 1;
        else high = middle;
    }
    return NULL;
}

static void bring_prefix(size_t i)
{
    const struct lp_units_prefix *p = &lp_units_prefixes[i];
    if (has_prefix[i]) return;
    if (p->symbol) ut_add_symbol_prefix(units, p->name, p->value);
    else ut_add_name_prefix(units, p->name, p->value);
    note_status();
    has_prefix[i] = true;
}

/* Brings a word's unit into the system: the word itself, or what is left of it behind its prefixes. */
static void bring_word(const char *word, size_t len, int depth)
{
    const struct lp_units_id *id = find_id(word, len);
    ut_unit *unit = id ? build(id->unit, depth) : NULL;
    if (unit) {
        ut_encoding encoding = lp_utf8_length(id->name, strlen(id->name)) == strlen(id->name) ? UT_ASCII : UT_UTF8;
        if (id->symbol) ut_map_symbol_to_unit(id->name, encoding, unit);
        else ut_map_name_to_unit(id->name, encoding, unit);
        note_status();
        return;
    }
    for (size_t i = 0; i < lp_units_prefix_count; i++) {
        size_t n = strlen(lp_units_prefixes[i].name);
        if (n >= len || memcmp(word, lp_units_prefixes[i].name, n)) continue;
        bring_prefix(i);
        bring_word(word + n, len - n, depth);
    }
}

/* What UDUNITS takes for a letter of a name. */
static bool letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '%' || c == '\'' || c == '"' ||
           (c & 0x80);
}

static void bring_words(const char *text, int depth)
{
    for (const char *at = text; *at;) {
        size_t len = 0;
        while (letter(at[len]) || (len && at[len] >= '0' && at[len] <= '9')) len++;
        size_t name = len;
        while (name && at[name - 1] >= '0' && at[name - 1] <= '9') name--; /* an exponent: m2 */
        if (name) bring_word(at, name, depth);
        /* "·" and "²" are letters to the loop above, but not part of a name. */
        for (size_t i = 0; i < name; i++)
            if (i && (at[i] & 0xC0) == 0xC0) bring_word(at, i, depth);
        for (size_t i = 1; i < name; i++)
            if ((at[i] & 0x80) && !((at[i + 1]) & 0x80)) bring_word(at + i + 1, name - i - 1, depth);
        at += len ? len : 1;
    }
}

static ut_unit *build(int unit, int depth)
{
    const char *definition = lp_units_definitions[unit];
    if (built[unit] || depth > MAX_DEPTH) return built[unit];
    if (!definition) {
        built[unit] = ut_new_base_unit(units);
        note_status();
    } else if (!*definition) {
        built[unit] = ut_new_dimensionless_unit(units);
        note_status();
    } else {
        bring_words(definition, depth + 1);
        built[unit] = parse_known(definition);
    }
    return built[unit];
}

static ut_unit *parse(const char *text)
{
    if (!*text || strlen(text) > MAX_UNIT_BYTES || !begin()) return NULL;
    bring_words(text, 0);
    return parse_known(text);
}

/* The nearest p/q with q up to 1,000; false when none is as near as rounding errors are. */
static bool ratio(double value, double *p, double *q)
{
    double a0 = 1, a1 = floor(fabs(value)), b0 = 0, b1 = 1, rest = fabs(value) - a1;
    while (fabs(a1 / b1 - fabs(value)) > 2e-14 * fabs(value)) {
        if (rest < 1e-12) return false;
        double whole = floor(1 / rest), a2 = whole * a1 + a0, b2 = whole * b1 + b0;
        if (b2 > 1000 || a2 > 1e9) return false;
        rest = 1 / rest - whole;
        a0 = a1, a1 = a2, b0 = b1, b1 = b2;
    }
    *p = value < 0 ? -a1 : a1;
    *q = b1;
    return a1 != 0;
}

static double fifteen_digits(double value)
{
    char text[40];
    snprintf(text, sizeof text, "%.15g", value);
    return strtod(text, NULL);
}

/* UDUNITS multiplies its factors together and carries their rounding along; a ratio of whole numbers does not. */
static void find_affine(struct lp_unit *u)
{
    static const double samples[] = {-1234.5, -40, -0.001, 0, 0.37, 1, 21.3, 99, 1013.25, 1e5};
    double at_zero = cv_convert_double(u->converter, 0), slope = (cv_convert_double(u->converter, 1e6) - at_zero) / 1e6;
    u->b = fabs(at_zero) < 1e-9 ? 0 : fifteen_digits(at_zero);
    if (fabs(u->b - at_zero) > 1e-11 * (1 + fabs(at_zero))) u->b = at_zero;
    if (u->b != 0) { /* 32.00000000000006 is 32: offsets are written with few decimals */
        double rounded = nearbyint(u->b * 1e8) / 1e8;
        if (fabs(rounded - u->b) < 1e-12 * (1 + fabs(rounded))) u->b = rounded;
    }
    if (!ratio(slope, &u->p, &u->q)) {
        u->p = fifteen_digits(slope);
        u->q = 1;
    }
    u->affine = true;
    for (size_t i = 0; i < LP_COUNT(samples); i++) {
        double theirs = cv_convert_double(u->converter, samples[i]), ours = lp_unit_convert(u, samples[i]);
        if (!(fabs(theirs - ours) <= 1e-10 * (fabs(u->b) + fabs(theirs)) + 1e-300)) u->affine = false;
    }
}

static enum lp_code convertible(const char *from, const char *to, struct lp_unit *u, const char **unknown,
                                struct lp_err *err)
{
    starved = !begin();
    ut_unit *a = parse(from), *b = parse(to);
    enum lp_code code = LP_OK;
    *unknown = a && b ? NULL : a ? to : from;
    if (!units || starved) code = lp_nomem(err);
    else if (!a || !b) code = lp_fail(err, LP_CONFIG, "\"%.80s\" is not a unit that UDUNITS-2 knows", *unknown);
    else if (!ut_are_convertible(a, b))
        code = lp_fail(err, LP_CONFIG, "\"%.80s\" does not convert to \"%.80s\"", from, to);
    else if (!(u->converter = ut_get_converter(a, b))) code = lp_nomem(err);
    ut_free(a);
    ut_free(b);
    return code;
}

enum lp_code lp_unit_new(const char *from, const char *to, struct lp_unit **out, const char **unknown,
                         struct lp_err *err)
{
    const char *ignored;
    struct lp_unit *u = calloc(1, sizeof *u);
    *out = NULL;
    if (!u) return lp_nomem(err);
    enum lp_code code = convertible(from, to, u, unknown ? unknown : &ignored, err);
    if (code) {
        free(u);
        return code;
    }
    find_affine(u);
    *out = u;
    return LP_OK;
}

void lp_unit_free(struct lp_unit *u)
{
    if (!u) return;
    cv_free(u->converter);
    free(u);
}

double lp_unit_convert(const struct lp_unit *u, double value)
{
    return u->affine ? value * u->p / u->q + u->b : cv_convert_double(u->converter, value);
}

const char *lp_unit_nearest(const char *word)
{
    const char **names = malloc(lp_units_id_count * sizeof *names);
    size_t count = 0, len = strcspn(word, " /*.^0123456789");
    if (!names) return NULL;
    for (size_t i = 0; i < lp_units_id_count; i++)
        if (!lp_units_ids[i].symbol && strlen(lp_units_ids[i].name) > 2) names[count++] = lp_units_ids[i].name;
    const char *near = lp_text_nearest(word, len, names, count);
    free(names);
    return near;
}

const char *lp_unit_symbol(const char *unit)
{
    static const struct {
        const char *unit, *symbol;
    } symbols[] = {{"celsius", "°C"},
                   {"degC", "°C"},
                   {"degree_celsius", "°C"},
                   {"degree_Celsius", "°C"},
                   {"fahrenheit", "°F"},
                   {"degF", "°F"},
                   {"degree_fahrenheit", "°F"},
                   {"degree_Fahrenheit", "°F"},
                   {"kelvin", "K"},
                   {"percent", "%"},
                   {"hectopascal", "hPa"},
                   {"millimeter", "mm"},
                   {"millimetre", "mm"},
                   {"meter", "m"},
                   {"metre", "m"},
                   {"degree", "°"}};
    for (size_t i = 0; i < LP_COUNT(symbols); i++)
        if (!strcmp(unit, symbols[i].unit)) return symbols[i].symbol;
    return unit;
}
