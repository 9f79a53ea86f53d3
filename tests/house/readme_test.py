#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Does the program in the README do what the README says?

In README.md, or a page of docs/, the line `<!-- test: NAME -->` stands above a ```c block, and
`<!-- output: NAME -->` above the block of what it prints. The README has the program `hello`.
"""
import glob
import os
import re
import shutil
import sys
import tempfile

from tap import BUILD, CC, SOURCE, case, check, check_equal, main, run_ok

MARK = r"^<!-- {kind}: {name} -->\n\s*```(\w*)\n(.*?)^```$"
FLAGS = ["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]
SANITIZE = os.environ.get("SANITIZE", "none")


def read(path):
    check(os.path.exists(os.path.join(SOURCE, path)), f"there is no {path}")
    with open(os.path.join(SOURCE, path), encoding="utf-8") as file:
        return file.read()


def block(page, kind, name):
    found = re.findall(MARK.format(kind=kind, name=name), read(page), re.MULTILINE | re.DOTALL)
    check(len(found) == 1, f"{page} has {len(found)} blocks below `<!-- {kind}: {name} -->`, not 1")
    return found[0]


def private_libraries():
    """What a program that links the static library needs beside it."""
    text = run_ok(["pkg-config", "--static", "--libs-only-l", "--libs-only-other",
                   os.path.join(BUILD, "meson-private", "aldis.pc")])
    return [word for word in text.split() if word != "-laldis"]


def run_program(page, name):
    language, source = block(page, "test", name)
    check_equal(language, "c", f"language of {name} in {page}")
    expected = block(page, "output", name)[1]
    folder = tempfile.mkdtemp(prefix="aldis-readme-")
    try:
        path = os.path.join(folder, f"{name}.c")
        with open(path, "w", encoding="utf-8") as file:
            file.write(source)
        sanitize = [] if SANITIZE == "none" else [f"-fsanitize={SANITIZE}"]
        program = os.path.join(folder, name)
        run_ok([*CC, *FLAGS, *sanitize, "-I", os.path.join(SOURCE, "include"), path, "-o", program,
                os.path.join(BUILD, "libaldis.a"), *private_libraries()])
        check_equal(run_ok([program], cwd=folder), expected, f"output of {name} in {page}")
    finally:
        shutil.rmtree(folder)
    return source


@case
def the_readmes_first_program_is_hello_and_runs():
    source = run_program("README.md", "hello")
    first = re.search(r"^```c\n(.*?)^```$", read("README.md"), re.MULTILINE | re.DOTALL)
    check_equal(first.group(1), source, "first C block of README.md")


@case
def it_fits_the_promise_of_about_twenty_lines():
    lines = [line for line in block("README.md", "test", "hello")[1].splitlines() if line.strip()]
    check(len(lines) <= 25, f"hello has {len(lines)} lines that are not empty, at most 25")


@case
def marked_programs_of_other_pages_run():
    for path in sorted(glob.glob(os.path.join(SOURCE, "docs", "**", "*.md"), recursive=True)):
        page = os.path.relpath(path, SOURCE)
        for name in re.findall(r"^<!-- test: (\w+) -->$", read(page), re.MULTILINE):
            run_program(page, name)


@case
def links_inside_the_repository_lead_somewhere():
    broken = []
    pages = [name for name in os.listdir(SOURCE) if name.endswith(".md")]
    pages += [os.path.relpath(path, SOURCE) for path in
              glob.glob(os.path.join(SOURCE, "docs", "**", "*.md"), recursive=True)]
    for page in sorted(pages):
        for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", read(page)):
            target = os.path.join(SOURCE, os.path.dirname(page), link)
            if not re.match(r"[a-z]+:", link) and not os.path.exists(target):
                broken.append(f"{page}: {link}")
    check_equal(broken, [], "links to nothing")


if __name__ == "__main__":
    sys.exit(main())
