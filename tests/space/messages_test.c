// SPDX-License-Identifier: Apache-2.0
/* messages_test.c: what the actors say can be encoded and comes back as it was; one item too many,
 * and numbers that cannot be, are refused by name. */
#include "harness.h"
#include "protocol.h"

#include <math.h>
#include <pb_common.h>

static uint8_t frame[4096];

/* Every field that is there, filled with something; then out and in again. */
static void round_trip(const aldis_type *type, const void *payload, size_t size)
{
    static uint8_t back[4096];
    size_t used;
    aldis_wire_report report;
    aldis_err err = aldis_wire_encode(type, payload, frame, sizeof frame, &used, &report);
    if (err != ALDIS_OK)
        test_fail(__FILE__, __LINE__, "%s: %s: %s", type->name, report.field, report.text);
    CHECK_OK(aldis_wire_decode(type, frame, used, back, sizeof back, &report));
    CHECK(memcmp(back, payload, size) == 0);
    for (size_t i = 0; i < used; i += 7)
        CHECK_ERR(aldis_wire_decode(type, frame, i, back, sizeof back, NULL), ALDIS_ECODEC);
}

#define ROUND_TRIP(name, M, ...)                                                                   \
    do {                                                                                           \
        NEW_MESSAGE(M, message);                                                                   \
        __VA_ARGS__;                                                                               \
        round_trip(&name##_type, &message, sizeof message);                                        \
    } while (0)

TEST(every_message_comes_back_as_it_was)
{
    ROUND_TRIP(formation_request, FormationRequest, message.kind = FORMATION_EXPLORATION;
               message.place_in_line = 8; message.position.y = -2.5);
    ROUND_TRIP(formation_answer, FormationAnswer, message.accepted = true;
               message.offset.x = 1e-300);
    ROUND_TRIP(formation_lead, FormationLead, message.at_ns = INT64_MAX / 2; message.ends = true);
    ROUND_TRIP(trade_offer, TradeOffer, message.offering_count = 16; message.requesting_count = 16;
               message.offering[15].tonnes = UINT32_MAX; message.fuel = 7);
    ROUND_TRIP(trade_answer, TradeAnswer, message.goods[15] = INT32_MIN; message.credits = -1);
    ROUND_TRIP(trade_settled, TradeSettled, message.number = UINT64_MAX);
    ROUND_TRIP(distress_signal, DistressSignal, message.severity = 10;
               message.kind = EMERGENCY_OUT_OF_FUEL);
    ROUND_TRIP(distress_answer, DistressAnswer, message.arrival_ns = 1);
    ROUND_TRIP(stand_down, StandDown, message.over = true);
    ROUND_TRIP(aid, Aid, message.kind = AID_FUEL);
    ROUND_TRIP(request_docking, RequestDocking, message.specs.length = 150;
               message.specs.mass = 2000; message.manifest_count = 16;
               message.manifest[3].unit_value = 12);
    ROUND_TRIP(docked, Docked, message.berth = 3);
    ROUND_TRIP(request_prices, RequestPrices, message.unused = 0);
    ROUND_TRIP(request_services, RequestServices, message.repairs = true);
    ROUND_TRIP(market_order, MarketOrder, message.quantity = 1; message.resource = RESOURCE_REPAIR);
    ROUND_TRIP(docking_permission, DockingPermission, message.verdict = DOCKING_REFUSED;
               message.reason = REFUSAL_BUSY);
    ROUND_TRIP(market_prices, MarketPrices, message.prices_count = 18;
               message.prices[17].stock = 9);
    ROUND_TRIP(service_availability, ServiceAvailability, message.quarters = true);
    ROUND_TRIP(navigation_hazard, NavigationHazard, message.kind = HAZARD_PIRATES;
               message.radius = 100);
    ROUND_TRIP(market_update, MarketUpdate, message.changes_count = 16;
               message.changes[0].change = -5);
    ROUND_TRIP(weather_alert, WeatherAlert, message.level = WEATHER_EXTREME);
    ROUND_TRIP(update_position, UpdatePosition, message.dt = 0.016);
    ROUND_TRIP(set_destination, SetDestination, message.station = 1);
    ROUND_TRIP(initiate_docking, InitiateDocking, message.station = 1);
    ROUND_TRIP(process_trade_offer, ProcessTradeOffer, message.items_count = 16);
    ROUND_TRIP(handle_emergency, HandleEmergency, message.kind = EMERGENCY_PIRATES);
    ROUND_TRIP(propose_trade, ProposeTrade, message.to = 1; message.offering_count = 1);
    ROUND_TRIP(shutdown, Shutdown, message.unused = 0);
    ROUND_TRIP(pause, Pause, message.unused = 0);
    ROUND_TRIP(resume, Resume, message.unused = 0);
    ROUND_TRIP(get_status, GetStatus, message.unused = 0);
    ROUND_TRIP(station_status, StationStatus, memcpy(message.state, "open", 5);
               message.stock_count = 2; message.stock[1] = 7);
    ROUND_TRIP(rescue_status, RescueStatus, message.tugs = 4);
    ROUND_TRIP(ship_status, ShipStatus, memcpy(message.state, "flying", 7));
    ROUND_TRIP(refused, Refused, memcpy(message.message, "propose_trade", 14));
}

static void expect_refusal(const aldis_type *type, const void *payload, const char *field)
{
    aldis_wire_report report;
    CHECK_ERR(aldis_wire_check(type, payload, &report), ALDIS_ECODEC);
    CHECK_STR(report.field, field);
}

#define REFUSED(name, M, field, ...)                                                               \
    do {                                                                                           \
        NEW_MESSAGE(M, message);                                                                   \
        __VA_ARGS__;                                                                               \
        expect_refusal(&name##_type, &message, field);                                             \
    } while (0)

TEST(one_item_too_many_is_refused_by_name)
{
    REFUSED(request_docking, RequestDocking, "manifest", message.specs.length = 1;
            message.specs.mass = 1; message.manifest_count = 17);
    REFUSED(trade_offer, TradeOffer, "offering", message.offering_count = 17);
    REFUSED(trade_offer, TradeOffer, "requesting", message.requesting_count = 17);
    REFUSED(process_trade_offer, ProcessTradeOffer, "items", message.items_count = 17);
    REFUSED(propose_trade, ProposeTrade, "offering", message.offering_count = 17);
    REFUSED(propose_trade, ProposeTrade, "requesting", message.requesting_count = 17);
    REFUSED(market_prices, MarketPrices, "prices", message.prices_count = 19);
    REFUSED(market_update, MarketUpdate, "changes", message.changes_count = 17);
}

TEST(what_is_negative_infinite_or_no_number_is_refused_by_name)
{
    static const double wrong[] = {(double)__builtin_nanf(""), HUGE_VAL, -HUGE_VAL, -1};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        REFUSED(update_position, UpdatePosition, "dt", message.dt = wrong[i]);
        REFUSED(request_docking, RequestDocking, "specs.mass", message.specs.length = 1;
                message.specs.mass = wrong[i]);
        REFUSED(request_docking, RequestDocking, "specs.length", message.specs.mass = 1;
                message.specs.length = wrong[i]);
        REFUSED(navigation_hazard, NavigationHazard, "radius", message.radius = wrong[i]);
        if (i < 3)
            REFUSED(distress_signal, DistressSignal, "location.z", message.location.z = wrong[i]);
    }
    REFUSED(distress_signal, DistressSignal, "severity", message.severity = 11);
    REFUSED(market_order, MarketOrder, "quantity", message.quantity = 0);
    REFUSED(market_order, MarketOrder, "resource", message.quantity = 1; message.resource = 19);
    REFUSED(handle_emergency, HandleEmergency, "kind", message.kind = (EmergencyKind)5);
}

/* Each number with a point in it, wherever it is in the message. Returns how many there are. */
static uint32_t poke(const aldis_type *type, const void *whole, const pb_msgdesc_t *desc,
                     void *part)
{
    static const double wrong[] = {(double)__builtin_nanf(""), HUGE_VAL, -HUGE_VAL, 1e300};
    pb_field_iter_t field;
    uint32_t count = 0;
    if (!pb_field_iter_begin(&field, desc, part))
        return 0;
    do {
        if (PB_LTYPE_IS_SUBMSG(field.type) && PB_HTYPE(field.type) != PB_HTYPE_REPEATED) {
            count += poke(type, whole, field.submsg_desc, field.pData);
        } else if (PB_LTYPE(field.type) == PB_LTYPE_FIXED64) {
            double *number = field.pData, kept = *number;
            for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
                aldis_wire_report report;
                *number = wrong[i];
                CHECK_ERR(aldis_wire_check(type, whole, &report), ALDIS_ECODEC);
                CHECK(report.field[0] != '\0');
            }
            *number = kept;
            count++;
        }
    } while (pb_field_iter_next(&field));
    return count;
}

