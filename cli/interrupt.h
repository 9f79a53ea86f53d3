// SPDX-License-Identifier: Apache-2.0
/* interrupt.h: SIGINT, SIGTERM, and SIGHUP unless it is ignored. Layer: cli.
 *
 * The first signal asks the running command to end; a second one ends the program at once. Threads
 * of the library block all signals, so the handler runs on the main thread. */
#ifndef ALDIS_CLI_INTERRUPT_H
#define ALDIS_CLI_INTERRUPT_H

#include <aldis/system.h>

/** From now on a signal halts the system given by interrupt_set_system. */
void interrupt_install(void);

/** The system to halt; NULL: none now. A signal that came before halts it at once. */
void interrupt_set_system(aldis_system *system);

/** What the second signal, or SIGQUIT, does before it ends the program: async-signal-safe. NULL:
 *  nothing. */
void interrupt_set_cleanup(void (*cleanup)(void));

/** The number of the signal that came, or 0. */
int interrupt_signal(void);

/** From now on a signal ends the program at once, with status 128 + signal: for commands that have
 *  nothing to say about half a job. */
void interrupt_exit_at_once(void);

#endif
