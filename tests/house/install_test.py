#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Can a stranger build on what `make install` leaves: with pkg-config, static and shared?"""
import glob
import os
import shlex
import shutil
import sys
import tempfile

from tap import BUILD, CC, SOURCE, case, check, check_equal, check_in, main, run_ok

CONSUMER = os.path.join(SOURCE, "tests", "house", "consumer.c")
EXPECTED = "sum 6, sent by nobody\nbalanced\n"
FLAGS = ["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]

stage = tempfile.mkdtemp(prefix="aldis-install-")


def find(*pattern):
    found = glob.glob(os.path.join(stage, "**", *pattern), recursive=True)
    check(found, f"{os.path.join(*pattern)} was not installed")
    return found[0]


def pkg_config(*arguments):
    """pkg-config as a user calls it, the staging folder put in front of what it answers."""
    folder = os.path.dirname(find("pkgconfig", "aldis.pc"))
    output = run_ok(["pkg-config", *arguments, "aldis"],
                    env={**os.environ, "PKG_CONFIG_PATH": folder,
                         "PKG_CONFIG_SYSROOT_DIR": stage})
    return shlex.split(output)


def build_consumer(name, *arguments):
    program = os.path.join(stage, name)
    run_ok([*CC, *FLAGS, *pkg_config("--cflags"), CONSUMER, "-o", program, *arguments], cwd=stage)
    return program


@case
def installs_below_destdir():
    run_ok(["meson", "install", "-C", BUILD, "--no-rebuild", "--destdir", stage])
    for header in os.listdir(os.path.join(SOURCE, "include", "aldis")):
        if header.endswith(".h"):
            find("include", "aldis", header)
    find("bin", "aldis")


@case
def the_pc_file_says_the_version_of_the_header():
    with open(os.path.join(SOURCE, "include", "aldis", "version.h"), encoding="utf-8") as header:
        check_in(f'ALDIS_VERSION_STRING "{pkg_config("--modversion")[0]}"', header.read(), "header")


@case
def the_shared_library_has_a_soname():
    library = os.path.realpath(find("libaldis.so"))
    check_in("Library soname: [libaldis.so.0]", run_ok(["readelf", "-d", library]))
    check(os.path.islink(find("libaldis.so.0")), "libaldis.so.0 is not a link")


@case
def a_consumer_runs_on_the_shared_library():
    program = build_consumer("shared-consumer", *pkg_config("--libs"))
    check_in("[libaldis.so.0]", run_ok(["readelf", "-d", program]))
    folder = os.path.dirname(find("libaldis.so.0"))
    output = run_ok([program], env={**os.environ, "LD_LIBRARY_PATH": folder}, cwd=stage)
    check_equal(output, EXPECTED, "output")


@case
def a_consumer_runs_on_the_static_library():
    # As one links a single library statically: its name in full, and its private libraries.
    libraries = [os.path.join(os.path.dirname(find("libaldis.a")), "libaldis.a")
                 if word == "-laldis" else word for word in pkg_config("--static", "--libs")]
    program = build_consumer("static-consumer", *libraries)
    check("libaldis" not in run_ok(["readelf", "-d", program]), "it uses the shared library")
    check_equal(run_ok([program], cwd=stage), EXPECTED, "output")


@case
def the_installed_program_runs():
    version = pkg_config("--modversion")[0]
    check_in(version, run_ok([find("bin", "aldis"), "--version"], cwd=stage))
    harbour = find("share", "aldis", "scenarios", "harbour.yaml")
    check_in("harbour.yaml: good", run_ok([find("bin", "aldis"), "check", harbour], cwd=stage))


if __name__ == "__main__":
    try:
        sys.exit(main())
    finally:
        shutil.rmtree(stage)
