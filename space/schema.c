// SPDX-License-Identifier: Apache-2.0
/* schema.c: see schema.h. */
#include "schema.h"

#include "errors.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define PATH_BYTES 160
#define RANGE_BYTES 288
#define KM_PER_AU 149597870.7

/* ---- Units: the closed set ---- */

struct unit {
    const char *name;
    double factor; /* in the first unit whose factor is 1 */
};

static const struct unit time_units[] = {{"ns", 1e-9}, {"us", 1e-6}, {"ms", 1e-3}, {"s", 1},
                                         {"min", 60},  {"h", 3600},  {"d", 86400}, {NULL, 0}};
/* AU and km follow from the scenario's units_per_AU: a factor below 0 is a part of an AU. */
static const struct unit distance_units[] = {
    {"u", 1}, {"km", -1 / KM_PER_AU}, {"AU", -1}, {NULL, 0}};
static const struct unit speed_units[] = {{"u/s", 1}, {NULL, 0}};
static const struct unit acceleration_units[] = {{"u/s2", 1}, {NULL, 0}};
static const struct unit size_units[] = {{"m", 1}, {NULL, 0}};
static const struct unit mass_units[] = {{"t", 1}, {NULL, 0}};
static const struct unit angle_units[] = {{"deg", 1}, {NULL, 0}};
static const struct unit byte_units[] = {{"B", 1},         {"kB", 1e3},      {"KiB", 1024},
                                         {"MB", 1e6},      {"MiB", 1 << 20}, {"GB", 1e9},
                                         {"GiB", 1 << 30}, {NULL, 0}};
static const struct unit no_units[] = {{NULL, 0}};

struct quantity {
    const char *what, *example;
    const struct unit *units;
};

static const struct quantity quantities[] = {
    [VALUE_NUMBER] = {"a number", NULL, no_units},
    [VALUE_TIME] = {"a time", "10 min", time_units},
    [VALUE_DISTANCE] = {"a distance", "250 u", distance_units},
    [VALUE_SPEED] = {"a speed", "20 u/s", speed_units},
    [VALUE_ACCELERATION] = {"an acceleration", "1 u/s2", acceleration_units},
    [VALUE_SIZE] = {"a length", "150 m", size_units},
    [VALUE_MASS] = {"a mass", "2000 t", mass_units},
    [VALUE_ANGLE] = {"an angle", "90 deg", angle_units},
    [VALUE_BYTES] = {"a size", "512 MB", byte_units},
};

/* ---- Error texts ---- */

static size_t write_path(const struct schema_path *path, char *out, size_t size)
{
    size_t used = path->up ? write_path(path->up, out, size) : 0;
    if (used >= size)
        return used;
    int length = path->key
                     ? snprintf(out + used, size - used, "%s%s", used > 0 ? "." : "", path->key)
                     : snprintf(out + used, size - used, "[%u]", path->index);
    return used + (size_t)length;
}

static const char *describe(const struct yaml_node *node, char *out, size_t size)
{
    char quote[ERRORS_QUOTE_BYTES];
    if (node->kind == YAML_IS_LIST)
        snprintf(out, size, "a list");
    else if (node->kind == YAML_IS_MAP)
        snprintf(out, size, "a mapping");
    else if (node->size == 0 && !node->quoted)
        snprintf(out, size, "nothing");
    else
        snprintf(out, size, "%s%s", errors_quote(quote, node->text, node->size),
                 node->quoted ? " in quotes" : "");
    return out;
}

void schema_error(struct schema_reader *reader, const struct yaml_node *node, const char *found,
                  const char *format, ...)
{
    char path[PATH_BYTES] = "", allowed[RANGE_BYTES + 64], described[ERRORS_QUOTE_BYTES + 16];
    if (reader->path)
        write_path(reader->path, path, sizeof path);
    va_list args;
    va_start(args, format);
    vsnprintf(allowed, sizeof allowed, format, args);
    va_end(args);
    reader->errors->file = node->file;
    errors_add(reader->errors, node->line, node->column, "%s%sfound %s, allowed: %s", path,
               path[0] ? ": " : "", found ? found : describe(node, described, sizeof described),
               allowed);
}

