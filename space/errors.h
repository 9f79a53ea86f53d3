// SPDX-License-Identifier: Apache-2.0
/* errors.h: collects what is wrong with a scenario. Layer: space, no thread of its own.
 *
 * Every text is made safe to print: bytes of the file that are not printable come out as \xNN, and
 * long ones are cut. */
#ifndef SPACE_ERRORS_H
#define SPACE_ERRORS_H

#include "space.h"

/** Room for text as errors_quote writes it. */
#define ERRORS_QUOTE_BYTES 96

/** Add one error. line and column count from 1; line 0: the error is about the file as a whole. */
void errors_add(struct scenario_errors *errors, uint32_t line, uint32_t column, const char *format,
                ...) __attribute__((format(printf, 4, 5)));

/** Note one more file (or setting) that nodes and errors may stand in. Its number; 0: too many. */
uint32_t errors_add_file(struct scenario_errors *errors, const char *name);

/** Put the errors in the order of the file. */
void errors_sort(struct scenario_errors *errors);

/** Write size bytes of text into out as "text", escaped, cut after some 40 bytes. Returns out. */
const char *errors_quote(char out[ERRORS_QUOTE_BYTES], const char *text, size_t size);

/** Is text valid UTF-8 without control characters? */
bool text_is_printable(const char *text, size_t size);

/** The bytes of the UTF-8 sequence at text, 1 .. 4; 0 where it is not valid. */
size_t utf8_length(const unsigned char *text, size_t size);

#endif
