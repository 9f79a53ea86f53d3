#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Kill a process that sends durably, at any moment, and check what its store then holds.

Each round starts the victim with the store of the last one. It is killed (SIGKILL) by itself at a
random one of the things that it is told, while its store's thread does whatever it does then; in the
full test every other round from here, after a random time. In the end one more victim lets
everything arrive and prints its books. Whatever was told as accepted is booked, once, in order, and
nothing is booked that was never sent. A victim that acknowledges before it commits the effect is
caught by the same checks.

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


def life(store, serial, count, events=0, seconds=None, how="run"):
    """One round: what it printed until it was killed."""
    words = [PROGRAM, store, how, str(serial), str(count), str(events)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as victim:
        if seconds is not None:
            time.sleep(seconds)
            victim.kill()
        out, err = victim.communicate(timeout=120)
    check_equal(err, "", "what the victim complains of")
    return [int(line.split()[1]) for line in out.splitlines()
            if line.startswith("accepted ") and len(line.split()) == 2]


def books(store):
    """What the next life finds, when everything has arrived: figures, and the serials booked."""
    report = subprocess.run([PROGRAM, store, "report"], capture_output=True, text=True, timeout=120,
                            check=False)
    check_equal(report.returncode, 0, f"status of the report ({report.stderr})")
    lines = report.stdout.splitlines()
    words = [line for line in lines if line.startswith("count")][0].split()
    seen = [line for line in lines if line.startswith("seen")][0].split()[1:]
    return {words[i]: int(words[i + 1]) for i in (0, 2, 4)}, {int(word) for word in seen}


class Folder:
    """A folder for a store, removed in the end."""

    def __enter__(self):
        self.path = tempfile.mkdtemp(prefix="aldis-kill-")
        return os.path.join(self.path, "store")

    def __exit__(self, *error):
        shutil.rmtree(self.path)


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
    chance, accepted = random.Random(1), []
    with Folder() as store:
        for number in range(ROUNDS):
            serial = number * PAYMENTS
            if FULL and number % 2:
                accepted += life(store, serial, PAYMENTS, seconds=chance.uniform(0.0, 0.12))
            else:
                accepted += life(store, serial, PAYMENTS, events=chance.randint(1, 2 * PAYMENTS))
        figures, seen = books(store)
    check_equal(faults(accepted, figures, seen, ROUNDS), [], "faults")
    check(len(accepted) > 100, f"{len(accepted)} payments were accepted in {ROUNDS} lives")


@case
def acknowledging_first_is_caught():
    with Folder() as store:
        accepted = life(store, 0, 12, how="broken")
        figures, seen = books(store)
    check_equal(len(accepted), 12, "accepted payments")
    found = faults(accepted, figures, seen, 1)
    check(any("are lost" in fault for fault in found), f"a victim that acknowledges first passed: {found}")


if __name__ == "__main__":
    sys.exit(main())
