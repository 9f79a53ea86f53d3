// SPDX-License-Identifier: Apache-2.0
/* session.c: see session.h. Layer: cli. */
#include "session.h"

#include "command.h"

int session_open(struct session *session, const struct session_opts *opts, const char *scenario)
{
    *session = (struct session){.opts = opts, .scenario = scenario};
    if (opts->print_windows)
        return chain_create(&session->chain, opts->print_windows);
    return EXIT_GOOD;
}

void session_begin(struct session *session, const struct space_run_facts *facts)
{
    struct origin origin = origin_of(session->scenario, facts);
    if (session->chain.file) {
        chain_write_origin(&session->chain, &origin);
        (void)aldis_system_on_window(facts->system, chain_write_window, &session->chain);
    }
}

void session_end(struct session *session, const struct space_run_facts *facts,
                 aldis_run_end end_reason)
{
    if (session->chain.file) {
        (void)aldis_system_on_window(facts->system, NULL, NULL);
        chain_write_end(&session->chain, end_reason, 0);
    }
}

int session_close(struct session *session)
{
    return session->chain.file ? chain_close(&session->chain) : EXIT_GOOD;
}
