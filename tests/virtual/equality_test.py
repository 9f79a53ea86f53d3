#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Is a run in virtual time equal to the last bit, whatever it runs on?

equal_runs gives the run prints of random programs, of PHOLD and of the scenarios that ship. Here it
runs in one process after the other (so with other addresses each time), on 1 to 16 workers, with and
without stalls. With --full: ten seeds at full size, and the program built by gcc and by clang, each
with -O0 and with -O3: one print each; --full=N: N seeds.

There are no hand-overs to inject: in virtual time no worker owns a shard beyond a window. Stalls do
what they would do: they change who runs which shard, window by window.
"""
import glob
import itertools
import os
import shutil
import sys
import tempfile

from tap import BUILD, SOURCE, case, check, check_equal, main, run, run_ok, skip

FULL = next((word for word in sys.argv if word.startswith("--full")), None)
if FULL:
    sys.argv.remove(FULL)
SEEDS = range(1, 1 + int((FULL.split("=") + ["10"])[1])) if FULL else (1, 2)
WORKERS = (1, 2, 3, 4, 8, 16)
NAMES = ["small", "dense", "zero", "phold"] + [
    os.path.basename(path)[:-len(".yaml")]
    for path in sorted(glob.glob(os.path.join(SOURCE, "scenarios", "*.yaml")))]
PROGRAM = os.path.join(BUILD, "tests", "virtual", "equal_runs")


def runs(program, seed, workers, stall):
    """The lines of one process: name, print, figures."""
    words = [program, str(seed), str(workers), str(stall), "2" if FULL else "1"]
    lines = run_ok(words).splitlines()
    check_equal([line.split()[0] for line in lines], NAMES, "runs")
    return lines


def differences(expected, program, seed, workers, stall):
    found = runs(program, seed, workers, stall)
    return [f"seed {seed}, {workers} workers, stall {stall}: found {a!r}, expected {b!r}"
            for a, b in zip(found, expected) if a != b]


@case
def workers_stalls_and_addresses_do_not_show():
    faults = []
    for seed in SEEDS:
        expected = runs(PROGRAM, seed, 1, 0)
        for workers in WORKERS:
            faults += differences(expected, PROGRAM, seed, workers, 1000 * seed + workers)
        faults += differences(expected, PROGRAM, seed, 2, 0)
    check(not faults, "\n".join(faults))


@case
def addresses_do_not_show():
    """The same once more with fixed addresses."""
    setarch = shutil.which("setarch")
    if not setarch or run([setarch, "-R", "true"])[0] != 0:
        skip("addresses cannot be fixed here")
    expected = runs(PROGRAM, 1, 2, 0)
    fixed = run_ok([setarch, "-R", PROGRAM, "1", "2", "0", "2" if FULL else "1"]).splitlines()
    check_equal(fixed, expected, "runs with fixed addresses")


@case
def seeds_do_show():
    prints = [line.split()[1] for seed in (1, 2) for line in runs(PROGRAM, seed, 2, 0)]
    check_equal(len(set(prints)), 2 * len(NAMES), "different prints")


def build(folder, compiler, level):
    run_ok(["meson", "setup", folder, SOURCE, f"-Doptimization={level}", "-Db_sanitize=none"],
           env={**os.environ, "CC": compiler})
    run_ok(["ninja", "-C", folder, "tests/virtual/equal_runs"])
    return os.path.join(folder, "tests", "virtual", "equal_runs")


@case
def compilers_and_optimisation_do_not_show():
    if not FULL:
        skip("in the suite 'long' only")
    folder = tempfile.mkdtemp(prefix="aldis-equal-")
    faults, built = [], 0
    expected = {seed: runs(PROGRAM, seed, 1, 0) for seed in SEEDS}
    try:
        for compiler, level in itertools.product(("gcc", "clang"), ("0", "3")):
            if not shutil.which(compiler):
                continue
            program = build(os.path.join(folder, f"{compiler}-{level}"), compiler, level)
            built += 1
            for number, seed in enumerate(SEEDS):
                workers = WORKERS[number % len(WORKERS)]
                for stall in (0, 77 + seed):
                    faults += [f"{compiler} -O{level}: {line}"
                               for line in differences(expected[seed], program, seed, workers, stall)]
    finally:
        shutil.rmtree(folder)
    check(not faults, "\n".join(faults))
    check(built >= 2, f"{built} variants could be built")


if __name__ == "__main__":
    sys.exit(main())
