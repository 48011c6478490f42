/* units_db.h — UDUNITS-2's database as tables, made at build time by tools/units-db.c.
 * Model:   every name and symbol with the unit it stands for, every unit with its definition, every prefix.
 * Owns:    constant data.
 * Units:   –
 * Errors:  none.
 * Threads: constant.
 */
#ifndef LP_TABLE_UNITS_DB_H
#define LP_TABLE_UNITS_DB_H

#include <stdbool.h>
#include <stddef.h>

struct lp_units_id {
    const char *name;
    int unit;
    bool symbol;
};
struct lp_units_prefix {
    const char *name;
    double value;
    bool symbol;
};

extern const struct lp_units_id lp_units_ids[]; /* by name */
extern const size_t lp_units_id_count;
extern const char *const lp_units_definitions[]; /* NULL: a base unit; "": dimensionless; else in terms of others */
extern const size_t lp_units_unit_count;
extern const struct lp_units_prefix lp_units_prefixes[];
extern const size_t lp_units_prefix_count;

#endif
