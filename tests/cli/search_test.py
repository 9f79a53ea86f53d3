#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every scenario that ships, under the fault search: nothing is found.

With --full: more seeds, and for longer. What is found is printed with the command that repeats it.
"""
import glob
import os
import sys

from tap import SOURCE, case, check, main
from program import aldis

FULL = "--full" in sys.argv
if FULL:
    sys.argv.remove("--full")
SEEDS, UNTIL = ("1..20", "1h") if FULL else ("1..2", "10m")
SMALL = {"galaxy": ["fleets.traders.count=600", "fleets.couriers.count=200", "galaxy.systems=40"]}


def scenarios():
    return [path for path in sorted(glob.glob(os.path.join(SOURCE, "scenarios", "*.yaml")))
            if not path.endswith(".inc.yaml")]


def search(plan):
    faults = []
    for path in scenarios():
        words = [word for setting in SMALL.get(os.path.basename(path)[:-len(".yaml")], [])
                 for word in ("--set", setting)]
        status, out, err = aldis("explore", path, *words, "--seeds", SEEDS, "--until", UNTIL,
                                 "--faults", plan, "--timeout", "1h", "-q")
        if status != 0:
            faults.append(f"{path}: status {status}\n{out}{err}")
    check(len(scenarios()) >= 8, f"{len(scenarios())} scenarios")
    check(not faults, "\n".join(faults))


@case
def light_faults_find_nothing():
    search("light")


@case
def heavy_faults_find_nothing():
    search("heavy")


if __name__ == "__main__":
    sys.exit(main())
