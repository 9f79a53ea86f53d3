// SPDX-License-Identifier: Apache-2.0
/* flow.h: what the controllers of actors and those of threads share. Layer: flow. */
#ifndef ALDIS_FLOW_FLOW_H
#define ALDIS_FLOW_FLOW_H

#include <aldis/flow.h>

/** Check the options and fill in their defaults. ALDIS_EINVAL, naming the option. */
aldis_err aldis__flow_resolve(const aldis_flow_opts *opts, aldis_flow_opts *out_opts);

static inline bool aldis__flow_has_rate(const aldis_flow_opts *opts)
{
    return opts->rate.tokens != 0;
}

#endif
