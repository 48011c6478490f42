#include "quality/pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>

#define MATCH_STEPS 1000000
#define MATCH_KIB   16384
#define JIT_AFTER   1000 /* compiling to machine code pays only for many rows */

struct lp_pattern {
    pcre2_code *code;
    pcre2_match_data *match;
    pcre2_match_context *context;
    uint64_t uses;
};

enum lp_code lp_pattern_new(const char *text, bool at_start, struct lp_pattern **out, size_t *offset,
                            struct lp_err *err)
{
    int number;
    struct lp_pattern *p = calloc(1, sizeof *p);
    *out = NULL;
    *offset = 0;
    if (!p) return lp_nomem(err);
    p->code = pcre2_compile((PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED, PCRE2_UTF | (at_start ? PCRE2_ANCHORED : 0u),
                            &number, offset, NULL);
    if (!p->code) {
        char message[200];
        free(p);
        if (number == PCRE2_ERROR_HEAP_FAILED) return lp_nomem(err);
        pcre2_get_error_message(number, (PCRE2_UCHAR *)message, sizeof message);
        return lp_fail(err, LP_CONFIG, "%s", message);
    }
    p->match = pcre2_match_data_create_from_pattern(p->code, NULL);
    p->context = pcre2_match_context_create(NULL);
    if (!p->match || !p->context) {
        lp_pattern_free(p);
        return lp_nomem(err);
    }
    pcre2_set_match_limit(p->context, MATCH_STEPS);
    pcre2_set_depth_limit(p->context, MATCH_STEPS);
    pcre2_set_heap_limit(p->context, MATCH_KIB);
    *out = p;
    return LP_OK;
}

void lp_pattern_free(struct lp_pattern *p)
{
    if (!p) return;
    pcre2_match_data_free(p->match);
    pcre2_match_context_free(p->context);
    pcre2_code_free(p->code);
    free(p);
}

bool lp_pattern_matches(struct lp_pattern *p, const char *text, size_t len)
{
    if (++p->uses == JIT_AFTER) pcre2_jit_compile(p->code, PCRE2_JIT_COMPLETE);
    return pcre2_match(p->code, (PCRE2_SPTR)text, len, 0, PCRE2_NO_UTF_CHECK, p->match, p->context) >= 0;
}
