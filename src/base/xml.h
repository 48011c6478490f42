/* xml.h — reading the small XML documents that services answer with.
 * Model:   elements as they end, each with its path from the root and the text directly in it; prefixes of namespaces are
 *          cut off. A document type is refused, so that no entity but XML's own five is ever expanded.
 * Owns:    nothing; path and text are borrowed during the call.
 * Units:   bytes; at most 16 elements deep, 1 MiB of text in an element.
 * Errors:  LP_DATA with the line, LP_LIMIT, LP_NOMEM, or what the receiver returns, which ends the reading.
 * Threads: no shared state.
 */
#ifndef LP_BASE_XML_H
#define LP_BASE_XML_H

#include "base/error.h"

/* path: "ListBucketResult/Contents/Key". */
typedef enum lp_code lp_xml_element_fn(void *who, const char *path, const char *text, size_t len, struct lp_err *err);

enum lp_code lp_xml_read(const char *bytes, size_t len, lp_xml_element_fn *element, void *who,
                         struct lp_err *err) LP_CHECKED;
/* The text of the first element that ends with this path, to be freed; LP_NOTFOUND when there is none. */
enum lp_code lp_xml_find(const char *bytes, size_t len, const char *path, char **text, struct lp_err *err) LP_CHECKED;

#endif
