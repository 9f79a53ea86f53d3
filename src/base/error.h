// SPDX-License-Identifier: Apache-2.0
/* error.h: how the library fills what aldis_error_last() tells. Layer: base. Threads: any; each
 * thread has its own record. Memory: none is allocated. */
#ifndef ALDIS_BASE_ERROR_H
#define ALDIS_BASE_ERROR_H

#include <aldis/error.h>

/**
 * Record why the call that is about to return `err` failed, and give `err` back:
 *
 *     return aldis__error_set(ALDIS_EFULL, to, type->name, "mailbox holds %u of %u", n, limit);
 *
 * actor:     the actor it concerns, or aldis_nobody().
 * type_name: borrowed for ever, so a type's own name; NULL stands for "".
 * format:    printf-like, cut after 191 bytes with "..." at the end. NULL: the text of err, without
 *            formatting; a few nanoseconds, for paths where a refusal is an everyday answer.
 * Thread:    any.          Blocks: never.
 */
aldis_err aldis__error_set(aldis_err err, aldis_id actor, const char *type_name, const char *format,
                           ...) __attribute__((cold, format(printf, 4, 5)));

#endif
