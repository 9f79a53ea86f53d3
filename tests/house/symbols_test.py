#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Do the libraries keep to their own names? A library that exports `list_push` breaks the program
that has one, too."""
import os
import re
import sys

from tap import BUILD, SOURCE, case, check, check_equal, main, run_ok

SHARED = os.path.join(BUILD, "libaldis.so")
STATIC = os.path.join(BUILD, "libaldis.a")
PUBLIC = re.compile(r"ALDIS_API\s[^;{]*?\b(aldis_\w+)\s*\(")


def defined(*arguments):
    """The names of the global symbols that nm finds defined."""
    output = run_ok(["nm", "--defined-only", "--extern-only", "--format=posix", *arguments])
    return {line.split()[0] for line in output.splitlines() if len(line.split()) > 2}


def declared():
    """The functions that the public headers declare."""
    names, folder = set(), os.path.join(SOURCE, "include", "aldis")
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), encoding="utf-8") as header:
            names |= set(PUBLIC.findall(header.read()))
    return names


@case
def the_shared_library_exports_aldis_names_only():
    foreign = {name for name in defined("--dynamic", SHARED) if not name.startswith("aldis_")}
    check_equal(foreign, set(), "exported, though not ours")


@case
def nothing_internal_is_exported():
    inside = {name for name in defined("--dynamic", SHARED) if name.startswith("aldis__")}
    check_equal(inside, set(), "exported, though internal")


@case
def the_shared_library_exports_what_the_headers_declare():
    names, exported = declared(), defined("--dynamic", SHARED)
    check(len(names) > 50, f"only {len(names)} declarations were understood: {sorted(names)}")
    check_equal(sorted(names - exported), [], "declared, but not exported")
    check_equal(sorted(exported - names), [], "exported, but not declared")


@case
def the_static_librarys_globals_begin_with_aldis():
    foreign = {name for name in defined(STATIC) if not name.startswith("aldis_")}
    check_equal(foreign, set(), "global, though not ours")


if __name__ == "__main__":
    sys.exit(main())
