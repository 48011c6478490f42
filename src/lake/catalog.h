/* catalog.h — what the tables of a lake are: a small file per table, beside the data.
 * Model:   name, columns with type, unit and meaning, partitions, format and folder, told from the definition alone.
 *          Written when it says something new.
 * Owns:    nothing.
 * Units:   –
 * Errors:  the store's.
 * Threads: one thread.
 */
#ifndef LP_LAKE_CATALOG_H
#define LP_LAKE_CATALOG_H

#include "lake/layout.h"
#include "lake/store.h"

enum lp_code lp_catalog_register(struct lp_store *store, const struct lp_layout *l, const struct lp_columns *columns,
                                 const char *description, struct lp_err *err) LP_CHECKED;

#endif
