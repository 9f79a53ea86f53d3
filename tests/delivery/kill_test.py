#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Kill a process that sends durably, at any moment, and check what its store then holds.

Each round starts the victim with the store of the last one and kills it (SIGKILL) after a random
time. In the end one more victim lets everything arrive and prints its books. Whatever was told as
accepted is booked, once, in order, and nothing is booked that was never sent. A victim that
acknowledges before it commits the effect is caught by the same checks.

    kill_test.py PROGRAM [--full]
"""
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time

from tap import BUILD, case, check, check_equal, main

FULL = "--full" in sys.argv
if FULL:
    sys.argv.remove("--full")
PROGRAM = os.path.join(BUILD, sys.argv.pop(1))
ROUNDS = 100 if FULL else 6
PAYMENTS = 400  # of a round: more than a life lasts


def life(store, serial, seconds, *more):
    """One round: what it printed until it was killed."""
    words = [PROGRAM, store, "run", str(serial), str(PAYMENTS), *more]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as victim:
        time.sleep(seconds)
        victim.kill()
        out, err = victim.communicate()
    check_equal(err, "", "what the victim complains of")
    return [int(line.split()[1]) for line in out.splitlines()
            if line.startswith("accepted ") and len(line.split()) == 2]


def history(rounds, seed, *more):
    """The serials that were accepted and the books in the end."""
    chance = random.Random(seed)
    folder = tempfile.mkdtemp(prefix="aldis-kill-")
    store = os.path.join(folder, "store")
    accepted = []
    try:
        for number in range(rounds):
            # A complete life is about as long as the longest of these.
            accepted += life(store, number * PAYMENTS, chance.uniform(0.0, 0.12), *more)
        report = subprocess.run([PROGRAM, store, "report"], capture_output=True, text=True,
                                timeout=120, check=False)
        check_equal(report.returncode, 0, f"status of the report ({report.stderr})")
        lines = report.stdout.splitlines()
        words = [line for line in lines if line.startswith("count")][0].split()
        seen = [line for line in lines if line.startswith("seen")][0].split()[1:]
        return accepted, {words[i]: int(words[i + 1]) for i in (0, 2, 4)}, {int(w) for w in seen}
    finally:
        shutil.rmtree(folder)


def faults(accepted, figures, seen, rounds):
    lost = sorted(set(accepted) - seen)
    found = [f"{len(lost)} of {len(accepted)} accepted payments are lost: {lost[:5]}"] if lost else []
    found += [f"{figures[name]} {name}" for name in ("duplicates", "unordered") if figures[name]]
    if figures["count"] != len(seen):
        found.append(f"{figures['count']} booked, {len(seen)} different ones")
    if seen - set(range(rounds * PAYMENTS)):
        found.append("booked what was never sent")
    return found


@case
def what_was_accepted_is_booked_once():
    accepted, figures, seen = history(ROUNDS, 1)
    check_equal(faults(accepted, figures, seen, ROUNDS), [], "faults")
    check(len(accepted) > 10 * ROUNDS, f"{len(accepted)} payments were accepted in {ROUNDS} lives")


@case
def acknowledging_first_is_caught():
    for seed in range(1, 11):
        accepted, figures, seen = history(ROUNDS, seed, "broken")
        if faults(accepted, figures, seen, ROUNDS):
            return
    check(False, "a victim that acknowledges first passed ten times")


if __name__ == "__main__":
    sys.exit(main())
