// SPDX-License-Identifier: Apache-2.0
/* weave.c: see weave.h. Must itself be compiled without -fsanitize=thread.
 *
 * Each execution runs from the start: the threads are coroutines, and every question ("who goes
 * on?", "which store does this load read?") is answered from a list of decisions; beyond its end
 * the answer is 0. Then the last decision that has another answer left takes it, those after it are
 * forgotten, and the next execution begins: a search in depth. */
#include "weave.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#define VIEWS (WEAVE_THREADS + 1) /* number 0 is setup and finish */
#define LOCATIONS 32
#define STORES 64
#define STEPS 400
#define DECISIONS 4096
#define SITES 64
#define WATCHED_WORDS 4096
#define STACK_BYTES 65536
/* Weak compare-and-swaps that fail for no reason, in one execution: without a bound a retry loop
 * would never end, and one failure already sends each loop round. */
#define SPURIOUS_MAX 1

struct view {
    uint16_t oldest[LOCATIONS]; /* index of the oldest store that may still be read */
    uint16_t clock[VIEWS];      /* how many operations of each thread happened before */
};

struct store {
    uint64_t value;
    uint64_t identity; /* who wrote it: the same in every execution */
    bool by_rmw;       /* nothing may come between it and its predecessor */
    struct view carried;
};

struct location {
    const volatile void *address;
    uint64_t mask;           /* of the bits that it holds */
    uint64_t order;          /* digest of the identities in modification order */
    uint16_t seq_cst_oldest; /* seq_cst loads read no older store */
    int count;
    struct store stores[STORES]; /* in modification order */
};

/* What is known of the accesses to one watched word of plain memory. */
struct shadow {
    uint64_t execution; /* of an earlier one: nothing is known */
    int writer;
    uint16_t written;     /* the writer's clock; 0: never */
    uint16_t read[VIEWS]; /* each reader's clock; 0: never */
};

struct thread {
    struct view view;
    uint64_t history; /* digest of what it has done and read */
    const volatile void *asleep_on;
    bool done;
    ucontext_t context;
    char *stack;
};

enum ending { RUNNING, FINISHED, KNOWN, CUT, FAILED };

struct known_state {
    uint64_t digest; /* 0: free */
    int preemptions; /* how many were still allowed when it was explored */
};

static struct {
    const struct weave_model *model;
    const struct weave_weakening *weakening;
    struct weave_result *result;

    struct location locations[LOCATIONS];
    int location_count;
    struct thread threads[VIEWS];
    int thread_count; /* with number 0 */
    int current;
    bool parallel; /* the threads run; not setup, not finish */
    enum ending ending;
    const char *failure;
    ucontext_t main;
    int steps, preemptions, spurious;
    uint64_t execution;

    struct {
        int taken, options;
    } decisions[DECISIONS];
    int decided, position;

    struct {
        uintptr_t begin;
        size_t size;
        struct shadow *words;
    } watched[LOCATIONS];
    int watched_count;
    uintptr_t watched_begin, watched_end; /* all of them lie between */
    struct shadow shadows[WATCHED_WORDS];
    size_t shadow_count;

    struct known_state *known;
    size_t known_capacity, known_count;

    struct weave_site sites[SITES];
    size_t site_count;
    bool tracing;
} ex;

static const char *const op_names[] = {"load", "store", "exchange", "add",
                                       "sub",  "or",    "and",      "cas"};
static const char *const order_names[] = {"relaxed", "consume", "acquire",
                                          "release", "acq_rel", "seq_cst"};

static _Noreturn void give_up(const char *text)
{
    fprintf(stderr, "weave: %s: %s\n", ex.model->name, text);
    abort();
}

static uint64_t mix(uint64_t digest, uint64_t value)
{
    digest = (digest ^ value) * UINT64_C(0x9e3779b97f4a7c15);
    return digest ^ (digest >> 29);
}

static uint64_t bits_of(const volatile void *address)
{
    return (uint64_t)(uintptr_t)address;
}

static struct thread *self(void)
{
    return &ex.threads[ex.current];
}

