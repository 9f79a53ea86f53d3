// SPDX-License-Identifier: Apache-2.0
/* stats.h: counters, and the audit that no message was lost. Layer: public. */
#ifndef ALDIS_STATS_H
#define ALDIS_STATS_H

#include <aldis/actor.h>
#include <stdio.h>

/** What became of the messages of one type. At a quiet point
 *  sent = handled + rejected + dropped + expired + dead + queued. */
typedef struct aldis_type_stats {
    const char *name;
    uint64_t sent;     /**< attempted deliveries, refused ones included */
    uint64_t handled;  /**< their handler ran, also if it failed */
    uint64_t failed;   /**< of those: the handler returned an error */
    uint64_t rejected; /**< refused with an error at the send, or by the receiver with a notice */
    uint64_t dropped;  /**< by a mailbox policy or a fault plan */
    uint64_t expired;  /**< past their deadline */
    uint64_t dead;     /**< dead letters: the receiver had ended */
    uint64_t queued;   /**< waiting now, counted by walking */
} aldis_type_stats;

typedef struct aldis_shard_stats {
    uint64_t actors;
    uint64_t depth_msgs; /**< waiting in its mailboxes */
} aldis_shard_stats;

/** A snapshot. Made by aldis_system_stats. */
typedef struct aldis_stats {
    aldis_type_stats total;
    aldis_type_stats *types; /**< in order of name; the runtime's own begin with "aldis." */
    size_t type_count;
    aldis_shard_stats *shards;
    size_t shard_count;
    uint64_t failed_deliveries; /**< rejected + dropped + expired + dead */
    uint64_t active_actors;
    uint64_t spawned, ended;
    uint64_t parked;      /**< times that a sender was parked */
    uint64_t cycles;      /**< of actors that waited for each other, found: see pressure.h */
    uint64_t restarts;    /**< of actors, by their supervisors */
    uint64_t over_budget; /**< handlers that were seen to run over their time budget */
    uint64_t handovers;   /**< shards given from worker to worker */

    uint64_t memory_bytes;      /**< against the budget memory_max: held; 0 without one */
    uint64_t memory_peak_bytes; /**< most that ever were */
    uint64_t memory_refusals;   /**< times that one was refused more, being over its share of it */

    uint64_t shed[ALDIS_LANE_LOW + 1]; /**< by lane; of the dropped: had waited too long */
} aldis_stats;

typedef enum aldis_stats_format { ALDIS_STATS_TEXT, ALDIS_STATS_JSON } aldis_stats_format;

/** The result of an audit. */
typedef struct aldis_audit {
    bool balanced;
    char text[160]; /**< "balanced", or the first type that is not, with its figures */
} aldis_audit;

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Count everything, exactly. The workers are held at a quiet point while it counts (all chains
 * published, all inboxes taken).
 *
 * Owner:  gives what *out_stats points to: end it with aldis_stats_fini.
 * Thread: any but the system's own.          Blocks: until the running handlers end.
 * Errors: ALDIS_EINVAL; ALDIS_ESTATE; ALDIS_ENOMEM.
 */
ALDIS_API aldis_err aldis_system_stats(aldis_system *system, aldis_stats *out_stats);
ALDIS_API void aldis_stats_fini(aldis_stats *stats);

/** The row of one type by its name, or NULL. Borrowed from stats. */
ALDIS_API const aldis_type_stats *aldis_stats_type(const aldis_stats *stats, const char *name);

/** Print a snapshot. Errors: ALDIS_EIO. */
ALDIS_API aldis_err aldis_stats_print(const aldis_stats *stats, FILE *out,
                                      aldis_stats_format format);

/**
 * Is every message accounted for? As aldis_system_stats, then the sum of DESIGN's contract for each
 * type: sent = handled + rejected + dropped + expired + dead + queued.
 *
 * out_audit: may be NULL.
 * Errors: ALDIS_EAUDIT it does not balance; ALDIS_EINVAL; ALDIS_ESTATE; ALDIS_ENOMEM.
 */
ALDIS_API aldis_err aldis_system_audit(aldis_system *system, aldis_audit *out_audit);

/** After aldis_system_stop: print what it dropped, a line for each message type, and how many
 *  actors it had to kill. The same lines are logged (level warn).
 *  Errors: ALDIS_ESTATE not stopped, or no memory was left to count; ALDIS_EIO; ALDIS_EINVAL. */
ALDIS_API aldis_err aldis_system_stop_report(aldis_system *system, FILE *out);

/** One actor's figures, from outside. Blocks as aldis_system_stats. Errors: ALDIS_ENOTFOUND,
 *  ALDIS_ESTALE. */
ALDIS_API aldis_err aldis_system_status(aldis_system *system, aldis_id actor,
                                        aldis_status *out_status);

/**
 * Be told when a mailbox's depth crosses high_msgs upwards: once per crossing, armed again when it
 * falls below half of that. fn runs on the worker; it must not block and may not call Aldis.
 * high_msgs 0 turns it off. Errors: ALDIS_EINVAL.
 */
typedef void (*aldis_high_water_fn)(void *arg, aldis_id actor, uint32_t depth_msgs);
ALDIS_API aldis_err aldis_system_on_high_water(aldis_system *system, uint32_t high_msgs,
                                               aldis_high_water_fn fn, void *arg);

#ifdef __cplusplus
}
#endif
#endif
