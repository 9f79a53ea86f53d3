// SPDX-License-Identifier: Apache-2.0
/* reliable.h: what reliable and durable messages share. Layer: delivery. */
#ifndef ALDIS_DELIVERY_RELIABLE_H
#define ALDIS_DELIVERY_RELIABLE_H

#include "delivery/receiver.h"
#include "delivery/sender.h"

/* Word b of a track: slot 24, number above the stream's base 15, flag 1, grade 2, flags 4, endpoint
 * 18 (of messages that are not durable: one more flag). */
enum { ALDIS__BASE_SHIFT = 24, ALDIS__GRADE_SHIFT = 40, ALDIS__ENDPOINT_SHIFT = 46 };
#define ALDIS__FLAG_ACKED (UINT64_C(1) << 39) /* settled by aldis_ack */
#define ALDIS__FLAG_ORDERED (UINT64_C(1) << 42)
#define ALDIS__FLAG_SETTLED (UINT64_C(1) << 43)   /* confirmed or refused by the receiver already */
#define ALDIS__FLAG_QUIET (UINT64_C(1) << 44)     /* a repeat: its end tells nobody */
#define ALDIS__FLAG_DURABLE (UINT64_C(1) << 45)   /* from an endpoint of a store */
#define ALDIS__FLAG_UNCOUNTED (UINT64_C(1) << 46) /* not durable: in nobody's figures */

/* What stands for an endpoint of a store where an actor's id stands else. No actor has node 255. */
static inline aldis_id aldis__endpoint_id(uint32_t endpoint)
{
    aldis_id id = {UINT64_C(255) << 56 | endpoint};
    return id;
}

static inline bool aldis__is_endpoint(aldis_id id)
{
    return id.bits >> 56 == 255;
}

static inline uint32_t aldis__endpoint_number(aldis_id id)
{
    return (uint32_t)(id.bits & 0x3ffff);
}

static inline aldis_grade aldis__grade_of(uint64_t b)
{
    return (aldis_grade)(b >> ALDIS__GRADE_SHIFT & 3);
}

/** Is it the track of a reliable message? */
bool aldis__reliable_is(const struct aldis__track *track);

/** What its filter is found by: the sender, or its endpoint, which outlives it. */
aldis_id aldis__reliable_stream(aldis_id sender, const struct aldis__track *track);

/** The running actor's pending message goes out, and is waited for. */
void aldis__reliable_launch(aldis_ctx *ctx, struct aldis__sender *sender, uint32_t slot);
/** It is not to go out yet; but who has something pending is not idle. */
void aldis__reliable_hold(aldis_ctx *ctx, struct aldis__sender *sender, uint32_t slot);
/** Acknowledge `number`, in the name of the running actor. */
void aldis__reliable_ack(aldis_ctx *ctx, aldis_id sender, uint64_t number, uint64_t b);
/** Send it with its track. What the type is, durable.c finds out. */
aldis_err aldis__durable_transmit(aldis_ctx *ctx, struct aldis__pending *pending,
                                  const struct aldis__track *track);
/** The actor that a pending durable message goes to now, or nobody; this actor's endpoint. */
aldis_id aldis__durable_receiver(const struct aldis__cell *cell,
                                 const struct aldis__pending *pending);
uint32_t aldis__durable_endpoint(const struct aldis__cell *cell);
/** It is confirmed: the file forgets it. */
void aldis__durable_confirmed(const struct aldis__cell *cell, const struct aldis__pending *pending);
/** A durable message has been handled (or was, and comes again): commit its effect, then
 *  acknowledge it. False: the receiver has no store, or no memory. */
bool aldis__durable_save_effect(struct aldis__worker *worker, struct aldis__cell *cell,
                                aldis_id sender, const struct aldis__track *track);

#endif