static bool acquires(memory_order order)
{
    return order == memory_order_acquire || order == memory_order_acq_rel ||
           order == memory_order_seq_cst || order == memory_order_consume;
}

static bool releases(memory_order order)
{
    return order == memory_order_release || order == memory_order_acq_rel ||
           order == memory_order_seq_cst;
}

static void join(struct view *into, const struct view *from)
{
    for (int i = 0; i < ex.location_count; i++)
        if (from->oldest[i] > into->oldest[i])
            into->oldest[i] = from->oldest[i];
    for (int i = 0; i < ex.thread_count; i++)
        if (from->clock[i] > into->clock[i])
            into->clock[i] = from->clock[i];
}

/* ------------------------------------------------------------------ decisions, and who runs */

static int decide(int options)
{
    if (options == 1)
        return 0;
    if (ex.position == ex.decided) {
        if (ex.decided == DECISIONS)
            give_up("too many decisions");
        ex.decisions[ex.decided].taken = 0;
        ex.decisions[ex.decided].options = options;
        ex.decided++;
    }
    return ex.decisions[ex.position++].taken;
}

/* From a thread: leave it for good. */
static void end_execution(enum ending ending)
{
    ex.ending = ending;
    if (ex.parallel) {
        ex.parallel = false;
        setcontext(&ex.main);
    }
}

void weave_fail(const char *text)
{
    if (!ex.failure)
        ex.failure = text;
    if (ex.tracing)
        printf("#   t%d FAILS: %s\n", ex.current, ex.failure);
    end_execution(FAILED);
}

static bool is_runnable(int thread)
{
    return !ex.threads[thread].done && !ex.threads[thread].asleep_on;
}

/* The thread that does the next operation; 0: none can. A change while the current one could go on
 * is a preemption. */
static int pick_next(bool current_goes_on)
{
    int candidates[VIEWS], count = 0;
    if (current_goes_on)
        candidates[count++] = ex.current;
    if (!current_goes_on || ex.preemptions < ex.model->preemptions)
        for (int i = 1; i < ex.thread_count; i++)
            if (is_runnable(i) && !(current_goes_on && i == ex.current))
                candidates[count++] = i;
    if (count == 0)
        return 0;
    int next = candidates[decide(count)];
    if (current_goes_on && next != ex.current)
        ex.preemptions++;
    return next;
}

static uint64_t state_digest(void)
{
    uint64_t digest = mix((uint64_t)ex.current, (uint64_t)ex.spurious);
    for (int i = 1; i < ex.thread_count; i++)
        digest = mix(digest, ex.threads[i].history);
    /* Locations are numbered as they are met, which differs between executions: add them up. */
    uint64_t orders = 0;
    for (int i = 0; i < ex.location_count; i++)
        orders += mix(bits_of(ex.locations[i].address), ex.locations[i].order);
    digest = mix(digest, orders);
    return digest ? digest : 1;
}

static struct known_state *find_known(uint64_t digest)
{
    size_t i = (size_t)digest & (ex.known_capacity - 1);
    while (ex.known[i].digest && ex.known[i].digest != digest)
        i = (i + 1) & (ex.known_capacity - 1);
    return &ex.known[i];
}

static void grow_known(size_t capacity)
{
    struct known_state *old = ex.known;
    size_t old_capacity = ex.known_capacity;
    ex.known = calloc(capacity, sizeof *ex.known);
    if (!ex.known)
        give_up("no memory for the states");
    ex.known_capacity = capacity;
    for (size_t i = 0; i < old_capacity; i++)
        if (old[i].digest)
            *find_known(old[i].digest) = old[i];
    free(old);
}

/* Was this state explored before with at least as many preemptions left? Else it is from now on:
 * the search comes back past it only when all that follows has been tried. */
static bool is_known(void)
{
    if (ex.known_count * 2 >= ex.known_capacity)
        grow_known(ex.known_capacity ? ex.known_capacity * 2 : 65536);
    int left = ex.model->preemptions - ex.preemptions;
    uint64_t digest = state_digest();
    struct known_state *state = find_known(digest);
    if (state->digest == digest && state->preemptions >= left)
        return true;
    ex.known_count += state->digest == 0;
    state->digest = digest;
    state->preemptions = left;
    return false;
}

