/* answer.h — DuckDB's answers made what they should be, on their way out.
 * Model:   its shell writes CSV in which an empty text and nothing look alike, unless NULL is given a word; that word is one
 *          nobody can guess, and here it becomes an empty field, and the empty text "". Its JSON has NaN and Infinity,
 *          which JSON has not: they become null. Everything else passes as it is, piece by piece, however it is cut.
 * Owns:    nothing; the output goes to the caller's buffer.
 * Units:   bytes.
 * Errors:  none but a full buffer.
 * Threads: one thread per answer.
 */
#ifndef LP_QUERY_ANSWER_H
#define LP_QUERY_ANSWER_H

#include "query/query.h"

struct lp_answer {
    enum lp_answer_form form;
    const char *null_word; /* borrowed; of plain letters and digits */
    enum { LP_ANSWER_START, LP_ANSWER_MATCH, LP_ANSWER_PLAIN, LP_ANSWER_QUOTED, LP_ANSWER_QUOTE } state;
    size_t matched; /* bytes of null_word that are held back */
    bool in_text, escaped;
    size_t depth;
    char word[24]; /* JSON: letters that are held back, with a sign before */
    size_t word_len;
    char last; /* JSON: the byte before the word */
};

void lp_answer_put(struct lp_answer *a, const char *bytes, size_t len, struct lp_buf *out);
void lp_answer_end(struct lp_answer *a, struct lp_buf *out);

#endif
