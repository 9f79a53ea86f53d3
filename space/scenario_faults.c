// SPDX-License-Identifier: Apache-2.0
/* scenario_faults.c: fault plans, in a scenario file or in one of their own. See scenario_parts.h
 * and aldis/fault.h. */
#include "errors.h"
#include "protocol.h"
#include "scenario_parts.h"

#define KIND_WORD(name, word) word,
static const char *const kind_words[] = {ALDIS_FAULT_KINDS(KIND_WORD) NULL};
#undef KIND_WORD

#define WORD(kind, name) #name,
static const char actor_kinds[][SCHEMA_NAME_BYTES] = {"ship",   "station", "hazards", "weather",
                                                      "rescue", "traffic", "ledger"};
static const char message_types[][SCHEMA_NAME_BYTES] = {
    SHIP_PROTOCOL(WORD, 0) STATION_PROTOCOL(WORD, 0) HAZARDS_PROTOCOL(WORD, 0)
        WEATHER_PROTOCOL(WORD, 0) RESCUE_PROTOCOL(WORD, 0) TRAFFIC_PROTOCOL(WORD, 0)
            LEDGER_PROTOCOL(WORD, 0)};
#undef WORD

/* A rule of which a name fits nobody would do nothing, in silence. The library's own begin so. */
static void check_name(struct schema_reader *reader, const struct yaml_node *node, const char *key,
                       const char *name, const char (*names)[SCHEMA_NAME_BYTES], size_t count)
{
    if (name[0] == '\0' || strncmp(name, "aldis", 5) == 0)
        return;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(names[i], name) == 0)
            return;
    }
    char found[SCHEMA_NAME_BYTES + 16], list[200] = "";
    snprintf(found, sizeof found, "%s \"%s\"", key, name);
    const char *nearest = schema_nearest(name, names[0], sizeof names[0], count);
    for (size_t i = 0; !nearest && i < count; i++)
        schema_list(list, sizeof list, names[i]);
    if (nearest)
        schema_error(reader, node, found, "what there is in a run (did you mean \"%s\"?)", nearest);
    else
        schema_error(reader, node, found, "%s", list);
}

static void check_rule(struct schema_reader *reader, const struct yaml_node *node, void *object)
{
    const struct scenario_fault *rule = object;
    bool of_actor = aldis_fault_is_of_actor((aldis_fault_kind)rule->kind);
    if (rule->every > 0 && (!of_actor || rule->chance > 0))
        schema_error(reader, node, "every", "for pause, crash and restart, in place of chance");
    if (rule->every == 0 && rule->chance <= 0)
        schema_error(reader, node, "neither chance nor every", "one of them");
    if (rule->max_ns > 0 && rule->min_ns > rule->max_ns)
        schema_error(reader, node, "min above max", "min up to max");
    if (rule->end_ns > 0 && rule->begin_ns >= rule->end_ns)
        schema_error(reader, node, "an end before the beginning", "begin below end");
    check_name(reader, node, "from", rule->from, actor_kinds, COUNT_OF(actor_kinds));
    check_name(reader, node, "to", rule->to, actor_kinds, COUNT_OF(actor_kinds));
    check_name(reader, node, "type", rule->type, message_types, COUNT_OF(message_types));
}

#define RULE_KEY(...) SCHEMA_KEY(struct scenario_fault, __VA_ARGS__)
static const struct schema_key rule_keys[] = {
    SCHEMA_WORD(struct scenario_fault, "kind", REQUIRED, kind, kind_words),
    RULE_KEY("chance", NUMBER, OPTIONAL, chance, 0, 1),
    RULE_KEY("every", COUNT, OPTIONAL, every, 1, 1e9),
    RULE_KEY("min", TIME, OPTIONAL, min_ns, 0, DAY_S),
    RULE_KEY("max", TIME, OPTIONAL, max_ns, 1e-9, DAY_S),
    RULE_KEY("begin", TIME, OPTIONAL, begin_ns, 0, 3650 * DAY_S),
    RULE_KEY("end", TIME, OPTIONAL, end_ns, 1e-9, 3650 * DAY_S),
    RULE_KEY("from", NAME, OPTIONAL, from, 0, 0),
    RULE_KEY("to", NAME, OPTIONAL, to, 0, 0),
    RULE_KEY("type", NAME, OPTIONAL, type, 0, 0),
};

static const struct schema rule_schema = {.what = "a rule of faults",
                                          .size = sizeof(struct scenario_fault),
                                          .key_count = COUNT_OF(rule_keys),
                                          .keys = rule_keys,
                                          .check = check_rule};

