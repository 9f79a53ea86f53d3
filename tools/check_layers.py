#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Check that every #include goes the way that tools/layers.txt allows, and that no headers form a
cycle."""
import os
import re
import sys

from tree import check_main, line_of

# The headers of a library, by what their names begin with. Others in <> are the C library's.
LIBRARIES = {
    "pthread": ("pthread.h",),
    "nanopb": ("pb.h", "pb_encode.h", "pb_decode.h", "pb_common.h"),
    "yaml": ("yaml.h",),
    "sqlite3": ("sqlite3.h",),
    "nats": ("nats",),
}
# Where the compiler looks after the file's own folder: what the build passes by -I.
INCLUDE_PATHS = ("include", "src", "space", "bench", "tests", "")
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"\n]+)[>"]', re.MULTILINE)


class Part:
    """One line of layers.txt."""

    def __init__(self, name, homes, uses, libraries):
        self.name, self.homes, self.uses, self.libraries = name, homes, uses, libraries


def inside(path, places):
    return any(path == place or path.startswith(place + "/") for place in places)


def read_parts(tree):
    parts = []
    for number, line in enumerate(tree.text("tools/layers.txt").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        fields = [field.split() for field in line.split("|")]
        if len(fields) != 4 or len(fields[0]) != 1 or not fields[1]:
            tree.fault("tools/layers.txt", number, "want: part | places | uses | libraries")
            continue
        uses = []
        for use in fields[2]:
            known = [part for part in parts if part.name == use]
            uses += known[0].homes if known else [use]
            if not known and not os.path.exists(os.path.join(tree.root, use)):
                tree.fault("tools/layers.txt", number, f"{use} is neither a part above nor a path")
        for library in fields[3]:
            if library not in LIBRARIES:
                tree.fault("tools/layers.txt", number, f"library {library} is not in check_layers.py")
        parts.append(Part(fields[0][0], fields[1], uses, fields[3]))
    return parts


def resolve(path, name, tree_files):
    """The file of the tree that `#include name` in path means, or None."""
    folder = os.path.dirname(path)
    for base in (folder, *INCLUDE_PATHS):
        candidate = os.path.normpath(os.path.join(base, name))
        if candidate in tree_files:
            return candidate
        if name.endswith(".pb.h") and candidate[:-len(".pb.h")] + ".proto" in tree_files:
            return candidate
    if name.endswith(".pb.h"):
        # Generated into the build tree: it belongs where its .proto lies.
        wanted = os.path.basename(name)[:-len(".pb.h")] + ".proto"
        for candidate in tree_files:
            if os.path.basename(candidate) == wanted:
                return os.path.join(os.path.dirname(candidate), os.path.basename(name))
    return None


def check_library(tree, part, path, line, name):
    for library, prefixes in LIBRARIES.items():
        if name.startswith(prefixes) and library not in part.libraries:
            tree.fault(path, line, f"{part.name} may not use {library} (<{name}>)")


def check_file(tree, part, path, tree_files):
    """Check one file's includes; give those of our own files, for the search for cycles."""
    code, own = tree.code(path), []
    for match in INCLUDE.finditer(code):
        line, name = line_of(code, match.start()), match.group(2)
        target = resolve(path, name, tree_files)
        if target:
            own.append(target)
            if not inside(target, part.homes + part.uses):
                tree.fault(path, line, f"{part.name} may not include {target}")
        elif match.group(1) == '"' or name.startswith("aldis/"):
            tree.fault(path, line, f"includes {name}, which is not in the tree")
        else:
            check_library(tree, part, path, line, name)
    return own


def find_cycles(tree, graph):
    """Report each header that reaches itself, once, with the way round."""
    state = {}  # path: 1 being visited, 2 done

    def visit(path, trail):
        state[path] = 1
        for target in graph.get(path, []):
            if state.get(target) == 1:
                way = trail[trail.index(target):] + [target]
                tree.fault(target, 0, "headers form a cycle: " + " -> ".join(way))
            elif target not in state:
                visit(target, trail + [target])
        state[path] = 2

    for path in sorted(graph):
        if path not in state:
            visit(path, [path])


def check(tree):
    parts = read_parts(tree)
    tree_files, graph = set(tree.files), {}
    for path in tree.c_files():
        homes = [part for part in parts if inside(path, part.homes)]
        if not homes:
            tree.fault(path, 0, "belongs to no part of tools/layers.txt")
            continue
        graph[path] = check_file(tree, homes[0], path, tree_files)
    find_cycles(tree, graph)


if __name__ == "__main__":
    sys.exit(check_main(check, __doc__))