/* Before each operation: another thread may go first. */
static void schedule_point(void)
{
    if (!ex.parallel)
        return;
    if (++ex.steps > STEPS)
        end_execution(CUT);
    if (ex.position == ex.decided && !ex.tracing && is_known())
        end_execution(KNOWN);
    int previous = ex.current, next = pick_next(true);
    if (next != previous) {
        ex.current = next;
        swapcontext(&ex.threads[previous].context, &ex.threads[next].context);
    }
}

/* The current thread is done or asleep: the others go on, or the execution has come to its end. */
static void leave_thread(void)
{
    int previous = ex.current, next = pick_next(false);
    if (next == 0) {
        for (int i = 1; i < ex.thread_count; i++)
            if (!ex.threads[i].done && !ex.model->may_sleep)
                weave_fail("a thread sleeps for ever: its wake-up was lost");
        end_execution(FINISHED);
    }
    ex.current = next;
    if (ex.threads[previous].done)
        setcontext(&ex.threads[next].context);
    else
        swapcontext(&ex.threads[previous].context, &ex.threads[next].context);
}

static void thread_main(int number)
{
    ex.model->threads[number - 1]();
    ex.threads[number].done = true;
    leave_thread();
}

/* ------------------------------------------------------------------ atomic operations */

static int find_location(const volatile void *address, size_t size)
{
    for (int i = 0; i < ex.location_count; i++)
        if (ex.locations[i].address == address)
            return i;
    if (ex.location_count == LOCATIONS)
        give_up("too many atomics");
    struct location *new = &ex.locations[ex.location_count];
    new->address = address;
    new->mask = size == 8 ? UINT64_MAX : (UINT64_C(1) << (8 * size)) - 1;
    new->order = 0;
    new->seq_cst_oldest = 0;
    new->count = 1;
    /* The first store is what the memory was initialised with (on little-endian machines). */
    memset(&new->stores[0], 0, sizeof new->stores[0]);
    memcpy(&new->stores[0].value, (const void *)(uintptr_t)address, size);
    for (int i = 0; i < ex.thread_count; i++)
        ex.threads[i].view.oldest[ex.location_count] = 0;
    for (int i = 0; i < ex.location_count; i++)
        for (int k = 0; k < ex.locations[i].count; k++)
            ex.locations[i].stores[k].carried.oldest[ex.location_count] = 0;
    return ex.location_count++;
}

static memory_order weakened(const struct weave_access *access)
{
    size_t i = 0;
    while (i < ex.site_count && (ex.sites[i].line != access->line ||
                                 strcmp(ex.sites[i].function, access->function) != 0))
        i++;
    if (i == ex.site_count && ex.parallel) {
        if (i == SITES)
            give_up("too many sites");
        ex.sites[ex.site_count++] =
            (struct weave_site){access->function, access->line, access->op, access->order};
    }
    const struct weave_weakening *weakening = ex.weakening;
    if (weakening && weakening->site.line == access->line &&
        strcmp(weakening->site.function, access->function) == 0)
        return weakening->weaker;
    return access->order;
}

static void remember(uint64_t what, uint64_t outcome)
{
    self()->history = mix(mix(self()->history, what), outcome);
}

/* The current thread reads store k of the location. */
static void read_store(int number, int k, memory_order order)
{
    struct location *location = &ex.locations[number];
    struct view *view = &self()->view;
    if (k > view->oldest[number])
        view->oldest[number] = (uint16_t)k;
    if (acquires(order))
        join(view, &location->stores[k].carried);
    if (order == memory_order_seq_cst && k > location->seq_cst_oldest)
        location->seq_cst_oldest = (uint16_t)k;
}

static int oldest_readable(int number, memory_order order)
{
    int oldest = self()->view.oldest[number];
    int seq_cst = ex.locations[number].seq_cst_oldest;
    return order == memory_order_seq_cst && seq_cst > oldest ? seq_cst : oldest;
}

