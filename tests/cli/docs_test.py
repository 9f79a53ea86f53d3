#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What docs/running.md and docs/scenario.md show is what the program prints, and each command that they name can be
given as it stands.

A block below `<!-- report: COMMAND -->` is what the command prints on standard output; with ` UP TO word` behind the
command, up to the first line that begins so. Figures that differ from run to run (seconds, megabytes) may differ.
`docs_test.py --write` fills the blocks in.
"""
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

from tap import BUILD, SOURCE, case, check, check_equal, main

PAGES = ("docs/running.md", "docs/scenario.md")
BLOCK = re.compile(r"(^<!-- report: (.*?)(?: UP TO (.*?))? -->\n```text\n)(.*?)(^```$)", re.M | re.S)
VARIES = re.compile(r"(?<=time in )[\d.]+(?= s)|workers \d+|[\d.]+(?= MB (?:at the most|of ))")
STATUS = {"build/aldis check scenarios/harbour.yaml --set fleet.tradrs.count=5": 65}


def folder():
    """One in which the commands find what they name."""
    path = tempfile.mkdtemp(prefix="aldis-docs-")
    os.symlink(BUILD, os.path.join(path, "build"))
    os.symlink(os.path.join(SOURCE, "scenarios"), os.path.join(path, "scenarios"))
    return path


def give(command, cwd):
    return subprocess.run(["sh", "-c", command], cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, check=False)


def printed(command, last):
    """What the command prints, up to the line that begins with `last`."""
    cwd = folder()
    try:
        done = give(command, cwd)
    finally:
        shutil.rmtree(cwd)
    check_equal(done.returncode, 0, f"status of {command}\n{done.stderr}")
    lines = done.stdout.splitlines(keepends=True)
    if last:
        ends = [i for i, line in enumerate(lines) if line.startswith(last)]
        check(ends, f"no line of {command} begins with {last!r}")
        lines = lines[:ends[0] + 1]
    return "".join(lines)


def read(page):
    with open(os.path.join(SOURCE, page), encoding="utf-8") as file:
        return file.read()


def renewed(found):
    """A block with what is printed now; as it was, if only that differs which always does."""
    now = printed(found[2], found[3])
    return found[0] if VARIES.sub("N", now) == VARIES.sub("N", found[4]) else found[1] + now + found[5]


def write_all():
    for page in PAGES:
        text = BLOCK.sub(renewed, read(page))
        with open(os.path.join(SOURCE, page), "w", encoding="utf-8") as file:
            file.write(text)


@case
def reports_are_what_is_printed():
    blocks = [found for page in PAGES for found in BLOCK.finditer(read(page))]
    check(len(blocks) >= 2, f"only {len(blocks)} reports")
    for found in blocks:
        check_equal(VARIES.sub("N", found[4]), VARIES.sub("N", printed(found[2], found[3])),
                    f"`{found[2]}`: to take what is printed now: docs_test.py --write; the page")


@case
def commands_can_be_given_as_they_stand():
    # Those of indented blocks, in the order of the page: some use what others have written.
    count = 0
    for page in PAGES:
        cwd = folder()
        try:
            for command in re.findall(r"^    (?:\$ )?(build/aldis [^`\n]*)$", read(page), re.M):
                done = give(command.replace("--seeds 1..20", "--seeds 1..2"), cwd)
                check_equal(done.returncode, STATUS.get(command, 0),
                            f"status of `{command}` in {page}\n{done.stderr}\n")
                count += 1
        finally:
            shutil.rmtree(cwd)
    check(count >= 10, f"only {count} commands")


@case
def fields_of_reports_and_events_are_in_the_page():
    page = read("docs/running.md")
    cwd = folder()
    try:
        done = give("build/aldis run scenarios/crowded.yaml --until 3m --quiet --json --realtime=1000000 "
                    "--events events && build/aldis run scenarios/storm.yaml --quiet --events more", cwd)
        check_equal(done.returncode, 0, f"status; {done.stderr}")
        names = set(json.loads(done.stdout.splitlines()[0]))
        for name in ("events", "more"):
            with open(os.path.join(cwd, name), encoding="utf-8") as file:
                for event in map(json.loads, file):
                    names |= set(event) | {event["event"]}
    finally:
        shutil.rmtree(cwd)
    check({"held", "let_in", "limited", "weather", "trade_settled", "hazard_over", "pace"} <= names, names)
    check_equal([name for name in sorted(names) if f"`{name}`" not in page], [], "not in the page")


@case
def scenarios_of_the_pages_are_good():
    count = 0
    for page in PAGES:
        for text in re.findall(r"^<!-- scenario -->\n```yaml\n(.*?)^```$", read(page), re.M | re.S):
            path = os.path.join(tempfile.mkdtemp(prefix="aldis-docs-"), "x.yaml")
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
            out = give(f"{BUILD}/aldis check {path} && {BUILD}/aldis run {path} --quiet", SOURCE).stdout
            check(f"{path}: good\n" in out and "balance: balanced" in out, out)
            count += 1
    check_equal(count, 1, "scenarios in the pages")


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        write_all()
        sys.exit(0)
    sys.exit(main())
