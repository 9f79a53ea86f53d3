#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Do the checks of the tree find what they are there to find, and is this tree clean?

Each case plants one fault in a small clean tree and expects it to be named with file and line.
"""
import os
import shutil
import sys
import tempfile

from tap import SOURCE, case, check, check_equal, check_in, main, run, write

TOOLS = os.path.join(SOURCE, "tools")
LICENCE = "// SPDX-License-Identifier: Apache-2.0\n"

CLEAN = {
    "include/aldis/types.h": "typedef int aldis_one;\n",
    "include/aldis/actor.h": "#include <aldis/types.h>\n",
    "src/base/atomic.h": "#include <stdatomic.h>\n"
                         "#define aldis__load_acquire(p) atomic_load_explicit((p), "
                         "memory_order_acquire)\n"
                         "#define aldis__store_release(p, v) atomic_store_explicit((p), (v), "
                         "memory_order_release)\n",
    "src/base/clock.c": "#include <time.h>\nlong aldis__now(void) { return time(NULL); }\n",
    "src/core/inbox.h": "#include \"base/atomic.h\"\n"
                        "/* I1 release: pairs with I2 in take(). */\n"
                        "void push(int *p) { aldis__store_release(p, 1); }\n"
                        "/* I2 acquire: pairs with I1 in push(),\n"
                        " * and that is all. */\n"
                        "int take(int *p) { return aldis__load_acquire(p); }\n",
    "src/core/shard.c": "#include \"core/inbox.h\"\n#include <aldis/actor.h>\n",
    "space/ship.c": "#include <aldis/actor.h>\n#include <yaml.h>\n",
    "cli/main.c": "#include \"space/ship.h\"\n#include <aldis/actor.h>\n",
    "space/ship.h": "#include <aldis/types.h>\n",
}


def plant(files):
    """A tree of CLEAN and the given files, with this tree's tools."""
    root = tempfile.mkdtemp(prefix="aldis-checks-")
    os.makedirs(os.path.join(root, "tools"))
    for name in os.listdir(TOOLS):
        if name.endswith((".py", ".txt")):
            shutil.copy(os.path.join(TOOLS, name), os.path.join(root, "tools", name))
    # The places that layers.txt names have to exist.
    with open(os.path.join(TOOLS, "layers.txt"), encoding="utf-8") as layers:
        for line in layers:
            for place in line.replace("|", " ").split() if not line.startswith("#") else []:
                if "/" in place and not os.path.exists(os.path.join(root, place)):
                    text = LICENCE if "." in os.path.basename(place) else None
                    path = os.path.join(root, place)
                    if text:
                        write(path, text)
                    else:
                        os.makedirs(path, exist_ok=True)
    for path, text in {**CLEAN, **files}.items():
        write(os.path.join(root, path), LICENCE + text)
    return root


def run_check(script, root):
    return run([sys.executable, os.path.join(TOOLS, script), "--root", root])


def expect(script, files, *wanted):
    """The clean tree passes, and fails with the given files, naming what is wanted."""
    clean, planted = plant({}), plant(files)
    try:
        status, output = run_check(script, clean)
        check_equal((status, output), (0, ""), f"{script} on the clean tree")
        status, output = run_check(script, planted)
        check_equal(status, 1, f"exit status of {script} on the planted tree\n{output}")
        for text in wanted:
            check_in(text, output)
        check_equal(len(output.splitlines()), len(wanted) + 1, f"lines of output\n{output}")
    finally:
        shutil.rmtree(clean)
        shutil.rmtree(planted)


def expect_clean(script, files):
    root = plant(files)
    try:
        status, output = run_check(script, root)
        check_equal((status, output), (0, ""), script)
    finally:
        shutil.rmtree(root)


@case
def layers_base_may_not_include_core():
    expect("check_layers.py", {"src/base/list.c": '#include "core/inbox.h"\n'},
           "src/base/list.c:2: base may not include src/core/inbox.h")


@case
def layers_base_may_not_include_the_api_of_core():
    expect("check_layers.py", {"src/base/list.c": "#include <aldis/actor.h>\n"},
           "src/base/list.c:2: base may not include include/aldis/actor.h")


@case
def layers_an_upward_include_by_relative_path_is_found():
    expect("check_layers.py", {"src/base/list.c": '#include "../core/inbox.h"\n'},
           "src/base/list.c:2: base may not include src/core/inbox.h")


@case
def layers_clients_see_public_headers_only():
    expect("check_layers.py", {"space/dock.c": '#include "core/inbox.h"\n',
                               "examples/hello.c": '#include "base/atomic.h"\n'},
           "space/dock.c:2: space may not include src/core/inbox.h",
           "examples/hello.c:2: examples may not include src/base/atomic.h")


@case
def layers_the_core_names_no_library():
    expect("check_layers.py", {"src/core/store.c": "#include <yaml.h>\n"},
           "src/core/store.c:2: core may not use yaml (<yaml.h>)")