/* Every index of this location from `place` on moves up by one, in all views. */
static void make_room(int number, int place)
{
    struct location *location = &ex.locations[number];
    memmove(&location->stores[place + 1], &location->stores[place],
            (size_t)(location->count - place) * sizeof location->stores[0]);
    for (int i = 0; i < ex.thread_count; i++)
        if (ex.threads[i].view.oldest[number] >= place)
            ex.threads[i].view.oldest[number]++;
    for (int i = 0; i < ex.location_count; i++) {
        int count = ex.locations[i].count + (i == number);
        for (int k = 0; k < count; k++)
            if (!(i == number && k == place) &&
                ex.locations[i].stores[k].carried.oldest[number] >= place)
                ex.locations[i].stores[k].carried.oldest[number]++;
    }
    if (location->seq_cst_oldest >= place)
        location->seq_cst_oldest++;
}

/* Write the value at `place` in modification order. by_rmw: directly after the store it read. */
static void write_store(int number, int place, uint64_t value, memory_order order, bool by_rmw)
{
    struct location *location = &ex.locations[number];
    struct view *view = &self()->view;
    if (location->count == STORES)
        give_up("too many stores to one atomic");
    if (place < location->count)
        make_room(number, place);
    struct store *store = &location->stores[place];
    location->count++;
    view->oldest[number] = (uint16_t)place;
    store->value = value & location->mask;
    store->identity = mix((uint64_t)ex.current + 1, view->clock[ex.current]);
    store->by_rmw = by_rmw;
    if (releases(order))
        store->carried = *view;
    else
        memset(&store->carried, 0, sizeof store->carried);
    /* A read-modify-write carries on the release sequence that it reads from. */
    if (by_rmw)
        join(&store->carried, &location->stores[place - 1].carried);
    store->carried.oldest[number] = (uint16_t)place;
    if (order == memory_order_seq_cst && place > location->seq_cst_oldest)
        location->seq_cst_oldest = (uint16_t)place;
    location->order = 0;
    for (int k = 0; k < location->count; k++)
        location->order = mix(location->order, location->stores[k].identity);
}

/* Of stores with one value, a relaxed read need try the oldest only: it learns the same and may
 * later read all that it could have read after a newer one. */
static bool is_repeated(const struct location *location, int k, int oldest)
{
    for (int older = oldest; older < k; older++)
        if (location->stores[older].value == location->stores[k].value)
            return true;
    return false;
}

static uint64_t do_load(int number, memory_order order)
{
    struct location *location = &ex.locations[number];
    int oldest = oldest_readable(number, order), readable[STORES], count = 0;
    for (int k = location->count - 1; k >= oldest; k--)
        if (order != memory_order_relaxed || !is_repeated(location, k, oldest))
            readable[count++] = k;
    int k = readable[decide(count)];
    read_store(number, k, order);
    remember(bits_of(location->address), location->stores[k].identity);
    return location->stores[k].value;
}

static void do_store(int number, uint64_t value, memory_order order)
{
    struct location *location = &ex.locations[number];
    int places[STORES + 1], count = 0;
    for (int p = location->count; p > oldest_readable(number, order); p--)
        if (p == location->count || !location->stores[p].by_rmw)
            places[count++] = p;
    write_store(number, places[decide(count)], value, order, false);
    remember(bits_of(location->address), 1);
}

static uint64_t result_of(enum weave_op op, uint64_t old, uint64_t operand)
{
    switch (op) {
    case WEAVE_ADD:
        return old + operand;
    case WEAVE_SUB:
        return old - operand;
    case WEAVE_OR:
        return old | operand;
    case WEAVE_AND:
        return old & operand;
    case WEAVE_EXCHANGE:
    case WEAVE_CAS:
        return operand;
    case WEAVE_LOAD:
    case WEAVE_STORE:
        break;
    }
    return old;
}

/* May a read-modify-write read store k, that is, write directly after it? */
static bool is_followed_by_rmw(const struct location *location, int k)
{
    return k + 1 < location->count && location->stores[k + 1].by_rmw;
}

