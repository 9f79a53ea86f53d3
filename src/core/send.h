// SPDX-License-Identifier: Apache-2.0
/* send.h: sending from a handler, inside the library. Layer: core. */
#ifndef ALDIS_CORE_SEND_H
#define ALDIS_CORE_SEND_H

#include "core/deliver.h"

/** Is (payload, size) right for the type? Gives its index. ALDIS_EINVAL, ALDIS_ETOOLARGE, ... */
aldis_err aldis__send_check_type(aldis_type *type, const void *payload, size_t size,
                                 uint32_t *out_index);

/** May `type` be sent to `to`? Gives the directory's word. The error's text is set. */
aldis_err aldis__send_check_receiver(aldis_system *system, aldis_id to, uint32_t type,
                                     uint64_t *out_word);

/** A block with header and payload: its type is `index`; to, from, lane and flags are the caller's.
 *  NULL: out of memory. */
struct aldis__msg *aldis__send_build(struct aldis__pool *pool, const aldis_type *type,
                                     uint32_t index, const void *payload, size_t size);

/**
 * Put a built message, not yet counted, on its way from the running actor; counts it as sent, and
 * on an error as rejected or dropped. Takes msg on ALDIS_OK and ALDIS_EDROPPED.
 */
aldis_err aldis__send_place(struct aldis__worker *worker, struct aldis__msg *msg, uint64_t word,
                            aldis_ns delay_ns);

/** Lane to rank. */
unsigned aldis__lane_rank(aldis_lane lane);

#endif
