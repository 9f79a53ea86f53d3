// SPDX-License-Identifier: Apache-2.0
/* blob.h: inside a blob. Layer: core. */
#ifndef ALDIS_CORE_BLOB_H
#define ALDIS_CORE_BLOB_H

#include "base/atomic.h"
#include <aldis/blob.h>

struct aldis_blob {
    _Atomic(uint64_t) refs;
    size_t size;
    _Alignas(16) unsigned char bytes[];
};

#endif
