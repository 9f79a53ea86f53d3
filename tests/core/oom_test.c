// SPDX-License-Identifier: Apache-2.0
/* oom_test.c: a run that uses everything, once for each allocation and each thread that it makes:
 * that one fails. Every call then gives OK or a typed error, the audit balances, and after the end
 * of the system nothing is left: no block, no mapping, no thread.
 *
 * Linked with --wrap, so that the library's calls come to the functions below. Each run has a
 * process of its own: the tables that the library makes once in a process can fail, too. */
#include "harness.h"
#include <aldis/aldis.h>

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* ------------------------------------------------------------------ what fails */

static struct {
    atomic_long calls;   /* that could fail, so far */
    atomic_long fail_at; /* the number of the call that fails; 0: none does */
    atomic_long width;   /* how many fail from there on */
    atomic_bool may_fail;
    atomic_long failed;
    atomic_long blocks, mappings, threads; /* made and not yet given back */
} memory;

static bool fails(void)
{
    if (!atomic_load(&memory.may_fail))
        return false;
    long call = atomic_fetch_add(&memory.calls, 1) + 1, fail_at = atomic_load(&memory.fail_at);
    if (fail_at == 0 || call < fail_at || call >= fail_at + atomic_load(&memory.width))
        return false;
    atomic_fetch_add(&memory.failed, 1);
    errno = ENOMEM;
    return true;
}

static void *counted(void *block)
{
    if (block)
        atomic_fetch_add(&memory.blocks, 1);
    return block;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *block, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
char *__real_strdup(const char *text);
void __real_free(void *block);
void *__real_mmap(void *address, size_t size, int protection, int flags, int file, off_t offset);
int __real_munmap(void *address, size_t size);
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*body)(void *), void *arg);
int __real_pthread_join(pthread_t thread, void **result);

void *__wrap_malloc(size_t size);
void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : counted(__real_malloc(size));
}

void *__wrap_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : counted(__real_calloc(count, size));
}

void *__wrap_realloc(void *block, size_t size);
void *__wrap_realloc(void *block, size_t size)
{
    if (fails())
        return NULL;
    return block ? __real_realloc(block, size) : counted(__real_malloc(size));
}

void *__wrap_aligned_alloc(size_t alignment, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    return fails() ? NULL : counted(__real_aligned_alloc(alignment, size));
}

char *__wrap_strdup(const char *text);
char *__wrap_strdup(const char *text)
{
    return fails() ? NULL : counted(__real_strdup(text));
}

void __wrap_free(void *block);
void __wrap_free(void *block)
{
    if (block)
        atomic_fetch_sub(&memory.blocks, 1);
    __real_free(block);
}

static void *map(void *address, size_t size, int protection, int flags, int file, off_t offset)
{
    if (fails())
        return MAP_FAILED;
    void *mapping = __real_mmap(address, size, protection, flags, file, offset);
    if (mapping != MAP_FAILED)
        atomic_fetch_add(&memory.mappings, 1);
    return mapping;
}

void *__wrap_mmap(void *address, size_t size, int protection, int flags, int file, off_t offset);
void *__wrap_mmap(void *address, size_t size, int protection, int flags, int file, off_t offset)
{
    return map(address, size, protection, flags, file, offset);
}

/* What mmap is called where offsets of 64 bits are asked for. */
void *__wrap_mmap64(void *address, size_t size, int protection, int flags, int file, off_t offset);
void *__wrap_mmap64(void *address, size_t size, int protection, int flags, int file, off_t offset)
{
    return map(address, size, protection, flags, file, offset);
}

int __wrap_munmap(void *address, size_t size);
int __wrap_munmap(void *address, size_t size)
{
    atomic_fetch_sub(&memory.mappings, 1);
    return __real_munmap(address, size);
}

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*body)(void *), void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*body)(void *), void *arg)
{
    if (fails())
        return EAGAIN;
    int err = __real_pthread_create(thread, attributes, body, arg);
    if (err == 0)
        atomic_fetch_add(&memory.threads, 1);
    return err;
}

int __wrap_pthread_join(pthread_t thread, void **result);
int __wrap_pthread_join(pthread_t thread, void **result)
{
    atomic_fetch_sub(&memory.threads, 1);
    return __real_pthread_join(thread, result);
}

/* ------------------------------------------------------------------ the run: its judge */

/* Ends the process of this run as failed. */
__attribute__((format(printf, 2, 3))) static _Noreturn void give_up(int line, const char *format,
                                                                    ...)
{
    va_list args;
    va_start(args, format);
    printf("# oom_test.c:%d, %ld calls fail from %ld on: ", line, atomic_load(&memory.width),
           atomic_load(&memory.fail_at));
    vprintf(format, args);
    putchar('\n');
    va_end(args);
    fflush(stdout);
    _exit(1);
}