#define PLAN_KEY(...) SCHEMA_KEY(struct scenario_faults, __VA_ARGS__)
static const struct schema_key plan_keys[] = {
    SCHEMA_LIST(struct scenario_faults, "rules", REQUIRED, rules, &rule_schema, 1, 64),
    PLAN_KEY("seed", SEED, OPTIONAL, seed, 0, 0),
    PLAN_KEY("heal", TIME, OPTIONAL, heal_ns, 1e-9, 3650 * DAY_S),
};

static const struct schema plan_schema = {.what = "a fault plan",
                                          .size = sizeof(struct scenario_faults),
                                          .key_count = COUNT_OF(plan_keys),
                                          .keys = plan_keys};

/* As the library wants them. */
static bool make_plan(struct scenario_faults *faults)
{
    aldis_fault_rule *made = calloc(faults->rules.count + 1, sizeof *made);
    if (!made)
        return false;
    for (uint32_t i = 0; i < faults->rules.count; i++) {
        const struct scenario_fault *rule = &faults->rules.items[i];
        made[i] = (aldis_fault_rule){.kind = (aldis_fault_kind)rule->kind,
                                     .chance = rule->chance,
                                     .every = rule->every,
                                     .min_ns = rule->min_ns,
                                     .max_ns = rule->max_ns,
                                     .begin_ns = rule->begin_ns,
                                     .end_ns = rule->end_ns};
        memcpy(made[i].from, rule->from, sizeof made[i].from);
        memcpy(made[i].to, rule->to, sizeof made[i].to);
        memcpy(made[i].type, rule->type, sizeof made[i].type);
    }
    faults->made = made;
    faults->plan = (aldis_fault_plan){.seed = faults->seed,
                                      .heal_ns = faults->heal_ns,
                                      .rules = made,
                                      .rule_count = faults->rules.count};
    faults->given = true;
    return true;
}

/* "light", "heavy", or a mapping. */
void read_faults(struct schema_reader *reader, const struct yaml_node *node, void *field)
{
    struct scenario_faults *faults = field;
    if (node->kind == YAML_IS_SCALAR) {
        const aldis_fault_plan *named = aldis_fault_plan_named(node->text);
        if (named) {
            faults->plan = *named;
            faults->given = true;
        } else {
            schema_error(reader, node, NULL, "light, heavy, or a mapping that begins with rules:");
        }
        return;
    }
    uint32_t before = reader->errors->count;
    schema_read(reader, &plan_schema, node, faults);
    if (reader->errors->count == before && !reader->no_memory && !make_plan(faults))
        reader->no_memory = true;
}

void scenario_faults_fini(struct scenario_faults *faults)
{
    schema_free(&plan_schema, faults);
    free(faults->made);
    *faults = (struct scenario_faults){0};
}

const aldis_fault_plan *scenario_faults(const struct scenario *scenario)
{
    return scenario->faults.given ? &scenario->faults.plan : NULL;
}

/* ---- A file of its own ---- */

struct space_faults {
    struct scenario_faults faults;
};

enum scenario_status space_faults_load(const char *path, struct space_faults **out_faults,
                                       struct scenario_errors *errors)
{
    char *text = NULL;
    size_t size = 0;
    struct yaml_tree *tree = NULL;
    *out_faults = NULL;
    *errors = (struct scenario_errors){.path = path};
    struct space_faults *faults = calloc(1, sizeof *faults);
    enum scenario_status status =
        faults ? scenario_read_file(path, &text, &size, errors) : SCENARIO_NO_MEMORY;
    if (status == SCENARIO_OK)
        status = yaml_tree_parse(text, size, &tree, errors);
    if (status == SCENARIO_OK) {
        struct schema_reader reader = {.errors = errors, .units_per_au = 1};
        schema_read(&reader, &plan_schema, yaml_tree_root(tree), &faults->faults);
        if (reader.no_memory || (errors->count == 0 && !make_plan(&faults->faults)))
            status = SCENARIO_NO_MEMORY;
        else if (errors->count > 0)
            status = SCENARIO_BAD;
    }
    yaml_tree_destroy(tree);
    free(text);
    if (status == SCENARIO_OK)
        *out_faults = faults;
    else
        space_faults_destroy(faults);
    errors_sort(errors);
    return status;
}

const aldis_fault_plan *space_faults_plan(const struct space_faults *faults)
{
    return &faults->faults.plan;
}

void space_faults_destroy(struct space_faults *faults)
{
    if (faults)
        scenario_faults_fini(&faults->faults);
    free(faults);
}
