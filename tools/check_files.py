#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Check what every file owes: a licence line, a bounded length, and that it stands alone.

 - code begins with an SPDX line;
 - a C file has at most 900 lines, a line of code at most 100 columns, and no tabs;
 - a switch over our own enums has no default, so that the compiler finds a forgotten value;
 - no file points at one machine, at a neighbour of the repository, or at a tracker's numbers.
"""
import re
import sys

from tree import C_SUFFIXES, check_main, line_of

LICENCE = "SPDX-License-Identifier: Apache-2.0"
LICENSED = C_SUFFIXES + (".py", ".sh", ".proto", ".options", ".build", ".yaml", ".yml", ".map", ".txt")
LICENSED_NAMES = ("Makefile", "meson_options.txt", ".clang-format", ".clang-tidy", ".gitignore", "run")
# Not code: what a test feeds to a parser or compares with, byte by byte.
DATA = re.compile(r"^tests/.*/(?:corpus|seeds|data|expected|bad|wrong)/")
LINES_MAX, COLUMNS_MAX = 900, 100

# Written so that this file does not match itself.
ALONE = (
    (re.compile(r"(?:^|[^.\w/])[.][.]/shared\b"), "points outside the repository"),
    (re.compile(r"(?<![\w.}/])/(?:[w]ork|[f]arm|[h]ome|[r]oot|[U]sers)/"), "a path of one machine"),
    (re.compile(r"\b[Ii]ssues?\s+#?\d+\b|(?<!\w)GH-\d+\b|\b(?:[Ff]ix(?:es)?|[Cc]loses?|[Ss]ee)\s+#\d+\b"),
     "a tracker's number: say the reason itself"),
)
SWITCH = re.compile(r"\bswitch\s*\(")
CASE = re.compile(r"\bcase\s+([A-Z]\w+)\s*:")
# An enum with a name is a type whose values the compiler counts; without one it is only constants.
ENUM = re.compile(r"\benum\s+\w+\s*\{(.*?)\}", re.DOTALL)
DEFAULT = re.compile(r"\bdefault\s*:")


def is_code(path):
    name = path.rsplit("/", 1)[-1]
    return not DATA.match(path) and (name.endswith(LICENSED) or name in LICENSED_NAMES)


def check_licence(tree, path):
    head = tree.text(path).splitlines()[:2]
    if not any(LICENCE in line for line in head):
        tree.fault(path, 1, f"does not begin with `{LICENCE}`")


def check_alone(tree, path):
    text = tree.text(path)
    for pattern, what in ALONE:
        for match in pattern.finditer(text):
            tree.fault(path, line_of(text, match.end()), f"`{match.group(0).strip()}`: {what}")


def check_size(tree, path):
    lines = tree.text(path).splitlines()
    if len(lines) > LINES_MAX:
        tree.fault(path, 0, f"{len(lines)} lines, at most {LINES_MAX}: split it by subject")
    for number, line in enumerate(lines, 1):
        if len(line) > COLUMNS_MAX:
            tree.fault(path, number, f"{len(line)} columns, at most {COLUMNS_MAX}")
        if "\t" in line:
            tree.fault(path, number, "a tab")


def block_after(code, start):
    """The text of the {...} that follows code[start], braces included; "" where there is none."""
    begin = code.find("{", start)
    depth = 0
    for offset in range(begin, len(code) if begin >= 0 else begin):
        depth += {"{": 1, "}": -1}.get(code[offset], 0)
        if depth == 0:
            return code[begin:offset + 1]
    return ""


def without_inner(block):
    """A switch's block without the blocks inside it that are switches of their own."""
    for match in reversed(list(SWITCH.finditer(block))):
        inner = block_after(block, match.end())
        start = block.find(inner, match.end()) if inner else -1
        if start >= 0:
            block = block[:match.start()] + block[start + len(inner):]
    return block


def own_values(tree):
    """The values of the tree's named enums. Those of the errors come from an X-macro."""
    values = set(re.findall(r"\bX\((ALDIS_\w+),", tree.text("include/aldis/error.h")))
    for path in tree.c_files():
        for body in ENUM.findall(tree.code(path)):
            values |= set(re.findall(r"\b[A-Z]\w+", body))
    return values


def check_switches(tree, path, values):
    code = tree.code(path)
    for match in SWITCH.finditer(code):
        block = without_inner(block_after(code, match.end()))
        if DEFAULT.search(block) and values & set(CASE.findall(block)):
            tree.fault(path, line_of(code, match.start()),
                       "a switch over our own enum has a default: name the values instead")


def check(tree):
    values = own_values(tree)
    for path in tree.files:
        if is_code(path):
            check_licence(tree, path)
        if not DATA.match(path):
            check_alone(tree, path)
        if path.endswith(C_SUFFIXES):
            check_size(tree, path)
            check_switches(tree, path, values)


if __name__ == "__main__":
    sys.exit(check_main(check, __doc__))
