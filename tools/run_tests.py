#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Run the tests of a Meson build directory and count their cases.

    tools/run_tests.py build                    all tests but suite 'long'
    tools/run_tests.py build --long             all tests
    tools/run_tests.py build --suite core NAME  one suite, the tests called NAME

Meson knows which programs to run and how; its own closing table counts programs, not cases, so
they are run here, as many at once as there are cores. A program prints TAP (one line a case); it
fails as a whole if it crashes, runs out of time, exits non-zero without a failed case, or runs
fewer cases than it planned. What failed is shown in full, what passed is not. The last line is
`N passed, N failed, N skipped`.
"""
import argparse
import concurrent.futures
import dataclasses
import json
import os
import re
import signal
import subprocess
import sys
import time

running_groups = set()  # process groups of the tests that run: Ctrl-C does not reach them
EXIT_SKIP = 77  # what a program returns to be skipped as a whole
RESULT = re.compile(r"^(not )?ok\b(?:\s+\d+)?(?:\s*-)?\s*(.*?)(?:\s*#\s*(skip)\b.*)?$", re.IGNORECASE)
PLAN = re.compile(r"^1\.\.(\d+)(?:\s*#\s*(skip)\b.*)?", re.IGNORECASE)

# A report of a sanitizer must end its program, or the test passes with the report unread.
SANITIZERS = {
    "ASAN_OPTIONS": "abort_on_error=1:detect_leaks=1:strict_string_checks=1",
    "UBSAN_OPTIONS": "halt_on_error=1:abort_on_error=1:print_stacktrace=1",
    "TSAN_OPTIONS": "halt_on_error=1:abort_on_error=1:second_deadlock_stack=1",
}


@dataclasses.dataclass
class Result:
    """What became of one test program."""
    name: str
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: float = 0.0
    faults: list = dataclasses.field(default_factory=list)  # one line each, beside failed cases
    output: str = ""


def count_cases(result, tap):
    """Count the cases of a TAP stream into result; give the planned number, or None."""
    planned = None
    for line in tap.splitlines():
        plan = PLAN.match(line)
        if plan:
            planned = int(plan.group(1))
            if planned == 0 and plan.group(2):
                result.skipped += 1
            continue
        if line.startswith("Bail out!"):
            result.faults.append(line)
            continue
        case = RESULT.match(line)
        if not case:
            continue
        if case.group(1):
            result.failed += 1
        elif case.group(3):
            result.skipped += 1
        else:
            result.passed += 1
    return planned


def judge(result, protocol, status, tap):
    """Turn a program's exit status and output into counts."""
    if status == EXIT_SKIP:
        result.skipped += 1
        return
    if protocol != "tap":
        if status == 0:
            result.passed += 1
        else:
            result.failed += 1
            result.faults.append(f"exit status {status}")
        return
    planned = count_cases(result, tap)
    ran = result.passed + result.failed + result.skipped
    if status < 0:
        result.faults.append(f"ended by signal {signal.Signals(-status).name}")
    elif status != 0 and result.failed == 0:
        result.faults.append(f"exit status {status}, though no case failed")
    if planned is None and not result.faults:
        result.faults.append("no TAP plan: it ended before its last case")
    elif planned is not None and planned != 0 and planned != ran:
        result.faults.append(f"{planned} cases planned, {ran} run")
    elif planned == 0 and ran == 0:
        result.faults.append("it has no cases")
    if result.faults:
        result.failed += 1


def run(test, timeout_factor):
    """Run one test of `meson introspect --tests`."""
    result = Result(test["name"])
    timeout = test["timeout"] * timeout_factor if test["timeout"] > 0 else None
    environment = {**SANITIZERS, **os.environ, **test["env"]}
    started = time.monotonic()
    try:
        process = subprocess.Popen(test["cmd"], cwd=test["workdir"] or None, env=environment,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, start_new_session=True)
    except OSError as error:
        result.failed, result.faults = 1, [f"cannot be started: {error}"]
        return result
    running_groups.add(process.pid)
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        # Its children too: they hold the pipes, and would outlive the run.
        os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
        result.faults.append(f"no end after {timeout:g} s: killed")
    finally:
        running_groups.discard(process.pid)
    result.seconds = time.monotonic() - started
    tap = out.decode(errors="replace")
    result.output = tap + err.decode(errors="replace")
    if result.faults:
        count_cases(result, tap)
        result.failed += 1
    else:
        judge(result, test["protocol"], process.returncode, tap)
    return result