/* OK, or an error that lack of memory explains. */
static bool judge(int line, const char *call, aldis_err err)
{
    if (err == ALDIS_OK)
        return true;
    /* Stale, not found: the actor could not start, or not be given its name. */
    bool explained = err == ALDIS_ENOMEM || err == ALDIS_EAGAIN || err == ALDIS_ESTALE ||
                     err == ALDIS_ENOTFOUND || err == ALDIS_EFULL;
    if (atomic_load(&memory.failed) == 0 || !explained)
        give_up(line, "%s gives %s: %s", call, aldis_error_name(err), aldis_error_last()->text);
    return false;
}

#define TRY(call) judge(__LINE__, #call, (call))

/* ------------------------------------------------------------------ the run: its actors */

enum { TICKS = 3, FLOOD = 600, GUESTS = 12 };

struct block100 {
    unsigned char bytes[100];
};
struct block5000 {
    unsigned char bytes[5000];
};
typedef unsigned char bytes_payload;

ALDIS_SIGNAL(go);
ALDIS_SIGNAL(tick);
ALDIS_SIGNAL(ping);
ALDIS_MESSAGE(small, uint64_t);
ALDIS_MESSAGE(medium, struct block100);
ALDIS_MESSAGE(large, struct block5000);
ALDIS_MESSAGE(answer, uint64_t);
static aldis_type bytes_type = {"bytes", 0, ALDIS_SIZE_VARIES, NULL, 0};

#define GUEST_PROTOCOL(X, kind)                                                                    \
    X(kind, ping) X(kind, small) X(kind, medium) X(kind, large) X(kind, bytes)
ALDIS_PROTOCOL(guest, GUEST_PROTOCOL);
#define HOST_PROTOCOL(X, kind)                                                                     \
    X(kind, go) X(kind, tick) X(kind, small) X(kind, answer) X(kind, aldis_status)
ALDIS_PROTOCOL(host, HOST_PROTOCOL);

struct guest {
    uint64_t heard;
    unsigned char memory[1000];
};

static aldis_err guest_start(void *state, const void *arg, aldis_ctx *ctx)
{
    (void)state, (void)arg;
    TRY(aldis_subscribe(ctx, "news.all"));
    return ALDIS_OK;
}

static aldis_err guest_on_ping(struct guest *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    self->heard++;
    if (!aldis_id_is_nobody(aldis_sender(ctx)))
        TRY(aldis_reply(ctx, small, self->heard));
    return ALDIS_OK;
}

static aldis_err guest_on_small(struct guest *self, const uint64_t *msg, aldis_ctx *ctx)
{
    (void)msg, (void)ctx;
    self->heard++;
    return ALDIS_OK;
}

static aldis_err guest_on_medium(struct guest *self, const struct block100 *msg, aldis_ctx *ctx)
{
    (void)msg, (void)ctx;
    self->heard++;
    return ALDIS_OK;
}

static aldis_err guest_on_large(struct guest *self, const struct block5000 *msg, aldis_ctx *ctx)
{
    (void)msg, (void)ctx;
    self->heard++;
    return ALDIS_OK;
}

static aldis_err guest_on_bytes(struct guest *self, const unsigned char *msg, aldis_ctx *ctx)
{
    (void)msg, (void)ctx;
    self->heard++;
    return ALDIS_OK;
}

ALDIS_BEHAVIOUR(guest, struct guest, GUEST_PROTOCOL, .on_start = guest_start);

struct host {
    guest_ref guests[GUESTS];
    uint32_t guest_count, ticks;
    aldis_timer timer;
};

static void spawn_guests(struct host *self, aldis_ctx *ctx)
{
    static unsigned char arg[3000];
    for (uint32_t i = 0; i < GUESTS; i++) {
        aldis_spawn_opts opts = {.arg = i % 3 ? arg : NULL,
                                 .arg_size = i % 3 ? 1500 * (i % 3) : 0,
                                 .placement = i % 2 ? ALDIS_PLACE_ANYWHERE : ALDIS_PLACE_BESIDE};
        if (i % 4 == 0)
            opts.mailbox.capacity_msgs = 8;
        if (TRY(aldis_spawn(ctx, guest, &self->guests[self->guest_count], &opts)))
            self->guest_count++;
    }
}

