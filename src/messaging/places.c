// SPDX-License-Identifier: Apache-2.0
/* places.c: opening and finding places, and the grids that live readers share. Layer: messaging.
 * See place.h. */
#include "base/error.h"
#include "messaging/key.h"
#include "messaging/place.h"
#include "messaging/router.h"
#include <stdlib.h>
#include <string.h>

enum { SCRATCH_FIRST = 4096 };

static const aldis_place_opts defaults = {
    .members_max = 1u << 20, .watches_max = 65536, .events_max = 4096, .refresh_ns = 10 * ALDIS_MS};

static aldis_err no_memory(const char *call)
{
    return aldis__error_set(ALDIS_ENOMEM, aldis_nobody(), "", "%s: out of memory", call);
}

/* ------------------------------------------------------------------ live grids */

/* Under the place's lock. */
static void let_go(struct aldis__place *place, struct aldis__shared_grid *shared)
{
    if (!shared || --shared->refs > 0)
        return;
    struct aldis__shared_grid *old = place->spare;
    place->spare = shared;
    if (old) {
        aldis__grid_fini(&old->grid);
        free(old);
    }
}

/* All parts, as they are now, into a grid. */
static bool copy_parts(struct aldis__place *place, struct aldis__grid *grid)
{
    bool good = true;
    aldis__grid_clear(grid);
    for (uint32_t s = 0; good && s < place->system->shard_count; s++) {
        struct aldis__place_part *part = &place->parts[s];
        pthread_mutex_lock(&part->lock);
        good = aldis__grid_reserve(grid, part->count);
        for (uint32_t i = 0; good && i < part->count; i++) {
            (void)aldis__grid_add(grid, &part->newest[i]);
            part->at[i] = 0; /* seen */
        }
        pthread_mutex_unlock(&part->lock);
    }
    return good;
}

static struct aldis__shared_grid *new_shared(struct aldis__place *place)
{
    pthread_mutex_lock(&place->lock);
    struct aldis__shared_grid *shared = place->spare;
    place->spare = NULL;
    pthread_mutex_unlock(&place->lock);
    if (shared)
        return shared;
    shared = calloc(1, sizeof *shared);
    if (shared)
        aldis__grid_init(&shared->grid);
    return shared;
}

bool aldis__place_build_live(struct aldis__place *place)
{
    struct aldis__shared_grid *shared = new_shared(place);
    if (!shared)
        return false;
    bool good = copy_parts(place, &shared->grid) &&
                aldis__grid_plan(&shared->grid, aldis__place_choose_cell(place, &shared->grid));
    if (good) {
        aldis__grid_arrange(&shared->grid);
        aldis__tally(&place->builds, 1);
    }
    shared->refs = 1;
    pthread_mutex_lock(&place->lock);
    struct aldis__shared_grid *old = good ? place->grid : shared;
    if (good) {
        place->grid = shared;
        /* Relaxed: who sees a new version takes the lock before it looks. */
        aldis__fetch_add_relaxed(&place->version, 1);
    }
    let_go(place, old);
    pthread_mutex_unlock(&place->lock);
    return good;
}

static ALDIS_COLD void take_newest(struct aldis__place *place, struct aldis__place_seat *seat)
{
    pthread_mutex_lock(&place->lock);
    let_go(place, seat->grid);
    seat->grid = place->grid;
    seat->grid->refs++;
    /* Relaxed: it changes under this lock only. */
    seat->version = aldis__load_relaxed(&place->version);
    pthread_mutex_unlock(&place->lock);
}

const struct aldis__grid *aldis__place_look(struct aldis__place *place,
                                            struct aldis__worker *worker, double radius)
{
    struct aldis__place_seat *seat = &place->seats[worker->index];
    aldis__tally(&seat->queries, 1);
    if (radius > 0) {
        uint64_t bits;
        memcpy(&bits, &radius, sizeof bits); /* log2, near enough, of a denormal too */
        int64_t exponent = (int64_t)(bits >> 48) - 1023 * ALDIS__EXPONENT_STEPS;
        /* Relaxed: one writer. */
        aldis__store_relaxed(&seat->exponents, aldis__load_relaxed(&seat->exponents) + exponent);
        aldis__tally(&seat->radii, 1);
    }
    if (place->system->virtual_time) {
        if (place->grid->grid.strays) /* what looking at them costs is to be counted */
            aldis__place_list(worker, &place->parts[worker->ctx.shard->index]);
        return &place->grid->grid;
    }
    /* Relaxed: see aldis__place_build_live(). */
    if (!seat->grid || seat->version != aldis__load_relaxed(&place->version))
        take_newest(place, seat);
    return &seat->grid->grid;
}

