// SPDX-License-Identifier: Apache-2.0
/* report.h: what a stop has dropped, in words. Layer: core. */
#ifndef ALDIS_CORE_REPORT_H
#define ALDIS_CORE_REPORT_H

#include "core/system.h"
#include <aldis/stats.h>

/** After a stop: note and log what was not handled since `before` (NULL: not known), and how many
 *  actors had to be killed. */
void aldis__report_stop(aldis_system *system, const aldis_stats *before, uint64_t killed);

#endif
