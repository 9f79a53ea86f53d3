// SPDX-License-Identifier: Apache-2.0
/* main.c: the program aldis: finds the subcommand and runs it. Layer: cli. */
#include "command.h"
#include "nearest.h"
#include "output.h"

#include <aldis/version.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct command commands[] = {
    {"run", "FILE", "Run the scenario in FILE and report", command_run},
    {"check", "FILE...", "Check scenarios, and run nothing", command_check},
    {"import", "FILE", "Make a scenario of a map in CSV files", command_import},
    {"compare", "A B", "Find where two runs part, from what --print-windows wrote",
     command_compare},
    {"explore", "FILE", "Search many seeds, with faults, for a run that goes wrong",
     command_explore},
    {"replay", "FILE", "Make a run again that `aldis run --record' has kept", command_replay},
    {"bench", "[NAME]", "Measure the runtime with one workload, or with all", command_bench},
};
enum { COMMANDS = sizeof commands / sizeof commands[0] };

static void print_version(FILE *out, struct argp_state *state)
{
    (void)state;
    fprintf(out, "aldis %s\n", aldis_version());
}

static _Noreturn void unknown_command(const char *name)
{
    struct nearest nearest = {NULL, 0};
    for (size_t i = 0; i < COMMANDS; i++)
        nearest_offer(&nearest, name, commands[i].name);
    fprintf(stderr, "aldis: there is no command '%s'", name);
    if (nearest.word)
        fprintf(stderr, "; did you mean '%s'?", nearest.word);
    fputs("\nTry `aldis --help' for all commands.\n", stderr);
    exit(EXIT_MISUSE);
}

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    unknown_command(name);
}

/* The command that was found, and where its name stands in argv. */
struct chosen {
    const struct command *command;
    int index;
};

/* "help" is "--help", and "help NAME" is "NAME --help". */
static void take_help(int argc, char **argv)
{
    static char option[] = "--help";
    if (argc > 1 && strcmp(argv[1], "help") == 0) {
        argv[1] = argc > 2 ? argv[2] : option;
        if (argc > 2)
            argv[2] = option;
    }
}

/* The words before the command; the first one that is no option ends them. */
static error_t parse_main(int key, char *value, struct argp_state *state)
{
    struct chosen *chosen = state->input;
    if (key == ARGP_KEY_ARG) {
        chosen->command = find_command(value);
        chosen->index = state->next - 1;
        state->next = state->argc; /* the rest belongs to the command */
    } else if (key == ARGP_KEY_NO_ARGS) {
        argp_error(state, "a command is missing");
    } else {
        return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

/* The list of commands in `aldis --help`, made from the table. */
static void print_commands(FILE *out)
{
    fputs("Commands:\n", out);
    for (size_t i = 0; i < COMMANDS; i++) {
        char usage[32];
        snprintf(usage, sizeof usage, "%s %s", commands[i].name, commands[i].arguments);
        fprintf(out, "  %-14s %s\n", usage, commands[i].summary);
    }
    fputs("\n`aldis help COMMAND' (or `aldis COMMAND --help') tells more about each.\n", out);
}

static char *help_text(int key, const char *text, void *input)
{
    (void)input;
    return command_help(key, text, print_commands);
}

static const struct argp_child children[] = {{.argp = &command_shared_argp}, {0}};
static const struct argp main_argp = {
    .parser = parse_main,
    .args_doc = "COMMAND [ARGUMENT...]",
    .doc = "Aldis runs, checks and measures systems of actors.",
    .children = children,
    .help_filter = help_text,
};

int main(int argc, char **argv)
{
    static char name[] = "aldis";
    output_open();
    argp_program_version_hook = print_version;
    if (argc == 0)
        return EXIT_MISUSE;
    argv[0] = name;
    take_help(argc, argv);
    struct chosen chosen = {NULL, argc};
    command_parse(&main_argp, argc, argv, ARGP_IN_ORDER, &chosen);
    char title[32];
    snprintf(title, sizeof title, "aldis %s", chosen.command->name);
    argv[chosen.index] = title;
    return output_finish(chosen.command->run(argc - chosen.index, argv + chosen.index));
}
