// SPDX-License-Identifier: Apache-2.0
/* causal.c: see causal.h. Layer: messaging.
 *
 * A publication is a tracked message (core/tracked.h): what decides whether it may be handled is
 * asked when its turn comes, and what may not is set aside. Behind its payload stand the group's
 * name and the publisher's clock. */
#include "messaging/causal.h"

#include "base/error.h"
#include "base/log.h"
#include "core/bound.h"
#include "core/send.h"
#include <aldis/causal.h>
#include <stdlib.h>
#include <string.h>

enum { HOLD_DEFAULT = 1024 };

/* ------------------------------------------------------------------ groups and members */

/* Publications first .. last of one place will never come. */
struct gap {
    uint32_t place, first, last;
};

struct aldis__causal_member {
    struct aldis__causal_member *next; /* of the same actor */
    struct group *group;
    aldis_id actor;
    uint32_t view; /* of the group, since it joined: what was sent before was for another member */
    uint32_t place;
    uint32_t hold_max, held;
    uint64_t held_total, lost;
    struct gap *gaps; /* those that do not follow what it has seen yet */
    size_t gap_count, gap_capacity;
    uint32_t seen[ALDIS_CAUSAL_MEMBERS_MAX]; /* by place: its clock */
};

struct group {
    struct aldis__link link;                                       /* by text */
    uint32_t number;                                               /* no other group ever has it */
    pthread_mutex_t lock;                                          /* of the rest */
    uint32_t view;                                                 /* moves with each join */
    uint32_t places;                                               /* ever in use */
    uint32_t members;                                              /* now */
    struct aldis__causal_member *member[ALDIS_CAUSAL_MEMBERS_MAX]; /* by place; NULL: free */
    uint32_t published[ALDIS_CAUSAL_MEMBERS_MAX];                  /* by place */
    uint32_t size;
    char text[];
};

static struct group *find_group(struct aldis__router *router, const struct aldis__key *key)
{
    struct aldis__link *link = aldis__table_first(&router->causal_groups, key->hash);
    for (; link; link = aldis__table_next(link->next, key->hash)) {
        struct group *group = (struct group *)link;
        if (group->size == key->size && memcmp(group->text, key->text, key->size) == 0)
            return group;
    }
    return NULL;
}

static struct group *make_group(struct aldis__router *router, const struct aldis__key *key)
{
    if (!aldis__table_reserve(&router->causal_groups))
        return NULL;
    struct group *group = calloc(1, sizeof *group + key->size + 1);
    if (!group)
        return NULL;
    group->number = ++router->causal_numbers;
    group->size = (uint32_t)key->size;
    memcpy(group->text, key->text, key->size);
    pthread_mutex_init(&group->lock, NULL);
    aldis__table_add(&router->causal_groups, &group->link, key->hash);
    return group;
}

static void end_group(struct group *group)
{
    pthread_mutex_destroy(&group->lock);
    free(group);
}

static void end_member(struct aldis__causal_member *member)
{
    free(member->gaps);
    free(member);
}

/* By its own owner. */
static struct aldis__causal_member *find_member(const struct aldis__cell *cell, const char *text,
                                                size_t size)
{
    struct aldis__causal_member *member = cell->ext ? cell->ext->causal : NULL;
    while (member && (member->group->size != size || memcmp(member->group->text, text, size) != 0))
        member = member->next;
    return member;
}

/* A free place, those of former members first; ALDIS_CAUSAL_MEMBERS_MAX: there is none. */
static uint32_t free_place(const struct group *group)
{
    uint32_t place = 0;
    while (place < group->places && group->member[place])
        place++;
    return place;
}

static aldis_err take_place(struct group *group, struct aldis__causal_member *member)
{
    pthread_mutex_lock(&group->lock);
    uint32_t place = free_place(group);
    bool full = place == ALDIS_CAUSAL_MEMBERS_MAX;
    if (!full) {
        if (place == group->places)
            group->places++;
        group->member[place] = member;
        group->members++;
        member->place = place;
        member->view = ++group->view;
        memcpy(member->seen, group->published, sizeof member->seen);
    }
    pthread_mutex_unlock(&group->lock);
    return full ? ALDIS_EFULL : ALDIS_OK;
}

