#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Check that memory orders are named in src/base/atomic.h only, and that each ordered access says
with whom it pairs.

An ordered access (a call of one of that file's helpers whose name ends in _acquire, _release,
_acq_rel or _seq_cst) carries a comment on its line or on one of the 4 lines above:

    /* I1 acq_rel: pairs with I2 in aldis__inbox_take(). ... */

The word after the label is the order of the helper; each partner is a label that exists, and that
names this one in turn (`pairs with itself`: many threads at one access). A label belongs to one
file, where several accesses may share it.
"""
import collections
import re
import sys

from tree import check_main, line_of

HOME = "src/base/atomic.h"
SCOPE = ("include", "src", "space", "cli", "examples", "bench")
LINES_ABOVE = 4

FENCE = re.compile(r"\b(?:atomic_(?:thread|signal)_fence|__atomic_(?:thread|signal)_fence"
                   r"|__sync_synchronize)\b")
RAW = re.compile(r"\b(?:memory_order(?:_\w+)?|__ATOMIC_\w+|__atomic_\w+|__sync_\w+|atomic_(?:load|store"
                 r"|exchange|compare_exchange|fetch|flag|init)\w*)\b")
HELPER = re.compile(r"\b(aldis__\w+_(?:acquire|release|acq_rel|seq_cst))\(")
PARTNER = r"(?:itself|[A-Z]{1,3}[0-9]+)(?:\s+in\s+[\w./]+(?:\(\))?)?"
LABEL = re.compile(r"\b([A-Z]{1,3}[0-9]+)\s+(acquire|release|acq_rel|seq_cst):\s+pairs\s+with\s+"
                   rf"({PARTNER}(?:(?:,\s*(?:and\s+)?|\s+and\s+){PARTNER})*)")
NAME = re.compile(r"\b[A-Z]{1,3}[0-9]+\b")

Label = collections.namedtuple("Label", "path line name order partners")


def read_labels(tree, path):
    """The labels that the comments of a file declare. A sentence may go on over several lines."""
    text = re.sub(r"\n[ \t]*(\*(?!/)|//)", lambda match: "\n" + " " * (len(match.group(0)) - 1),
                  tree.text(path))
    flat = text.replace("\n", " ")
    return [Label(path, line_of(text, match.start()), match.group(1), match.group(2),
                  partners_of(match.group(1), match.group(3))) for match in LABEL.finditer(flat)]


def partners_of(name, sentence):
    """The labels in what stands behind "pairs with"; "itself" is the label's own name."""
    return frozenset(NAME.findall(re.sub(r"\bitself\b", name, sentence)))


def check_raw(tree, path):
    code = tree.code(path)
    for match in FENCE.finditer(code):
        tree.fault(path, line_of(code, match.start()),
                   f"{match.group(0)}: no stand-alone fences; put the order on the operation")
    if path == HOME:
        return
    for match in RAW.finditer(code):
        if not FENCE.fullmatch(match.group(0)):
            tree.fault(path, line_of(code, match.start()),
                       f"{match.group(0)}: only {HOME} names atomic operations and orders")


def check_accesses(tree, path, labels, helpers):
    code = tree.code(path)
    for match in HELPER.finditer(code):
        if match.group(1) not in helpers:
            continue
        line = line_of(code, match.start())
        order = re.search(r"(acquire|release|acq_rel|seq_cst)\($", match.group(0)).group(1)
        near = [label for label in labels if line - LINES_ABOVE <= label.line <= line]
        if not near:
            tree.fault(path, line, f"{match.group(0)}...) has no label (`/* X1 {order}: pairs with "
                                   f"Y1 in ... */`) within {LINES_ABOVE} lines")
        elif near[-1].order != order:
            tree.fault(path, line, f"{match.group(0)}...) is {order}, its label {near[-1].name} "
                                   f"says {near[-1].order}")


def check_partners(tree, labels):
    by_name = collections.defaultdict(list)
    for label in labels:
        by_name[label.name].append(label)
    for label in labels:
        others = {other.path for other in by_name[label.name]} - {label.path}
        if others:
            tree.fault(label.path, label.line,
                       f"label {label.name} is used in {', '.join(sorted(others))}, too")
        for partner in sorted(label.partners):
            if partner not in by_name:
                tree.fault(label.path, label.line,
                           f"label {label.name} pairs with {partner}, which is nowhere")
            elif not any(label.name in other.partners for other in by_name[partner]):
                tree.fault(label.path, label.line,
                           f"label {label.name} pairs with {partner}, which does not name it back")


def check(tree):
    labels, helpers = [], set(HELPER.findall(tree.code(HOME)))
    for path in tree.c_files(*SCOPE):
        check_raw(tree, path)
        if path != HOME:
            own = read_labels(tree, path)
            check_accesses(tree, path, own, helpers)
            labels += own
    check_partners(tree, labels)


if __name__ == "__main__":
    sys.exit(check_main(check, __doc__))