/* A quantity in the largest unit that shows it as a whole number, else in the base unit. */
static void write_amount(double amount, const struct unit *units, char *out, size_t size)
{
    const struct unit *best = NULL, *base = NULL;
    for (const struct unit *unit = units; unit->name; unit++) {
        double shown = fabs(amount) / unit->factor;
        if (unit->factor > 0 && shown >= 1 && fabs(shown - nearbyint(shown)) < 1e-9 * shown)
            best = unit;
        if (unit->factor == 1)
            base = unit;
    }
    if (!best)
        best = base;
    if (best)
        snprintf(out, size, "%.10g %s", amount / best->factor, best->name);
    else
        snprintf(out, size, "%.10g", amount);
}

const char *schema_amount(enum value_kind kind, double amount, char *out, size_t size)
{
    write_amount(amount, quantities[kind].units, out, size);
    return out;
}

static void range_error(struct schema_reader *reader, const struct schema_key *key,
                        const struct yaml_node *node)
{
    const struct quantity *quantity = &quantities[key->kind];
    const char *also = key->also ? key->also : "";
    char low[48], high[48], units[64] = "";
    write_amount(key->min, quantity->units, low, sizeof low);
    write_amount(key->max, quantity->units, high, sizeof high);
    for (const struct unit *unit = quantity->units; unit->name; unit++) {
        size_t used = strlen(units);
        snprintf(units + used, sizeof units - used, "%s%s", used > 0 ? ", " : "", unit->name);
    }
    if (quantity->example)
        schema_error(reader, node, NULL, "%s%s from %s to %s, as in %s (%s%s)", also,
                     quantity->what, low, high, quantity->example,
                     quantity->units[1].name ? "units: " : "unit: ", units);
    else
        schema_error(reader, node, NULL, "%s%s from %s to %s", also, quantity->what, low, high);
}

/* ---- Numbers ---- */

static size_t count_digits(const char *text)
{
    size_t count = 0;
    while (text[count] >= '0' && text[count] <= '9')
        count++;
    return count;
}

/* The bytes of the decimal number that text begins with: -12, 0.5, 1e-3; 0 where none does. No
 * leading zero (YAML 1.1 reads 010 as eight), no +, no hexadecimal, no .5, no nan and no inf. */
static size_t number_length(const char *text)
{
    size_t at = text[0] == '-' ? 1 : 0;
    size_t digits = count_digits(text + at);
    if (digits == 0 || (digits > 1 && text[at] == '0'))
        return 0;
    at += digits;
    if (text[at] == '.') {
        digits = count_digits(text + at + 1);
        if (digits == 0)
            return 0;
        at += 1 + digits;
    }
    if (text[at] == 'e' || text[at] == 'E') {
        size_t sign = text[at + 1] == '-' || text[at + 1] == '+' ? 1 : 0;
        digits = count_digits(text + at + 1 + sign);
        if (digits == 0)
            return 0;
        at += 1 + sign + digits;
    }
    return at;
}

/* strtod would follow the program's locale: "0,5" in Berlin. */
static double parse_number(const char *text)
{
    double value = 0;
    locale_t c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (c_locale == (locale_t)0)
        return HUGE_VAL; /* no memory: refused as not finite */
    value = strtod_l(text, NULL, c_locale);
    freelocale(c_locale);
    return value;
}

static bool is_plain(const struct yaml_node *node)
{
    return node->kind == YAML_IS_SCALAR && !node->quoted;
}

/* node as a number with a unit of its kind, in the base unit; false where it is none. */
static bool parse_quantity(const struct schema_reader *reader, const struct schema_key *key,
                           const struct yaml_node *node, double *out)
{
    const struct unit *unit = quantities[key->kind].units;
    size_t length = is_plain(node) ? number_length(node->text) : 0;
    if (length == 0)
        return false;
    const char *name = node->text + length;
    double factor = 1;
    if (unit->name) {
        name += strspn(name, " ");
        while (unit->name && strcmp(unit->name, name) != 0)
            unit++;
        if (!unit->name)
            return false;
        factor = unit->factor < 0 ? -unit->factor * reader->units_per_au : unit->factor;
    } else if (*name) {
        return false;
    }
    *out = parse_number(node->text) * factor;
    return isfinite(*out);
}

