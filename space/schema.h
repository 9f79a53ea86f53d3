// SPDX-License-Identifier: Apache-2.0
/* schema.h: reads a YAML mapping into a struct, by a table of its keys. Layer: space.
 *
 * A table says for each key what kind of value it has, where that goes and which range is allowed;
 * every error text follows from it. Numbers with a unit are "10 min", "250 km": the closed set of
 * units of each kind stands in schema.c and in docs/scenario.md. */
#ifndef SPACE_SCHEMA_H
#define SPACE_SCHEMA_H

#include "yaml_tree.h"

#define SCHEMA_NAME_BYTES 64
#define SCHEMA_KEYS_MAX 24

enum value_kind {
    VALUE_NAME,         /**< char[SCHEMA_NAME_BYTES] */
    VALUE_WORD,         /**< uint32_t: which of the key's words */
    VALUE_COUNT,        /**< uint32_t, a whole number */
    VALUE_SEED,         /**< uint64_t, a whole number; the range is fixed */
    VALUE_NUMBER,       /**< double without a unit */
    VALUE_TIME,         /**< aldis_ns; the range is in seconds */
    VALUE_DISTANCE,     /**< double, in units of the scenario (u) */
    VALUE_SPEED,        /**< double, u/s */
    VALUE_ACCELERATION, /**< double, u/s2 */
    VALUE_SIZE,         /**< double, metres */
    VALUE_MASS,         /**< double, tonnes */
    VALUE_ANGLE,        /**< double, degrees */
    VALUE_BYTES,        /**< uint64_t, bytes */
    VALUE_MAP,          /**< the struct of the key's inner schema */
    VALUE_LIST,         /**< struct value_list of the inner schema's structs; min .. max of them */
    VALUE_CUSTOM        /**< the key's own function reads it */
};

/** An array of the structs of a schema. Typed lists elsewhere have the same two fields. */
struct value_list {
    void *items;
    uint32_t count;
};

struct schema_reader;
struct schema;

enum { SCHEMA_OPTIONAL, SCHEMA_REQUIRED };

struct schema_key {
    const char *name;
    enum value_kind kind;
    bool required;              /**< else the struct keeps its default */
    size_t offset;              /**< of the field in the schema's struct */
    double min, max;            /**< both allowed */
    const char *also;           /**< what else is allowed, for the error text: "a or "; NULL */
    const struct schema *inner; /**< VALUE_MAP, VALUE_LIST */
    const char *const *words;   /**< VALUE_WORD: ends with NULL */
    /** VALUE_CUSTOM: read node into field; report what is wrong with it. */
    void (*read)(struct schema_reader *reader, const struct yaml_node *node, void *field);
};

/* Entries of a table of keys for the fields of struct `in`. */
#define SCHEMA_KEY(in, name_, kind_, need_, field_, min_, max_)                                    \
    {                                                                                              \
        .name = (name_), .kind = VALUE_##kind_, .required = SCHEMA_##need_,                        \
        .offset = offsetof(in, field_), .min = (min_), .max = (max_)                               \
    }
#define SCHEMA_NAME(in) SCHEMA_KEY(in, "name", NAME, REQUIRED, name, 0, 0)
#define SCHEMA_CUSTOM(in, name_, need_, field_, read_)                                             \
    {                                                                                              \
        .name = (name_), .kind = VALUE_CUSTOM, .required = SCHEMA_##need_,                         \
        .offset = offsetof(in, field_), .read = (read_)                                            \
    }
#define SCHEMA_WORD(in, name_, need_, field_, words_)                                              \
    {                                                                                              \
        .name = (name_), .kind = VALUE_WORD, .required = SCHEMA_##need_,                           \
        .offset = offsetof(in, field_), .words = (words_)                                          \
    }
#define SCHEMA_MAP(in, name_, need_, field_, inner_)                                               \
    {                                                                                              \
        .name = (name_), .kind = VALUE_MAP, .required = SCHEMA_##need_,                            \
        .offset = offsetof(in, field_), .inner = (inner_)                                          \
    }
#define SCHEMA_LIST(in, name_, need_, field_, inner_, min_, max_)                                  \
    {                                                                                              \
        .name = (name_), .kind = VALUE_LIST, .required = SCHEMA_##need_,                           \
        .offset = offsetof(in, field_), .inner = (inner_), .min = (min_), .max = (max_)            \
    }

struct schema {
    const char *what; /**< "a station", for error texts */
    size_t size;      /**< bytes of the struct */
    size_t key_count;
    /** If the first is SCHEMA_NAME, that stands first in the struct, and no two in a list share
     *  it. */
    const struct schema_key *keys;
    const void *defaults; /**< a whole struct; NULL: zeroes */
    /** After the keys of one struct were read: rules between them. May be NULL. */
    void (*check)(struct schema_reader *reader, const struct yaml_node *node, void *object);
};

/** Where in the file's structure the reader is: "stations[2].berths". */
struct schema_path {
    const struct schema_path *up;
    const char *key; /**< NULL: index counts */
    uint32_t index;
};

struct schema_reader {
    struct scenario_errors *errors;
    const struct schema_path *path;
    double units_per_au;           /**< for distances in AU and km */
    const struct yaml_node *minds; /**< the list of them; NULL: there is none */
    void *context;                 /**< for custom readers and checks */
    bool no_memory;
};

/** Read node, a mapping, into object by the schema. What is wrong is added to the errors. */
void schema_read(struct schema_reader *reader, const struct schema *schema,
                 const struct yaml_node *node, void *object);

/** Read one value as the key says (its offset is not used). */
void schema_read_value(struct schema_reader *reader, const struct schema_key *key,
                       const struct yaml_node *node, void *field);

/** Report an error at node: "path: found FOUND, allowed: ..."; found NULL: the node itself. */
void schema_error(struct schema_reader *reader, const struct yaml_node *node, const char *found,
                  const char *format, ...) __attribute__((format(printf, 4, 5)));

/** An amount of a kind that has units (in the unit of the fields of such keys), in the largest unit
 *  that shows it as a whole number: "10 min". Gives out. */
const char *schema_amount(enum value_kind kind, double amount, char *out, size_t size);

/** Append name to a list of words in out; ", ..." stands for those that have no room in size. */
void schema_list(char *out, size_t size, const char *name);

/** Of count names, each stride bytes after the last, the one most like text; NULL: none is near. */
const char *schema_nearest(const char *text, const char *first, size_t stride, size_t count);

/** Free the arrays of every list that schema_read made in object. */
void schema_free(const struct schema *schema, void *object);

#endif