def show(result, command, verbose):
    """One line for what passed, everything for what failed."""
    if result.failed:
        print(f"FAILED  {result.name} ({result.seconds:.1f} s)")
        for line in result.output.splitlines():
            print(f"    {line}")
        for fault in result.faults:
            print(f"    # {fault}")
        print(f"    # run it alone: {' '.join(command)}")
    elif verbose:
        print(f"passed  {result.name}: {result.passed} cases, {result.skipped} skipped, "
              f"{result.seconds:.1f} s")
    if result.skipped and not result.failed:
        reasons = [line for line in result.output.splitlines() if re.search(r"#\s*skip", line, re.I)]
        for line in reasons or [f"{result.name}: exit status {EXIT_SKIP}"]:
            print(f"skipped {result.name}: {line}")
    sys.stdout.flush()


def select(tests, args):
    chosen = []
    for test in tests:
        suites = [suite.split(":")[-1] for suite in test["suite"]]
        if "long" in suites and not args.long:
            continue
        if args.suite and not set(args.suite) & set(suites):
            continue
        if args.names and test["name"] not in args.names:
            continue
        chosen.append(test)
    # The longest first, as far as their time-outs tell, so that none is left running alone at the
    # end; those that want the machine for themselves come after all others.
    return sorted(chosen, key=lambda test: (not test["is_parallel"], -test["timeout"]))


def main():
    parser = argparse.ArgumentParser(description="Run the tests of a build directory.")
    parser.add_argument("build", help="a Meson build directory, built")
    parser.add_argument("names", nargs="*", metavar="NAME", help="only the tests of these names")
    parser.add_argument("--long", action="store_true", help="suite 'long' too")
    parser.add_argument("--suite", action="append", help="only this suite (may be repeated)")
    parser.add_argument("-j", "--jobs", type=int, default=len(os.sched_getaffinity(0)),
                        help="how many at once (default: the cores)")
    parser.add_argument("-t", "--timeout-factor", type=float, default=1.0,
                        help="multiply every time-out (sanitizers are slow)")
    parser.add_argument("-v", "--verbose", action="store_true", help="name what passed, too")
    args = parser.parse_intermixed_args()  # names may follow options

    found = subprocess.run(["meson", "introspect", "--tests", args.build], check=True,
                           stdout=subprocess.PIPE)
    tests = select(json.loads(found.stdout), args)
    total = Result("total")

    def finish(test, result):
        show(result, test["cmd"], args.verbose)
        total.passed += result.passed
        total.failed += result.failed
        total.skipped += result.skipped

    together = [test for test in tests if test["is_parallel"]]
    with concurrent.futures.ThreadPoolExecutor(max_workers=max(args.jobs, 1)) as pool:
        running = {pool.submit(run, test, args.timeout_factor): test for test in together}
        for future in concurrent.futures.as_completed(running):
            finish(running[future], future.result())
    for test in tests[len(together):]:
        finish(test, run(test, args.timeout_factor))

    if not tests:
        print("no test was found")
    print(f"{total.passed} passed, {total.failed} failed, {total.skipped} skipped")
    return 1 if total.failed or total.passed + total.skipped == 0 else 0


def kill_all():
    for group in list(running_groups):
        try:
            os.killpg(group, signal.SIGKILL)
        except ProcessLookupError:
            pass


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BrokenPipeError:
        kill_all()
        os._exit(1)
    except KeyboardInterrupt:
        kill_all()
        print("interrupted", file=sys.stderr)
        os._exit(130)
