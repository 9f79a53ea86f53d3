#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`aldis run --print-windows` and `aldis compare`: where do two runs part?"""
import os
import re
import shutil
import sys
import tempfile

from tap import case, check, check_equal, check_in, main
from program import HARBOUR, expect

FOLDER = tempfile.mkdtemp(prefix="aldis-compare-")
UNTIL = "2m"


def chain(name, *words, scenario=HARBOUR):
    """Run the scenario; gives the path of what --print-windows wrote, and its lines."""
    path = os.path.join(FOLDER, name)
    expect(0, "run", scenario, "--quiet", "--json", "--until", UNTIL, "--print-windows", path,
           *words)
    with open(path, encoding="utf-8") as file:
        return path, file.read().splitlines()


def altered(name, lines):
    path = os.path.join(FOLDER, name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(lines if isinstance(lines, str) else "\n".join(lines) + "\n")
    return path


@case
def the_file_has_its_head_its_windows_and_its_end():
    _, lines = chain("head", "--seed", "3", "--shards", "16")
    check_equal(lines[0], "aldis windows 1", "first line")
    check_equal([line.split()[0] for line in lines[1:7]],
                ["version", "scenario", "content", "seed", "shards", "until_ns"], "head")
    check_equal(lines[2], f"scenario {os.path.realpath(HARBOUR)}", "scenario")
    check_equal(lines[4:7], ["seed 3", "shards 16", "until_ns 120000000000"], "head")
    windows = lines[7:-1]
    check(len(windows) > 100, f"only {len(windows)} windows")
    for index, line in enumerate(windows):
        check(re.fullmatch(rf"window {index} \d+ \d+ \d+ [0-9a-f]{{16}}", line), f"line {line!r}")
    check_equal(lines[-1], f"end until {len(windows)} {windows[-1].split()[-1]} 0", "last line")


@case
def the_chain_ends_in_the_reports_run_print():
    path = os.path.join(FOLDER, "report")
    out, _ = expect(0, "run", HARBOUR, "--quiet", "--json", "--until", UNTIL, "--print-windows",
                    path)
    with open(path, encoding="utf-8") as file:
        check_in(f'"run_print":"{file.read().split()[-2]}"', out)


@case
def looking_at_the_balance_of_each_window_changes_none():
    _, plain = chain("plain")
    _, looked = chain("looked", "--check-balance")
    check_equal(looked, plain, "windows with --check-balance")


@case
def any_number_of_workers_is_equal():
    one, lines = chain("one", "--workers", "1")
    for workers in ("2", "3", "4"):
        other, _ = chain("other", "--workers", workers)
        out, err = expect(0, "compare", one, other)
        check_equal((out, err), (f"equal: {len(lines) - 8} windows, run print "
                                 f"{lines[-1].split()[-2]}\n", ""), "output")


@case
def other_seeds_are_said_first_and_then_actor_and_message():
    one, _ = chain("seed3", "--seed", "3")
    other, _ = chain("seed4", "--seed", "4")
    out, err = expect(1, "compare", one, other)
    check_equal(err, "", "stderr")
    lines = out.splitlines()
    check_equal(lines[0], "the seeds differ: 3 and 4", "first line")
    check(re.fullmatch(r"different from window \d+ on", lines[1]), f"second line {lines[1]!r}")
    check(re.fullmatch(r"first difference: message \d+ of the window", lines[4]), lines[4])
    for path, line in ((one, lines[5]), (other, lines[6])):
        check(re.match(rf"  {path}: actor [0-9a-f]{{14}} \(\w+\) got \w+ at \d+ ns, ", line),
              f"line {line!r}")
    check(lines[5].split(":")[1] != lines[6].split(":")[1], f"the same message twice: {lines[5]}")


@case
def another_scenario_parts_at_its_first_other_message():
    """One station that serves more slowly: all is equal until a ship has been served there."""
    slow = os.path.join(FOLDER, "slow.yaml")
    with open(HARBOUR, encoding="utf-8") as file:
        text = file.read()
    found = re.search(r"service: (\d+) ", text)
    with open(slow, "w", encoding="utf-8") as file:
        file.write(text[:found.start(1)] + str(int(found[1]) + 7) + text[found.end(1):])
    one, _ = chain("fast", "--until", "20m")
    other, _ = chain("slow", "--until", "20m", scenario=slow)
    out, _ = expect(1, "compare", one, other)
    check_in("the scenarios differ: ", out.splitlines()[0])
    window = int(re.search(r"different from window (\d+) on", out)[1])
    check(window > 10, f"they part at window {window} already")
    check_in("first difference: message ", out)
    check_in(" got ", out)


@case
def a_shorter_run_is_different_where_it_ends():
    one, _ = chain("long")
    other, lines = chain("short", "--until", "1m")
    out, _ = expect(1, "compare", other, one)
    check_in("the durations differ: 60000000000 ns and 120000000000 ns\n", out)
    check_in(f"equal for {len(lines) - 8} windows; there {other} ends (until)", out)


@case
def a_run_that_is_not_repeated_is_said_to_be():
    one, lines = chain("true")
    lines[12] = lines[12][:-4] + ("0000" if not lines[12].endswith("0000") else "1111")
    out, _ = expect(1, "compare", one, altered("false", lines))
    check_in("different from window 5 on\n", out)
    check_in(f"{os.path.join(FOLDER, 'false')} is not repeated: ", out)
    check_in("made again, the runs do not differ in this window", out)


@case
def a_scenario_that_has_changed_is_not_run_again():
    copy = os.path.join(FOLDER, "copy.yaml")
    shutil.copy(HARBOUR, copy)
    one, _ = chain("before", "--seed", "1", scenario=copy)
    other, _ = chain("after", "--seed", "2", scenario=copy)
    with open(copy, "a", encoding="utf-8") as file:
        file.write("# changed\n")
    out, err = expect(1, "compare", one, other)
    check_in("different from window ", out)
    check_in(f"{copy} has changed since the run was made", err)
    os.unlink(copy)
    out, err = expect(1, "compare", one, other)
    check_in("different from window ", out)
    check_in(copy, err)


@case
def what_is_no_such_file_is_status_65():
    good, lines = chain("good")
    for name, content in {"empty": "", "zeroes": "\0" * 100, "words": "just words\n",
                          "version": ["aldis windows 2", *lines[1:]],
                          "head": lines[:5], "no-end": lines[:-1],
                          "half-a-line": "\n".join(lines)[:-3],
                          "gap": lines[:20] + lines[21:],
                          "negative": [*lines[:7], "window 0 -1 2 3 0123456789abcdef", lines[-1]],
                          "backwards": [*lines[:7], "window 0 2 1 3 0123456789abcdef", lines[-1]],
                          "end": [*lines[:-1], "end until 1 0123456789abcdef 0"],
                          "more": [*lines, lines[-1]],
                          "no-shards": [*lines[:5], "shards 0", *lines[6:]],
                          "long-line": ["aldis windows 1", "version " + "1" * 100000]}.items():
        path = altered("bad-" + name, content)
        for words in ((path, good), (good, path)):
            out, err = expect(65, "compare", *words)
            check_equal(out, "", f"stdout for {name}")
            check(re.match(rf"{re.escape(path)}:\d+: ", err), f"no place for {name}:\n{err}")


@case
def no_such_file_is_status_66():
    good, _ = chain("there")
    for path in ("/no/such/file", FOLDER, "/dev/null", ""):
        out, err = expect(66, "compare", good, path)
        check_equal((out, err.count("\n")), ("", 1), f"for {path!r}")


@case
def misuse_is_status_64():
    for words in ((), ("a",), ("a", "b", "c"), ("a", "b", "--sed")):
        expect(64, "compare", *words)
    _, err = expect(64, "run", HARBOUR, "--clock", "live", "--print-windows", "x")
    check_in("--print-windows", err)


@case
def a_file_that_cannot_be_created_is_73_and_one_that_cannot_be_written_74():
    path = os.path.join(FOLDER, "none", "file")
    out, err = expect(73, "run", HARBOUR, "--quiet", "--until", "1m", "--print-windows", path)
    check_equal(out, "", "stdout")
    check_in(path, err)
    out, err = expect(74, "run", HARBOUR, "--quiet", "--until", UNTIL, "--print-windows",
                      "/dev/full")
    check_in("run print", out)
    check_in("/dev/full cannot be written: No space left on device", err)


if __name__ == "__main__":
    try:
        STATUS = main()
    finally:
        shutil.rmtree(FOLDER)
    sys.exit(STATUS)
