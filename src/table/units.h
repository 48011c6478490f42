/* units.h — units as UDUNITS-2 understands them.
 * Model:   a conversion from one unit to another. UDUNITS-2's own database is compiled in and only the units that are
 *          named are built, so that no file is read and nothing is paid for what is not used.
 *          Most conversions are a·x + b; their factors, as UDUNITS gives them, carry rounding noise, so a factor that is
 *          a ratio of small whole numbers is computed as such: celsius -> fahrenheit is x * 9 / 5 + 32, bit for bit
 *          what a person would write.
 * Owns:    a conversion belongs to the caller until lp_unit_free.
 * Units:   –
 * Errors:  LP_CONFIG: a unit that is not known, or two that do not convert, in words fit for a pipeline file.
 * Threads: build conversions in one thread; converting is free of shared state.
 */
#ifndef LP_TABLE_UNITS_H
#define LP_TABLE_UNITS_H

#include "base/error.h"

struct lp_unit;

/* *unknown becomes the one of the two that is not known, NULL when both are or it failed otherwise; unknown may be NULL. */
enum lp_code lp_unit_new(const char *from, const char *to, struct lp_unit **out, const char **unknown,
                         struct lp_err *err) LP_CHECKED;
void lp_unit_free(struct lp_unit *u);
double lp_unit_convert(const struct lp_unit *u, double value);
/* The nearest unit name to a word it does not know, or NULL. */
const char *lp_unit_nearest(const char *word);
/* A short mark for headings: celsius → °C, fahrenheit → °F, percent → %; the text itself when there is none. */
const char *lp_unit_symbol(const char *unit);
void lp_unit_forget(void); /* releases the unit system; for leak checkers */

#endif
