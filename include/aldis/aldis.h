// SPDX-License-Identifier: Apache-2.0
/* aldis.h: the whole library. Layer: public. */
#ifndef ALDIS_ALDIS_H
#define ALDIS_ALDIS_H

#include <aldis/actor.h>
#include <aldis/ask.h>
#include <aldis/blob.h>
#include <aldis/causal.h>
#include <aldis/channel.h>
#include <aldis/credit.h>
#include <aldis/dead_letter.h>
#include <aldis/delivery.h>
#include <aldis/error.h>
#include <aldis/explore.h>
#include <aldis/fault.h>
#include <aldis/flow.h>
#include <aldis/link.h>
#include <aldis/log.h>
#include <aldis/machine.h>
#include <aldis/message.h>
#include <aldis/offload.h>
#include <aldis/pipeline.h>
#include <aldis/place.h>
#include <aldis/pool.h>
#include <aldis/pressure.h>
#include <aldis/rate.h>
#include <aldis/record.h>
#include <aldis/router.h>
#include <aldis/stash.h>
#include <aldis/stats.h>
#include <aldis/store.h>
#include <aldis/supervise.h>
#include <aldis/system.h>
#include <aldis/testkit.h>
#include <aldis/timer.h>
#include <aldis/topic.h>
#include <aldis/types.h>
#include <aldis/version.h>
#include <aldis/window.h>
#include <aldis/wire.h>

#endif
