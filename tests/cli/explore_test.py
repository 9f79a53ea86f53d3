#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`aldis explore`, and faults in `aldis run`: plans, findings, and the command that repeats one."""
import os
import re
import shlex
import sys
import tempfile

from tap import case, check, check_equal, check_in, main, write
from program import ALDIS, HARBOUR, PLANTED, TRADE_ROUTES, aldis, expect, refused

FOLDER = tempfile.mkdtemp(prefix="aldis-explore-")
PLAN = """\
rules:
  - {kind: loss, chance: 0.05, to: station}
  - {kind: delay, chance: 0.2, min: 100 ms, max: 2 s, type: docking_permission}
  - {kind: crash, every: 500, to: station, begin: 1 min, end: 4 min}
heal: 5 min
"""
# Mailboxes fill while ships stand still.
PAUSES = """\
rules:
  - {kind: pause, chance: 0.05, min: 5 s, max: 60 s, to: ship}
  - {kind: duplicate, chance: 0.3}
"""


def file(name, text):
    path = os.path.join(FOLDER, name)
    write(path, text)
    return path


def run_print(*words):
    out, _ = expect(0, "run", HARBOUR, "--until", "6m", "-q", *words)
    check_in("audit: balanced", out)
    check_in("balance: balanced", out)
    return re.search(r"run print (\w{16})", out).group(1)


@case
def where_nothing_goes_wrong_nothing_is_found():
    out, err = expect(0, "explore", HARBOUR, "--seeds", "5..6", "--until", "5m", "-q")
    check_equal(out, f"{HARBOUR}: 2 seeds, nothing found\n", "report")
    check_equal(err, "", "stderr")
    out, _ = expect(0, "explore", HARBOUR, "--seeds", "0", "--until", "1m", "-q")
    check_equal(out, f"{HARBOUR}: 1 seed, nothing found\n", "report of one")


@case
def a_run_that_takes_too_long_is_a_finding_with_a_seed():
    words = ("--until", "1h", "--timeout", "1ms", "--set", "tick=1 s", "-q")
    out, _ = expect(1, "explore", HARBOUR, "--seeds", "3..9", *words)
    lines = out.splitlines()
    check_equal(lines[0], f"{HARBOUR}: seed 3: hung: the trial did not end in its time", "first line")
    check(lines[-1].startswith("repeat it: aldis explore "), out)
    command = shlex.split(lines[-1].removeprefix("repeat it: "))
    check_equal(command[:3], ["aldis", "explore", HARBOUR], "the command")
    check_in("--seeds 3", lines[-1])
    check_in("--set 'tick=1 s'", lines[-1])
    status, again, _ = aldis(*command[1:], "--timeout", "1ms", "-q")
    check_equal(status, 1, "status of the command that repeats it")
    check_in("seed 3: hung", again)


@case
def a_plan_is_a_word_a_file_or_a_part_of_the_scenario():
    plain, light, heavy = run_print(), run_print("--faults", "light"), run_print("--faults", "heavy")
    given = run_print("--faults", file("plan.yaml", PLAN))
    check_equal(len({plain, light, heavy, given}), 4, "different runs")
    check_equal(run_print("--faults", file("plan.yaml", PLAN), "--workers", "1"), given, "1 worker")
    with open(HARBOUR, encoding="utf-8") as harbour:
        text = harbour.read()
    section = "faults:\n" + "".join("  " + line for line in PLAN.splitlines(True))
    path = file("harbour.yaml", text + "\n" + section)
    out, _ = expect(0, "run", path, "--until", "6m", "-q")
    check_in(f"run print {given}", out, "report of the scenario with the plan")
    out, _ = expect(0, "run", file("light.yaml", text + "\nfaults: light\n"), "--until", "6m", "-q")
    check_in(f"run print {light}", out, "report of the scenario with the word")


@case
def single_faults_do_what_they_say():
    plain = run_print()
    check_equal(run_print("--faults", "once:"), plain, "without any")
    check_equal(run_print("--faults", "once:loss/0100000000000001/999999999"), plain, "one that never comes")
    check_equal(run_print("--faults", "once:heal/1000000,loss/0100000000000001/999999999"), plain, "and an end")


@case
def wrong_plans_are_named_with_their_place():
    for text, place in (("rules: []\n", ":1:8: rules:"),
                        ("rules:\n  - {kind: los, chance: 0.1}\n", ":2:12: rules[0].kind: found \"los\""),
                        ("rules:\n  - {kind: loss, chance: 1.5}\n", ":2:26: rules[0].chance:"),
                        ("rules:\n  - {kind: loss}\n", ":2:5: rules[0]: found neither chance nor every"),
                        ("rules:\n  - {kind: loss, every: 10}\n", "rules[0]: found every"),
                        ("rules:\n  - {kind: delay, chance: 1, min: 2 s, max: 1 s}\n", "min above max"),
                        ("rules:\n  - {kind: cut, chance: 1, begin: 2 s, end: 1 s}\n", "before the beginning"),
                        ("heal: 1 s\n", "rules"),
                        ("", ":1:1: found nothing, allowed: a fault plan: a mapping that begins with rules:")):
        for command in ("run", "explore"):
            out, err = expect(65, command, HARBOUR, "--faults", file("bad.yaml", text), "-q")
            check_equal(out, "", "stdout")
            check_in(place, err)
    expect(66, "explore", HARBOUR, "--faults", os.path.join(FOLDER, "none.yaml"))
    for value in ("once:los/0100000000000001/1", "once:loss/1/1", "once:loss/0100000000000001",
                  "once:delay/0100000000000001/1/x", "once:loss/0100000000000001/1;", "once:heal/",
                  "once:heal/1x"):
        _, err = expect(64, "run", HARBOUR, "--faults", value)
        check_in("allowed: KIND/ACTOR/NUMBER", err)
    with open(HARBOUR, encoding="utf-8") as harbour:
        path = file("wrong.yaml", harbour.read() + "\nfaults: moderate\n")
    _, err = expect(65, "check", path)
    check_in('found "moderate", allowed: light, heavy', err)


