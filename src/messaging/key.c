// SPDX-License-Identifier: Apache-2.0
/* key.c: see key.h. Layer: messaging. */
#include "messaging/key.h"

#include "base/error.h"
#include "base/hash.h"
#include <aldis/router.h>
#include <string.h>

bool aldis__key_measure(const char *text, size_t size_max, struct aldis__key *out_key)
{
    size_t size = text ? strnlen(text, size_max + 1) : 0;
    if (size == 0 || size > size_max)
        return false;
    out_key->text = text;
    out_key->size = size;
    out_key->hash = aldis__mix64(aldis__fnv64(ALDIS__FNV64_START, text, size));
    out_key->is_pattern = false;
    return true;
}

/* ------------------------------------------------------------------ characters */

enum { NOT_UTF8 = -1 };

/* The character at text[*at], left bytes from its end; moves *at behind it (RFC 3629: no overlong
 * forms, no surrogates, nothing beyond U+10FFFF). */
static int32_t next_character(const unsigned char *text, size_t size, size_t *at)
{
    static const int32_t smallest[] = {0, 0x80, 0x800, 0x10000};
    unsigned char first = text[(*at)++];
    if (first < 0x80)
        return first;
    unsigned more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
    if (first < 0xc0 || first >= 0xf8 || more > size - *at)
        return NOT_UTF8;
    int32_t character = first & (0x3f >> more);
    for (unsigned i = 0; i < more; i++) {
        unsigned char byte = text[(*at)++];
        if ((byte & 0xc0) != 0x80)
            return NOT_UTF8;
        character = character << 6 | (byte & 0x3f);
    }
    bool surrogate = character >= 0xd800 && character <= 0xdfff;
    if (character < smallest[more] || character > 0x10ffff || surrogate)
        return NOT_UTF8;
    return character;
}

static bool is_control(int32_t character)
{
    return character < 0x20 || (character >= 0x7f && character < 0xa0);
}

static aldis_err refuse_at(const char *call, const char *what, size_t at, const char *found)
{
    return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "", "%s: %s at byte %zu of the %s", call,
                            found, at, what);
}

static aldis_err refuse_size(const char *call, const char *what, const char *text, size_t size_max)
{
    const char *found = !text ? "NULL" : !*text ? "empty" : "longer";
    return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "",
                            "%s: the %s is %s; allowed: 1 to %zu bytes", call, what, found,
                            size_max);
}

/* ------------------------------------------------------------------ public to the router */

aldis_err aldis__key_name(const char *call, const char *text, struct aldis__key *out_key)
{
    struct aldis__key key;
    if (!aldis__key_measure(text, ALDIS_NAME_MAX, &key))
        return refuse_size(call, "name", text, ALDIS_NAME_MAX);
    for (size_t at = 0; at < key.size;) {
        size_t begin = at;
        int32_t character = next_character((const unsigned char *)text, key.size, &at);
        if (character == NOT_UTF8)
            return refuse_at(call, "name", begin, "no UTF-8");
        if (is_control(character))
            return refuse_at(call, "name", begin, "a control character");
    }
    *out_key = key;
    return ALDIS_OK;
}

/* NULL: the character may stand in a token. */
static const char *fault_in_token(int32_t character)
{
    if (character == NOT_UTF8)
        return "no UTF-8";
    if (is_control(character))
        return "a control character";
    if (character == ' ' || character == 0xa0)
        return "a space";
    return NULL;
}

/* The token text[begin .. end) of a topic of `size` bytes. NULL: it may stand there. */
static const char *fault_of_wildcard(const char *text, size_t begin, size_t end, size_t size,
                                     bool allowed, size_t *out_at)
{
    for (*out_at = begin; *out_at < end; ++*out_at) {
        char c = text[*out_at];
        if (c != '*' && c != '>')
            continue;
        if (!allowed)
            return "a wildcard";
        if (end - begin > 1)
            return "a wildcard inside a token";
        if (c == '>' && end != size)
            return "'>' before the last token";
    }
    return NULL;
}

static aldis_err key_tokens(const char *call, const char *what, const char *text, bool wildcards,
                            struct aldis__key *out_key)
{
    struct aldis__key key;
    if (!aldis__key_measure(text, ALDIS_TOPIC_MAX, &key))
        return refuse_size(call, what, text, ALDIS_TOPIC_MAX);
    size_t token = 0; /* where it begins */
    for (size_t at = 0; at <= key.size;) {
        size_t begin = at, wild;
        if (at == key.size || text[at] == '.') { /* the token ends */
            if (begin == token)
                return refuse_at(call, what, begin, "an empty token");
            const char *fault = fault_of_wildcard(text, token, begin, key.size, wildcards, &wild);
            if (fault)
                return refuse_at(call, what, wild, fault);
            key.is_pattern |= begin - token == 1 && (text[token] == '*' || text[token] == '>');
            token = ++at;
            continue;
        }
        int32_t character = next_character((const unsigned char *)text, key.size, &at);
        const char *fault = fault_in_token(character);
        if (fault)
            return refuse_at(call, what, begin, fault);
    }
    *out_key = key;
    return ALDIS_OK;
}

aldis_err aldis__key_topic(const char *call, const char *text, struct aldis__key *out_key)
{
    return key_tokens(call, "topic", text, false, out_key);
}

aldis_err aldis__key_pattern(const char *call, const char *text, struct aldis__key *out_key)
{
    return key_tokens(call, "pattern", text, true, out_key);
}

aldis_err aldis__key_group(const char *call, const char *text, struct aldis__key *out_key)
{
    return key_tokens(call, "group", text, false, out_key);
}
