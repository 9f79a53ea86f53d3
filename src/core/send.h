// SPDX-License-Identifier: Apache-2.0
/* send.h: sending from a handler, inside the library. Layer: core. */
#ifndef ALDIS_CORE_SEND_H
#define ALDIS_CORE_SEND_H

#include "core/deliver.h"
#include <string.h>

struct aldis__parcel;

/** Is (payload, size) right for the type? Gives its index. ALDIS_EINVAL, ALDIS_ETOOLARGE, ... */
aldis_err aldis__send_check_type(aldis_type *type, const void *payload, size_t size,
                                 uint32_t *out_index);

/** May `type` be sent to `to`? Gives the directory's word. The error's text is set. */
aldis_err aldis__send_check_receiver(aldis_system *system, aldis_id to, uint32_t type,
                                     uint64_t *out_word);

/** Is `to` an id of this system? Gives the directory's word, whatever it says. ALDIS_ENOTFOUND. */
aldis_err aldis__send_check_place(aldis_system *system, aldis_id to, uint32_t type,
                                  uint64_t *out_word);

/** Are delay and lane allowed? opts may be NULL. ALDIS_EINVAL. */
aldis_err aldis__send_check_opts(const aldis_send_opts *opts, const aldis_type *type);

/** The two for tracked messages: type and payload; and a block with header, track and payload,
 *  whose sender, notice flag and stamp are the caller's to fill in. NULL: out of memory. */
aldis_err aldis__parcel_check(const struct aldis__parcel *parcel, uint32_t *out_index);
struct aldis__msg *aldis__parcel_build(struct aldis__pool *pool, const struct aldis__parcel *parcel,
                                       uint32_t index, const struct aldis__track *track);

/** A message as a parcel, to be sent once more. The parcel points to *out_type and into msg; its
 *  receiver and its lane are the caller's. */
void aldis__parcel_of(struct aldis__msg *msg, aldis_type *out_type,
                      struct aldis__parcel *out_parcel);

/** A block with header and payload: its type is `index`; to, from, lane and flags are the caller's.
 *  NULL: out of memory. */
struct aldis__msg *aldis__send_build(struct aldis__pool *pool, const aldis_type *type,
                                     uint32_t index, const void *payload, size_t size);

/**
 * Put a built message, not yet counted, on its way from the running actor; counts it as sent, and
 * on an error as rejected or dropped. Takes msg on ALDIS_OK.
 */
aldis_err aldis__send_place(struct aldis__worker *worker, struct aldis__msg *msg, uint64_t word,
                            aldis_ns delay_ns);

/** Lane to rank. */
unsigned aldis__lane_rank(aldis_lane lane);
/** The lane of a rank, for another send; of the runtime's own: the normal one. */
aldis_lane aldis__rank_lane(unsigned rank);

enum { ALDIS__COPY_INLINE_MAX = 64 };

/* Up to ALDIS__COPY_INLINE_MAX bytes without a call: moves that overlap in the middle. */
static inline void aldis__copy_payload(char *to, const char *from, size_t size)
{
#define MOVE(bytes, low, high)                                                                     \
    do {                                                                                           \
        char first_[bytes], last_[bytes];                                                          \
        memcpy(first_, from + (low), bytes);                                                       \
        memcpy(last_, from + (high), bytes);                                                       \
        memcpy(to + (low), first_, bytes);                                                         \
        memcpy(to + (high), last_, bytes);                                                         \
    } while (0)
    if (aldis__likely(size - 16 <= 16)) {
        MOVE(16, 0, size - 16);
    } else if (size > 32) {
        MOVE(16, 0, size - 16);
        MOVE(16, 16, size - 32);
    } else if (size >= 8) {
        MOVE(8, 0, size - 8);
    } else if (size >= 4) {
        MOVE(4, 0, size - 4);
    } else if (size) {
        MOVE(1, 0, size - 1);
        to[size / 2] = from[size / 2];
    }
#undef MOVE
}

#endif
