/* route.h — which page a path means.
 * Model:   a path is what the client sent, its percent signs undone. What is not exactly one of ours is none.
 * Owns:    nothing.
 * Units:   –
 * Errors:  LP_ROUTE_NONE.
 * Threads: no shared state.
 */
#ifndef LP_PAGE_ROUTE_H
#define LP_PAGE_ROUTE_H

#include "page/page.h"

#define LP_ROUTE_NAME_BYTES 256

enum lp_route_kind {
    LP_ROUTE_NONE,
    LP_ROUTE_FRONT,
    LP_ROUTE_STYLE,
    LP_ROUTE_ICON,
    LP_ROUTE_HEALTH,
    LP_ROUTE_READY,
    LP_ROUTE_METRICS,
    LP_ROUTE_PIPELINE,
    LP_ROUTE_RUN,
    LP_ROUTE_RECORD,
    LP_ROUTE_QUARANTINE
};

struct lp_route {
    enum lp_route_kind kind;
    char name[LP_ROUTE_NAME_BYTES];
    char slot[LP_PAGE_SLOT_BYTES];
};

void lp_route_of(const char *path, struct lp_route *out);
/* May a request with this Host (NULL: it has none) be answered? given: the address we listen at. */
bool lp_route_host_is_ours(const char *host, const char *given);

#endif
