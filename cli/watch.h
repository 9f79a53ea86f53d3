// SPDX-License-Identifier: Apache-2.0
/* watch.h: `aldis run --watch`: a run seen on the whole terminal. Layer: cli.
 *
 * Drawn on standard error, steered by keys from standard input; both must be the terminal. The run
 * is looked at between its pieces, so nothing of it can change but how fast it goes. */
#ifndef ALDIS_CLI_WATCH_H
#define ALDIS_CLI_WATCH_H

#include "../space/space.h"

struct watch;

/** Take the terminal. NULL: it is none, or there is no memory. */
struct watch *watch_open(void);

/** Where the run is to write its events. Borrowed. */
FILE *watch_events(struct watch *watch);

/** For space_run_opts.on_progress: draw, and wait as the keys say. false: the run is to end. */
bool watch_progress(struct watch *watch, const struct space_progress *now);

/** Give the terminal back as it was. NULL is ignored. */
void watch_close(struct watch *watch);

#endif
