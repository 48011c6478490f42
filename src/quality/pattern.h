/* pattern.h — regular expressions, PCRE2's, that cannot hang.
 * Model:   compiled once; matching is bounded in steps and memory, and past the bound a text does not match.
 * Owns:    the pattern belongs to the caller.
 * Errors:  LP_CONFIG with PCRE2's words and the offset of the mistake.
 * Threads: one thread per pattern.
 */
#ifndef LP_QUALITY_PATTERN_H
#define LP_QUALITY_PATTERN_H

#include "base/error.h"

struct lp_pattern;

enum lp_code lp_pattern_new(const char *text, bool at_start, struct lp_pattern **out, size_t *offset,
                            struct lp_err *err) LP_CHECKED;
void lp_pattern_free(struct lp_pattern *p);
/* The text is valid UTF-8. */
bool lp_pattern_matches(struct lp_pattern *p, const char *text, size_t len);

#endif
