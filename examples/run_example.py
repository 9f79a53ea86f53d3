# SPDX-License-Identifier: Apache-2.0
"""run_example.py PROGRAM EXPECTED: run an example and compare what it prints; prints TAP."""
import difflib
import os
import subprocess
import sys


def main():
    program, expected_path = sys.argv[1:]
    name = os.path.basename(program)
    run = subprocess.run([program], stdout=subprocess.PIPE, timeout=60, text=True)
    with open(expected_path, encoding="utf-8") as file:
        expected = file.read()
    fine = run.returncode == 0 and run.stdout == expected
    print(f"{'ok' if fine else 'not ok'} 1 - {name} prints what its .out file says")
    if run.returncode:
        print(f"# exit status {run.returncode}")
    for line in difflib.unified_diff(expected.splitlines(), run.stdout.splitlines(), "expected",
                                     "found", lineterm=""):
        print(f"# {line}")
    print("1..1")
    return 0 if fine else 1


sys.exit(main())