static void read_quantity(struct schema_reader *reader, const struct schema_key *key,
                          const struct yaml_node *node, void *field)
{
    double value = 0;
    if (!parse_quantity(reader, key, node, &value) || value < key->min || value > key->max) {
        range_error(reader, key, node);
        return;
    }
    if (key->kind == VALUE_TIME) {
        aldis_ns ns = (aldis_ns)nearbyint(value * 1e9);
        memcpy(field, &ns, sizeof ns);
    } else if (key->kind == VALUE_BYTES) {
        uint64_t bytes = (uint64_t)nearbyint(value);
        memcpy(field, &bytes, sizeof bytes);
    } else {
        memcpy(field, &value, sizeof value);
    }
}

static void read_whole(struct schema_reader *reader, const struct schema_key *key,
                       const struct yaml_node *node, void *field)
{
    bool seed = key->kind == VALUE_SEED;
    uint64_t min = seed ? 0 : (uint64_t)key->min;
    uint64_t max = seed ? UINT64_MAX : (uint64_t)key->max;
    size_t digits = is_plain(node) ? count_digits(node->text) : 0;
    bool valid = digits > 0 && digits == node->size && (digits == 1 || node->text[0] != '0');
    errno = 0;
    uint64_t value = valid ? strtoull(node->text, NULL, 10) : 0;
    if (!valid || errno == ERANGE || value < min || value > max) {
        schema_error(reader, node, NULL, "a whole number from %" PRIu64 " to %" PRIu64, min, max);
        return;
    }
    if (seed)
        memcpy(field, &value, sizeof value);
    else
        memcpy(field, &(uint32_t){(uint32_t)value}, sizeof(uint32_t));
}

/* ---- Text ---- */

static void read_name(struct schema_reader *reader, const struct yaml_node *node, void *field)
{
    bool valid = node->kind == YAML_IS_SCALAR && node->size > 0 && node->size < SCHEMA_NAME_BYTES;
    valid = valid && node->text[0] != ' ' && node->text[node->size - 1] != ' ';
    if (valid && text_is_printable(node->text, node->size))
        memcpy(field, node->text, node->size + 1u);
    else
        schema_error(reader, node, NULL, "a name of 1 to %d bytes, all printable",
                     SCHEMA_NAME_BYTES - 1);
}

void schema_list(char *out, size_t size, const char *name)
{
    static const char rest[] = ", ...";
    size_t used = strlen(out), length = strlen(name);
    if (used >= sizeof rest && strcmp(out + used - sizeof rest + 1, rest) == 0)
        return;
    bool fits = used + 2 + length + sizeof rest <= size;
    snprintf(out + used, size - used, "%s", !fits ? rest : used > 0 ? ", " : "");
    if (fits)
        snprintf(out + strlen(out), size - strlen(out), "%s", name);
}

static void read_word(struct schema_reader *reader, const struct schema_key *key,
                      const struct yaml_node *node, void *field)
{
    char list[RANGE_BYTES] = "";
    for (uint32_t i = 0; key->words[i]; i++) {
        if (node->kind == YAML_IS_SCALAR && strcmp(node->text, key->words[i]) == 0) {
            memcpy(field, &i, sizeof i);
            return;
        }
        schema_list(list, sizeof list, key->words[i]);
    }
    schema_error(reader, node, NULL, "one of %s", list);
}

/* ---- Near misses ---- */

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Levenshtein's distance, ignoring case: insertions, deletions and changes. Both below 64 bytes. */
static size_t edit_distance(const char *a, const char *b)
{
    size_t row[SCHEMA_NAME_BYTES], columns = strlen(b);
    for (size_t j = 0; j <= columns; j++)
        row[j] = j;
    for (size_t i = 1; a[i - 1]; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= columns; j++) {
            bool same = tolower((unsigned char)a[i - 1]) == tolower((unsigned char)b[j - 1]);
            size_t change = diagonal + (same ? 0 : 1);
            diagonal = row[j];
            row[j] = least(change, least(row[j], row[j - 1]) + 1);
        }
    }
    return row[columns];
}

