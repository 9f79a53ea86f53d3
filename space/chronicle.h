// SPDX-License-Identifier: Apache-2.0
/* chronicle.h: what happened in a run, in its order. Layer: space.
 *
 * Actors write down what they do; the run reads it at rest. Nothing in a run depends on it, and no
 * message is sent for it. Each shard has a list of its own, so that the one thread that runs it
 * writes it alone; entries are put in order by time, actor and number. When nobody wants events,
 * only the last exchanges of each shard are kept: the evidence, should a balance not be right. */
#ifndef SPACE_CHRONICLE_H
#define SPACE_CHRONICLE_H

#include "protocol.h"

struct pending;
struct ship;
struct books;
struct terms;

struct chronicle;

/** capture: keep everything until it is drained. NULL: no memory. */
struct chronicle *chronicle_create(uint32_t shards, uint32_t stations, uint32_t ships,
                                   bool capture);
void chronicle_destroy(struct chronicle *chronicle);

/** The shard that the account's actor is to live on: ships are neighbours of their neighbours. */
uint32_t chronicle_shard(const struct chronicle *chronicle, uint32_t account);

/* In an actor; chronicle may be NULL. */
void chronicle_state(struct chronicle *chronicle, aldis_ctx *ctx, const struct ship *ship,
                     enum space_ship_state to);
/** again_ns: when it may ask again, from now; 0: not said. */
void chronicle_refusal(struct chronicle *chronicle, aldis_ctx *ctx, const struct ship *ship,
                       Refusal reason, aldis_ns again_ns);
/** Held back at its station, which has no docking credit for it; and, after so long, let in to ask
 *  for a berth. */
void chronicle_held(struct chronicle *chronicle, aldis_ctx *ctx, const struct ship *ship);
void chronicle_let_in(struct chronicle *chronicle, aldis_ctx *ctx, const struct ship *ship,
                      aldis_ns waited_ns);
void chronicle_emergency(struct chronicle *chronicle, aldis_ctx *ctx, const struct ship *ship,
                         EmergencyKind kind);
/** A trade of this account with another: offered, with what it gives at most and gets at least, and
 *  settled by its initiator; taken by its responder. */
void chronicle_offered(struct chronicle *chronicle, aldis_ctx *ctx, uint32_t account,
                       const struct pending *pending, const struct terms *terms);
void chronicle_settled(struct chronicle *chronicle, aldis_ctx *ctx, uint32_t account,
                       uint32_t responder, const TradeAnswer *answer);
void chronicle_taken(struct chronicle *chronicle, aldis_ctx *ctx, uint32_t account,
                     uint32_t initiator, const TradeAnswer *answer);
/** A hazard has appeared, or (ends) is over. */
void chronicle_hazard(struct chronicle *chronicle, aldis_ctx *ctx, const NavigationHazard *hazard,
                      bool ends);
/** The weather of a region has changed. */
void chronicle_weather(struct chronicle *chronicle, aldis_ctx *ctx, uint32_t region,
                       WeatherLevel level);

struct near_miss;
/** Two ships have come too near each other. */
void chronicle_near_miss(struct chronicle *chronicle, aldis_ctx *ctx, const struct books *books,
                         const struct near_miss *near);

/** At rest: print what was captured since the last time as JSON lines, and forget it. Errors:
 *  ALDIS_ENOMEM some of it is lost; ALDIS_EIO it cannot be written. */
aldis_err chronicle_drain(struct chronicle *chronicle, const struct scenario *scenario, FILE *out);

/** A line for what an account has more (or less, below 0) at a time than before. */
void chronicle_print_change(const struct scenario *scenario, aldis_ns at_ns, uint32_t account,
                            const char *thing, int64_t change, FILE *out);

/** A message that an account's actor has handled. */
struct chronicle_message {
    aldis_ns at_ns;
    const char *type_name;
    uint32_t account, from; /**< from: of its sender; a service, too, if it has none */
    uint64_t sequence;      /**< of the sender's messages */
};

/** A line for that. */
void chronicle_print_message(const struct scenario *scenario,
                             const struct chronicle_message *message, FILE *out);

/** At rest: all that led to the trades that were made at since_ns or later, as far as it is kept:
 *  who offered, took and settled each; at most the last `lines`. If there was none, the last
 *  `else_lines` of all trades. */
void chronicle_evidence(struct chronicle *chronicle, const struct scenario *scenario,
                        aldis_ns since_ns, FILE *out, uint32_t lines, uint32_t else_lines);

#endif
