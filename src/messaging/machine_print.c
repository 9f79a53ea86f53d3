// SPDX-License-Identifier: Apache-2.0
/* machine_print.c: a machine's tables as text and as a Graphviz diagram. Layer: messaging.
 *
 * All names are C identifiers and need no quoting. */
#include "messaging/machine.h"

#include "base/error.h"
#include <inttypes.h>
#include <string.h>

/* Nanoseconds in the largest unit that divides them. */
static void print_time(aldis_ns ns, FILE *out)
{
    static const struct {
        aldis_ns ns;
        const char *name;
    } units[] = {{ALDIS_HOUR, "h"}, {ALDIS_MINUTE, "min"}, {ALDIS_SECOND, "s"},
                 {ALDIS_MS, "ms"},  {ALDIS_US, "us"},      {ALDIS_NS, "ns"}};
    size_t i = 0;
    while (ns % units[i].ns)
        i++;
    fprintf(out, "%" PRId64 " %s", ns / units[i].ns, units[i].name);
}

static bool is_named(const char *name, const char *what)
{
    return strcmp(name, what) == 0;
}

static bool is_composite(const aldis_machine_table *table, uint32_t state)
{
    return state + 1 < table->state_count && table->states[state + 1].parent == state;
}

/* What the row does, as a word: NULL: nothing worth a word. */
static const char *action_name(const aldis_machine_row *row)
{
    if (is_named(row->handler_name, "aldis_go"))
        return NULL;
    if (is_named(row->handler_name, "aldis_ignore"))
        return "ignored";
    if (is_named(row->handler_name, "aldis_defer"))
        return "deferred";
    if (is_named(row->handler_name, "aldis_refuse"))
        return "refused";
    return row->handler_name;
}

/* ------------------------------------------------------------------ text */

static void print_indent(unsigned depth, FILE *out)
{
    fprintf(out, "%*s", (int)(2 * depth), "");
}

static void print_targets(const aldis_machine_table *table, const aldis_machine_row *row, FILE *out)
{
    const char *between = " -> ";
    for (uint32_t state = 0; state < table->state_count; state++)
        if (row->targets >> state & 1) {
            fprintf(out, "%s%s", between, table->states[state].name);
            between = " | ";
        }
    if ((row->targets & ALDIS__STAY_BIT) && row->targets != ALDIS__STAY_BIT)
        fprintf(out, "%sstay", between);
}

static void print_state(const aldis_machine_table *table, uint32_t state, FILE *out)
{
    const aldis_machine_state *s = &table->states[state];
    unsigned depth = aldis__depth_of(table, state);
    print_indent(depth, out);
    fputs(s->name, out);
    if (!is_named(s->enter_name, "aldis_nothing"))
        fprintf(out, ", entry %s", s->enter_name);
    if (!is_named(s->leave_name, "aldis_nothing"))
        fprintf(out, ", exit %s", s->leave_name);
    if (s->timeout_ns) {
        fputs(", at most ", out);
        print_time(s->timeout_ns, out);
    }
    fputc('\n', out);
    for (uint32_t event = 0; event < table->event_count; event++) {
        const aldis_machine_row *row = aldis__row_of(table, state, event);
        if (!row->handle)
            continue;
        const char *action = action_name(row);
        print_indent(depth, out);
        fprintf(out, "    %s%s%s", table->events[event].type->name, action ? ": " : "",
                action ? action : "");
        print_targets(table, row, out);
        fputc('\n', out);
    }
}

static void print_text(const aldis_machine_table *table, FILE *out)
{
    fprintf(out, "machine %s, begins in %s\n", table->name, table->states[table->initial].name);
    for (uint32_t state = 0; state < table->state_count; state++)
        print_state(table, state, out);
}

/* ------------------------------------------------------------------ Graphviz */

/* The label of a state: its name, hooks and time, and the rows that do not leave it. */
static void dot_label(const aldis_machine_table *table, uint32_t state, FILE *out)
{
    const aldis_machine_state *s = &table->states[state];
    fprintf(out, "label=\"%s\\n", state == ALDIS__TOP ? "in any state" : s->name);
    if (!is_named(s->enter_name, "aldis_nothing"))
        fprintf(out, "entry / %s\\l", s->enter_name);
    if (!is_named(s->leave_name, "aldis_nothing"))
        fprintf(out, "exit / %s\\l", s->leave_name);
    if (s->timeout_ns) {
        fputs("at most ", out);
        print_time(s->timeout_ns, out);
        fputs("\\l", out);
    }
    for (uint32_t event = 0; event < table->event_count; event++) {
        const aldis_machine_row *row = aldis__row_of(table, state, event);
        if (row->handle && row->targets == ALDIS__STAY_BIT)
            fprintf(out, "%s / %s\\l", table->events[event].type->name, action_name(row));
    }
    fputc('"', out);
}

