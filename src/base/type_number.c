// SPDX-License-Identifier: Apache-2.0
/* type_number.c: the number of a message type. Layer: base, because core numbers its types and must
 * not need the wire. */
#include "base/hash.h"
#include <aldis/wire.h>

uint32_t aldis_type_number(const aldis_type *type)
{
    return type->number ? type->number : aldis__name_number(type->name);
}