const char *schema_nearest(const char *text, const char *first, size_t stride, size_t count)
{
    size_t length = strlen(text);
    if (length >= SCHEMA_NAME_BYTES)
        return NULL;
    const char *best = NULL;
    size_t best_distance = length / 2 + 1;
    for (size_t i = 0; i < count; i++) {
        const char *name = first + i * stride;
        size_t distance = edit_distance(text, name);
        if (distance < best_distance) {
            best = name;
            best_distance = distance;
        }
    }
    return best;
}

/* ---- Mappings and lists ---- */

static size_t find_key(const struct schema *schema, const struct yaml_node *name)
{
    size_t i = 0;
    while (i < schema->key_count &&
           (name->kind != YAML_IS_SCALAR || strcmp(schema->keys[i].name, name->text) != 0))
        i++;
    return i;
}

static void unknown_key(struct schema_reader *reader, const struct schema *schema,
                        const struct yaml_node *name)
{
    char names[SCHEMA_KEYS_MAX][SCHEMA_NAME_BYTES] = {0};
    char list[RANGE_BYTES] = "", found[ERRORS_QUOTE_BYTES + 32], quote[ERRORS_QUOTE_BYTES];
    for (size_t i = 0; i < schema->key_count; i++) {
        snprintf(names[i], sizeof names[i], "%s", schema->keys[i].name);
        schema_list(list, sizeof list, names[i]);
    }
    if (name->kind != YAML_IS_SCALAR) {
        schema_error(reader, name, NULL, "as a key of %s: %s", schema->what, list);
        return;
    }
    snprintf(found, sizeof found, "unknown key %s", errors_quote(quote, name->text, name->size));
    const char *nearest = schema_nearest(name->text, names[0], sizeof names[0], schema->key_count);
    if (nearest)
        schema_error(reader, name, found, "a key of %s (did you mean \"%s\"?)", schema->what,
                     nearest);
    else
        schema_error(reader, name, found, "%s", list);
}

/* The nodes of the mapping's values, in the order of the schema; NULL where a key is not given. */
static void sort_keys(struct schema_reader *reader, const struct schema *schema,
                      const struct yaml_node *node, const struct yaml_node **values)
{
    for (const struct yaml_node *name = node->first; name; name = name->next->next) {
        if (reader->errors->count == SCENARIO_ERRORS_MAX) {
            reader->errors->more++; /* enough was said; a wrong file may hold very many more */
            return;
        }
        size_t i = find_key(schema, name);
        if (i == schema->key_count) {
            unknown_key(reader, schema, name);
        } else if (values[i]) {
            char found[ERRORS_QUOTE_BYTES];
            snprintf(found, sizeof found, "key \"%s\" again", name->text);
            schema_error(reader, name, found, "once (line %u has it)", values[i]->line);
        } else {
            values[i] = name->next;
        }
    }
}

/* Things with a name are found by it: refuse the name of the last item if an earlier one has it. */
static void check_unique(struct schema_reader *reader, const struct schema_key *key,
                         const struct yaml_node *node, const struct value_list *list)
{
    if (key->inner->keys[0].kind != VALUE_NAME || node->kind != YAML_IS_MAP)
        return;
    const struct yaml_node *name = node->first;
    while (name && (name->kind != YAML_IS_SCALAR || strcmp(name->text, "name") != 0))
        name = name->next->next;
    const char *last = (const char *)list->items + (list->count - 1) * key->inner->size;
    for (const char *other = list->items; name && *last && other < last;
         other += key->inner->size) {
        if (strcmp(other, last) == 0) {
            struct schema_path path = {.up = reader->path, .key = "name"};
            const struct schema_path *outer = reader->path;
            reader->path = &path;
            schema_error(reader, name->next, NULL, "a name that nothing else in this list has");
            reader->path = outer;
            return;
        }
    }
}

