#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Does the queue of examples/mm1.c wait as long as theory says?

rho / (mu - lambda) = 4 s for lambda = 0.8/s and mu = 1/s (L. Kleinrock, "Queueing Systems", 1975).
Each seed gives a mean and its 95 % interval by batch means; the seeds are independent.
"""
import functools
import math
import os
import re
import sys

from tap import BUILD, case, check, main, run_ok

PROGRAM = os.path.join(BUILD, "examples", "example_mm1")
SEEDS = range(11, 19)
THEORY_S = 4.0


@functools.lru_cache(maxsize=None)
def wait(seed):
    """The mean wait of one seed, and half the width of its interval."""
    text = run_ok([PROGRAM, str(seed)])
    mean, low, high = map(float, re.search(
        r"mean wait ([\d.]+) s, between ([\d.]+) and ([\d.]+)", text).groups())
    check(low < mean < high, text)
    inside = low <= THEORY_S <= high
    check(("inside" if inside else "outside") in text, text)
    return mean, (high - low) / 2


@case
def the_mean_wait_agrees_with_theory():
    found = [wait(seed) for seed in SEEDS]
    inside = [mean for mean, half in found if abs(mean - THEORY_S) <= half]
    # With a coverage of 95 %, fewer than 6 of 8 is a case of 6 in 1000.
    check(len(inside) >= 6, f"inside their interval: {len(inside)} of {len(found)}: {found}")


@case
def all_seeds_together_agree_more_closely():
    found = [wait(seed) for seed in SEEDS]
    mean = sum(mean for mean, _ in found) / len(found)
    half = math.sqrt(sum(half ** 2 for _, half in found)) / len(found)
    check(abs(mean - THEORY_S) <= half, f"{mean:.3f} +- {half:.3f} s, expected {THEORY_S} s")
    check(half < 0.1, f"an interval of +- {half:.3f} s says little")


if __name__ == "__main__":
    sys.exit(main())
