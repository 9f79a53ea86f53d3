// SPDX-License-Identifier: Apache-2.0
/* blob.h: reference-counted, read-only bytes, for payloads too large to copy. Layer: public. */
#ifndef ALDIS_BLOB_H
#define ALDIS_BLOB_H

#include <aldis/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Copy size bytes into a new blob with one reference.
 *
 * data: borrowed; NULL leaves the bytes zero, to be filled through out_bytes before it is shared.
 * Owner:  gives *out_blob: end it with aldis_blob_unref.
 * Thread: any.          Errors: ALDIS_EINVAL size 0; ALDIS_ENOMEM.
 */
ALDIS_API aldis_err aldis_blob_create(const void *data, size_t size, aldis_blob **out_blob,
                                      void **out_bytes);

/** Take one more reference. Thread: any. Returns blob. */
ALDIS_API aldis_blob *aldis_blob_ref(aldis_blob *blob);

/** Give up one reference; the last one frees the blob. Thread: any. NULL is ignored. */
ALDIS_API void aldis_blob_unref(aldis_blob *blob);

/** The bytes and their number. Borrowed while a reference is held. */
ALDIS_API const void *aldis_blob_data(const aldis_blob *blob, size_t *out_size);

#ifdef __cplusplus
}
#endif
#endif