static void send_all_sizes(aldis_ctx *ctx, guest_ref to)
{
    static const struct block100 block100;
    static const struct block5000 block5000;
    static const unsigned char bytes[ALDIS_PAYLOAD_MAX];
    TRY(aldis_signal(ctx, to, ping));
    TRY(aldis_send(ctx, to, small, 1));
    TRY(aldis_send_copy(ctx, to, medium, &block100));
    TRY(aldis_send_copy(ctx, to, large, &block5000));
    TRY(aldis_ctx_send_raw(ctx, to.id, &bytes_type, bytes, 0));
    TRY(aldis_ctx_send_raw(ctx, to.id, &bytes_type, bytes, 300));
    TRY(aldis_ctx_send_raw(ctx, to.id, &bytes_type, bytes, sizeof bytes));
    struct block100 *built = aldis_build(ctx, to, medium);
    if (built)
        TRY(aldis_post(ctx, built));
    else
        TRY(aldis_error_last()->err);
    aldis_send_item items[] = {{to.id, &ping_type, NULL, 0},
                               {to.id, &medium_type, &block100, sizeof block100}};
    TRY(aldis_send_batch(ctx, items, 2, NULL));
    TRY(aldis_signal_after(ctx, ALDIS_MS, to, ping));
    aldis_blob *blob;
    if (TRY(aldis_blob_create(NULL, 100000, &blob, NULL))) {
        TRY(aldis_send_blob_raw(ctx, to.id, &bytes_type, blob));
        aldis_blob_unref(blob);
    }
}

static aldis_err compute(const void *arg, void *out_result)
{
    *(uint64_t *)out_result = *(const uint64_t *)arg + 1;
    return ALDIS_OK;
}

static void talk_to_many(struct host *self, aldis_ctx *ctx)
{
    uint64_t number = 41;
    TRY(aldis_broadcast(ctx, NULL, small, 5));
    TRY(aldis_publish(ctx, "news.all", NULL, small, 6));
    if (self->guest_count)
        TRY(aldis_ctx_register(ctx, self->guests[0].id, "first"));
    TRY(aldis_offload(ctx, compute, &number, sizeof number, &answer_type));
    if (self->guest_count)
        TRY(aldis_get_status(ctx, self->guests[0].id));
}

static aldis_err host_on_go(struct host *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    spawn_guests(self, ctx);
    for (uint32_t i = 0; i < self->guest_count; i++)
        send_all_sizes(ctx, self->guests[i]);
    /* Far more than its mailbox holds: this actor is parked. */
    for (uint32_t i = 0; i < FLOOD && self->guest_count; i++)
        TRY(aldis_send(ctx, self->guests[0], small, i));
    TRY(aldis_timer_every(ctx, ALDIS_MS, tick, &self->timer));
    return ALDIS_OK;
}

static aldis_err host_on_tick(struct host *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    if (++self->ticks == 1)
        talk_to_many(self, ctx);
    if (self->ticks == 2)
        TRY(aldis_send_name(ctx, "first", small, 7));
    if (self->ticks < TICKS)
        return ALDIS_OK;
    TRY(aldis_timer_cancel(ctx, self->timer));
    for (uint32_t i = 0; i < self->guest_count; i += 2)
        TRY(aldis_stop(ctx, self->guests[i].id));
    for (uint32_t i = 1; i < self->guest_count; i += 4)
        TRY(aldis_drain(ctx, self->guests[i].id, ALDIS_SECOND));
    return ALDIS_OK;
}

static aldis_err host_on_small(struct host *self, const uint64_t *msg, aldis_ctx *ctx)
{
    (void)self, (void)msg, (void)ctx;
    return ALDIS_OK;
}

static aldis_err host_on_answer(struct host *self, const uint64_t *msg, aldis_ctx *ctx)
{
    (void)self, (void)ctx;
    if (*msg != 42)
        give_up(__LINE__, "the answer is %" PRIu64, *msg);
    return ALDIS_OK;
}

static aldis_err host_on_aldis_status(struct host *self, const aldis_status *msg, aldis_ctx *ctx)
{
    (void)self, (void)msg, (void)ctx;
    return ALDIS_OK;
}

ALDIS_BEHAVIOUR(host, struct host, HOST_PROTOCOL);

/* ------------------------------------------------------------------ the run itself */

static bool run_failed;

static void use(aldis_system *system)
{
    host_ref host;
    guest_ref guest;
    static const struct block5000 block;
    if (TRY(aldis_spawn(system, host, &host, NULL)))
        TRY(aldis_signal(system, host, go));
    if (TRY(aldis_spawn(system, guest, &guest, NULL))) {
        TRY(aldis_send(system, guest, small, 1));
        TRY(aldis_send_copy(system, guest, large, &block));
        TRY(aldis_system_register(system, guest.id, "guest"));
        TRY(aldis_system_subscribe(system, guest.id, "news.local"));
        TRY(aldis_pause(system, guest.id));
        TRY(aldis_resume(system, guest.id));
    }
    /* In virtual time lack of memory may end the run. */
    run_failed = !TRY(aldis_system_run(system, ALDIS_FOREVER, NULL));
    aldis_stats stats;
    if (TRY(aldis_system_stats(system, &stats)))
        aldis_stats_fini(&stats);
}

