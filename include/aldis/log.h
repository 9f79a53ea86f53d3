// SPDX-License-Identifier: Apache-2.0
/* log.h: the log hook. The library prints nothing by itself. Layer: public. */
#ifndef ALDIS_LOG_H
#define ALDIS_LOG_H

#include <aldis/types.h>
#include <aldis/version.h>

typedef enum aldis_log_level {
    ALDIS_LOG_ERROR = 1,
    ALDIS_LOG_WARN,
    ALDIS_LOG_INFO,
    ALDIS_LOG_DEBUG
} aldis_log_level;

/** Gets one line, without its end. May be called from several threads at once; must not call
 *  Aldis. */
typedef void (*aldis_log_fn)(void *arg, aldis_log_level level, const char *line);

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Send lines of level and above (in importance) to fn; NULL: silence, the default. One hook for the
 * process. Set it before the first system is made. Thread: any, one at a time.
 */
ALDIS_API void aldis_log_set(aldis_log_fn fn, void *arg, aldis_log_level level);

#ifdef __cplusplus
}
#endif
#endif