static uint64_t do_rmw(int number, const struct weave_access *access, memory_order order)
{
    struct location *location = &ex.locations[number];
    int readable[STORES], count = 0;
    for (int k = location->count - 1; k >= oldest_readable(number, order); k--)
        if (!is_followed_by_rmw(location, k))
            readable[count++] = k;
    int k = readable[decide(count)];
    uint64_t old = location->stores[k].value;
    remember(bits_of(location->address), location->stores[k].identity);
    read_store(number, k, order);
    write_store(number, k + 1, result_of(access->op, old, access->operand), order, true);
    return old;
}

static bool do_cas(int number, const struct weave_access *access, memory_order order,
                   uint64_t *expected)
{
    struct location *location = &ex.locations[number];
    uint64_t wanted = *expected & location->mask;
    int readable[STORES], count = 0;
    for (int k = location->count - 1; k >= oldest_readable(number, order); k--)
        if (location->stores[k].value != wanted || !is_followed_by_rmw(location, k))
            readable[count++] = k;
    int k = readable[decide(count)];
    bool swaps = location->stores[k].value == wanted;
    if (swaps && access->weak && ex.spurious < SPURIOUS_MAX && decide(2) == 1) {
        ex.spurious++;
        swaps = false;
    }
    *expected = location->stores[k].value;
    remember(bits_of(location->address) + swaps, location->stores[k].identity);
    read_store(number, k, swaps ? order : access->failure_order);
    if (swaps)
        write_store(number, k + 1, access->operand, order, true);
    return swaps;
}

static void trace(const struct weave_access *access, int number, memory_order order,
                  const char *what, uint64_t value)
{
    if (ex.tracing && ex.parallel)
        printf("#   t%d %s:%d %s %s a%d %s%" PRIx64 "\n", ex.current, access->function,
               access->line, op_names[access->op], order_names[order], number, what, value);
}

uint64_t weave_perform(const struct weave_access *access)
{
    schedule_point();
    memory_order order = weakened(access);
    int number = find_location(access->address, access->size);
    self()->view.clock[ex.current]++;
    uint64_t value = 0;
    if (access->op == WEAVE_LOAD) {
        value = do_load(number, order);
        trace(access, number, order, "-> ", value);
    } else if (access->op == WEAVE_STORE) {
        do_store(number, access->operand, order);
        trace(access, number, order, "= ", access->operand);
    } else {
        value = do_rmw(number, access, order);
        trace(access, number, order, "found ", value);
    }
    return value;
}

bool weave_swap(const struct weave_access *access, uint64_t *expected)
{
    schedule_point();
    memory_order order = weakened(access);
    int number = find_location(access->address, access->size);
    self()->view.clock[ex.current]++;
    bool swaps = do_cas(number, access, order, expected);
    trace(access, number, order, swaps ? "swaps, found " : "fails, found ", *expected);
    return swaps;
}

int weave_choose(int options)
{
    schedule_point();
    int choice = decide(options);
    remember(2, (uint64_t)choice);
    return choice;
}

/* The kernel compares and goes to sleep in one step, and what it reads is no older than what the
 * thread itself could read. */
void weave_sleep_while(const volatile void *word, size_t size, uint64_t value)
{
    schedule_point();
    int number = find_location(word, size);
    struct location *location = &ex.locations[number];
    int newest = location->count - 1;
    self()->view.clock[ex.current]++;
    self()->view.oldest[number] = (uint16_t)newest;
    bool sleeps = location->stores[newest].value == value;
    remember(3 + sleeps, location->stores[newest].identity);
    if (ex.tracing)
        printf("#   t%d %s a%d\n", ex.current, sleeps ? "sleeps on" : "does not sleep on", number);
    if (sleeps) {
        self()->asleep_on = word;
        leave_thread();
    }
}

void weave_wake(const volatile void *word)
{
    schedule_point();
    self()->view.clock[ex.current]++;
    remember(5, bits_of(word));
    for (int i = 1; i < ex.thread_count; i++)
        if (ex.threads[i].asleep_on == word) {
            ex.threads[i].asleep_on = NULL;
            ex.threads[i].history = mix(ex.threads[i].history, self()->history);
            if (ex.tracing)
                printf("#   t%d wakes t%d\n", ex.current, i);
        }
}

bool weave_is_asleep(int thread)
{
    return ex.threads[thread].asleep_on != NULL;
}

