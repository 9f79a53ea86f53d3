// SPDX-License-Identifier: Apache-2.0
/* interrupt.c: signals that end the program. Layer: cli.
 *
 * The handlers use only what is async-signal-safe: volatile objects, aldis_system_halt and the
 * cleanup (which say so of themselves) and _exit. */
#include "interrupt.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

static volatile sig_atomic_t arrived;
static aldis_system *volatile target;
static void (*volatile at_exit)(void);
static volatile sig_atomic_t on_terminal;

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

/* The terminal is given back, and then the signal does what it does: end it, and dump core. */
static void on_quit(int number)
{
    void (*cleanup)(void) = at_exit;
    if (cleanup)
        cleanup();
    signal(number, SIG_DFL);
    raise(number);
}

/* The line of progress stays; what comes next begins a new one. */
static void on_signal_exit(int number)
{
    if (on_terminal)
        (void)!write(STDERR_FILENO, "\n", 1);
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
    sigaddset(&action.sa_mask, SIGHUP);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    struct sigaction was;
    bool ignored = sigaction(SIGHUP, NULL, &was) == 0 && was.sa_handler == SIG_IGN;
    if (!ignored) /* else it is to outlive its terminal: nohup */
        sigaction(SIGHUP, &action, NULL);
}

void interrupt_install(void)
{
    install(on_signal);
}

void interrupt_exit_at_once(void)
{
    on_terminal = isatty(STDERR_FILENO) == 1;
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
    signal(SIGQUIT, cleanup ? on_quit : SIG_DFL);
}

int interrupt_signal(void)
{
    return arrived;
}
