/* shard.h — which share of a slot's items is ours, as --shard says it.
 * Model:   I/N, or auto/N: then the number is the one that Kubernetes gives each pod of an Indexed Job (JOB_COMPLETION_INDEX)
 *          or AWS Batch each child of an array job (AWS_BATCH_JOB_ARRAY_INDEX), which both count from 0.
 * Owns:    nothing.
 * Units:   a shard from 0, of so many.
 * Errors:  LP_USAGE.
 * Threads: no shared state but the environment.
 */
#ifndef LP_CLI_SHARD_H
#define LP_CLI_SHARD_H

#include "base/error.h"

#include <stdint.h>

enum lp_code lp_cli_shard(const char *text, uint64_t *shard, uint64_t *shards, struct lp_err *err) LP_CHECKED;

#endif
