// SPDX-License-Identifier: Apache-2.0
/* scenario_limits.c: the limits in a scenario file. See scenario_parts.h. */
#include "scenario_parts.h"

/* ---- Mailboxes ---- */

/* Their places are those of enum aldis_overflow_policy; "default" is what stands one level up. */
static const char *const policy_words[] = {"default",     "wait",      "reject",      "drop_newest",
                                           "drop_oldest", "unbounded", "keep_newest", NULL};
_Static_assert(ALDIS_POLICY_DEFAULT == 0 && ALDIS_WAIT == 1 && ALDIS_REJECT == 2 &&
                   ALDIS_DROP_NEWEST == 3 && ALDIS_DROP_OLDEST == 4 && ALDIS_UNBOUNDED == 5 &&
                   ALDIS_KEEP_NEWEST == 6,
               "policy_words");

/* Between the keys of one mailbox, with what it has from the level above. */
static void check_mailbox(struct schema_reader *reader, const struct yaml_node *node,
                          const struct scenario_mailbox *box)
{
    if (box->shed_interval_ns > 0 && box->shed_target_ns == 0)
        schema_error(reader, node, "a shed_interval without a shed_target", "both, or the target");
    else if (box->shed_interval_ns > 0 && box->shed_interval_ns < box->shed_target_ns)
        schema_error(reader, node, "a shed_interval shorter than the shed_target",
                     "one that is as long, or longer");
    else if (box->shed_target_ns > 0 && box->handling_ns >= box->shed_target_ns)
        schema_error(reader, node, "a shed_target no longer than the handling",
                     "a longer one: else each message would have waited too long");
}

#define BOX_KEY(...) SCHEMA_KEY(struct scenario_mailbox, __VA_ARGS__)
#define BOX_KEYS                                                                                   \
    BOX_KEY("capacity", COUNT, OPTIONAL, capacity, 1, 1 << 30),                                    \
        BOX_KEY("bytes", BYTES, OPTIONAL, bytes, 1, 2e9),                                          \
        SCHEMA_WORD(struct scenario_mailbox, "policy", OPTIONAL, policy, policy_words),            \
        BOX_KEY("shed_target", TIME, OPTIONAL, shed_target_ns, 1e-6, 3600),                        \
        BOX_KEY("shed_interval", TIME, OPTIONAL, shed_interval_ns, 1e-6, DAY_S),                   \
        BOX_KEY("handling", TIME, OPTIONAL, handling_ns, 0, 60)

static const struct scenario_mailbox box_defaults = {.handling_ns = -1};
static const struct schema_key box_keys[] = {BOX_KEYS};
static const struct schema box_schema = {.what = "a kind's mailbox",
                                         .size = sizeof(struct scenario_mailbox),
                                         .key_count = COUNT_OF(box_keys),
                                         .keys = box_keys,
                                         .defaults = &box_defaults};

/* What a kind does not say stands one level up. */
static void inherit(struct scenario_mailbox *box, const struct scenario_mailbox *from)
{
    if (box->capacity == 0)
        box->capacity = from->capacity;
    if (box->bytes == 0)
        box->bytes = from->bytes;
    if (box->policy == ALDIS_POLICY_DEFAULT)
        box->policy = from->policy;
    if (box->shed_target_ns == 0)
        box->shed_target_ns = from->shed_target_ns;
    if (box->shed_interval_ns == 0)
        box->shed_interval_ns = from->shed_interval_ns;
    if (box->handling_ns < 0)
        box->handling_ns = from->handling_ns;
}

static void check_mailboxes(struct schema_reader *reader, const struct yaml_node *node,
                            void *object)
{
    static const char *const names[SCENARIO_ACTORS] = {"ship", "station", "rescue"};
    struct scenario_mailboxes *boxes = object;
    const struct schema_path *outer = reader->path;
    uint32_t before = reader->errors->count;
    check_mailbox(reader, node, &boxes->all);
    for (uint32_t i = 0; i < SCENARIO_ACTORS; i++) {
        struct schema_path path = {.up = outer, .key = names[i]};
        const struct yaml_node *own = yaml_map_find(node, names[i]);
        inherit(&boxes->of[i], &boxes->all);
        reader->path = &path;
        if (own && reader->errors->count == before)
            check_mailbox(reader, own, &boxes->of[i]);
        reader->path = outer;
    }
}

