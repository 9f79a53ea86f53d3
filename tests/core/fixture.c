// SPDX-License-Identifier: Apache-2.0
/* fixture.c: see fixture.h. */
#include "fixture.h"

#include <pthread.h>
#include <stdarg.h>

enum { SETTLE_SECONDS = 60 }; /* only a run that hangs meets it */

static struct fixture
    fixture; /* of the running case; static, since a failed case jumps out of it */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char note_file[128], note_text[512]; /* under lock */
static int note_line;                       /* under lock; 0: nothing is noted */
static struct trace_entry trace[TRACE_MAX]; /* under lock */
static size_t trace_used;                   /* under lock */

/* ------------------------------------------------------------------ puppets */

static aldis_err puppet_on_act(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    return act->run(self, act, ctx);
}

static aldis_err puppet_on_num(struct puppet *self, const num_payload *value, aldis_ctx *ctx)
{
    self->count++;
    self->last = *value;
    return self->script.num ? self->script.num(self, *value, ctx) : ALDIS_OK;
}

static aldis_err puppet_on_tick(struct puppet *self, const aldis_none *none, aldis_ctx *ctx)
{
    (void)none;
    self->count++;
    return self->script.tick ? self->script.tick(self, ctx) : ALDIS_OK;
}

static aldis_err puppet_on_raw(struct puppet *self, const raw_payload *bytes, aldis_ctx *ctx)
{
    return self->script.raw ? self->script.raw(self, bytes, aldis_payload_size(ctx), ctx)
                            : ALDIS_OK;
}

static aldis_err puppet_on_aldis_status(struct puppet *self, const aldis_status *status,
                                        aldis_ctx *ctx)
{
    if (self->script.status)
        self->script.status(self, status, ctx);
    return ALDIS_OK;
}

static aldis_err puppet_on_aldis_credit_notice(struct puppet *self,
                                               const aldis_credit_notice *notice, aldis_ctx *ctx)
{
    return self->script.credit ? self->script.credit(self, notice, ctx) : ALDIS_OK;
}

static aldis_err puppet_on_aldis_down(struct puppet *self, const aldis_down *down, aldis_ctx *ctx)
{
    return self->script.down ? self->script.down(self, down, ctx) : ALDIS_OK;
}

static aldis_err puppet_start(void *state, const void *arg, aldis_ctx *ctx)
{
    struct puppet *self = state;
    if (arg)
        self->script = *(const struct script *)arg;
    return self->script.start ? self->script.start(self, ctx) : ALDIS_OK;
}

static void puppet_stop(void *state, aldis_ctx *ctx)
{
    struct puppet *self = state;
    if (self->script.stop)
        self->script.stop(self, ctx);
}

static void puppet_undelivered(void *state, const aldis_undelivered *notice, aldis_ctx *ctx)
{
    struct puppet *self = state;
    if (self->script.undelivered)
        self->script.undelivered(self, notice, ctx);
}

static void puppet_child_ended(void *state, const aldis_child_ended *notice, aldis_ctx *ctx)
{
    struct puppet *self = state;
    if (self->script.child_ended)
        self->script.child_ended(self, notice, ctx);
}

static const char *puppet_state_name(const void *state)
{
    const struct puppet *self = state;
    return self->script.name ? self->script.name : "idle";
}

static uint64_t puppet_digest(const void *state)
{
    const struct puppet *self = state;
    return self->count * UINT64_C(0x9e3779b97f4a7c15) + self->last;
}

ALDIS_BEHAVIOUR(puppet, struct puppet, PUPPET_PROTOCOL, .on_start = puppet_start,
                .on_stop = puppet_stop, .on_undelivered = puppet_undelivered,
                .on_child_ended = puppet_child_ended, .state_name = puppet_state_name,
                .digest = puppet_digest);

/* A kind without any hook. */
static aldis_err plain_on_act(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    return act->run(self, act, ctx);
}

static aldis_err plain_on_num(struct puppet *self, const num_payload *value, aldis_ctx *ctx)
{
    (void)ctx;
    self->count++;
    self->last = *value;
    return ALDIS_OK;
}

ALDIS_BEHAVIOUR(plain, struct puppet, PLAIN_PROTOCOL);

static aldis_err stranger_on_odd(struct puppet *self, const uint32_t *value, aldis_ctx *ctx)
{
    (void)ctx;
    self->last = *value;
    return ALDIS_OK;
}

ALDIS_BEHAVIOUR(stranger, struct puppet, STRANGER_PROTOCOL);

/* ------------------------------------------------------------------ cases */

void fixture_case(aldis_clock clock, uint32_t workers, void (*body)(struct fixture *f))
{
    aldis_system_destroy(fixture.system); /* of a case that failed */
    fixture = (struct fixture){clock, workers, NULL};
    pthread_mutex_lock(&lock);
    note_line = 0;
    pthread_mutex_unlock(&lock);
    trace_clear();
    body(&fixture);
    fixture_close(&fixture);
}

void fixture_open(struct fixture *f, const aldis_system_opts *opts)
{
    aldis_system_opts filled = opts ? *opts : (aldis_system_opts){0};
    filled.clock = f->clock;
    filled.workers = f->workers;
    if (!filled.shards)
        filled.shards = 8;
    CHECK(f->system == NULL);
    CHECK_OK(aldis_system_create(&filled, &f->system));
}

