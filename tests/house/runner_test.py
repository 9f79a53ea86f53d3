#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Does tools/run_tests.py count cases, and can no failure slip past it?

A made-up `meson` in a folder of its own names the test programs, which are shell scripts.
"""
import json
import os
import shutil
import sys
import tempfile

from tap import SOURCE, case, check, check_equal, check_in, main, run, write

RUNNER = os.path.join(SOURCE, "tools", "run_tests.py")


def run_programs(programs, *arguments):
    """Run the runner over {name: shell text or (shell text, {introspected key: value})}."""
    folder = tempfile.mkdtemp(prefix="aldis-runner-")
    try:
        tests = []
        for name, text in programs.items():
            text, more = text if isinstance(text, tuple) else (text, {})
            path = os.path.join(folder, name)
            write(path, "#!/bin/sh\n" + text, 0o755)
            tests.append({"name": name, "cmd": [path], "env": {}, "workdir": None, "timeout": 20,
                          "suite": ["aldis:core"], "is_parallel": True, "protocol": "tap", **more})
        write(os.path.join(folder, "tests.json"), json.dumps(tests))
        write(os.path.join(folder, "meson"), f"#!/bin/sh\ncat {folder}/tests.json\n", 0o755)
        path = folder + os.pathsep + os.environ["PATH"]
        return run([sys.executable, RUNNER, "build", *arguments], env={**os.environ, "PATH": path})
    finally:
        shutil.rmtree(folder)


def expect(programs, status, last, *wanted, arguments=()):
    found, output = run_programs(programs, *arguments)
    check_equal(output.splitlines()[-1], last, f"last line of\n{output}")
    check_equal(found, status, f"exit status\n{output}")
    for text in wanted:
        check_in(text, output)
    return output


GOOD = "echo 'ok 1 - a'; echo 'ok 2 - b'; echo 1..2\n"


@case
def counts_cases_not_programs():
    output = expect({"one": GOOD, "two": "echo 1..1; echo 'ok 1 - c'\n"}, 0,
                    "3 passed, 0 failed, 0 skipped")
    check_equal(len(output.splitlines()), 1, "lines when all is well")


@case
def a_failed_case_is_shown_in_full():
    expect({"one": GOOD, "bad": "echo 'ok 1 - a'; echo '# x is 3, expected 4'; echo 'not ok 2 - b'; "
                                "echo 1..2; echo to stderr >&2; exit 1\n"}, 1,
           "3 passed, 1 failed, 0 skipped", "FAILED  bad", "# x is 3, expected 4", "to stderr")


@case
def a_skipped_case_is_counted_and_named():
    expect({"one": "echo 'ok 1 - a # SKIP no network'; echo 'ok 2 - b'; echo 1..2\n"}, 0,
           "1 passed, 0 failed, 1 skipped", "no network")


@case
def a_crash_is_a_failure():
    expect({"crash": "echo 'ok 1 - a'; kill -SEGV $$\n"}, 1, "1 passed, 1 failed, 0 skipped",
           "ended by signal SIGSEGV")


@case
def a_crash_after_the_plan_is_a_failure():
    expect({"crash": GOOD + "kill -ABRT $$\n"}, 1, "2 passed, 1 failed, 0 skipped",
           "ended by signal SIGABRT")


@case
def an_end_before_the_plan_is_a_failure():
    expect({"quits": "echo 'ok 1 - a'\n"}, 1, "1 passed, 1 failed, 0 skipped", "no TAP plan")


@case
def fewer_cases_than_planned_are_a_failure():
    expect({"short": "echo 1..3; echo 'ok 1 - a'; echo 'ok 2 - b'\n"}, 1,
           "2 passed, 1 failed, 0 skipped", "3 cases planned, 2 run")


@case
def a_bad_exit_status_is_a_failure_though_all_cases_passed():
    expect({"leaks": GOOD + "echo leaked >&2; exit 23\n"}, 1, "2 passed, 1 failed, 0 skipped",
           "exit status 23", "leaked")


@case
def a_hang_is_killed_with_its_children():
    expect({"hangs": ("sleep 600 & wait\n", {"timeout": 0.2})}, 1,
           "0 passed, 1 failed, 0 skipped", "no end after 0.2 s: killed")


@case
def a_program_without_cases_is_a_failure():
    expect({"empty": "echo 1..0\n"}, 1, "0 passed, 1 failed, 0 skipped", "it has no cases")


@case
def a_program_that_cannot_start_is_a_failure():
    expect({"gone": ("", {"cmd": ["/nonexistent/program"]})}, 1, "0 passed, 1 failed, 0 skipped",
           "cannot be started")


@case
def no_tests_at_all_are_a_failure():
    expect({}, 1, "0 passed, 0 failed, 0 skipped", "no test was found")


@case
def the_long_suite_runs_on_request_only():
    programs = {"one": GOOD, "slow": (GOOD, {"suite": ["aldis:core", "aldis:long"]})}
    expect(programs, 0, "2 passed, 0 failed, 0 skipped")
    expect(programs, 0, "4 passed, 0 failed, 0 skipped", arguments=["--long"])


@case
def tests_are_chosen_by_suite_and_by_name():
    programs = {"one": GOOD, "two": GOOD, "other": (GOOD, {"suite": ["aldis:wire"]})}
    expect(programs, 0, "4 passed, 0 failed, 0 skipped", arguments=["--suite", "core"])
    expect(programs, 0, "2 passed, 0 failed, 0 skipped", arguments=["--suite", "core", "two"])
    expect(programs, 0, "4 passed, 0 failed, 0 skipped", arguments=["one", "other"])


@case
def programs_of_exit_status_count_as_one_case():
    expect({"good": ("exit 0\n", {"protocol": "exitcode"}), "bad": ("exit 1\n", {"protocol": "exitcode"}),
            "absent": ("exit 77\n", {"protocol": "exitcode"})}, 1, "1 passed, 1 failed, 1 skipped")


@case
def a_program_that_wants_the_machine_runs_alone():
    # Each serial program fails if another one's mark is there.
    serial = ('d=$(dirname "$0"); [ ! -e "$d/busy" ] || exit 1; : >"$d/busy"; sleep 0.05; '
              'rm "$d/busy"; ' + GOOD, {"is_parallel": False})
    expect({f"s{number}": serial for number in range(4)}, 0, "8 passed, 0 failed, 0 skipped",
           arguments=["-j4"])


if __name__ == "__main__":
    check(os.path.exists(RUNNER), f"{RUNNER} is missing")
    sys.exit(main())
