// SPDX-License-Identifier: Apache-2.0
/* testkit.h: test your own actors, step by step, in virtual time. Layer: public.
 *
 *     #define CLIENT_PROTOCOL(X, kind) X(kind, pong)
 *     ALDIS_PROTOCOL(client, CLIENT_PROTOCOL);
 *     ALDIS_PROBE(client, CLIENT_PROTOCOL);          // a kind of actor that keeps what it gets
 *
 *     aldis_testkit *kit;
 *     aldis_testkit_create(NULL, &kit);
 *     client_ref client;
 *     aldis_probe *probe = aldis_testkit_probe(kit, client, &client);
 *     ... spawn the actor under test on aldis_testkit_system(kit) ...
 *     aldis_testkit_send_as(kit, client.id, server, ping, .seq = 1);
 *     const struct pong *msg = aldis_expect(probe, pong, 10 * ALDIS_MS);
 *     aldis_expect_none(probe, ALDIS_SECOND);
 *     aldis_testkit_destroy(kit);                    // with the audit
 *
 * A failed expectation says what it wanted, the seed, the time and the last messages that were
 * handled, and calls the kit's on_failure: by default it prints that and aborts; a test harness
 * gives its own, which may also jump out of the test.
 *
 * Everything here is for the one thread that made the kit. */
#ifndef ALDIS_TESTKIT_H
#define ALDIS_TESTKIT_H

#include <aldis/actor.h>
#include <aldis/system.h>

/** A system in virtual time, under a test's control. */
typedef struct aldis_testkit aldis_testkit;
/** An actor that keeps what it gets, for the test to look at. Lives as long as its kit. */
typedef struct aldis_probe aldis_probe;

/** Zeroes are the defaults. */
typedef struct aldis_testkit_opts {
    aldis_system_opts system; /**< its clock is virtual in any case */
    uint32_t trace_msgs;      /**< kept for reports: 1 .. 65,536; default 32 */
    /** A test has failed; text is borrowed. May return: the failed call then gives NULL or an
     *  error. NULL: print on stderr and abort. */
    void (*on_failure)(void *arg, const char *text);
    void *on_failure_arg;
} aldis_testkit_opts;

/** Which message a fault is for. Nobody and NULL mean any. */
typedef struct aldis_testkit_match {
    aldis_id from, to;
    const aldis_type *type;
} aldis_testkit_match;

/** What an exploration has found. */
typedef struct aldis_testkit_orders {
    uint64_t orders;   /**< runs of the model, each in another order */
    bool complete;     /**< every order there is was run */
    bool failed;       /**< the last of them failed */
    char failing[512]; /**< its order: "from>to message, ..." (kinds; as much as fits) */
} aldis_testkit_orders;

/** A model: makes its actors on the kit's system, sends, runs it and looks at the result. */
typedef void (*aldis_testkit_model_fn)(aldis_testkit *kit, void *arg);

