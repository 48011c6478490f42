/* child.h — DuckDB's shell run as a child of this process.
 * Model:   started with texts it reads from anonymous memory, so that neither a list of processes nor a file shows them;
 *          its environment holds what a terminal program needs and nothing else. What it writes to standard output passes
 *          through here when asked to; signals that ask this process to stop are passed on, and soon
 *          enforced; it does not outlive us.
 * Owns:    the child, until the call returns.
 * Units:   milliseconds.
 * Errors:  LP_DATA with an empty text when it ended with a status of its own: it has said why. LP_IO, LP_BUSY
 *          (its time is over), LP_CANCELLED,
 *          LP_NOMEM, and what take returns.
 * Threads: one thread.
 */
#ifndef LP_QUERY_CHILD_H
#define LP_QUERY_CHILD_H

#include "base/buf.h"

#include <stdint.h>

struct lp_child {
    const char *program;
    const char *const *arguments; /* behind the program's name, NULL at the end */
    const char *texts[2]; /* NULL: none; an argument "%0" becomes ".read PATH" of the first, "%1" the other's path */
    const char *folder;   /* where it runs */
    const char *home;     /* its HOME; NULL: ours */
    bool network;         /* what proxies and certificates need stays in its environment */
    int64_t limit_ms;             /* it is ended after that; 0: it may take as long as it likes */
    bool silent;          /* what it says on standard error is thrown away */
    bool terminal;        /* it has our standard input, and Ctrl-C is its business */
    /* Where its standard output goes; NULL: to out_fd itself. LP_CANCELLED without a signal: nobody reads any more. */
    enum lp_code (*take)(void *who, const char *bytes, size_t len, struct lp_err *err);
    void *who;
    int out_fd;
};

enum lp_code lp_child_run(const struct lp_child *c, struct lp_err *err) LP_CHECKED;

#endif
