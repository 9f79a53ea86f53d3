// SPDX-License-Identifier: Apache-2.0
/* key.h: names and topics as the tables want them: measured, hashed, checked. Layer: messaging. */
#ifndef ALDIS_MESSAGING_KEY_H
#define ALDIS_MESSAGING_KEY_H

#include <aldis/error.h>

struct aldis__key {
    const char *text; /* borrowed; ends with NUL */
    size_t size;      /* bytes without it */
    uint64_t hash;
    bool is_pattern; /* has a wildcard; only where one may stand */
};

/** Measure and hash; content is not looked at. False: NULL, empty, or longer than size_max. */
bool aldis__key_measure(const char *text, size_t size_max, struct aldis__key *out_key);

/** A name: 1 .. ALDIS_NAME_MAX bytes of UTF-8 without control characters. ALDIS_EINVAL with the
 *  reason; `call` is how the text begins. */
aldis_err aldis__key_name(const char *call, const char *text, struct aldis__key *out_key);

/** A topic: 1 .. ALDIS_TOPIC_MAX bytes of UTF-8; tokens without control characters, spaces, '*' and
 *  '>', separated by '.', none empty. ALDIS_EINVAL with the reason. */
aldis_err aldis__key_topic(const char *call, const char *text, struct aldis__key *out_key);

/** The name of a queue group: as a topic. ALDIS_EINVAL with the reason. */
aldis_err aldis__key_group(const char *call, const char *text, struct aldis__key *out_key);

/** A topic, or a pattern: a token may be '*' (stands for one token) and the last one '>' (for one
 *  token or more). ALDIS_EINVAL with the reason. */
aldis_err aldis__key_pattern(const char *call, const char *text, struct aldis__key *out_key);

#endif
