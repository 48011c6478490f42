/* request.h — one item's request, as it goes out and as people may see it.
 * Model:   address and headers from the source's templates and the item's values; variables are percent-encoded. The
 *          shown form has the secret masked by its place, however short it is.
 * Owns:    the buffers; what `url` and `headers` point to lasts until the next build.
 * Units:   –
 * Errors:  LP_CONFIG for an address that may not be asked, LP_DATA for a value that cannot stand in a header, LP_LIMIT,
 *          LP_NOMEM.
 * Threads: one thread per request.
 */
#ifndef LP_SOURCE_REQUEST_H
#define LP_SOURCE_REQUEST_H

#include "source/source.h"

#define LP_REQUEST_MAX_HEADERS 64

struct lp_request {
    struct lp_buf url, header_text;
    const char *headers[LP_REQUEST_MAX_HEADERS];
    size_t header_count;
};

enum lp_code lp_request_build(struct lp_request *q, const struct lp_source *s, const struct lp_bindings *b,
                              struct lp_err *err) LP_CHECKED;
/* The address with the secret masked. */
enum lp_code lp_request_shown_url(const struct lp_source *s, const struct lp_bindings *b, struct lp_buf *out,
                                  struct lp_err *err) LP_CHECKED;
void lp_request_release(struct lp_request *q);

#endif