/* With memory again: what could not go on does, and everything is accounted for. */
static void check_end(aldis_system *system)
{
    aldis_audit audit;
    atomic_store(&memory.may_fail, false);
    aldis_err err = aldis_system_run(system, ALDIS_FOREVER, NULL);
    if (err != ALDIS_OK)
        give_up(__LINE__, "the last run gives %s", aldis_error_name(err));
    err = aldis_system_audit(system, &audit);
    if (err != ALDIS_OK)
        give_up(__LINE__, "the audit gives %s: %s", aldis_error_name(err), audit.text);
    err = aldis_system_stop(system, ALDIS_FOREVER);
    /* A run that was ended so may have left a start or an end half done: the stop kills then. */
    if (err != ALDIS_OK && !(err == ALDIS_ETIMEDOUT && run_failed))
        give_up(__LINE__, "the stop gives %s: %s", aldis_error_name(err), aldis_error_last()->text);
    err = aldis_system_audit(system, &audit);
    if (err != ALDIS_OK)
        give_up(__LINE__, "the audit after the stop gives %s: %s", aldis_error_name(err),
                audit.text);
}

struct outcome {
    long calls, failed, blocks_left;
};

/* In a process of its own. */
static struct outcome run(aldis_clock clock, long fail_at, long width)
{
    aldis_system *system;
    aldis_system_opts opts = {.clock = clock, .workers = 2, .shards = 4, .offload_threads = 1};
    atomic_store(&memory.fail_at, fail_at);
    atomic_store(&memory.width, width);
    atomic_store(&memory.may_fail, true);
    if (TRY(aldis_system_create(&opts, &system))) {
        use(system);
        check_end(system);
        aldis_system_destroy(system);
    }
    if (atomic_load(&memory.threads) != 0)
        give_up(__LINE__, "%ld threads are left", atomic_load(&memory.threads));
    if (atomic_load(&memory.mappings) != 0)
        give_up(__LINE__, "%ld mappings are left", atomic_load(&memory.mappings));
    return (struct outcome){atomic_load(&memory.calls), atomic_load(&memory.failed),
                            atomic_load(&memory.blocks)};
}

/* Does one run in a child. */
static struct outcome run_in_child(aldis_clock clock, long fail_at, long width)
{
    struct outcome *shared = __real_mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE,
                                         MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(shared != MAP_FAILED);
    fflush(stdout);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        *shared = run(clock, fail_at, width);
        fflush(stdout);
        _exit(0);
    }
    int how = 0;
    CHECK_INT(waitpid(pid, &how, 0), pid);
    struct outcome outcome = *shared;
    __real_munmap(shared, sizeof *shared);
    if (WIFSIGNALED(how))
        test_fail(__FILE__, __LINE__, "%ld calls fail from %ld on: signal %d", width, fail_at,
                  WTERMSIG(how));
    CHECK_INT(WEXITSTATUS(how), 0);
    return outcome;
}

static void fail_each(aldis_clock clock, long width)
{
    /* What stays for the life of the process, such as the names of message types. */
    struct outcome whole = run_in_child(clock, 0, 0);
    CHECK(whole.calls > 50);
    CHECK_INT(whole.failed, 0);
    const char *only = getenv("OOM_AT");
    long first = only ? atol(only) : 1, last = only ? first : whole.calls;
    long failed = 0;
    for (long call = first; call <= last; call++) {
        struct outcome outcome = run_in_child(clock, call, width);
        failed += outcome.failed > 0;
        if (outcome.blocks_left > whole.blocks_left)
            test_fail(__FILE__, __LINE__,
                      "%ld calls fail from %ld on: %ld blocks are left, else %ld", width, call,
                      outcome.blocks_left, whole.blocks_left);
    }
    if (clock == ALDIS_CLOCK_VIRTUAL)
        CHECK_INT(failed, last - first + 1);
    else
        CHECK(failed > 0);
    printf("# %ld calls, %ld runs with a failure\n", whole.calls, failed);
}

TEST(oom_each_call_alone_virtual)
{
    fail_each(ALDIS_CLOCK_VIRTUAL, 1);
}

TEST(oom_short_shortages_virtual)
{
    fail_each(ALDIS_CLOCK_VIRTUAL, 10);
}

/* Live, the order of the calls is not always the same: a run may come without a failure. */
TEST(oom_each_call_alone_live)
{
    fail_each(ALDIS_CLOCK_LIVE, 1);
}

TEST(oom_short_shortages_live)
{
    fail_each(ALDIS_CLOCK_LIVE, 10);
}