void *aldis__place_scratch(struct aldis__place *place, struct aldis__worker *worker, size_t bytes)
{
    struct aldis__places_seat *seat = &place->places->seats[worker->index];
    if (bytes <= seat->scratch_bytes)
        return seat->scratch;
    size_t more = seat->scratch_bytes ? seat->scratch_bytes : SCRATCH_FIRST;
    while (more < bytes)
        more *= 2;
    void *scratch = realloc(seat->scratch, more);
    if (!scratch)
        return NULL;
    seat->scratch = scratch;
    seat->scratch_bytes = more;
    return scratch;
}

/* ------------------------------------------------------------------ making places */

static void destroy_place(struct aldis__place *place)
{
    for (uint32_t w = 0; place->seats && w < place->system->worker_count; w++)
        let_go(place, place->seats[w].grid);
    let_go(place, place->grid);
    if (place->spare)
        aldis__grid_fini(&place->spare->grid);
    free(place->spare);
    for (uint32_t s = 0; place->parts && s < place->system->shard_count; s++) {
        free(place->parts[s].at);
        free(place->parts[s].newest);
        free(place->parts[s].map);
        free(place->parts[s].changes);
        free(place->parts[s].joiners);
        pthread_mutex_destroy(&place->parts[s].lock);
    }
    aldis__watches_destroy(place->watches);
    pthread_mutex_destroy(&place->lock);
    free(place->parts);
    free(place->seats);
    free(place);
}

static void *zeroed_lines(size_t count, size_t size)
{
    void *lines = aligned_alloc(64, count * size);
    if (lines)
        memset(lines, 0, count * size);
    return lines;
}

static struct aldis__place *make_place(struct aldis__places *places, const struct aldis__key *name,
                                       const aldis_place_opts *opts)
{
    aldis_system *system = places->system;
    struct aldis__place *place = calloc(1, sizeof *place + name->size + 1);
    if (!place)
        return NULL;
    memcpy(place->name, name->text, name->size + 1);
    place->size = (uint32_t)name->size;
    place->places = places;
    place->system = system;
    place->opts = *opts;
    place->built_ns = -1; /* never */
    pthread_mutex_init(&place->lock, NULL);
    place->parts = zeroed_lines(system->shard_count, sizeof *place->parts);
    place->seats = zeroed_lines(system->worker_count, sizeof *place->seats);
    place->grid = calloc(1, sizeof *place->grid);
    place->watches = aldis__watches_create(place);
    for (uint32_t s = 0; place->parts && s < system->shard_count; s++) {
        place->parts[s].place = place;
        place->parts[s].shard = s;
        pthread_mutex_init(&place->parts[s].lock, NULL);
    }
    if (place->grid) {
        aldis__grid_init(&place->grid->grid);
        place->grid->refs = 1;
    }
    if (place->parts && place->seats && place->grid && place->watches)
        return place;
    destroy_place(place);
    return NULL;
}

/* 0: there is none. */
static uint32_t number_of(struct aldis__places *places, const struct aldis__key *name)
{
    const struct aldis__place *place;
    for (uint32_t number = 1; (place = aldis__place_at(places, number)); number++)
        if (place->size == name->size && memcmp(place->name, name->text, name->size) == 0)
            return number;
    return 0;
}

static aldis_err check_count(const char *option, uint32_t found)
{
    if (found <= ALDIS_PLACE_MEMBERS_MAX)
        return ALDIS_OK;
    return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "",
                            "place_open: %s is %u; allowed: 1 to %u", option, found,
                            ALDIS_PLACE_MEMBERS_MAX);
}

static aldis_err fill_in(const aldis_place_opts *given, aldis_place_opts *opts)
{
    *opts = given ? *given : defaults;
    opts->members_max = opts->members_max ? opts->members_max : defaults.members_max;
    opts->watches_max = opts->watches_max ? opts->watches_max : defaults.watches_max;
    opts->events_max = opts->events_max ? opts->events_max : defaults.events_max;
    opts->refresh_ns = opts->refresh_ns ? opts->refresh_ns : defaults.refresh_ns;
    if (!(opts->cell == 0 || (opts->cell >= 1e-90 && opts->cell <= ALDIS_PLACE_COORDINATE_MAX)))
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "",
                                "place_open: cell is %g; allowed: 1e-90 to %g, or 0", opts->cell,
                                ALDIS_PLACE_COORDINATE_MAX);
    if (opts->refresh_ns < 0)
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "",
                                "place_open: refresh_ns is %lld; allowed: 0 or more",
                                (long long)opts->refresh_ns);
    aldis_err err = check_count("members_max", opts->members_max);
    if (err == ALDIS_OK)
        err = check_count("watches_max", opts->watches_max);
    return err == ALDIS_OK ? check_count("events_max", opts->events_max) : err;
}

