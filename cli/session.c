// SPDX-License-Identifier: Apache-2.0
/* session.c: see session.h. Layer: cli. */
#include "session.h"

#include "command.h"
#include "output.h"
#include "progress.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Can a recording be kept there? Better known before the run than at its beginning. */
static int try_record(const char *path)
{
    struct stat facts;
    bool there = stat(path, &facts) == 0;
    FILE *file = there && !S_ISREG(facts.st_mode) ? NULL : fopen(path, "ab");
    if (!file) {
        fprintf(stderr, "aldis: %s cannot be created: %s\n", path,
                there && !S_ISREG(facts.st_mode) ? "not a regular file" : strerror(errno));
        return EXIT_NO_OUTPUT;
    }
    fclose(file);
    /* A file at the limit of its size is then a failed write, as a full disk is. */
    signal(SIGXFSZ, SIG_IGN);
    return EXIT_GOOD;
}

/* Would writing one lose the other? A device takes both. */
static bool same_file(const char *a, const char *b)
{
    struct stat one, other;
    if (stat(a, &one) != 0)
        return strcmp(a, b) == 0;
    return S_ISREG(one.st_mode) && stat(b, &other) == 0 && one.st_dev == other.st_dev &&
           one.st_ino == other.st_ino;
}

static int check_apart(const struct session_opts *opts, const struct input *scenario)
{
    const struct {
        const char *option, *path;
    } files[] = {{"FILE", scenario->path},
                 {"--faults", opts->faults},
                 {"--record", opts->record},
                 {"--print-windows", opts->print_windows},
                 {"--events", opts->events}};
    enum { COUNT = sizeof files / sizeof files[0], OUTPUTS = 2 };
    for (size_t out = OUTPUTS; out < COUNT; out++)
        for (size_t i = 0; i < out; i++) {
            if (!files[out].path || !files[i].path || !same_file(files[out].path, files[i].path))
                continue;
            fprintf(stderr, "aldis run: %s: found '%s', allowed: another file than that of %s\n",
                    files[out].option, files[out].path, files[i].option);
            return EXIT_MISUSE;
        }
    return EXIT_GOOD;
}

int session_open(struct session *session, const struct session_opts *opts,
                 const struct input *scenario)
{
    *session = (struct session){.opts = opts, .scenario = scenario, .status = EXIT_GOOD};
    int status = check_apart(opts, scenario);
    if (status == EXIT_GOOD && opts->record)
        status = try_record(opts->record);
    if (status == EXIT_GOOD && opts->print_windows)
        status = chain_create(&session->chain, opts->print_windows);
    if (status == EXIT_GOOD && opts->events) {
        session->events = output_create(opts->events);
        if (!session->events) {
            status = EXIT_NO_OUTPUT;
            (void)session_close(session);
        }
    }
    if (status == EXIT_GOOD && opts->listen) {
        status = listen_open(&session->listener, opts->listen);
        if (status != EXIT_GOOD)
            (void)session_close(session);
    }
    return status;
}

static void begin_record(struct session *session, const struct space_run_facts *facts,
                         const struct origin *origin)
{
    char *head = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&head, &size);
    aldis_err err = out ? ALDIS_OK : ALDIS_ENOMEM;
    if (out) {
        origin_print(origin, out);
        err = fclose(out) == 0 ? ALDIS_OK : ALDIS_ENOMEM;
    }
    if (err == ALDIS_OK)
        err = aldis_recording_create(session->opts->record, head, &session->recording);
    if (err == ALDIS_OK)
        err = aldis_recording_attach(session->recording, facts->system);
    free(head);
    if (err == ALDIS_OK)
        return;
    fprintf(stderr, "aldis: %s\n",
            err == ALDIS_ENOMEM ? aldis_error_text(err) : aldis_error_last()->text);
    session->status = err == ALDIS_ENOMEM ? EXIT_SYSTEM : EXIT_NO_OUTPUT;
    aldis_system_halt(facts->system);
}

void session_begin(struct session *session, const struct space_run_facts *facts)
{
    struct origin origin = origin_of(session->scenario, facts);
    if (session->chain.file)
        chain_write_origin(&session->chain, &origin);
    if (session->opts->record)
        begin_record(session, facts, &origin);
    if (session->opts->listen && session->status == EXIT_GOOD) {
        session->status = listen_start(&session->listener, facts->system);
        if (session->status != EXIT_GOOD)
            aldis_system_halt(facts->system);
    }
}

static void end_record(struct session *session, aldis_run_end end_reason)
{
    aldis_err err = aldis_recording_close(session->recording, end_reason, NULL);
    session->recording = NULL;
    if (err == ALDIS_OK)
        return;
    fprintf(stderr, "aldis: %s: %s\n", session->opts->record, aldis_error_last()->text);
    session->status = EXIT_IO;
}

void session_end(struct session *session, const struct space_run_facts *facts,
                 aldis_run_end end_reason)
{
    aldis_pace_report pace = {.windows = 0};
    if (session->opts->listen) {
        const struct listener *l = &session->listener;
        listen_stop(&session->listener);
        progress_notice("orders: %" PRIu64 " taken, %" PRIu64 " refused, %" PRIu64
                        " not understood",
                        l->taken, l->refused, l->bad);
    }
    if (session->chain.file) {
        (void)aldis_system_pace_report(facts->system, &pace);
        chain_write_end(&session->chain, end_reason, pace.inputs);
    }
    if (session->recording)
        end_record(session, end_reason);
}

int session_close(struct session *session)
{
    if (session->opts->listen)
        listen_close(&session->listener);
    int status = session->chain.file ? chain_close(&session->chain) : EXIT_GOOD;
    if (session->events && output_close(session->events, session->opts->events) != EXIT_GOOD)
        status = EXIT_IO;
    session->events = NULL;
    return session->status != EXIT_GOOD ? session->status : status;
}
