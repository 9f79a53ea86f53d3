// SPDX-License-Identifier: Apache-2.0
/* command.c: what all subcommands share of their command line. Layer: cli. */
#include "command.h"

#include "nearest.h"
#include "progress.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* -v: taken by the program and by each command, so that it may stand before and after the name. */
static int verbosity;

static error_t parse_shared(int key, char *value, struct argp_state *state)
{
    (void)value;
    (void)state;
    if (key != 'v')
        return ARGP_ERR_UNKNOWN;
    progress_log(++verbosity);
    return 0;
}

const struct argp command_shared_argp = {
    .options = (const struct argp_option[]){{.name = "verbose",
                                             .key = 'v',
                                             .group = -2,
                                             .doc = "Print the log on standard error (twice: all)"},
                                            {0}},
    .parser = parse_shared,
};

/* An option found by its whole name (quality 2), by the beginning of it (1), or not at all (0). */
struct found {
    const struct argp_option *option;
    int quality;
};

static void search(const struct argp_option *options, const char *name, size_t size,
                   struct found *found, struct nearest *nearest)
{
    for (; options && (options->name || options->key || options->doc); options++) {
        if (!options->name)
            continue;
        int quality = strncmp(options->name, name, size) != 0 ? 0
                      : options->name[size] == '\0'           ? 2
                                                              : 1;
        if (quality > found->quality)
            *found = (struct found){options, quality};
        nearest_offer(nearest, name, options->name);
    }
}

static void search_all(const struct argp *argp, const char *name, size_t size, struct found *found,
                       struct nearest *nearest)
{
    search(argp->options, name, size, found, nearest);
    for (const struct argp_child *child = argp->children; child && child->argp; child++)
        search_all(child->argp, name, size, found, nearest);
}

/* The option that `word` ("--seed=4" or "--seed") names; ends the program where there is none. */
static const struct argp_option *known_option(const struct argp *argp, const char *word,
                                              const char *program)
{
    static const struct argp_option builtin[] = {
        {.name = "help"}, {.name = "usage"}, {.name = "version"}, {0}};
    char name[64];
    size_t size = strcspn(word + 2, "=");
    if (size >= sizeof name)
        size = sizeof name - 1;
    memcpy(name, word + 2, size);
    name[size] = '\0';
    struct found found = {NULL, 0};
    struct nearest nearest = {NULL, 0};
    search_all(argp, name, size, &found, &nearest);
    search(builtin, name, size, &found, &nearest);
    if (found.option)
        return found.option;
    fprintf(stderr, "%s: there is no option --%s%s%s%s\n", program, name,
            nearest.word ? "; did you mean --" : "", nearest.word ? nearest.word : "",
            nearest.word ? "?" : "");
    fprintf(stderr, "Try `%s --help' for all options.\n", program);
    exit(EXIT_MISUSE);
}

char *command_help(int key, const char *text, void (*print)(FILE *out))
{
    if (key != ARGP_KEY_HELP_POST_DOC)
        return (char *)(uintptr_t)text; /* argp's own: it frees what is another pointer */
    char *list = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&list, &size);
    if (!out)
        return NULL;
    print(out);
    return fclose(out) == 0 ? list : NULL;
}

void command_parse(const struct argp *argp, int argc, char **argv, unsigned flags, void *input)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--") == 0)
            break;
        if (argv[i][0] != '-' && (flags & ARGP_IN_ORDER))
            break;
        if (strncmp(argv[i], "--", 2) != 0)
            continue;
        const struct argp_option *option = known_option(argp, argv[i], argv[0]);
        if (option->arg && !(option->flags & OPTION_ARG_OPTIONAL) && !strchr(argv[i], '='))
            i++;
    }
    argp_err_exit_status = EXIT_MISUSE;
    error_t err = argp_parse(argp, argc, argv, flags, NULL, input);
    if (err != 0) {
        fprintf(stderr, "%s: %s\n", argv[0], strerror(err));
        exit(EXIT_SYSTEM);
    }
}
