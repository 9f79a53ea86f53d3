// SPDX-License-Identifier: Apache-2.0
/* error.c: error names, texts, and each thread's record of its last failure. Layer: base. */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { TEXT_BYTES = 192 };

/* The initial-exec model costs one load and, unlike the default one, never allocates: reporting
 * "out of memory" must not need memory. */
#define THREAD_LOCAL static _Thread_local __attribute__((tls_model("initial-exec")))

THREAD_LOCAL char last_text[TEXT_BYTES];
THREAD_LOCAL aldis_error_info last = {ALDIS_OK, ALDIS_NOBODY_INIT, "", "ok"};

const char *aldis_error_text(aldis_err err)
{
    switch (err) {
#define TEXT_OF(name, value, text)                                                                 \
    case name:                                                                                     \
        return text;
        ALDIS_ERROR_LIST(TEXT_OF)
#undef TEXT_OF
    }
    return "unknown error";
}

const char *aldis_error_name(aldis_err err)
{
    switch (err) {
#define NAME_OF(name, value, text)                                                                 \
    case name:                                                                                     \
        return #name;
        ALDIS_ERROR_LIST(NAME_OF)
#undef NAME_OF
    }
    return "ALDIS_E?";
}

const aldis_error_info *aldis_error_last(void)
{
    return &last;
}

aldis_err aldis__error_set(aldis_err err, aldis_id actor, const char *type_name, const char *format,
                           ...)
{
    last.err = err;
    last.actor = actor;
    last.type_name = type_name ? type_name : "";
    if (!format) {
        last.text = aldis_error_text(err);
        return err;
    }
    /* An argument may be the last text itself ("cannot start: %s"), so it is built aside. */
    char text[TEXT_BYTES];
    va_list args;
    va_start(args, format);
    int length = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (length < 0) {
        last.text = aldis_error_text(err);
        return err;
    }
    if (length >= TEXT_BYTES)
        memcpy(text + TEXT_BYTES - 4, "...", 4);
    memcpy(last_text, text, sizeof text);
    last.text = last_text;
    return err;
}