@case
def layers_an_unknown_folder_and_an_unknown_header_are_found():
    expect("check_layers.py", {"src/util/misc.c": "", "src/core/a.c": '#include "gone.h"\n'},
           "src/util/misc.c: belongs to no part of tools/layers.txt",
           "src/core/a.c:2: includes gone.h, which is not in the tree")


@case
def layers_headers_form_no_cycle():
    expect("check_layers.py", {"src/core/a.h": '#include "core/b.h"\n',
                               "src/core/b.h": '#include "core/a.h"\n'},
           "headers form a cycle: src/core/a.h -> src/core/b.h -> src/core/a.h")


@case
def layers_an_include_in_a_comment_counts_for_nothing():
    expect_clean("check_layers.py", {"src/base/list.c": '/*\n#include "core/inbox.h"\n*/\n'})


@case
def atomics_orders_are_named_in_one_file():
    expect("check_atomics.py", {"src/core/a.c": "int f(int *p)\n{\n    return atomic_load_explicit(p,"
                                                " memory_order_relaxed);\n}\n"},
           "src/core/a.c:4: atomic_load_explicit: only src/base/atomic.h names",
           "src/core/a.c:4: memory_order_relaxed: only src/base/atomic.h names")


@case
def atomics_fences_are_refused_everywhere():
    expect("check_atomics.py",
           {"src/base/atomic.h": CLEAN["src/base/atomic.h"] +
                                 "#define fence() atomic_thread_fence(memory_order_seq_cst)\n",
            "src/core/a.c": "void f(void) { __sync_synchronize(); }\n"},
           "src/base/atomic.h:5: atomic_thread_fence: no stand-alone fences",
           "src/core/a.c:2: __sync_synchronize: no stand-alone fences")


@case
def atomics_an_ordered_access_needs_a_label():
    expect("check_atomics.py", {"src/core/a.c": "int f(int *p) { return aldis__load_acquire(p); }\n"},
           "src/core/a.c:2: aldis__load_acquire(...) has no label")


@case
def atomics_a_label_too_far_above_does_not_count():
    expect("check_atomics.py",
           {"src/core/a.c": "/* A1 acquire: pairs with itself. */\n\n\n\n\n"
                            "int f(int *p) { return aldis__load_acquire(p); }\n"},
           "src/core/a.c:7: aldis__load_acquire(...) has no label")


@case
def atomics_the_label_says_the_order_of_its_access():
    expect("check_atomics.py",
           {"src/core/a.c": "/* A1 release: pairs with itself. */\n"
                            "int f(int *p) { return aldis__load_acquire(p); }\n"},
           "src/core/a.c:3: aldis__load_acquire(...) is acquire, its label A1 says release")


@case
def atomics_a_partner_has_to_exist_and_to_name_it_back():
    expect("check_atomics.py",
           {"src/core/a.c": "/* A1 acquire: pairs with A9 in nowhere(). */\n"
                            "int f(int *p) { return aldis__load_acquire(p); }\n"
                            "/* A2 acquire: pairs with I1 in push(). */\n"
                            "int g(int *p) { return aldis__load_acquire(p); }\n"},
           "src/core/a.c:2: label A1 pairs with A9, which is nowhere",
           "src/core/a.c:4: label A2 pairs with I1, which does not name it back")


@case
def atomics_a_label_may_name_several_partners_over_several_lines():
    expect_clean("check_atomics.py",
                 {"src/core/a.c": "/* A1 release: pairs with A2 in g(), A3 and\n"
                                  " * A4 in h(), and comes before I1. */\n"
                                  "void f(int *p) { aldis__store_release(p, 1); }\n"
                                  "int g(int *p) { return aldis__load_acquire(p); /* A2 acquire: pairs "
                                  "with A1. */ }\n"
                                  "/* A3 acquire: pairs\n * with A1: why. */\n"
                                  "int h(int *p) { return aldis__load_acquire(p); }\n"
                                  "/* A4 acquire: pairs with A1 (in f). */\n"
                                  "int i(int *p) { return aldis__load_acquire(p); }\n"})


@case
def atomics_a_label_belongs_to_one_file():
    expect("check_atomics.py",
           {"src/core/a.c": "/* I1 release: pairs with I2 in take(). */\n"
                            "void f(int *p) { aldis__store_release(p, 1); }\n"},
           "src/core/a.c:2: label I1 is used in src/core/inbox.h, too",
           "src/core/inbox.h:3: label I1 is used in src/core/a.c, too")


@case
def atomics_relaxed_access_and_words_in_comments_pass():
    expect_clean("check_atomics.py",
                 {"src/core/a.c": "/* memory_order_acquire; atomic_thread_fence() */\n"
                                  "int f(int *p) { return aldis__load_relaxed(p); }\n"
                                  "void g(void) { aldis__waiters_release(); }\n"})


