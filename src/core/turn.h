// SPDX-License-Identifier: Apache-2.0
/* turn.h: running one actor. Layer: core. */
#ifndef ALDIS_CORE_TURN_H
#define ALDIS_CORE_TURN_H

#include "core/mailbox.h"

enum {
    ALDIS__TURN_MSGS = 128,  /* messages of an actor at most, then the next actor */
    ALDIS__ROUND_TURNS = 256 /* turns of a shard at most, then the worker looks up */
};

/** Run the actors in a shard's run queue, one round of them (live). */
void aldis__shard_run(struct aldis__worker *worker, struct aldis__shard *shard);

/** A turn of one actor, just taken from the run queue, with all that is not simply "next message,
 *  please": start, commands, lanes, draining, stopping, service time. In virtual time every turn is
 *  one of these. */
void aldis__turn_special(struct aldis__worker *worker, struct aldis__shard *shard,
                         struct aldis__cell *cell);

/** Handle one message of a started actor: call its handler, count, free. Takes msg. False: its
 *  flags ask for something else now (it stops, is parked, has a command). */
bool aldis__turn_handle(struct aldis__worker *worker, struct aldis__shard *shard,
                        struct aldis__cell *cell, struct aldis__msg *msg);

/** The handler of msg, which was just counted as handled, has returned an error: say so, count it,
 *  and let the actor fail if it has a restart mode. True: msg is taken; it will be handled again,
 *  or has become a dead letter. */
bool aldis__turn_handler_failed(struct aldis__worker *worker, struct aldis__shard *shard,
                                struct aldis__cell *cell, struct aldis__msg *msg, aldis_err err);

/** Leave the actor after aldis__turn_handle(), and queue it again if it has something to do. */
void aldis__turn_end(struct aldis__worker *worker, struct aldis__shard *shard,
                     struct aldis__cell *cell);

/** Handle all commands, questions and notices that wait. */
void aldis__turn_control(struct aldis__worker *worker, struct aldis__shard *shard,
                         struct aldis__cell *cell);

/** Give up what the handler has built and not posted. */
void aldis__turn_discard_built(struct aldis__worker *worker);

#endif
