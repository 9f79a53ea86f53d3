#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Fuzz the wire with libFuzzer for a while, and print TAP.

Usage: fuzz_wire.py SOURCE_ROOT GENERATED_DIR SECONDS

The target and the library's own files are built here with clang and its sanitizers, whatever compiler
the build directory uses. Without clang and its libFuzzer this is skipped (exit status 77). An input
that breaks a promise is kept in the build directory and named, with the command that replays it."""

import glob
import os
import shutil
import subprocess
import sys
import tempfile

EXIT_SKIP = 77
FLAGS = ["-std=c11", "-D_GNU_SOURCE", "-O1", "-g", "-fno-omit-frame-pointer",
         "-fsanitize=fuzzer,address,undefined", "-fno-sanitize-recover=all"]


def skip(reason):
    print(f"1..0 # SKIP {reason}")
    sys.exit(EXIT_SKIP)


def find_clang(scratch):
    """A clang that can build a fuzz target, or None."""
    probe = os.path.join(scratch, "probe.c")
    with open(probe, "w", encoding="utf-8") as file:
        file.write("#include <stddef.h>\n#include <stdint.h>\n"
                   "int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n);\n"
                   "int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n) { return !d && n; }\n")
    for name in ("clang", "clang-14"):
        if shutil.which(name):
            run = subprocess.run([name, *FLAGS, probe, "-o", probe + ".out"], check=False,
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            if run.returncode == 0:
                return name
    return None


def build(clang, root, generated, target):
    wire = glob.glob(os.path.join(root, "src/wire/*.c"))
    base = [os.path.join(root, "src/base", name) for name in ("crc32c.c", "error.c", "hash.c")]
    tests = [os.path.join(root, "tests/wire/fuzz_wire.c")]
    protos = glob.glob(os.path.join(generated, "*_test.pb.c"))
    includes = [f"-I{os.path.join(root, folder)}" for folder in ("include", "src", "tests/wire")]
    command = [clang, *FLAGS, *includes, f"-I{generated}", *wire, *base, *tests, *protos,
               "-lprotobuf-nanopb", "-o", target]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def main():
    root, generated, seconds = sys.argv[1:]
    with tempfile.TemporaryDirectory() as scratch:
        clang = find_clang(scratch)
        if not clang:
            skip("no clang with libFuzzer")
        target = os.path.join(scratch, "fuzz_wire")
        built = build(clang, root, generated, target)
        good = built.returncode == 0
        print(f"{'ok' if good else 'not ok'} 1 - the fuzz target builds")
        text = built.stderr
        if good:
            found = os.path.join(scratch, "found")
            os.mkdir(found)
            crash = os.path.join(os.path.abspath(generated), "fuzz-found-")
            run = subprocess.run(
                [target, found, os.path.join(root, "tests/wire/corpus"), f"-max_total_time={seconds}",
                 "-max_len=1024", "-timeout=10", "-rss_limit_mb=1024", "-print_final_stats=1",
                 f"-artifact_prefix={crash}"], capture_output=True, text=True, check=False)
            good = run.returncode == 0
            lines = run.stderr.splitlines()
            text = "\n".join([line for line in lines if line.startswith(("Done", "stat::"))]
                             if good else lines[-40:])
            print(f"{'ok' if good else 'not ok'} 2 - {seconds} s of fuzzing break no promise")
        for line in text.splitlines():
            print("#", line)
        if not good:
            print("# replay: put the input into tests/wire/corpus and run wire_corpus_test")
        print("1..2" if built.returncode == 0 else "1..1")
        return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