/* Under the lock of opening. */
static aldis_err open_locked(struct aldis__places *places, const struct aldis__key *name,
                             const aldis_place_opts *opts, aldis_place *out_place)
{
    if (number_of(places, name))
        return aldis__error_set(ALDIS_EEXISTS, aldis_nobody(), "",
                                "place_open: there is a place %s", name->text);
    uint32_t number = 1;
    while (aldis__place_at(places, number))
        number++;
    if (number > ALDIS_PLACES_MAX)
        return aldis__error_set(ALDIS_EFULL, aldis_nobody(), "", "place_open: there are %u places",
                                ALDIS_PLACES_MAX);
    struct aldis__place *place = make_place(places, name, opts);
    if (!place)
        return no_memory("place_open");
    place->number = number;
    aldis_err err = aldis__keeper_spawn(place);
    if (err != ALDIS_OK) {
        destroy_place(place);
        return err;
    }
    aldis__system_lock(places->system); /* virtual time: not inside a window */
    /* Y2 release: pairs with Y1 in aldis__place_at(). */
    aldis__store_release(&places->list[number - 1], place);
    aldis__system_unlock(places->system);
    out_place->number = number;
    return ALDIS_OK;
}

aldis_err aldis_place_open(aldis_system *system, const char *name, const aldis_place_opts *opts,
                           aldis_place *out_place)
{
    struct aldis__key key;
    aldis_place_opts filled;
    aldis_err err = aldis__system_check_outside(system, "place_open");
    if (err == ALDIS_OK)
        err = aldis__key_name("place_open", name, &key);
    if (err == ALDIS_OK)
        err = fill_in(opts, &filled);
    if (err == ALDIS_OK && !out_place)
        err = aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "", "place_open: out_place is NULL");
    if (err != ALDIS_OK)
        return err;
    struct aldis__places *places = aldis__router_places(system);
    if (!places)
        return no_memory("place_open");
    pthread_mutex_lock(&places->lock);
    err = open_locked(places, &key, &filled, out_place);
    pthread_mutex_unlock(&places->lock);
    return err;
}

aldis_err aldis_place_find(aldis_system *system, const char *name, aldis_place *out_place)
{
    struct aldis__key key;
    aldis_err err = aldis__key_name("place_find", name, &key);
    if (err != ALDIS_OK)
        return err;
    if (!system || !out_place || aldis__system_is_foreign(system))
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "",
                                "place_find: no system, or no out_place");
    struct aldis__places *places = aldis__router_places(system);
    uint32_t number = places ? number_of(places, &key) : 0;
    if (!number)
        return aldis__error_set(ALDIS_ENOTFOUND, aldis_nobody(), "", "there is no place %s", name);
    out_place->number = number;
    return ALDIS_OK;
}

aldis_err aldis_place_get_stats(aldis_system *system, aldis_place handle,
                                aldis_place_stats *out_stats)
{
    struct aldis__places *places =
        system && !aldis__system_is_foreign(system) ? aldis__router_places(system) : NULL;
    struct aldis__place *place = places ? aldis__place_at(places, handle.number) : NULL;
    if (!place || !out_stats)
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "",
                                "place_get_stats: no place %u was opened", handle.number);
    aldis_place_stats stats = {0};
    /* Relaxed: figures. */
    stats.members = aldis__load_relaxed(&place->members);
    stats.builds = aldis__load_relaxed(&place->builds);
    stats.members_refused = aldis__load_relaxed(&place->refused);
    for (uint32_t s = 0; s < system->shard_count; s++) {
        stats.sets += aldis__load_relaxed(&place->parts[s].sets);
        stats.merged += aldis__load_relaxed(&place->parts[s].merged);
    }
    for (uint32_t w = 0; w < system->worker_count; w++)
        stats.queries += aldis__load_relaxed(&place->seats[w].queries);
    aldis__watches_stats(place->watches, &stats);
    *out_stats = stats;
    return ALDIS_OK;
}

/* ------------------------------------------------------------------ for the router */

struct aldis__places *aldis__places_create(aldis_system *system)
{
    struct aldis__places *places = calloc(1, sizeof *places);
    if (!places)
        return NULL;
    places->system = system;
    places->seats = zeroed_lines(system->worker_count, sizeof *places->seats);
    if (!places->seats) {
        free(places);
        return NULL;
    }
    pthread_mutex_init(&places->lock, NULL);
    return places;
}

void aldis__places_destroy(struct aldis__places *places)
{
    struct aldis__place *place;
    for (uint32_t number = 1; (place = aldis__place_at(places, number)); number++)
        destroy_place(place);
    for (uint32_t w = 0; w < places->system->worker_count; w++) {
        free(places->seats[w].listed);
        free(places->seats[w].scratch);
    }
    pthread_mutex_destroy(&places->lock);
    free(places->listed);
    free(places->seats);
    free(places);
}
