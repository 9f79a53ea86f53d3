// SPDX-License-Identifier: Apache-2.0
/* planted_space.c: bugs planted in the simulation, for the tests of `aldis explore`; as planted.h,
 * by ALDIS_PLANTED. Each is rare, as the ones that are hard to find. */
#include "../../space/account.h"
#include "../../space/dock.h"
#include "../../space/ship.h"

#include <stdlib.h>
#include <string.h>

aldis_err __real_ship_arm(struct ship *self, aldis_ctx *ctx, aldis_ns delay_ns);
aldis_err __wrap_ship_arm(struct ship *self, aldis_ctx *ctx, aldis_ns delay_ns);
bool __real_dock_leave(struct dock *dock, aldis_id ship);
bool __wrap_dock_leave(struct dock *dock, aldis_id ship);
bool __real_account_settle(struct account *account, uint64_t number, const struct terms *terms);
bool __wrap_account_settle(struct account *account, uint64_t number, const struct terms *terms);
bool __real_account_find(const struct account *account, uint32_t peer_account, uint64_t number,
                         struct record *out);
bool __wrap_account_find(const struct account *account, uint32_t peer_account, uint64_t number,
                         struct record *out);

enum account_verdict __real_account_hold(struct account *account, const struct terms *most,
                                         aldis_id peer, uint32_t peer_account,
                                         aldis_ns valid_until_ns);
enum account_verdict __wrap_account_hold(struct account *account, const struct terms *most,
                                         aldis_id peer, uint32_t peer_account,
                                         aldis_ns valid_until_ns);

/* Each so-manieth time, if that is the bug that is wanted. A run is a process of its own with one
 * worker: it counts from the start. */
static bool strikes(const char *bug, uint32_t every)
{
    static uint32_t count;
    const char *wanted = getenv("ALDIS_PLANTED");
    return wanted && strcmp(wanted, bug) == 0 && ++count % every == 0;
}

aldis_err __wrap_ship_arm(struct ship *self, aldis_ctx *ctx, aldis_ns delay_ns)
{
    if (strikes("money-found", 5000)) /* whatever it is that the ship does just now */
        self->account.credits += 7;
    return strikes("timer-forgotten", 20000) ? ALDIS_OK : __real_ship_arm(self, ctx, delay_ns);
}

bool __wrap_dock_leave(struct dock *dock, aldis_id ship)
{
    static aldis_id kept; /* whoever this is, it never gets out */
    if (aldis_id_is_nobody(kept) && dock_has_berth(dock, ship) && strikes("berth-kept", 100))
        kept = ship;
    if (!aldis_id_is_nobody(kept) && aldis_id_equal(kept, ship))
        return true;
    return __real_dock_leave(dock, ship);
}

bool __wrap_account_settle(struct account *account, uint64_t number, const struct terms *terms)
{
    bool settled = __real_account_settle(account, number, terms);
    if (settled && account->shape->capacity > 1 && strikes("room-kept", 200))
        account->used++;
    return settled;
}

bool __wrap_account_find(const struct account *account, uint32_t peer_account, uint64_t number,
                         struct record *out)
{
    bool found = __real_account_find(account, peer_account, number, out);
    return found && !strikes("takes-twice", 20);
}

/* From some gift of fuel on there are no more: tugs stay with ships that they cannot help. */
enum account_verdict __wrap_account_hold(struct account *account, const struct terms *most,
                                         aldis_id peer, uint32_t peer_account,
                                         aldis_ns valid_until_ns)
{
    static bool ended;
    ended = ended || (most->fuel > 0 && strikes("gifts-end", 8));
    if (ended && most->fuel > 0)
        return ACCOUNT_NO_STOCK;
    return __real_account_hold(account, most, peer, peer_account, valid_until_ns);
}
