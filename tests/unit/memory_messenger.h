/* memory_messenger.h — a messenger that keeps what it is given: the twin of those that carry it away.
 * Model:   a list in the order of sending. It can be told to refuse or to hang; hanging takes all of the limit.
 * Owns:    copies of what was sent, until it is freed.
 * Units:   milliseconds.
 * Errors:  as in notify/messenger.h.
 * Threads: one thread.
 */
#ifndef LP_TESTS_UNIT_MEMORY_MESSENGER_H
#define LP_TESTS_UNIT_MEMORY_MESSENGER_H

#include "notify/messenger.h"

enum mood { TAKES, REFUSES, HANGS };

struct lp_messenger *memory_messenger_new(const enum mood *mood, struct lp_buf *heard);

#endif
