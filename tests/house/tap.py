# SPDX-License-Identifier: Apache-2.0
"""A test program in Python: functions marked @case, run in order, reported as TAP.

`program NAME` runs one case, `program --list` names them, as with tests/harness.h.
"""
import os
import shlex
import subprocess
import sys
import traceback

SOURCE = os.environ.get("ALDIS_SOURCE") or os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
BUILD = os.environ.get("ALDIS_BUILD", os.path.join(SOURCE, "build"))
CC = shlex.split(os.environ.get("CC", "cc"))

_cases = []


class Skipped(Exception):
    """Raised by skip()."""


def case(function):
    _cases.append(function)
    return function


def skip(reason):
    raise Skipped(reason)


def check(condition, what):
    if not condition:
        raise AssertionError(what)


def check_equal(found, expected, what):
    check(found == expected, f"{what}: found {found!r}, expected {expected!r}")


def check_in(needle, text, what="output"):
    check(needle in text, f"{needle!r} is not in the {what}:\n{text}")


def run(command, **options):
    """Run a command; its status and its output, errors included."""
    options.setdefault("stdin", subprocess.DEVNULL)
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", check=False, **options)
    return done.returncode, done.stdout


def run_ok(command, **options):
    """Run a command that has to succeed; its output."""
    status, output = run(command, **options)
    check(status == 0, f"exit status {status} of {shlex.join(command)}\n{output}")
    return output


def write(path, text, mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path, mode)


def main():
    only = sys.argv[1] if len(sys.argv) > 1 else None
    if only == "--list":
        print("\n".join(function.__name__ for function in _cases))
        return 0
    chosen = [function for function in _cases if only in (None, function.__name__)]
    failed = 0
    for number, function in enumerate(chosen, 1):
        outcome = ""
        try:
            function()
        except Skipped as reason:
            outcome = f" # SKIP {reason}"
        except Exception as error:  # pylint: disable=broad-except # a case may fail in any way
            failed += 1
            text = str(error) if isinstance(error, AssertionError) else traceback.format_exc()
            print("\n".join("# " + line for line in text.splitlines()))
            print(f"not ok {number} - {function.__name__}", flush=True)
            continue
        print(f"ok {number} - {function.__name__}{outcome}", flush=True)
    print(f"1..{len(chosen)}")
    return 1 if failed or not chosen else 0