#ifdef __cplusplus
extern "C" {
#endif

/** Make a kit and its system. opts: borrowed, may be NULL. Owner: gives *out_kit. Errors:
 *  ALDIS_EINVAL; as aldis_system_create. */
ALDIS_API aldis_err aldis_testkit_create(const aldis_testkit_opts *opts, aldis_testkit **out_kit);

/** End it, its system and probes; an audit that does not balance is a failure. Owner: takes kit;
 *  NULL is ignored. Errors: ALDIS_EAUDIT. */
ALDIS_API aldis_err aldis_testkit_destroy(aldis_testkit *kit);

/** Its system, to spawn on, send to and ask for figures. Owner: the kit's. */
ALDIS_API aldis_system *aldis_testkit_system(aldis_testkit *kit);

/** Run one window of virtual time: what comes at the next moment at which anything comes. False:
 *  nothing is left to happen. A run that fails is a failure of the test. */
ALDIS_API bool aldis_testkit_step(aldis_testkit *kit);

/** Let ns (0 or more) of virtual time go by, with all that happens in it. */
ALDIS_API aldis_err aldis_testkit_advance(aldis_testkit *kit, aldis_ns ns);

/** Send as if from the actor `from` (nobody: from outside): it arrives at the present moment. See
 *  aldis_testkit_send_as. Errors: as aldis_system_send_raw. */
ALDIS_API aldis_err aldis_testkit_send_raw(aldis_testkit *kit, aldis_id from, aldis_id to,
                                           aldis_type *type, const void *payload, size_t size);

/**
 * Drop the next message that matches and has not arrived yet, or let it come later by delay_ns.
 * What is dropped counts as such, and nobody is told; what is delayed may be overtaken. For
 * messages to others, and to oneself from beyond the lookahead. At most 64 faults wait for their
 * message.
 *
 * delay_ns: 1 or more.
 * Errors: ALDIS_EINVAL; ALDIS_EFULL.
 */
ALDIS_API aldis_err aldis_testkit_drop(aldis_testkit *kit, const aldis_testkit_match *match);
ALDIS_API aldis_err aldis_testkit_delay(aldis_testkit *kit, const aldis_testkit_match *match,
                                        aldis_ns delay_ns);

/** Fail the test, with the seed and the last messages. printf-like. */
ALDIS_API void aldis_testkit_fail(aldis_testkit *kit, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/** See aldis_testkit_probe and aldis_expect. */
ALDIS_API aldis_probe *aldis_testkit_probe_raw(aldis_testkit *kit, const aldis_behaviour *behaviour,
                                               aldis_id *out_id);
ALDIS_API const void *aldis_probe_expect_raw(aldis_probe *probe, const aldis_type *type,
                                             aldis_ns within_ns, size_t *out_size);
/** The probe must have nothing, and get nothing before this much virtual time has gone by; it then
 *  has. False: the test has failed. */
ALDIS_API bool aldis_expect_none(aldis_probe *probe, aldis_ns within_ns);
/** Who sent the message that was expected last. */
ALDIS_API aldis_id aldis_probe_sender(const aldis_probe *probe);

/**
 * Run a model in every order in which its messages can be handled that keeps the order from each
 * sender to each receiver: whenever several wait, each of them comes first in one of the runs.
 * Stops after the first order that fails (by aldis_testkit_fail, an expectation, or the audit), or
 * after orders_max.
 *
 * For small models: n messages that all wait together have up to n! orders. Each run has a kit of
 * its own with one worker and one shard; time-outs come when their time has come.
 *
 * opts:  as for a kit, and borrowed; on_failure is called with a text that names the order; if it
 *        is NULL the failure is only reported in *out_orders.
 * Errors: ALDIS_EINVAL, also if the model does something else when it is run again; ALDIS_EHANDLER
 *         an order failed; ALDIS_ENOMEM; as aldis_system_create.
 */
ALDIS_API aldis_err aldis_testkit_explore(const aldis_testkit_opts *opts,
                                          aldis_testkit_model_fn model, void *arg,
                                          uint64_t orders_max, aldis_testkit_orders *out_orders);

/* Called by what ALDIS_PROBE defines. */
ALDIS_API aldis_err aldis_probe_start_(void *state, const void *arg, aldis_ctx *ctx);
ALDIS_API aldis_err aldis_probe_take_(void *state, const aldis_type *type, const void *payload,
                                      aldis_ctx *ctx);

#ifdef __cplusplus
}
#else
#define ALDIS_PROBE_THUNK_(kind, name)                                                             \
    static aldis_err kind##_thunk_##name(void *self, const void *payload, aldis_ctx *ctx)          \
    {                                                                                              \
        return aldis_probe_take_(self, &name##_type, payload, ctx);                                \
    }
#define ALDIS_PROBE_ENTRY_(kind, name) {&name##_type, kind##_thunk_##name},

/** Define `kind_behaviour` as a probe: it accepts what LIST lists, and keeps it. */
#define ALDIS_PROBE(kind, LIST)                                                                    \
    LIST(ALDIS_PROBE_THUNK_, kind)                                                                 \
    static const aldis_handler_entry kind##_handlers_[] = {LIST(ALDIS_PROBE_ENTRY_, kind)};        \
    const aldis_behaviour kind##_behaviour = {.name = #kind,                                       \
                                              .state_size = sizeof(aldis_probe *),                 \
                                              .handlers = kind##_handlers_,                        \
                                              .handler_count = sizeof kind##_handlers_ /           \
                                                               sizeof kind##_handlers_[0],         \
                                              .on_start = aldis_probe_start_}

/** A new probe of this kind on the kit's system; out_ref a kind_ref. NULL: the test has failed. */
#define aldis_testkit_probe(kit, kind, out_ref)                                                    \
    aldis_testkit_probe_raw((kit), &kind##_behaviour,                                              \
                            &_Generic((out_ref), kind##_ref *: (out_ref))->id)

/** Send message `name` as if from the actor `from`, with the payload's fields. */
#define aldis_testkit_send_as(kit, from, to, name, ...)                                            \
    aldis_testkit_send_raw((kit), (from), ALDIS_TO_(to, name), &name##_type,                       \
                           ALDIS_NEW_(name, __VA_ARGS__), name##_type.size)
/** The same for a message without payload. */
#define aldis_testkit_signal_as(kit, from, to, name)                                               \
    aldis_testkit_send_raw((kit), (from), ALDIS_TO_(to, name), &name##_type, NULL, 0)

/** The next message that the probe gets (or has got) must be a `name`, and come within this much
 *  virtual time (its last moment included; 0: now). Gives its payload, valid until the next call on
 *  the probe; NULL: the test has failed. */
#define aldis_expect(probe, name, within_ns)                                                       \
    ((const name##_payload *)aldis_probe_expect_raw((probe), &name##_type, (within_ns), NULL))
#endif

#endif