aldis_err aldis__causal_join(struct aldis__router *router, struct aldis__cell *cell,
                             const struct aldis__request *request)
{
    const struct aldis__key *key = &request->key;
    struct aldis__causal_member *member = find_member(cell, key->text, key->size);
    if (member) {
        member->hold_max = request->terms.bound;
        return ALDIS_OK;
    }
    struct aldis__cell_ext *ext = aldis__cell_extend(cell);
    member = calloc(1, sizeof *member);
    struct group *group = find_group(router, key);
    if (!group)
        group = make_group(router, key);
    if (!ext || !member || !group) {
        free(member);
        if (group && group->members == 0) {
            aldis__table_remove(&router->causal_groups, &group->link);
            end_group(group);
        }
        return ALDIS_ENOMEM;
    }
    member->group = group;
    member->actor = cell->id;
    member->hold_max = request->terms.bound;
    aldis_err err = take_place(group, member);
    if (err != ALDIS_OK) {
        free(member);
        return err;
    }
    member->next = ext->causal;
    ext->causal = member;
    return ALDIS_OK;
}

static void take_out(struct aldis__router *router, struct aldis__cell *cell,
                     struct aldis__causal_member *member)
{
    struct aldis__causal_member **link = &cell->ext->causal;
    struct group *group = member->group;
    while (*link != member)
        link = &(*link)->next;
    *link = member->next;
    pthread_mutex_lock(&group->lock);
    group->member[member->place] = NULL;
    group->members--;
    pthread_mutex_unlock(&group->lock);
    end_member(member);
    if (group->members == 0) { /* who publishes is a member: nobody has it any more */
        aldis__table_remove(&router->causal_groups, &group->link);
        end_group(group);
    }
}

void aldis__causal_forget(struct aldis__router *router, struct aldis__cell *cell)
{
    while (cell->ext && cell->ext->causal)
        take_out(router, cell, cell->ext->causal);
}

void aldis__causal_fini(struct aldis__router *router)
{
    for (size_t i = 0; i < router->causal_groups.capacity; i++)
        while (router->causal_groups.buckets[i]) {
            struct group *group = (struct group *)router->causal_groups.buckets[i];
            router->causal_groups.buckets[i] = group->link.next;
            for (uint32_t place = 0; place < group->places; place++)
                if (group->member[place])
                    end_member(group->member[place]);
            end_group(group);
        }
    aldis__table_fini(&router->causal_groups);
}

/* ------------------------------------------------------------------ what a message says */

/* In the track: a = group's number << 32 | its places << 16 | the publisher's place;
 * b = marks << 62 | the group's view << 32 | where its name stands behind the track, in bytes.
 * Behind the name stands the publisher's clock, one count for each place. */
#define HELD (UINT64_C(1) << 62) /* it has been set aside, and is counted as held */
#define ADMITTED                                                                                   \
    (UINT64_C(1) << 63) /* its turn has come: should its handler keep it, it comes back */
#define VIEW_MASK 0x3fffffffu

struct stamp {
    uint32_t group, places, place, view;
};

static struct stamp read_stamp(const struct aldis__track *track)
{
    return (struct stamp){(uint32_t)(track->a >> 32), (uint32_t)(track->a >> 16) & 0xffff,
                          (uint32_t)track->a & 0xffff, (uint32_t)(track->b >> 32) & VIEW_MASK};
}

/* Unaligned. */
static const char *clock_in(struct aldis__msg *msg)
{
    const char *name = (const char *)aldis__msg_body(msg) + (uint32_t)aldis__msg_track(msg)->b;
    return name + strlen(name) + 1;
}

static uint32_t count_at(const char *clock, uint32_t place)
{
    uint32_t count;
    memcpy(&count, clock + place * sizeof count, sizeof count);
    return count;
}

/* The membership that this was sent to; NULL: that is over. */
static struct aldis__causal_member *member_for(const struct aldis__cell *cell,
                                               const struct stamp *stamp)
{
    struct aldis__causal_member *member = cell->ext ? cell->ext->causal : NULL;
    while (member && member->group->number != stamp->group)
        member = member->next;
    return member && member->view <= stamp->view ? member : NULL;
}

/* Counts go round after 2^32; they are never far apart. */
static bool is_after(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) > 0;
}

/* ------------------------------------------------------------------ clocks */

