/* fault.h — what is wrong in a pipeline file, all of it, each with its place.
 * Model:   a list, in the order of the file once sorted. A fault says what is wrong and, where it can, what to do.
 * Owns:    its texts, in an arena of its own; path and text of the file are borrowed.
 * Units:   lines and columns count from 1, columns in characters.
 * Errors:  past LP_FAULTS_MAX further faults are only counted.
 * Threads: one thread.
 */
#ifndef LP_CONFIG_FAULT_H
#define LP_CONFIG_FAULT_H

#include "base/arena.h"
#include "base/buf.h"

#define LP_FAULTS_MAX 100

struct lp_fault {
    size_t line, column, width; /* width of what is underlined, at least 1 */
    const char *what, *remedy;  /* remedy may be NULL */
};

struct lp_faults {
    const char *path; /* as the user named it */
    const char *text; /* the file, for the excerpt; may be NULL */
    size_t text_len;
    struct lp_arena arena;
    struct lp_fault list[LP_FAULTS_MAX];
    size_t count, dropped;
    bool out_of_memory;
};

void lp_faults_init(struct lp_faults *f, const char *path);
void lp_faults_release(struct lp_faults *f);
void lp_faults_add(struct lp_faults *f, size_t line, size_t column, size_t width, const char *remedy, const char *what,
                   ...) LP_PRINTF(6, 7);
/* A remedy made on the spot; NULL (no remedy) when memory is out. */
const char *lp_faults_text(struct lp_faults *f, const char *format, ...) LP_PRINTF(2, 3);
void lp_faults_sort(struct lp_faults *f);
/* "weather.yaml:9:3: what; remedy" per line: for pipes. */
void lp_faults_put_lines(const struct lp_faults *f, struct lp_buf *out);
/* The same with the line of the file and a caret under the place: for people. */
void lp_faults_put_excerpts(const struct lp_faults *f, bool colour, struct lp_buf *out);
/* [{"file","line","column","what","remedy"}] */
void lp_faults_put_json(const struct lp_faults *f, struct lp_buf *out);

#endif