int weave_self(void)
{
    return ex.current;
}

/* ------------------------------------------------------------------ plain memory */

/* Watched in words of this size: two threads that use neighbouring bytes of one word look like a
 * race, never the other way round. */
enum { WORD = 4 };

void weave_watch(const void *memory, size_t size)
{
    uintptr_t begin = (uintptr_t)memory & ~(uintptr_t)(WORD - 1);
    size_t words = ((uintptr_t)memory + size - begin + WORD - 1) / WORD;
    if (ex.watched_count == LOCATIONS || ex.shadow_count + words > WATCHED_WORDS)
        give_up("too much watched memory");
    ex.watched[ex.watched_count].begin = begin;
    ex.watched[ex.watched_count].size = words * WORD;
    ex.watched[ex.watched_count].words = &ex.shadows[ex.shadow_count];
    ex.watched_count++;
    ex.shadow_count += words;
    if (begin < ex.watched_begin)
        ex.watched_begin = begin;
    if (begin + words * WORD > ex.watched_end)
        ex.watched_end = begin + words * WORD;
}

/* An access is ordered with an earlier one of another thread if it has seen that thread's clock of
 * then. Plain accesses count as part of the thread's next operation: what it released before does
 * not order them. */
static bool races(struct shadow *shadow, bool writes)
{
    const struct view *view = &self()->view;
    uint16_t now = (uint16_t)(view->clock[ex.current] + 1);
    if (shadow->execution != ex.execution) {
        memset(shadow, 0, sizeof *shadow);
        shadow->execution = ex.execution;
    }
    bool race = shadow->written && shadow->writer != ex.current &&
                view->clock[shadow->writer] < shadow->written;
    if (!writes) {
        shadow->read[ex.current] = now;
        return race;
    }
    for (int t = 0; t < ex.thread_count; t++)
        race = race || (t != ex.current && view->clock[t] < shadow->read[t]);
    shadow->writer = ex.current;
    shadow->written = now;
    return race;
}

static void plain_access(uintptr_t address, size_t size, bool writes)
{
    if (address < ex.watched_begin || address >= ex.watched_end)
        return;
    int i = 0;
    while (i < ex.watched_count && address - ex.watched[i].begin >= ex.watched[i].size)
        i++;
    if (i == ex.watched_count)
        return;
    if (ex.tracing && ex.parallel)
        printf("#   t%d plain %s of %zu bytes at watched[%d]+%zu\n", ex.current,
               writes ? "write" : "read", size, i, (size_t)(address - ex.watched[i].begin));
    size_t first = (address - ex.watched[i].begin) / WORD;
    size_t last = (address + size - 1 - ex.watched[i].begin) / WORD;
    bool race = false;
    for (size_t word = first; word <= last && word < ex.watched[i].size / WORD; word++)
        race |= races(&ex.watched[i].words[word], writes);
    if (race)
        weave_fail(writes ? "data race: a plain write is not ordered with another access"
                          : "data race: a plain read is not ordered with a write");
}

/* What compilers call under -fsanitize=thread. An atomic operation that goes round the helpers of
 * atomic.h would call __tsan_atomic..., which does not exist here: it does not link. */
#define PLAIN(name, size, writes)                                                                  \
    void __tsan_##name(void *address);                                                             \
    void __tsan_##name(void *address)                                                              \
    {                                                                                              \
        plain_access((uintptr_t)address, size, writes);                                            \
    }
