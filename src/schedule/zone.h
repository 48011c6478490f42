/* zone.h — the clock of a place: what its local time is at an instant, and which instant a local time is.
 * Model:   stretches of constant offset, from the machine's time zone database; after its last entry the rule at its end
 *          goes on to LP_ZONE_LAST_YEAR.
 * Owns:    its list; lp_zone_release gives it back. {0} is UTC.
 * Units:   seconds; offsets are east of UTC.
 * Errors:  LP_CONFIG: no such zone, or the database is not there; LP_NOMEM.
 * Threads: read only once opened.
 * Source:  RFC 8536 (TZif); POSIX.1-2017, 8.3 (TZ).
 */
#ifndef LP_SCHEDULE_ZONE_H
#define LP_SCHEDULE_ZONE_H

#include "base/buf.h"

#include <stdint.h>

#define LP_ZONE_NAME_BYTES 50
#define LP_ZONE_LAST_YEAR  2200

struct lp_zone_stretch {
    int64_t from; /* UTC seconds; of the first one it does not count */
    int32_t offset;
};
struct lp_zone {
    struct lp_zone_stretch *list; /* NULL: UTC */
    size_t count, room;
};

/* From the bytes of a TZif file, which are changed. `path` is named in errors. */
enum lp_code lp_zone_read(struct lp_zone *z, struct lp_buf *file, const char *path, struct lp_err *err) LP_CHECKED;
enum lp_code lp_zone_open(struct lp_zone *z, const char *name, struct lp_err *err) LP_CHECKED;
void lp_zone_release(struct lp_zone *z);
int64_t lp_zone_offset(const struct lp_zone *z, int64_t utc);
/* The first instant that has this local time. False when clocks pass over it; *resumes is then the first local time that is
 * there again. */
bool lp_zone_resolve(const struct lp_zone *z, int64_t local, int64_t *utc, int64_t *resumes);
/* The first local time whose first instant may lie after this one. */
int64_t lp_zone_local_after(const struct lp_zone *z, int64_t utc);

#endif