void fixture_settle(struct fixture *f)
{
    aldis_run_end end = ALDIS_RUN_HALTED;
    aldis_ns until_ns = f->clock == ALDIS_CLOCK_LIVE
                            ? aldis_system_now(f->system) + SETTLE_SECONDS * ALDIS_SECOND
                            : ALDIS_FOREVER;
    CHECK_OK(aldis_system_run(f->system, until_ns, &end));
    CHECK_INT(end, ALDIS_RUN_IDLE);
}

void fixture_await(struct fixture *f, const char *type_name, uint64_t count)
{
    aldis_ns last_ns = aldis_system_now(f->system) + SETTLE_SECONDS * ALDIS_SECOND;
    while (fixture_counts(f, type_name).handled < count) {
        aldis_ns now_ns = aldis_system_now(f->system);
        CHECK(now_ns < last_ns);
        CHECK_OK(aldis_system_run(f->system, now_ns + ALDIS_MS / 10, NULL));
    }
}

void fixture_check(struct fixture *f)
{
    aldis_audit audit;
    aldis_err err = aldis_system_audit(f->system, &audit);
    pthread_mutex_lock(&lock);
    int line = note_line;
    pthread_mutex_unlock(&lock);
    if (line)
        test_fail(note_file, line, "in a handler: %s", note_text);
    CHECK_STR(audit.text, "balanced");
    CHECK(audit.balanced);
    CHECK_ERR(err, ALDIS_OK);
}

void fixture_close(struct fixture *f)
{
    if (!f->system)
        return;
    fixture_check(f);
    aldis_system_destroy(f->system);
    f->system = NULL;
}

puppet_ref fixture_spawn(struct fixture *f, const struct script *script,
                         const aldis_spawn_opts *opts)
{
    puppet_ref ref = {.id = ALDIS_NOBODY_INIT};
    aldis_spawn_opts filled = opts ? *opts : (aldis_spawn_opts){0};
    filled.arg = script;
    filled.arg_size = script ? sizeof *script : 0;
    CHECK_OK(aldis_spawn(f->system, puppet, &ref, &filled));
    return ref;
}

puppet_ref puppet_spawn(aldis_ctx *ctx, const struct script *script, const aldis_spawn_opts *opts)
{
    puppet_ref ref = {.id = ALDIS_NOBODY_INIT};
    aldis_spawn_opts filled = opts ? *opts : (aldis_spawn_opts){0};
    filled.arg = script;
    filled.arg_size = script ? sizeof *script : 0;
    EXPECT_OK(aldis_spawn(ctx, puppet, &ref, &filled));
    return ref;
}

void fixture_tell(struct fixture *f, puppet_ref to,
                  aldis_err (*run)(struct puppet *self, const struct act *act, aldis_ctx *ctx),
                  struct act act)
{
    act.run = run;
    CHECK_OK(aldis_system_send_until_raw(f->system, to.id, &act_type, &act, sizeof act,
                                         SETTLE_SECONDS * ALDIS_SECOND));
}

aldis_type_stats fixture_counts(struct fixture *f, const char *type_name)
{
    aldis_stats stats;
    CHECK_OK(aldis_system_stats(f->system, &stats));
    const aldis_type_stats *row = aldis_stats_type(&stats, type_name);
    aldis_type_stats counts = row ? *row : (aldis_type_stats){0};
    aldis_stats_fini(&stats);
    return counts;
}

aldis_status fixture_status(struct fixture *f, aldis_id actor)
{
    aldis_status status;
    CHECK_OK(aldis_system_status(f->system, actor, &status));
    return status;
}

/* ------------------------------------------------------------------ from handlers */

void fixture_note(const char *file, int line, const char *format, ...)
{
    pthread_mutex_lock(&lock);
    if (!note_line) {
        va_list args;
        va_start(args, format);
        vsnprintf(note_text, sizeof note_text, format, args);
        va_end(args);
        snprintf(note_file, sizeof note_file, "%s", file);
        note_line = line;
    }
    pthread_mutex_unlock(&lock);
}

void trace_add(uint64_t what, uint64_t tag, aldis_ns at_ns)
{
    pthread_mutex_lock(&lock);
    if (trace_used < TRACE_MAX)
        trace[trace_used++] = (struct trace_entry){what, tag, at_ns};
    pthread_mutex_unlock(&lock);
}

void trace_clear(void)
{
    pthread_mutex_lock(&lock);
    trace_used = 0;
    pthread_mutex_unlock(&lock);
}

size_t trace_count(void)
{
    pthread_mutex_lock(&lock);
    size_t count = trace_used;
    pthread_mutex_unlock(&lock);
    return count;
}

struct trace_entry trace_at(size_t index)
{
    pthread_mutex_lock(&lock);
    struct trace_entry entry = index < trace_used ? trace[index] : (struct trace_entry){0};
    pthread_mutex_unlock(&lock);
    return entry;
}

size_t trace_find(uint64_t what, uint64_t tag)
{
    pthread_mutex_lock(&lock);
    size_t index = 0;
    while (index < trace_used && (trace[index].what != what || trace[index].tag != tag))
        index++;
    if (index == trace_used)
        index = TRACE_MAX;
    pthread_mutex_unlock(&lock);
    return index;
}

size_t trace_count_of(uint64_t what)
{
    pthread_mutex_lock(&lock);
    size_t count = 0;
    for (size_t i = 0; i < trace_used; i++)
        count += trace[i].what == what;
    pthread_mutex_unlock(&lock);
    return count;
}
