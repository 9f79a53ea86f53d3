// SPDX-License-Identifier: Apache-2.0
/* version.h: which Aldis this is. Layer: public. */
#ifndef ALDIS_VERSION_H
#define ALDIS_VERSION_H

#define ALDIS_VERSION_MAJOR 0
#define ALDIS_VERSION_MINOR 1
#define ALDIS_VERSION_PATCH 0
#define ALDIS_VERSION_STRING "0.1.0"

/** Marks what the shared library exports; everything else is hidden. */
#define ALDIS_API __attribute__((visibility("default")))

#ifdef __cplusplus
extern "C" {
#endif

/**
 * The version of the library that runs, as "MAJOR.MINOR.PATCH". Compare it with
 * ALDIS_VERSION_STRING to find a header that does not belong to the library.
 *
 * Owner:  static storage; never freed.
 * Thread: any.          Blocks: never.
 */
ALDIS_API const char *aldis_version(void);

#ifdef __cplusplus
}
#endif
#endif