#define POKE(name, M, numbers, ...)                                                                \
    do {                                                                                           \
        NEW_MESSAGE(M, message);                                                                   \
        __VA_ARGS__;                                                                               \
        CHECK_OK(aldis_wire_check(&name##_type, &message, NULL));                                  \
        CHECK_UINT(poke(&name##_type, &message, M##_fields, &message), numbers);                   \
        CHECK_OK(aldis_wire_check(&name##_type, &message, NULL));                                  \
    } while (0)

TEST(no_number_of_any_message_may_be_infinite_huge_or_none)
{
    POKE(formation_request, FormationRequest, 3, message.place_in_line = 1);
    POKE(formation_answer, FormationAnswer, 3, (void)0);
    POKE(formation_lead, FormationLead, 6, (void)0);
    POKE(distress_signal, DistressSignal, 3, (void)0);
    POKE(request_docking, RequestDocking, 2, message.specs.length = 1; message.specs.mass = 1);
    POKE(navigation_hazard, NavigationHazard, 7, (void)0);
    POKE(weather_alert, WeatherAlert, 4, (void)0);
    POKE(update_position, UpdatePosition, 1, (void)0);
    POKE(ship_status, ShipStatus, 6, (void)0);
}

TEST(no_time_lies_before_the_start_or_beyond_the_clock)
{
    static const int64_t wrong[] = {-1, INT64_MIN, INT64_MAX};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        REFUSED(formation_lead, FormationLead, "at_ns", message.at_ns = wrong[i]);
        REFUSED(trade_offer, TradeOffer, "valid_until_ns", message.valid_until_ns = wrong[i]);
        REFUSED(market_order, MarketOrder, "valid_until_ns", message.quantity = 1;
                message.valid_until_ns = wrong[i]);
        REFUSED(distress_answer, DistressAnswer, "arrival_ns", message.arrival_ns = wrong[i]);
        REFUSED(docking_permission, DockingPermission, "estimated_wait_ns",
                message.estimated_wait_ns = wrong[i]);
        REFUSED(market_prices, MarketPrices, "at_ns", message.at_ns = wrong[i]);
        REFUSED(service_availability, ServiceAvailability, "done_at_ns",
                message.done_at_ns = wrong[i]);
        REFUSED(navigation_hazard, NavigationHazard, "at_ns", message.at_ns = wrong[i]);
        REFUSED(navigation_hazard, NavigationHazard, "until_ns", message.until_ns = wrong[i]);
        REFUSED(navigation_hazard, NavigationHazard, "again_ns", message.again_ns = wrong[i]);
        REFUSED(weather_alert, WeatherAlert, "until_ns", message.until_ns = wrong[i]);
    }
}

TEST(no_quantity_or_price_goes_beyond_its_range)
{
    REFUSED(trade_offer, TradeOffer, "fuel", message.fuel = UINT64_MAX);
    REFUSED(market_order, MarketOrder, "quantity", message.quantity = UINT64_MAX);
    REFUSED(market_order, MarketOrder, "limit", message.quantity = 1; message.limit = UINT64_MAX);
    REFUSED(request_services, RequestServices, "fuel", message.fuel = UINT64_MAX);
    REFUSED(trade_answer, TradeAnswer, "credits", message.credits = INT64_MIN);
    REFUSED(trade_answer, TradeAnswer, "fuel", message.fuel = INT64_MIN);
}
