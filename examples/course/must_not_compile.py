# SPDX-License-Identifier: Apache-2.0
"""must_not_compile.py FILE MISTAKE WORD INCLUDE COMPILER...: FILE compiles, but not with -DMISTAKE, and the
compiler's errors then name WORD; prints TAP."""
import subprocess
import sys


def main():
    path, mistake, word, include, *compiler = sys.argv[1:]
    command = [*compiler, "-std=c11", "-fsyntax-only", "-I", include, path]
    right = subprocess.run(command, stderr=subprocess.PIPE, text=True)
    wrong = subprocess.run([*command, "-D" + mistake], stderr=subprocess.PIPE, text=True)
    refused = wrong.returncode != 0 and word in wrong.stderr
    print(f"{'ok' if right.returncode == 0 else 'not ok'} 1 - it compiles")
    print(f"{'ok' if refused else 'not ok'} 2 - with {mistake} it does not, because of {word}")
    for text in ([right.stderr] if right.returncode else []) + ([] if refused else [wrong.stderr]):
        print("".join(f"# {line}\n" for line in text.splitlines()), end="")
    print("1..2")
    return 0 if right.returncode == 0 and refused else 1


sys.exit(main())
