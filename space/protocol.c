// SPDX-License-Identifier: Apache-2.0
/* protocol.c: see protocol.h. */
#include "protocol.h"

#include <aldis/ask.h>
#include <stdio.h>
#include <string.h>

const char *refusal_text(Refusal reason)
{
    static const char *const texts[] = {"none",
                                        "queue full",
                                        "too long for every berth",
                                        "specs that cannot be",
                                        "expired",
                                        "docks closed",
                                        "no room",
                                        "no money",
                                        "no stock",
                                        "price",
                                        "worth too little",
                                        "not in this state",
                                        "unknown goods",
                                        "too far",
                                        "too many trades open",
                                        "too many requests"};
    return (size_t)reason < sizeof texts / sizeof texts[0] ? texts[reason] : "unknown";
}

/* There and back takes two lookaheads. */
aldis_err send_surely(aldis_ctx *ctx, const aldis_send_item *item, const struct scenario *scenario,
                      uint64_t context, aldis_ns delay_ns)
{
    const aldis_reliable_opts opts = {.max_attempts = 5,
                                      .timeout_ns = 2 * ALDIS_SECOND + 4 * scenario->lookahead_ns,
                                      .context = context,
                                      .delay_ns = delay_ns,
                                      .uncounted = true};
    return aldis_send_reliable_raw(ctx, item->to, item->type, item->payload, item->size, &opts,
                                   NULL);
}

aldis_err reply_after(aldis_ctx *ctx, aldis_ns delay_ns, aldis_type *type, const void *payload,
                      size_t size)
{
    if (delay_ns == 0 || aldis_id_is_nobody(aldis_sender(ctx)) ||
        !aldis_id_is_nobody(aldis_asker(ctx)))
        return aldis_reply_raw(ctx, type, payload, size);
    return aldis_ctx_send_opts_raw(ctx, aldis_sender(ctx), type, payload, size,
                                   &(aldis_send_opts){.delay_ns = delay_ns});
}

/* Does the kind of actor that sent it understand refusals? Ships do; others are told by the count
 * of failed handlers only, as is whoever sent from outside. */
aldis_err refuse_message(aldis_ctx *ctx, const aldis_type *type, const char *state, Refusal reason,
                         aldis_ns delay_ns)
{
    char text[128];
    if (!aldis_id_is_nobody(aldis_sender(ctx)) &&
        !aldis_id_equal(aldis_sender(ctx), aldis_self(ctx))) {
        NEW_MESSAGE(Refused, answer);
        snprintf(answer.message, sizeof answer.message, "%s", type->name);
        snprintf(answer.state, sizeof answer.state, "%s", state);
        answer.reason = reason;
        (void)reply_after(ctx, delay_ns, &refused_type, &answer, sizeof answer);
    }
    snprintf(text, sizeof text, "%s refused while %s: %s", type->name, state, refusal_text(reason));
    return aldis_fail(ctx, text);
}

void tell_settled(aldis_ctx *ctx, const TradeAnswer *answer, uint32_t account, aldis_ns delay_ns)
{
    NEW_MESSAGE(TradeSettled, settled);
    settled.number = answer->number;
    settled.account = account;
    if (answer->accepted && !aldis_id_is_nobody(aldis_sender(ctx)))
        (void)reply_after(ctx, delay_ns, &trade_settled_type, &settled, sizeof settled);
}

aldis_err check_message(aldis_ctx *ctx, const aldis_type *type, const void *payload)
{
    aldis_wire_report report;
    if (!type->codec || aldis_wire_check(type, payload, &report) == ALDIS_OK)
        return ALDIS_OK;
    char text[128];
    snprintf(text, sizeof text, "%s: %.40s: %.60s", type->name, report.field, report.text);
    return aldis_fail(ctx, text);
}
