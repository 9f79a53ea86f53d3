// SPDX-License-Identifier: Apache-2.0
/* blob.c: reference-counted, read-only bytes. Layer: core. Any thread. */
#include "core/blob.h"

#include "base/error.h"
#include <stdlib.h>
#include <string.h>

aldis_err aldis_blob_create(const void *data, size_t size, aldis_blob **out_blob, void **out_bytes)
{
    if (size == 0 || !out_blob || size > SIZE_MAX - sizeof(aldis_blob))
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "",
                                "aldis_blob_create: size %zu, out_blob %s; allowed: size 1 or more",
                                size, out_blob ? "given" : "NULL");
    aldis_blob *blob = malloc(sizeof *blob + size);
    if (!blob)
        return aldis__error_set(ALDIS_ENOMEM, aldis_nobody(), "", "a blob of %zu bytes", size);
    /* Relaxed: nobody else knows the blob yet. */
    aldis__store_relaxed(&blob->refs, 1);
    blob->size = size;
    if (data)
        memcpy(blob->bytes, data, size);
    else
        memset(blob->bytes, 0, size);
    if (out_bytes)
        *out_bytes = blob->bytes;
    *out_blob = blob;
    return ALDIS_OK;
}

aldis_blob *aldis_blob_ref(aldis_blob *blob)
{
    /* Relaxed: the caller holds a reference, so the count cannot reach 0 meanwhile. */
    if (blob)
        aldis__fetch_add_relaxed(&blob->refs, 1);
    return blob;
}

void aldis_blob_unref(aldis_blob *blob)
{
    /* B1 acq_rel: pairs with itself: whoever frees the bytes comes after all who read them. */
    if (blob && aldis__fetch_sub_acq_rel(&blob->refs, 1) == 1)
        free(blob);
}

const void *aldis_blob_data(const aldis_blob *blob, size_t *out_size)
{
    if (out_size)
        *out_size = blob ? blob->size : 0;
    return blob ? blob->bytes : NULL;
}
