#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Check that each public header compiles alone: as C11, and as C++17 where there is a C++ compiler.

A header that only compiles after another one breaks the first user who sorts his includes.
"""
import concurrent.futures
import os
import shlex
import shutil
import subprocess
import sys

from tree import check_main

WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Wundef",
            "-Wcast-qual", "-Werror"]


def compilers():
    """(language, command) pairs: $CC and $CXX, or what the machine has."""
    c = shlex.split(os.environ.get("CC", "")) or ["cc"]
    cxx = shlex.split(os.environ.get("CXX", "")) or ["c++"]
    found = [("C11", c + ["-std=c11", "-xc", "-Wstrict-prototypes"])]
    if shutil.which(cxx[0]):
        found.append(("C++17", cxx + ["-std=c++17", "-xc++"]))
    return found


def compile_alone(tree, path, command):
    """Compile a file that includes nothing but the header, twice: guards must hold."""
    line = f"#include <{path.removeprefix('include/')}>\n"
    return subprocess.run(command + WARNINGS + ["-I", os.path.join(tree.root, "include"),
                                                "-fsyntax-only", "-"],
                          input=line * 2, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False)


def check(tree):
    jobs = [(path, language, command) for path in tree.c_files("include") if path.endswith(".h")
            for language, command in compilers()]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        done = pool.map(lambda job: compile_alone(tree, job[0], job[2]), jobs)
        for (path, language, _), result in zip(jobs, done):
            if result.returncode != 0:
                tree.fault(path, 0, f"does not compile alone as {language}:\n{result.stdout}")
    if not jobs:
        tree.fault("include", 0, "has no header")


if __name__ == "__main__":
    sys.exit(check_main(check, __doc__))