@case
def sources_only_base_reads_a_clock():
    expect("check_sources.py",
           {"src/core/a.c": "void f(void)\n{\n    clock_gettime(0, NULL);\n}\n",
            "space/b.c": "long g(void) { return time(NULL); }\n",
            "examples/c.c": "void h(void) { usleep(10); }\n"},
           "src/core/a.c:4: clock_gettime: only src/base/",
           "space/b.c:2: time: only src/base/", "examples/c.c:2: usleep: only src/base/")


@case
def sources_nothing_draws_foreign_random_numbers():
    expect("check_sources.py",
           {"src/core/a.c": "int f(void) { return rand(); }\n",
            "cli/b.c": "void g(void) { getrandom(NULL, 0, 0); }\n",
            "space/c.c": 'const char *source = "/dev/urandom";\n'},
           "src/core/a.c:2: rand: random numbers come", "cli/b.c:2: getrandom: random numbers come",
           'space/c.c:2: "/dev/urandom": random numbers come')


@case
def sources_the_command_line_may_measure_and_longer_names_pass():
    expect_clean("check_sources.py",
                 {"cli/b.c": "void g(void) { clock_gettime(0, NULL); }\n",
                  "space/c.c": "void h(struct s *s) { s->time(1); aldis_random(s); run_time(s); }\n"})


@case
def files_code_begins_with_its_licence():
    root = plant({})
    try:
        write(os.path.join(root, "src/core/a.c"), "int x;\n")
        write(os.path.join(root, "tools/b.sh"), "#!/bin/sh\n\n# SPDX-License-Identifier: MIT\n")
        status, output = run_check("check_files.py", root)
        check_equal(status, 1, "exit status")
        check_in("src/core/a.c:1: does not begin with", output)
        check_in("tools/b.sh:1: does not begin with", output)
    finally:
        shutil.rmtree(root)


@case
def files_are_bounded_in_length_and_width():
    expect("check_files.py", {"src/core/a.c": "int x;\n" * 900, "src/core/b.c": "/*" + "x" * 99 + "*/\n",
                              "src/core/c.c": "\tint x;\n"},
           "src/core/a.c: 901 lines, at most 900", "src/core/b.c:2: 103 columns, at most 100",
           "src/core/c.c:2: a tab")


@case
def files_stand_alone():
    machine, neighbour = "/" + "work/main/x", ".." + "/shared/x.h"
    expect("check_files.py", {"README.md": f"see {machine}\n", "src/core/a.c": f"/* {neighbour} */\n",
                              "src/core/b.c": "/* for iss" + "ue 12 */\n"},
           "README.md:2: `/" + "work/`: a path of one machine",
           "src/core/a.c:2: `.." + "/shared`: points outside the repository",
           "src/core/b.c:2: `iss" + "ue 12`: a tracker's number")


def switch_over(kind, outer, inner):
    """A switch over constants of `enum kind {...}`, one with letters inside it; either may have a
    default."""
    return ("enum %s {\n    RED,\n    GREEN\n};\nint f(int e)\n{\n    switch (e) {\n"
            "    case RED:\n        switch (g()) {\n        case 'a':\n            break;\n"
            "        %s\n        }\n        return 1;\n    %s\n    }\n    return 0;\n}\n"
            % (kind, inner, outer))


@case
def files_a_switch_over_our_own_enum_has_no_default():
    expect("check_files.py", {"src/core/a.c": switch_over("colour", "default: break;", "")},
           "src/core/a.c:8: a switch over our own enum has a default")
    expect("check_files.py",
           {"include/aldis/error.h": "#define LIST(X) X(ALDIS_OK, 0, \"ok\")\n",
            "src/core/a.c": "int f(int e)\n{\n    switch (e) {\n    case ALDIS_OK:\n"
                            "        return 1;\n    default:\n        return 0;\n    }\n}\n"},
           "src/core/a.c:4: a switch over our own enum has a default")


@case
def files_a_switch_over_letters_or_mere_constants_may_have_a_default():
    expect_clean("check_files.py",
                 {"src/core/a.c": switch_over("colour", "", "default: break;"),
                  "src/core/b.c": switch_over("", "default: break;", "").replace("RED", "BLACK")
                                                                        .replace("GREEN", "WHITE")})


@case
def headers_that_lean_on_others_are_found():
    root = plant({"include/aldis/error.h": "typedef aldis_one aldis_two;\n"})
    try:
        status, output = run_check("check_headers.py", root)
        check_equal(status, 1, f"exit status\n{output}")
        check_in("include/aldis/error.h: does not compile alone as C11", output)
    finally:
        shutil.rmtree(root)


def check_this_tree(script):
    status, output = run_check(script, SOURCE)
    check(status == 0, output)


@case
def this_tree_keeps_its_layers():
    check_this_tree("check_layers.py")


@case
def this_tree_labels_its_atomics():
    check_this_tree("check_atomics.py")


@case
def this_tree_reads_no_foreign_clock_or_chance():
    check_this_tree("check_sources.py")


@case
def this_tree_keeps_the_rules_for_files():
    check_this_tree("check_files.py")


@case
def this_trees_headers_compile_alone():
    check_this_tree("check_headers.py")


if __name__ == "__main__":
    sys.exit(main())