def planted(bug, scenario, *words, again=()):
    """`aldis explore` of a build with a bug in it, and what its last line repeats."""
    env = {**os.environ, "ALDIS_PLANTED": bug}
    slow = ("--timeout", "1h", "--shrink", "1h")  # however slow the machine is, or the build
    status, out, err = aldis("explore", scenario, *slow, *words, "-q", program=PLANTED, env=env)
    check_equal(status, 1, f"status; {out}{err}")
    lines = out.splitlines()
    command = shlex.split(lines[-1].removeprefix("repeat it: "))
    check_equal(command[:3], ["aldis", "explore", scenario], "the command")
    status, out, _ = aldis(*command[1:], *slow, *again, "-q", program=PLANTED, env=env)
    check_equal(status, 1, "status of the command that repeats it")
    check_equal(out.splitlines()[0], lines[0], "what it finds")
    return lines


@case
def a_planted_bug_is_found_and_repeated():
    lines = planted("turns-swap", HARBOUR, "--seeds", "1..30", "--faults",
                    file("pauses.yaml", PAUSES), "--until", "5m")
    check_in(": order: ", lines[0])
    check_in(" are enough (", lines[1])


@case
def a_planted_bug_of_the_simulation_is_found():
    for bug, scenario, what in (("timer-forgotten", HARBOUR, ": stuck: ship-.* has armed no timer for "),
                                ("berth-kept", HARBOUR, ": stuck: berth .* after it should have changed"),
                                ("room-kept", TRADE_ROUTES, ": lost: balance: account .*: a hold with "),
                                ("takes-twice", TRADE_ROUTES, ": lost: balance: .* at the start")):
        lines = planted(bug, scenario, "--seeds", "1..5", "--faults", "light", "--until", "1h",
                        "--shrink", "1ms", again=("--shrink", "1ms"))
        check(re.search(what, lines[0]), f"{bug}: {lines[0]}")


# Ships miss their stations and run dry, 80 of 200 in half an hour: more than four tugs can help in the
# half hour that is left.
LONG_PAUSES = """\
rules:
  - {kind: cut, chance: 0.2, max: 5 min}
  - {kind: pause, chance: 0.02, max: 2 min}
"""


@case
def who_waits_for_a_tug_is_not_stuck_unless_they_stand_still():
    plan = file("long.yaml", LONG_PAUSES)
    out, _ = expect(0, "explore", HARBOUR, "--seeds", "1..2", "--faults", plan, "-q")
    check_equal(out, f"{HARBOUR}: 2 seeds, nothing found\n", "report")
    lines = planted("gifts-end", HARBOUR, "--seeds", "1", "--faults", plan, "--shrink", "1ms",
                    again=("--shrink", "1ms"))
    check(re.search(": stuck: ship-.* has been emergency for ", lines[0]), lines[0])


@case
def a_crash_is_a_finding_with_a_seed():
    lines = planted("crashes", HARBOUR, "--seeds", "4..9", "--until", "2m", "--faults", "heavy")
    check_in("seed 4: crashed: the trial ended by signal 6", lines[0])
    check_in("1 are enough", lines[1])


@case
def a_hang_is_a_finding_with_a_seed():
    lines = planted("hangs", HARBOUR, "--seeds", "4..9", "--until", "2m", "--faults", "heavy",
                    "--timeout", "1s", "--shrink", "1ms", again=("--timeout", "1s", "--shrink", "1ms"))
    check_in("seed 4: hung: the trial did not end in its time", lines[0])


@case
def misuse_is_status_64():
    for words in (["--seeds", "5..2"], ["--seeds", "x"], ["--seeds", "1.."], ["--seeds", "1..2x"],
                  ["--jobs", "0"], ["--jobs", "65"], ["--timeout", "1"], ["--shrink", "-1s"]):
        refused("explore", HARBOUR, *words)
    refused("explore")
    refused("run", HARBOUR, "--faults", "light", "--clock", "live")
    refused("run", HARBOUR, "--faults", "light", "--record", os.path.join(FOLDER, "record"))
    refused("run", HARBOUR, "--faults", "light", "--print-windows", os.path.join(FOLDER, "windows"))
    check(os.path.exists(ALDIS), "the program")


if __name__ == "__main__":
    sys.exit(main())
