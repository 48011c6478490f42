/* memory_catalog.h — a catalogue in memory: the twin of the others for the contract suite.
 * Model:   a service holds at most one table, as its columns and partitions were when published; catalogues made from it
 *          all see it. Schemas are judged by the same rules as everywhere (lake/catalog_schema.h).
 * Owns:    the service owns the table and must outlive its catalogues.
 * Units:   writes counts how often the table was made or changed.
 * Errors:  as in lake/catalog.h.
 * Threads: one thread.
 */
#ifndef LP_TESTS_UNIT_MEMORY_CATALOG_H
#define LP_TESTS_UNIT_MEMORY_CATALOG_H

#include "lake/catalog_schema.h"

struct memory_tables {
    struct lp_arena arena;
    struct lp_known known;
    size_t writes;
};

struct lp_catalog *memory_catalog_new(struct memory_tables *tables);

#endif
