#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Does tools/setup.sh ask for exactly what is missing, in the way that is open to it?

It runs in a world of made-up programs: nothing is installed, and no network is used.
"""
import os
import shutil
import sys
import tempfile

from tap import SOURCE, case, check_equal, check_in, main, run, write

SETUP = os.path.join(SOURCE, "tools", "setup.sh")
BUILD_PACKAGES = ("meson", "ninja-build", "pkgconf", "python3", "libc6-dev", "g++", "libnanopb-dev",
                  "nanopb", "protobuf-compiler", "libyaml-dev", "libsqlite3-dev")


def in_world(installed, uid=0, sudo=False, debian=True, purposes=("build",)):
    """Run setup.sh where only these packages are installed; its status, its output and the calls
    that reached apt-get."""
    folder = tempfile.mkdtemp(prefix="aldis-setup-")
    log = os.path.join(folder, "log")
    write(log, "")
    programs = {"id": f"echo {uid}",
                "cc": "exit 1",
                "sudo": ('shift; exec "$@"' if sudo else "exit 1")}
    if debian:
        programs["dpkg-query"] = (f'case " {" ".join(installed)} " in *" $3 "*) printf installed ;; '
                                  '*) exit 1 ;; esac')
        programs["apt-get"] = f'echo "apt-get $*" >>{log}'
    try:
        for name, text in programs.items():
            write(os.path.join(folder, "bin", name), f"#!/bin/sh\n{text}\n", 0o755)
        for name in ("env", "true", "ls"):
            os.symlink(shutil.which(name), os.path.join(folder, "bin", name))
        status, output = run(["/bin/sh", SETUP, *purposes],
                             env={"PATH": os.path.join(folder, "bin")})
        with open(log, encoding="utf-8") as calls:
            return status, output, calls.read()
    finally:
        shutil.rmtree(folder)


def without(*missing):
    return [package for package in BUILD_PACKAGES if package not in missing]


@case
def with_nothing_missing_it_says_and_does_nothing():
    check_equal(in_world(BUILD_PACKAGES, uid=1000), (0, "", ""), "status, output, calls")


@case
def root_installs_what_is_missing_and_no_more():
    status, output, calls = in_world(without("meson", "libyaml-dev"))
    check_equal(status, 0, "exit status")
    check_in("installing Debian packages: meson libyaml-dev", output)
    update, install = calls.splitlines()
    check_in("update", update)
    check_equal(install.split("--no-install-recommends")[1].split(), ["meson", "libyaml-dev"],
                "packages")


@case
def a_user_installs_through_sudo():
    status, _, calls = in_world(without("nanopb"), uid=1000, sudo=True)
    check_equal(status, 0, "exit status")
    check_equal(calls.split()[-1], "nanopb", "package")


@case
def without_sudo_it_prints_the_line_and_fails():
    status, output, calls = in_world(without("nanopb", "g++"), uid=1000)
    check_equal((status, calls), (1, ""), "status and calls")
    check_in("apt-get update && apt-get install -y --no-install-recommends g++ nanopb\n", output)


@case
def elsewhere_it_names_what_is_missing_and_stops():
    status, output, calls = in_world((), debian=False)
    check_equal((status, calls), (1, ""), "status and calls")
    check_in("not a Debian system", output)
    for package in BUILD_PACKAGES:
        check_in(package, output)


@case
def lint_wants_more():
    _, output, _ = in_world(BUILD_PACKAGES, purposes=("build", "lint"))
    check_in("installing Debian packages: clang-14", output)


@case
def an_unknown_purpose_is_refused():
    status, output, calls = in_world(BUILD_PACKAGES, purposes=("bild",))
    check_equal((status, calls), (64, ""), "status and calls")
    check_in("unknown purpose bild", output)


if __name__ == "__main__":
    sys.exit(main())