/* Gaps that follow what it has seen are seen. */
static void pass_gaps(struct aldis__causal_member *member, uint32_t place)
{
    for (size_t i = 0; i < member->gap_count; i++) {
        struct gap *gap = &member->gaps[i];
        if (gap->place != place || is_after(gap->first, member->seen[place] + 1))
            continue;
        if (is_after(gap->last, member->seen[place]))
            member->seen[place] = gap->last;
        *gap = member->gaps[--member->gap_count];
        i = SIZE_MAX; /* from the start: it may have led to another one */
    }
}

/* Remember what will not come; *out_new: it was not known yet. False: out of memory. */
static bool add_gap(struct aldis__causal_member *member, uint32_t place, uint32_t count,
                    bool *out_new)
{
    *out_new = true;
    for (size_t i = 0; i < member->gap_count; i++) {
        struct gap *gap = &member->gaps[i];
        if (gap->place != place || is_after(gap->first, count) || is_after(count, gap->last + 1))
            continue;
        *out_new = is_after(count, gap->last);
        if (*out_new)
            gap->last = count;
        return true;
    }
    if (member->gap_count == member->gap_capacity) {
        size_t capacity = member->gap_capacity ? 2 * member->gap_capacity : 8;
        struct gap *gaps = realloc(member->gaps, capacity * sizeof *gaps);
        if (!gaps)
            return false;
        member->gaps = gaps;
        member->gap_capacity = capacity;
    }
    member->gaps[member->gap_count++] = (struct gap){place, count, count};
    return true;
}

/* One publication will not come; this may be told twice. Without the memory to remember it, what
 * came before it and is still on its way is not waited for. */
static void pass_over(struct aldis__causal_member *member, uint32_t place, uint32_t count)
{
    bool is_new;
    if (!is_after(count, member->seen[place]))
        return;
    if (!add_gap(member, place, count, &is_new)) {
        aldis__log(ALDIS_LOG_ERROR, "causal group %s: out of memory, actor %016llx loses the order",
                   member->group->text, (unsigned long long)member->actor.bits);
        member->seen[place] = count;
    }
    member->lost += is_new;
    pass_gaps(member, place);
}

static bool may_be_handled(const struct aldis__causal_member *member, const char *clock,
                           uint32_t from, uint32_t places)
{
    if (count_at(clock, from) != member->seen[from] + 1)
        return false;
    for (uint32_t place = 0; place < places; place++)
        if (place != from && is_after(count_at(clock, place), member->seen[place]))
            return false;
    return true;
}

/* ------------------------------------------------------------------ what will not come */

/* To a member: publication `count` of a place. */
struct lost {
    struct stamp stamp;
    uint32_t count;
};

/* In a turn of the member. */
static aldis_err handle_lost(struct aldis__worker *worker, struct aldis__cell *cell,
                             struct aldis__msg *msg, struct aldis__track *track)
{
    const struct lost *lost = aldis__msg_payload(msg, NULL);
    struct aldis__causal_member *member = member_for(cell, &lost->stamp);
    (void)track;
    if (member)
        pass_over(member, lost->stamp.place, lost->count);
    if (!member || member->held) /* who has left handles what is set aside without any order */
        aldis__tracked_retry(worker, cell);
    return ALDIS_OK;
}

static void post_lost(struct aldis__worker *worker, aldis_id from, aldis_id to,
                      const struct lost *lost)
{
    static const struct aldis__tracker tracker = {.name = "aldis.causal_lost",
                                                  .handle = handle_lost};
    const struct aldis__track track = {&tracker, ALDIS_FOREVER, 0, 0};
    if (aldis__router_is_alive(worker->ctx.system, to))
        aldis__post_tracked(worker, from, to, &track, lost, sizeof *lost);
}

/* What it holds back is handled in its next turn, which a message of no group brings about. */
void aldis__causal_leave(struct aldis__router *router, struct aldis__cell *cell,
                         const struct aldis__key *group)
{
    struct aldis__causal_member *member = find_member(cell, group->text, group->size);
    if (!member)
        return;
    bool holds = member->held > 0;
    take_out(router, cell, member);
    if (holds)
        post_lost(aldis__this_worker, cell->id, cell->id, &(struct lost){{0}, 0});
}

/* ------------------------------------------------------------------ in a member's turn */

