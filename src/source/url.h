/* url.h — which addresses may be asked.
 * Model:   https anywhere; http to this machine only (127.0.0.0/8, ::1, localhost); no user or password within.
 * Owns:    nothing.
 * Errors:  faults in the file; LP_CONFIG for an address made from variables.
 * Threads: no shared state.
 */
#ifndef LP_SOURCE_URL_H
#define LP_SOURCE_URL_H

#include "config/template.h"

void lp_url_check_template(struct lp_reading *r, const struct lp_template *t);
enum lp_code lp_url_check(const char *url, struct lp_err *err) LP_CHECKED;
/* The host, without port and brackets; len 0 when there is none. */
struct lp_slice lp_url_host(const char *url);
/* Is that host this machine? */
bool lp_url_is_here(const char *url);

#endif