static const struct scenario_mailboxes mailboxes_defaults = {
    .of = {{.handling_ns = -1}, {.handling_ns = -1}, {.handling_ns = -1}}};

/* The first keys are read into `all`, whose place is the struct's own. */
_Static_assert(offsetof(struct scenario_mailboxes, all) == 0, "BOX_KEYS");
#define OF_KEY(name, which)                                                                        \
    SCHEMA_MAP(struct scenario_mailboxes, name, OPTIONAL, of[which], &box_schema)
static const struct schema_key mailbox_keys[] = {BOX_KEYS, OF_KEY("ship", ACTOR_SHIP),
                                                 OF_KEY("station", ACTOR_STATION),
                                                 OF_KEY("rescue", ACTOR_RESCUE)};

static const struct schema mailbox_schema = {.what = "mailboxes",
                                             .size = sizeof(struct scenario_mailboxes),
                                             .key_count = COUNT_OF(mailbox_keys),
                                             .keys = mailbox_keys,
                                             .defaults = &mailboxes_defaults,
                                             .check = check_mailboxes};

/* ---- Docking ---- */

static void check_rate(struct schema_reader *reader, const struct yaml_node *node, void *object)
{
    struct scenario_rate *rate = object;
    (void)reader;
    (void)node;
    if (rate->burst == 0)
        rate->burst = rate->requests;
}

static const struct scenario_rate rate_defaults = {.per_ns = ALDIS_SECOND};

#define RATE_KEY(...) SCHEMA_KEY(struct scenario_rate, __VA_ARGS__)
static const struct schema_key rate_keys[] = {
    RATE_KEY("requests", COUNT, REQUIRED, requests, 1, 1e6),
    RATE_KEY("per", TIME, OPTIONAL, per_ns, 1e-3, DAY_S),
    RATE_KEY("burst", COUNT, OPTIONAL, burst, 1, 1e6),
};

static const struct schema rate_schema = {.what = "a rate",
                                          .size = sizeof(struct scenario_rate),
                                          .key_count = COUNT_OF(rate_keys),
                                          .keys = rate_keys,
                                          .defaults = &rate_defaults,
                                          .check = check_rate};

static const struct schema_key credit_keys[] = {
    SCHEMA_KEY(struct scenario_credit, "total", COUNT, REQUIRED, total, 1, 1 << 20),
};

static const struct schema credit_schema = {.what = "credit",
                                            .size = sizeof(struct scenario_credit),
                                            .key_count = COUNT_OF(credit_keys),
                                            .keys = credit_keys};

/* ---- All limits ---- */

/* What a ship at rest takes of the budget: its cell, word and state, and its timer under way
 * (measured: 248). With less no run could begin. */
#define SHIP_BYTES 240

static void read_memory(struct schema_reader *reader, const struct yaml_node *node, void *field)
{
    const uint64_t mega = 1000000, ships = (uint64_t)scenario_of(reader)->ship_count * SHIP_BYTES;
    struct schema_key key = {
        .kind = VALUE_BYTES, .min = 4 << 20, .max = 1e12, .also = "enough for the ships, "};
    if (ships + mega > 4 << 20)
        key.min = (double)((ships + 2 * mega - 1) / mega * mega);
    schema_read_value(reader, &key, node, field);
}

static void check_limits(struct schema_reader *reader, const struct yaml_node *node, void *object)
{
    (void)reader;
    struct scenario_limits *limits = object;
    limits->given = true;
    limits->line = line_of(node);
}

static const struct schema_key limits_keys[] = {
    SCHEMA_MAP(struct scenario_limits, "mailbox", OPTIONAL, mailbox, &mailbox_schema),
    SCHEMA_CUSTOM(struct scenario_limits, "memory", OPTIONAL, memory, read_memory),
    SCHEMA_MAP(struct scenario_limits, "docking_rate", OPTIONAL, docking_rate, &rate_schema),
    SCHEMA_MAP(struct scenario_limits, "docking_credit", OPTIONAL, docking_credit, &credit_schema),
};

const struct schema limits_schema = {.what = "limits",
                                     .size = sizeof(struct scenario_limits),
                                     .key_count = COUNT_OF(limits_keys),
                                     .keys = limits_keys,
                                     .check = check_limits};