static void read_list(struct schema_reader *reader, const struct schema_key *key,
                      const struct yaml_node *node, void *field)
{
    uint32_t min = (uint32_t)key->min, max = (uint32_t)key->max;
    if (node->kind != YAML_IS_LIST || node->count < min || node->count > max) {
        char found[64];
        snprintf(found, sizeof found, "%u entries", node->count);
        schema_error(reader, node, node->kind == YAML_IS_LIST ? found : NULL,
                     "a list of %u to %u entries", min, max);
        return;
    }
    struct value_list list = {.count = 0};
    list.items = calloc(node->count > 0 ? node->count : 1, key->inner->size);
    if (!list.items) {
        reader->no_memory = true;
        return;
    }
    const struct schema_path *outer = reader->path;
    for (const struct yaml_node *item = node->first; item; item = item->next) {
        struct schema_path path = {.up = outer, .index = list.count};
        reader->path = &path;
        void *object = (char *)list.items + list.count++ * key->inner->size;
        /* Kept up to date: checks look at what has been read so far. */
        memcpy(field, &list, sizeof list);
        schema_read(reader, key->inner, item, object);
        check_unique(reader, key, item, &list);
    }
    reader->path = outer;
    memcpy(field, &list, sizeof list);
}

void schema_read_value(struct schema_reader *reader, const struct schema_key *key,
                       const struct yaml_node *node, void *field)
{
    switch (key->kind) {
    case VALUE_NAME:
        read_name(reader, node, field);
        break;
    case VALUE_WORD:
        read_word(reader, key, node, field);
        break;
    case VALUE_COUNT:
    case VALUE_SEED:
        read_whole(reader, key, node, field);
        break;
    case VALUE_NUMBER:
    case VALUE_TIME:
    case VALUE_DISTANCE:
    case VALUE_SPEED:
    case VALUE_ACCELERATION:
    case VALUE_SIZE:
    case VALUE_MASS:
    case VALUE_ANGLE:
    case VALUE_BYTES:
        read_quantity(reader, key, node, field);
        break;
    case VALUE_MAP:
        schema_read(reader, key->inner, node, field);
        break;
    case VALUE_LIST:
        read_list(reader, key, node, field);
        break;
    case VALUE_CUSTOM:
        key->read(reader, node, field);
        break;
    }
}

void schema_read(struct schema_reader *reader, const struct schema *schema,
                 const struct yaml_node *node, void *object)
{
    if (schema->defaults)
        memcpy(object, schema->defaults, schema->size);
    if (node->kind != YAML_IS_MAP) {
        schema_error(reader, node, NULL, "%s: a mapping that begins with %s:", schema->what,
                     schema->keys[0].name);
        return;
    }
    const struct yaml_node *values[SCHEMA_KEYS_MAX] = {0};
    sort_keys(reader, schema, node, values);
    const struct schema_path *outer = reader->path;
    uint32_t errors_before = reader->errors->count + reader->errors->more;
    /* Stands for a key that is not given, so that the error says what belongs there. */
    const struct yaml_node nothing = {
        .line = node->line, .column = node->column, .file = node->file, .text = ""};
    for (size_t i = 0; i < schema->key_count; i++) {
        const struct schema_key *key = &schema->keys[i];
        struct schema_path path = {.up = outer, .key = key->name};
        reader->path = &path;
        if (values[i])
            schema_read_value(reader, key, values[i], (char *)object + key->offset);
        else if (key->required)
            schema_read_value(reader, key, &nothing, (char *)object + key->offset);
    }
    reader->path = outer;
    if (schema->check && reader->errors->count + reader->errors->more == errors_before)
        schema->check(reader, node, object);
}

void schema_free(const struct schema *schema, void *object)
{
    for (size_t i = 0; i < schema->key_count; i++) {
        const struct schema_key *key = &schema->keys[i];
        char *field = (char *)object + key->offset;
        if (key->kind == VALUE_MAP)
            schema_free(key->inner, field);
        if (key->kind != VALUE_LIST)
            continue;
        struct value_list list;
        memcpy(&list, field, sizeof list);
        for (uint32_t j = 0; j < list.count; j++)
            schema_free(key->inner, (char *)list.items + j * key->inner->size);
        free(list.items);
    }
}
