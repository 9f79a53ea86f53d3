// SPDX-License-Identifier: Apache-2.0
/* ship_signal.c: where a ship is, for its messages. See ship.h and signals.h. Layer: space. */
#include "ship.h"

/* In a berth, in front of it, or at rest where its station is: it goes round with it. */
static bool is_moored(const struct ship *self)
{
    switch ((enum space_ship_state)self->state) {
    case SHIP_docking:
    case SHIP_docked:
        return true;
    case SHIP_trading:
    case SHIP_idle:
        return ship_is_at_station(self);
    case SHIP_flying:
    case SHIP_emergency:
        break;
    }
    return false;
}

/* Under way it is where its thrust has brought it since its last look. */
struct vec ship_place(const struct ship *self, aldis_ns now_ns)
{
    double seconds = (double)(now_ns - self->moved_ns) * 1e-9, way;
    bool under_way = self->state == SHIP_flying || self->state == SHIP_emergency;
    if (is_moored(self))
        return ship_station_position(self, now_ns);
    if (!under_way || seconds <= 0)
        return self->motion.position;
    if (self->mission == MISSION_FOLLOW || self->account.fuel == 0)
        return vec_add(self->motion.position, vec_scale(self->motion.velocity, seconds));
    struct motion motion = self->motion;
    struct thrust thrust = ship_thrust(self, now_ns);
    motion_fly(&motion, self->aim, &thrust, seconds, &way);
    return motion.position;
}

aldis_ns ship_signal_ns(const struct ship *self, aldis_ctx *ctx, aldis_id to)
{
    if (!ship_chart(self)->signals)
        return 0;
    const struct speaker me = {ship_account(self), ship_place(self, aldis_now(ctx))};
    return signals_delay(ship_chart(self), ctx, &me, to);
}

aldis_err ship_reply(const struct ship *self, aldis_ctx *ctx, aldis_type *type, const void *payload,
                     size_t size)
{
    return reply_after(ctx, ship_signal_ns(self, ctx, aldis_sender(ctx)), type, payload, size);
}