static void let_go(struct aldis__causal_member *member, struct aldis__track *track)
{
    if (!(track->b & HELD))
        return;
    track->b &= ~HELD;
    member->held--;
}

static enum aldis__admission admit(struct aldis__worker *worker, struct aldis__cell *cell,
                                   struct aldis__msg *msg, struct aldis__track *track)
{
    const struct stamp stamp = read_stamp(track);
    struct aldis__causal_member *member = member_for(cell, &stamp);
    if (!member || (track->b & ADMITTED))
        return ALDIS__ADMIT_HANDLE;
    const char *clock = clock_in(msg);
    if (!is_after(count_at(clock, stamp.place), member->seen[stamp.place])) {
        let_go(member, track);
        return ALDIS__ADMIT_DROP; /* it has been passed over, or handled */
    }
    if (!may_be_handled(member, clock, stamp.place, stamp.places)) {
        if (track->b & HELD)
            return ALDIS__ADMIT_HOLD;
        if (member->held >= member->hold_max)
            return ALDIS__ADMIT_DROP;
        track->b |= HELD;
        member->held++;
        member->held_total++;
        return ALDIS__ADMIT_HOLD;
    }
    let_go(member, track);
    track->b |= ADMITTED;
    member->seen[stamp.place]++;
    pass_gaps(member, stamp.place);
    if (member->held) /* some may have waited for this one: their turn is next */
        aldis__tracked_retry(worker, cell);
    return ALDIS__ADMIT_HANDLE;
}

/* On its way, or here: nobody is to wait for it. The message that says so comes to the member's own
 * turn. */
static void ended(struct aldis__worker *worker, struct aldis__msg *msg, struct aldis__track *track,
                  enum aldis__fate fate, aldis_err reason)
{
    (void)reason;
    if (!worker || fate == ALDIS__DEAD || (track->b & ADMITTED))
        return;
    const struct lost lost = {read_stamp(track), count_at(clock_in(msg), read_stamp(track).place)};
    post_lost(worker, msg->to, msg->to, &lost);
}

static const struct aldis__tracker causal_tracker = {
    .name = "aldis.causal", .has_topic = true, .admit = admit, .ended = ended};

/* ------------------------------------------------------------------ publishing */

/* The name, with its NUL, and the clock behind it. */
struct tail {
    size_t size;
    char bytes[ALDIS_TOPIC_MAX + 1 + ALDIS_CAUSAL_MEMBERS_MAX * sizeof(uint32_t)];
};

static void write_tail(struct tail *tail, const struct aldis__causal_member *member)
{
    const struct group *group = member->group;
    size_t clock_bytes = group->places * sizeof member->seen[0];
    memcpy(tail->bytes, group->text, group->size + (size_t)1);
    memcpy(tail->bytes + group->size + 1, member->seen, clock_bytes);
    tail->size = group->size + 1 + clock_bytes;
}

/* Under the group's lock. */
static void send_to_all(struct aldis__multicast *cast, const struct aldis__causal_member *member,
                        const aldis_causal_item *item, const struct lost *lost)
{
    const struct group *group = member->group;
    for (uint32_t place = 0; place < group->places; place++) {
        const struct aldis__causal_member *to = group->member[place];
        if (!to || to == member)
            continue;
        uint64_t delivered = cast->delivered;
        cast->delay_ns = item->delay ? item->delay(item->arg, to->actor) : 0;
        aldis__multicast_tracked(cast, to->actor);
        if (cast->delivered == delivered) /* refused, or its kind does not accept the type */
            post_lost(cast->worker, member->actor, to->actor, lost);
    }
}

/* Under the group's lock: from the count to the last receiver. */
static aldis_err publish_locked(aldis_ctx *ctx, struct aldis__causal_member *member,
                                const aldis_causal_item *item, struct aldis__multicast *cast)
{
    struct group *group = member->group;
    struct tail tail;
    const aldis_send_item what = {aldis_nobody(), item->type, item->payload, (uint32_t)item->size};
    const struct stamp stamp = {group->number, group->places, member->place, group->view};
    uint32_t count = ++member->seen[member->place];
    write_tail(&tail, member);
    const struct aldis__topic_text text = {tail.bytes, tail.size - 1};
    aldis_err err = aldis__multicast_begin_on(cast, aldis__worker_of(ctx), &text, &what, false);
    if (err != ALDIS_OK) {
        member->seen[member->place]--;
        return err;
    }
    group->published[member->place] = count;
    cast->track = (struct aldis__track){
        &causal_tracker, ALDIS_FOREVER,
        (uint64_t)stamp.group << 32 | (uint64_t)stamp.places << 16 | stamp.place,
        (uint64_t)(stamp.view & VIEW_MASK) << 32 | aldis__multicast_topic_place(cast)};
    send_to_all(cast, member, item, &(struct lost){stamp, count});
    return ALDIS_OK;
}