static void dot_states(const aldis_machine_table *table, FILE *out)
{
    unsigned open = 0;
    for (uint32_t state = 1; state < table->state_count; state++) {
        unsigned depth = aldis__depth_of(table, state);
        for (; open >= depth; open--) {
            print_indent(open, out);
            fputs("}\n", out);
        }
        print_indent(depth, out);
        if (is_composite(table, state)) {
            fprintf(out, "subgraph cluster_%s {\n", table->states[state].name);
            print_indent(depth + 1, out);
            dot_label(table, state, out);
            fputs("; style=rounded;\n", out);
            open = depth;
        } else {
            fprintf(out, "%s [", table->states[state].name);
            dot_label(table, state, out);
            fputs("];\n", out);
        }
    }
    for (; open > 0; open--) {
        print_indent(open, out);
        fputs("}\n", out);
    }
}

/* Graphviz joins nodes only: a composite state is stood for by the first state within it. */
static uint32_t innermost(const aldis_machine_table *table, uint32_t state)
{
    while (is_composite(table, state))
        state++;
    return state;
}

static void dot_edge(const aldis_machine_table *table, uint32_t from, uint32_t event, uint32_t to,
                     FILE *out)
{
    const aldis_machine_row *row = aldis__row_of(table, from, event);
    const char *action = action_name(row);
    fprintf(out, "  %s -> %s [label=\"%s%s%s\"",
            from == ALDIS__TOP ? "any_state" : table->states[innermost(table, from)].name,
            table->states[innermost(table, to)].name, table->events[event].type->name,
            action ? " / " : "", action ? action : "");
    /* An edge can end at the border of a cluster only from outside it. */
    if (from != ALDIS__TOP && is_composite(table, from) && !aldis__is_within(table, to, from))
        fprintf(out, ", ltail=cluster_%s", table->states[from].name);
    if (is_composite(table, to) && !aldis__is_within(table, from, to))
        fprintf(out, ", lhead=cluster_%s", table->states[to].name);
    if (row->targets & (row->targets - 1)) /* one of several: the handler chooses */
        fputs(", style=dashed", out);
    fputs("];\n", out);
}

static bool has_rows(const aldis_machine_table *table, uint32_t state)
{
    for (uint32_t event = 0; event < table->event_count; event++)
        if (aldis__row_of(table, state, event)->handle)
            return true;
    return false;
}

static void print_dot(const aldis_machine_table *table, FILE *out)
{
    fprintf(out, "digraph %s {\n  compound=true;\n", table->name);
    fputs("  node [shape=box, style=rounded];\n  begin [shape=point];\n", out);
    if (has_rows(table, ALDIS__TOP)) {
        fputs("  any_state [shape=box, style=dotted, ", out);
        dot_label(table, ALDIS__TOP, out);
        fputs("];\n", out);
    }
    dot_states(table, out);
    fprintf(out, "  begin -> %s", table->states[innermost(table, table->initial)].name);
    if (is_composite(table, table->initial))
        fprintf(out, " [lhead=cluster_%s]", table->states[table->initial].name);
    fputs(";\n", out);
    for (uint32_t from = 0; from < table->state_count; from++)
        for (uint32_t event = 0; event < table->event_count; event++)
            for (uint32_t to = 1; to < table->state_count; to++)
                if (aldis__row_of(table, from, event)->handle &&
                    (aldis__row_of(table, from, event)->targets >> to & 1))
                    dot_edge(table, from, event, to, out);
    fputs("}\n", out);
}

aldis_err aldis_machine_print(const aldis_machine_table *table, FILE *out,
                              aldis_machine_format format)
{
    if (!table || !out)
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "", "machine: an argument is NULL");
    if ((unsigned)format > ALDIS_MACHINE_DOT)
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "", "machine: format %d",
                                (int)format);
    switch (format) {
    case ALDIS_MACHINE_TEXT:
        print_text(table, out);
        break;
    case ALDIS_MACHINE_DOT:
        print_dot(table, out);
        break;
    }
    if (fflush(out) != 0 || ferror(out))
        return aldis__error_set(ALDIS_EIO, aldis_nobody(), "", "machine: writing failed");
    return ALDIS_OK;
}
