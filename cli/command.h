// SPDX-License-Identifier: Apache-2.0
/* command.h: the subcommands, and how every one of them ends. Layer: cli. */
#ifndef ALDIS_CLI_COMMAND_H
#define ALDIS_CLI_COMMAND_H

#include <argp.h>
#include <stdio.h>

/** Exit statuses (those of sysexits.h where it has one). After SIGINT and SIGTERM: 128 + signal. */
enum exit_status {
    EXIT_GOOD = 0,
    EXIT_NO = 1,      /**< the answer is no */
    EXIT_MISUSE = 64, /**< the command line is wrong; argp's own status, too */
    EXIT_BAD_CONTENT = 65,
    EXIT_NO_INPUT = 66,
    EXIT_WRONG = 70,     /**< an audit, an invariant or a benchmark's count failed */
    EXIT_SYSTEM = 71,    /**< memory, threads */
    EXIT_NO_OUTPUT = 73, /**< an output cannot be created */
    EXIT_IO = 74         /**< an output cannot be written */
};

struct command {
    const char *name;
    const char *arguments; /**< for the usage line */
    const char *summary;
    /** argv[0] is "aldis NAME"; returns an exit status. */
    int (*run)(int argc, char **argv);
};

int command_run(int argc, char **argv);     /* run.c */
int command_check(int argc, char **argv);   /* check.c */
int command_import(int argc, char **argv);  /* import.c */
int command_explore(int argc, char **argv); /* explore.c */
int command_compare(int argc, char **argv); /* compare.c */
int command_replay(int argc, char **argv);  /* replay.c */
int command_bench(int argc, char **argv);   /* bench.c */

/**
 * Parse a subcommand's arguments with argp, which exits with EXIT_MISUSE and a text where they are
 * wrong. Before that, an option that does not exist is answered with the nearest one that does.
 */
void command_parse(const struct argp *argp, int argc, char **argv, unsigned flags, void *input);

/** A help_filter of argp for which `print` writes what stands at the end of the help; the other
 *  texts stay. Gives NULL (no text) where memory has run out. */
char *command_help(int key, const char *text, void (*print)(FILE *out));

/** The options that every command has: a child for argp. */
extern const struct argp command_shared_argp;

#endif