/* ------------------------------------------------------------------ public */

static aldis_err ask(aldis_ctx *ctx, struct aldis__request *request, const char *group)
{
    struct aldis__router *router;
    aldis_err err = aldis__router_enter(ctx, "causal group", &router);
    if (err == ALDIS_OK)
        err = aldis__key_group("causal group", group, &request->key);
    if (err != ALDIS_OK)
        return err;
    request->actor = ctx->cell->id;
    return aldis__router_ask(router, ctx, request);
}

aldis_err aldis_causal_join(aldis_ctx *ctx, const char *group, const aldis_causal_opts *opts)
{
    uint32_t hold_max = opts && opts->hold_max ? opts->hold_max : HOLD_DEFAULT;
    if (hold_max > ALDIS_CAUSAL_HOLD_MAX)
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "",
                                "causal_join: hold_max is %u; allowed: 1 to %u", hold_max,
                                ALDIS_CAUSAL_HOLD_MAX);
    struct aldis__request request = {.kind = ALDIS__REQUEST_JOIN, .terms = {.bound = hold_max}};
    return ask(ctx, &request, group);
}

aldis_err aldis_causal_leave(aldis_ctx *ctx, const char *group)
{
    struct aldis__request request = {.kind = ALDIS__REQUEST_LEAVE};
    return ask(ctx, &request, group);
}

static aldis_err find_mine(aldis_ctx *ctx, const char *call, const char *group,
                           struct aldis__causal_member **out_member)
{
    struct aldis__router *router;
    struct aldis__key key;
    aldis_err err = aldis__router_enter(ctx, call, &router);
    if (err == ALDIS_OK)
        err = aldis__key_group(call, group, &key);
    if (err != ALDIS_OK)
        return err;
    *out_member = find_member(ctx->cell, key.text, key.size);
    if (*out_member)
        return ALDIS_OK;
    return aldis__error_set(ALDIS_ESTATE, ctx->cell->id, "", "%s: not a member of group %s", call,
                            group);
}

aldis_err aldis_causal_publish_raw(aldis_ctx *ctx, const char *group, const aldis_causal_item *item,
                                   aldis_fanout *out_fanout)
{
    struct aldis__causal_member *member;
    struct aldis__multicast cast;
    uint32_t index;
    aldis_err err = find_mine(ctx, "causal_publish", group, &member);
    if (err == ALDIS_OK && !item)
        err = aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "", "causal_publish: item is NULL");
    if (err == ALDIS_OK)
        err = aldis__send_check_type(item->type, item->payload, item->size, &index);
    if (err != ALDIS_OK)
        return err;
    pthread_mutex_lock(&member->group->lock);
    err = publish_locked(ctx, member, item, &cast);
    pthread_mutex_unlock(&member->group->lock);
    if (err != ALDIS_OK)
        return err;
    aldis__multicast_end(&cast);
    if (out_fanout)
        *out_fanout = (aldis_fanout){cast.matched, cast.delivered,
                                     cast.rejected + cast.dropped + cast.refused, cast.skipped};
    return ALDIS_OK;
}

aldis_err aldis_causal_get_status(aldis_ctx *ctx, const char *group,
                                  aldis_causal_status *out_status)
{
    struct aldis__causal_member *member;
    aldis_err err = find_mine(ctx, "causal_get_status", group, &member);
    if (err == ALDIS_OK && !out_status)
        err = aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "",
                               "causal_get_status: out_status is NULL");
    if (err != ALDIS_OK)
        return err;
    pthread_mutex_lock(&member->group->lock);
    uint32_t members = member->group->members;
    pthread_mutex_unlock(&member->group->lock);
    *out_status = (aldis_causal_status){members, member->held, member->held_total, member->lost};
    return ALDIS_OK;
}