#define PLAIN_SIZES(prefix, writes)                                                                \
    PLAIN(prefix##2, 2, writes)                                                                    \
    PLAIN(prefix##4, 4, writes) PLAIN(prefix##8, 8, writes) PLAIN(prefix##16, 16, writes)
PLAIN(read1, 1, false)
PLAIN(write1, 1, true)
PLAIN_SIZES(read, false)
PLAIN_SIZES(write, true)
PLAIN_SIZES(unaligned_read, false)
PLAIN_SIZES(unaligned_write, true)

void __tsan_read_range(void *address, size_t size);
void __tsan_read_range(void *address, size_t size)
{
    plain_access((uintptr_t)address, size, false);
}

void __tsan_write_range(void *address, size_t size);
void __tsan_write_range(void *address, size_t size)
{
    plain_access((uintptr_t)address, size, true);
}

void __tsan_init(void);
void __tsan_init(void)
{
}

void __tsan_func_entry(void *caller);
void __tsan_func_entry(void *caller)
{
    (void)caller;
}

void __tsan_func_exit(void);
void __tsan_func_exit(void)
{
}

/* ------------------------------------------------------------------ the search */

static void start_threads(void)
{
    ex.threads[0].view.clock[0]++; /* past the plain accesses of setup */
    for (int i = 1; i < ex.thread_count; i++) {
        struct thread *thread = &ex.threads[i];
        thread->view = ex.threads[0].view;
        if (!thread->stack && !(thread->stack = malloc(STACK_BYTES)))
            give_up("no memory for a stack");
        getcontext(&thread->context);
        thread->context.uc_stack.ss_sp = thread->stack;
        thread->context.uc_stack.ss_size = STACK_BYTES;
        thread->context.uc_link = NULL;
        /* makecontext wants a function without parameters, whatever it takes. */
        makecontext(&thread->context, (void (*)(void))thread_main, 1, i);
    }
}

static void execute(void)
{
    ex.location_count = ex.watched_count = ex.position = 0;
    ex.shadow_count = 0;
    ex.watched_begin = UINTPTR_MAX;
    ex.watched_end = 0;
    ex.steps = ex.preemptions = ex.spurious = ex.current = 0;
    ex.execution++;
    ex.ending = RUNNING;
    ex.failure = NULL;
    for (int i = 0; i < ex.thread_count; i++) {
        memset(&ex.threads[i].view, 0, sizeof ex.threads[i].view);
        ex.threads[i].history = (uint64_t)i;
        ex.threads[i].asleep_on = NULL;
        ex.threads[i].done = false;
    }
    ex.model->setup();
    start_threads();
    int first = pick_next(false);
    ex.current = first;
    ex.parallel = true;
    swapcontext(&ex.main, &ex.threads[first].context);
    ex.current = 0;
    if (ex.ending != FINISHED)
        return;
    for (int i = 1; i < ex.thread_count; i++) {
        ex.threads[i].view.clock[i]++; /* past its last plain accesses */
        join(&ex.threads[0].view, &ex.threads[i].view);
    }
    if (ex.model->finish)
        ex.model->finish();
}

/* Make the last decision that has another answer left take it. False: everything has been tried. */
static bool next_branch(void)
{
    ex.decided = ex.position;
    while (ex.decided > 0) {
        int last = ex.decided - 1;
        if (++ex.decisions[last].taken < ex.decisions[last].options)
            return true;
        ex.decided--;
    }
    return false;
}

static void print_failure(void)
{
    ex.tracing = true;
    printf("# %s: the execution that fails:\n", ex.model->name);
    execute();
    ex.tracing = false;
}

void weave_explore(const struct weave_model *model, const struct weave_weakening *weakening,
                   struct weave_result *out_result)
{
    ex.model = model;
    ex.weakening = weakening;
    ex.decided = 0;
    ex.site_count = 0;
    ex.thread_count = 1;
    while (ex.thread_count <= WEAVE_THREADS && model->threads[ex.thread_count - 1])
        ex.thread_count++;
    free(ex.known);
    ex.known = NULL;
    ex.known_capacity = ex.known_count = 0;
    memset(out_result, 0, sizeof *out_result);
    do {
        execute();
        out_result->executions += ex.ending == FINISHED || ex.ending == FAILED;
        out_result->known += ex.ending == KNOWN;
        out_result->cut += ex.ending == CUT;
    } while (ex.ending != FAILED && next_branch());
    out_result->states = ex.known_count;
    if (ex.ending == FAILED) {
        out_result->failed = true;
        snprintf(out_result->failure, sizeof out_result->failure, "%s", ex.failure);
        if (getenv("WEAVE_TRACE"))
            print_failure();
    }
}

const struct weave_site *weave_sites(size_t *out_count)
{
    *out_count = ex.site_count;
    return ex.sites;
}
