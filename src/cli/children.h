/* children.h — runs of one pipeline, each in a process of its own, several at a time.
 * Model:   a child is this process forked: it knows the pipeline, runs one slot, says in one message what came of it, and
 *          ends. One that ends without the message (a crash, the machine's memory) is a failed run, and harms no other.
 *          Each is in a process group of its own, so that Ctrl-C reaches this process alone, which passes it on once. A child
 *          does not outlive us. Nobody is told of such a run (notify): whoever started it looks on.
 * Owns:    the children, until lp_children_next has told of each; lp_children_release kills those that are left.
 * Units:   microseconds UTC (slot), milliseconds.
 * Errors:  LP_IO, LP_NOMEM: no child could be started.
 * Threads: one thread; none other may run when a child is started.
 */
#ifndef LP_CLI_CHILDREN_H
#define LP_CLI_CHILDREN_H

#include "aws/aws.h"
#include "pipeline/run.h"

#include <sys/types.h>

#define LP_CHILDREN_MOST 64

struct lp_child_end {
    int64_t slot_us, duration_ms;
    enum lp_code code; /* of the run; LP_IO when it ended without a word */
    enum lp_run_status status;
    uint64_t rows, items, items_failed;
    char error[LP_ERR_TEXT_BYTES]; /* "": none */
};
struct lp_child_process {
    pid_t pid; /* 0: free */
    int fd;    /* its message comes here */
    int64_t slot_us;
};
struct lp_children {
    struct lp_pipeline *pipeline;
    const struct lp_aws_options *aws; /* each makes a session of its own of them */
    const char *replay_folder;
    struct lp_child_process list[LP_CHILDREN_MOST];
    size_t running;
    bool asked_to_stop; /* they have been told of the signal that came */
};

enum lp_code lp_children_start(struct lp_children *c, int64_t slot_us, struct lp_err *err) LP_CHECKED;
/* Waits up to wait_ms for one to end; false: none has. Passes on to all of them what asks this process to stop. */
bool lp_children_next(struct lp_children *c, int wait_ms, struct lp_child_end *end);
void lp_children_release(struct lp_children *c);

#endif
