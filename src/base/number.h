/* number.h — numbers as text, the same everywhere.
 * Model:   doubles in the shortest decimal form that reads back as the same double, integers in decimal; parsing is
 *          strict, by JSON's grammar, independent of the locale.
 * Owns:    nothing.
 * Units:   –
 * Errors:  false when the text is not a number or does not fit.
 * Threads: no shared state.
 */
#ifndef LP_BASE_NUMBER_H
#define LP_BASE_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LP_NUMBER_TEXT_BYTES 40

/* 0.1, -0.0, 1e+300, 58.9; integral values below 1e15 as "77.0". Infinity and NaN as "inf", "-inf", "nan". */
size_t lp_double_format(double value, char out[LP_NUMBER_TEXT_BYTES]);
/* For who reads a table: 66.25 of 66.24759460453788. Two decimals where they say enough, else the shortest form. */
size_t lp_double_format_short(double value, char out[LP_NUMBER_TEXT_BYTES]);
size_t lp_int64_format(int64_t value, char out[LP_NUMBER_TEXT_BYTES]);
/* 12,403 */
size_t lp_count_format(uint64_t value, char out[LP_NUMBER_TEXT_BYTES]);
/* 212 B, 1.2 MB */
size_t lp_bytes_format(uint64_t bytes, char out[LP_NUMBER_TEXT_BYTES]);

/* JSON number text, surrounding spaces allowed. Out of a double's range: false. */
bool lp_double_parse(const char *text, size_t len, double *value);
/* The same grammar; "5", "5.0", "5e0" are 5 when exact and within 64 bits. */
bool lp_int64_parse(const char *text, size_t len, int64_t *value);

#endif
