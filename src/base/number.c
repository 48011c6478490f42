#include "base/number.h"

#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double powers[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};

static const double small_powers[] = {1e-4, 1e-3, 1e-2, 1e-1, 1e0,  1e1,  1e2,  1e3,  1e4,  1e5,
                                      1e6,  1e7,  1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
static const uint64_t whole_powers[] = {1u,
                                        10u,
                                        100u,
                                        1000u,
                                        10000u,
                                        100000u,
                                        1000000u,
                                        10000000u,
                                        100000000u,
                                        1000000000u,
                                        10000000000u,
                                        100000000000u,
                                        1000000000000u,
                                        10000000000000u,
                                        100000000000000u,
                                        1000000000000000u,
                                        10000000000000000u,
                                        100000000000000000u,
                                        1000000000000000000u,
                                        10000000000000000000u};

static const char pairs[] =
    "00010203040506070809101112131415161718192021222324252627282930313233343536373839404142434445464748495051525354"
    "555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899";

static size_t put_digits(uint64_t value, char *out)
{
    char text[20];
    size_t at = sizeof text;
    for (; value >= 100; value /= 100) memcpy(text + (at -= 2), pairs + value % 100 * 2, 2);
    if (value >= 10) memcpy(text + (at -= 2), pairs + value * 2, 2);
    else text[--at] = (char)('0' + value);
    memcpy(out, text + at, sizeof text - at);
    return sizeof text - at;
}

size_t lp_double_format_short(double value, char out[LP_NUMBER_TEXT_BYTES])
{
    double size = fabs(value);
    if (!(size < 1e9) || (size < 0.01 && size > 0)) return lp_double_format(value, out);
    return (size_t)snprintf(out, LP_NUMBER_TEXT_BYTES, "%.2f", value);
}

size_t lp_int64_format(int64_t value, char out[LP_NUMBER_TEXT_BYTES])
{
    size_t len = 0;
    if (value < 0) out[len++] = '-';
    len += put_digits(value < 0 ? 0 - (uint64_t)value : (uint64_t)value, out + len);
    out[len] = '\0';
    return len;
}

/* A number of few decimals: m / 10^k with m below 2^53 is divided without a second rounding, so when the quotient is the
 * value, m and k are its shortest form. */
static size_t format_short(double value, char *out)
{
    double magnitude = fabs(value);
    if (!(magnitude < 1e15) || (magnitude < 1e-4 && magnitude != 0)) return 0;
    for (size_t k = 0; k < 16; k++) {
        double scaled = nearbyint(magnitude * powers[k]);
        if (scaled > 999999999999999.0) return 0;
        if (scaled / powers[k] != magnitude) continue;
        size_t len = 0;
        if (signbit(value)) out[len++] = '-';
        uint64_t m = (uint64_t)scaled, unit = (uint64_t)powers[k];
        len += put_digits(m / unit, out + len);
        out[len++] = '.';
        if (!k) out[len++] = '0';
        char digits[20];
        size_t n = k ? put_digits(m % unit, digits) : 0;
        for (size_t i = n; i < k; i++) out[len++] = '0';
        memcpy(out + len, digits, n);
        len += n;
        out[len] = '\0';
        return len;
    }
    return 0;
}

/* n digits with the point behind the digit of 10^exponent. */
static size_t put_positional(const char *digits, size_t n, int exponent, char *out)
{
    size_t len = 0;
    while (n > 1 && digits[n - 1] == '0') n--;
    size_t whole = exponent < 0 ? 0 : (size_t)exponent + 1;
    if (!whole) {
        out[len++] = '0';
        out[len++] = '.';
        for (int i = -1; i > exponent; i--) out[len++] = '0';
    }
    for (size_t i = 0; i < n || i < whole; i++) {
        if (i == whole && whole) out[len++] = '.';
        out[len++] = i < n ? digits[i] : '0';
    }
    if (n <= whole) {
        out[len++] = '.';
        out[len++] = '0';
    }
    out[len] = '\0';
    return len;
}

/* 10^n for n from 0 to 21. */
static unsigned __int128 ten_to(int n)
{
    return n <= 19 ? (unsigned __int128)whole_powers[n] : (unsigned __int128)whole_powers[19] * whole_powers[n - 19];
}

/* From the digits and exponent that %e gives, as Python would write it. */
static size_t format_digits(const char *text, char *out)
{
    const char *e = strchr(text, 'e');
    int exponent = atoi(e + 1);
    char digits[24];
    size_t n = 0, len = 0;
    if (*text == '-') out[len++] = *text++;
    for (; text < e; text++)
        if (*text != '.') digits[n++] = *text;
    while (n > 1 && digits[n - 1] == '0') n--;
    if (exponent < -4 || exponent >= 16) {
        out[len++] = digits[0];
        if (n > 1) out[len++] = '.';
        memcpy(out + len, digits + 1, n - 1);
        len += n - 1;
        return len + (size_t)snprintf(out + len, LP_NUMBER_TEXT_BYTES - len, "e%c%02d", exponent < 0 ? '-' : '+',
                                      abs(exponent));
    }
    return len + put_positional(digits, n, exponent, out + len);
}

/* magnitude = mantissa / 2^shift exactly; its first `digits` digits, correctly rounded, as a whole number of that many. The
 * product of mantissa and power stays below 2^120. */
static uint64_t first_digits(uint64_t mantissa, int shift, int exponent, int digits)
{
    unsigned __int128 product = (unsigned __int128)mantissa * ten_to(digits - 1 - exponent),
                      half = (unsigned __int128)1 << (shift - 1);
    uint64_t whole = (uint64_t)(product >> shift);
    unsigned __int128 rest = product - ((unsigned __int128)whole << shift);
    return whole + (rest > half || (rest == half && whole % 2));
}

/* Do these digits lie within half a unit of the mantissa's last place? */
static bool reads_back(uint64_t digits, uint64_t mantissa, int shift, int exponent, int count)
{
    unsigned __int128 power = ten_to(count - 1 - exponent), theirs = (unsigned __int128)digits << shift,
                      ours = (unsigned __int128)mantissa * power;
    unsigned __int128 apart = theirs > ours ? theirs - ours : ours - theirs;
    return apart * 2 < power || (apart * 2 == power && mantissa % 2 == 0);
}

/* 16 or 17 digits, for numbers of everyday size, in whole numbers alone. */
static size_t format_long(double value, char *out)
{
    double magnitude = fabs(value);
    if (!(magnitude < 1e15) || magnitude < 1e-4) return 0;
    int binary, exponent = -4;
    uint64_t mantissa = (uint64_t)ldexp(frexp(magnitude, &binary), 53);
    int shift = 53 - binary;
    if (mantissa == (uint64_t)1 << 52) return 0; /* its neighbour below is nearer than the one above */
    while (exponent < 14 && magnitude >= small_powers[exponent + 5]) exponent++;
    int count = 16;
    uint64_t digits = first_digits(mantissa, shift, exponent, count);
    if (!reads_back(digits, mantissa, shift, exponent, count))
        digits = first_digits(mantissa, shift, exponent, count = 17);
    char text[32];
    size_t len = 0, n = put_digits(digits, text + 1);
    if (n != (size_t)count) return 0; /* rounded up to one more digit */
    if (signbit(value)) out[len++] = '-';
    return len + put_positional(text + 1, n, exponent, out + len);
}

size_t lp_double_format(double value, char out[LP_NUMBER_TEXT_BYTES])
{
    if (!isfinite(value))
        return (size_t)snprintf(out, LP_NUMBER_TEXT_BYTES, "%s", isnan(value) ? "nan" : value < 0 ? "-inf" : "inf");
    size_t len = format_short(value, out);
    if (!len) len = format_long(value, out);
    if (len) return len;
    char text[40];
    for (int precision = fabs(value) < DBL_MIN ? 0 : 14; precision <= 16; precision++) {
        snprintf(text, sizeof text, "%.*e", precision, value);
        if (precision == 16 || strtod(text, NULL) == value) break;
    }
    return format_digits(text, out);
}

size_t lp_count_format(uint64_t value, char out[LP_NUMBER_TEXT_BYTES])
{
    char digits[24];
    size_t n = put_digits(value, digits), len = 0;
    for (size_t i = 0; i < n; i++) {
        if (i && (n - i) % 3 == 0) out[len++] = ',';
        out[len++] = digits[i];
    }
    out[len] = '\0';
    return len;
}

size_t lp_bytes_format(uint64_t bytes, char out[LP_NUMBER_TEXT_BYTES])
{
    static const char *const units[] = {"kB", "MB", "GB", "TB"};
    if (bytes < 1000) return (size_t)snprintf(out, LP_NUMBER_TEXT_BYTES, "%u B", (unsigned)bytes);
    double value = (double)bytes / 1000;
    size_t unit = 0;
    for (; value >= 999.95 && unit < 3; unit++) value /= 1000;
    return (size_t)snprintf(out, LP_NUMBER_TEXT_BYTES, "%.1f %s", value, units[unit]);
}

/* The parts of a JSON number; false when the text is none. */
struct parts {
    const char *whole, *fraction;
    size_t whole_len, fraction_len;
    long exponent;
    bool negative;
};

static bool split(const char *text, size_t len, struct parts *p)
{
    const char *at = text, *end = text + len;
    while (at < end && *at == ' ') at++;
    while (end > at && end[-1] == ' ') end--;
    *p = (struct parts){.negative = at < end && *at == '-'};
    at += p->negative;
    for (p->whole = at; at < end && *at >= '0' && *at <= '9'; at++) p->whole_len++;
    if (!p->whole_len || (*p->whole == '0' && p->whole_len > 1)) return false;
    if (at < end && *at == '.') {
        for (p->fraction = ++at; at < end && *at >= '0' && *at <= '9'; at++) p->fraction_len++;
        if (!p->fraction_len) return false;
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        bool minus = ++at < end && *at == '-';
        if (at < end && (*at == '-' || *at == '+')) at++;
        const char *digits = at;
        for (; at < end && *at >= '0' && *at <= '9'; at++)
            if (p->exponent < 100000) p->exponent = p->exponent * 10 + (*at - '0');
        if (at == digits) return false;
        if (minus) p->exponent = -p->exponent;
    }
    return at == end;
}

bool lp_double_parse(const char *text, size_t len, double *value)
{
    struct parts p;
    char small[64], *copy = small;
    if (len > 100000 || !split(text, len, &p)) return false;
    if (len >= sizeof small && !(copy = malloc(len + 1))) return false;
    memcpy(copy, text, len);
    copy[len] = '\0';
    *value = strtod(copy, NULL);
    if (copy != small) free(copy);
    return isfinite(*value);
}

static char digit_at(const struct parts *p, size_t i)
{
    if (i < p->whole_len) return p->whole[i];
    return i - p->whole_len < p->fraction_len ? p->fraction[i - p->whole_len] : '0';
}

/* Decided digit by digit, so that nothing passes through a double. */
bool lp_int64_parse(const char *text, size_t len, int64_t *value)
{
    struct parts p;
    uint64_t magnitude = 0;
    if (!split(text, len, &p)) return false;
    size_t all = p.whole_len + p.fraction_len;
    long point = (long)p.whole_len + p.exponent; /* digits before the point */
    bool zero = true;
    for (size_t i = 0; i < all; i++) zero &= digit_at(&p, i) == '0';
    if (zero) {
        *value = 0;
        return true;
    }
    for (size_t i = point < 0 ? 0 : (size_t)point; i < all; i++)
        if (digit_at(&p, i) != '0') return false;
    for (long i = 0; i < point; i++) {
        if (magnitude > UINT64_MAX / 10) return false;
        uint64_t next = magnitude * 10 + (uint64_t)(digit_at(&p, (size_t)i) - '0');
        if (next < magnitude * 10 || next > (uint64_t)INT64_MAX + 1) return false;
        magnitude = next;
    }
    if (magnitude == (uint64_t)INT64_MAX + 1) {
        *value = INT64_MIN;
        return p.negative;
    }
    *value = p.negative ? -(int64_t)magnitude : (int64_t)magnitude;
    return true;
}
