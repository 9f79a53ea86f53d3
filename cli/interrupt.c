// SPDX-License-Identifier: Apache-2.0
/* interrupt.c: SIGINT and SIGTERM. Layer: cli.
 *
 * The handler uses only what is async-signal-safe: volatile objects, aldis_system_halt and the
 * cleanup (which say so of themselves) and _exit. */
#include "interrupt.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

static volatile sig_atomic_t arrived;
static aldis_system *volatile target;
static void (*volatile at_exit)(void);

static void on_signal(int number)
{
    if (arrived) {
        void (*cleanup)(void) = at_exit;
        if (cleanup)
            cleanup();
        _exit(128 + number);
    }
    arrived = number;
    aldis_system *system = target;
    if (system)
        aldis_system_halt(system);
}

static void on_signal_exit(int number)
{
    _exit(128 + number);
}

static void install(void (*handler)(int))
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = handler;
    sigemptyset(&action.sa_mask);
    sigaddset(&action.sa_mask, SIGINT);
    sigaddset(&action.sa_mask, SIGTERM);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

void interrupt_install(void)
{
    install(on_signal);
}

void interrupt_exit_at_once(void)
{
    install(on_signal_exit);
}

void interrupt_set_system(aldis_system *system)
{
    target = system;
    if (system && arrived)
        aldis_system_halt(system);
}

void interrupt_set_cleanup(void (*cleanup)(void))
{
    at_exit = cleanup;
}

int interrupt_signal(void)
{
    return arrived;
}
