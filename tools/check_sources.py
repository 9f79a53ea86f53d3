#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Check that nothing but src/base reads a clock or a random source.

Equal seeds give equal runs only if time and chance come from the system. The command line and the
benchmarks may look at the wall clock: they measure; but they may not draw random numbers.
"""
import re
import sys

from tree import check_main, line_of

HOME = "src/base/"
STRICT = ("include", "src", "space", "examples")
MEASURING = ("cli", "bench")

CLOCK = ("clock_gettime", "clock_getres", "clock_nanosleep", "gettimeofday", "timespec_get", "time",
         "clock", "times", "ftime", "nanosleep", "usleep", "sleep", "localtime", "localtime_r",
         "gmtime", "gmtime_r", "__rdtsc", "__rdtscp", "__builtin_ia32_rdtsc",
         "__builtin_ia32_rdtscp", "__builtin_readcyclecounter", "timerfd_create", "timer_create",
         "setitimer", "alarm")
RANDOM = ("rand", "rand_r", "srand", "random", "random_r", "srandom", "drand48", "erand48",
          "lrand48", "mrand48", "getrandom", "getentropy", "arc4random", "arc4random_buf",
          "arc4random_uniform", "__builtin_ia32_rdrand32_step", "__builtin_ia32_rdrand64_step")
DEVICE = re.compile(r'"/dev/u?random"')


def calls(names):
    """Matches a call of one of the names: not a member, not a longer name."""
    return re.compile(r"(?<![\w.])(?<!->)(?:" + "|".join(names) + r")\s*\(")


CLOCK_CALL, RANDOM_CALL = calls(CLOCK), calls(RANDOM)


def report(tree, path, pattern, text, what):
    for match in pattern.finditer(text):
        found = match.group(0).rstrip("( ")
        tree.fault(path, line_of(text, match.start()), f"{found}: {what}")


def check(tree):
    for path in tree.c_files(*STRICT, *MEASURING):
        if path.startswith(HOME):
            continue
        code = tree.code(path)
        if path.startswith(tuple(folder + "/" for folder in STRICT)):
            report(tree, path, CLOCK_CALL, code, f"only {HOME} reads a clock or sleeps")
        report(tree, path, RANDOM_CALL, code, "random numbers come from the system's seed only")
        report(tree, path, DEVICE, tree.text(path), "random numbers come from the system's seed only")


if __name__ == "__main__":
    sys.exit(check_main(check, __doc__))
