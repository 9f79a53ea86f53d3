#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`aldis run` and `aldis check`: what they print, with which status, and how a signal ends a run."""
import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import tempfile
import termios

from tap import SOURCE, case, check, check_equal, check_in, main
from program import ALDIS, HARBOUR, PLANTED, aldis, expect

COUNTS = ("handled", "rejected", "dropped", "expired", "dead", "queued")


def run_json(*words):
    out, err = expect(0, "run", HARBOUR, "--json", "--quiet", *words)
    check_equal(err, "", "stderr of --quiet")
    check_equal(out.count("\n"), 1, "lines of --json")
    return json.loads(out)


def check_report(report):
    """The fields that a reader may rely on, and that every message is accounted for."""
    for field, kind in {"seed": int, "workers": int, "shards": int, "virtual_ns": int,
                        "wall_s": float, "messages": dict, "audit": str,
                        "end_reason": str}.items():
        check(isinstance(report.get(field), kind), f"{field} is {report.get(field)!r}")
    check_equal(report["audit"], "balanced", "audit")
    check(report["wall_s"] > 0, f"wall_s is {report['wall_s']}")
    check(report["messages"], "no message type is listed")
    for name, row in report["messages"].items():
        check_equal(row["sent"], sum(row[count] for count in COUNTS), f"sent of {name}: {row}")


def in_file(text):
    """A file of this content, gone when the program ends."""
    folder = tempfile.mkdtemp(prefix="aldis-cli-")
    path = os.path.join(folder, "scenario.yaml")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def harbour_with(old, new):
    """The harbour scenario with one thing changed; gives its path and the line of the change."""
    with open(HARBOUR, encoding="utf-8") as file:
        text = file.read()
    check(old in text, f"the harbour scenario has no {old!r}")
    line = text[:text.index(old)].count("\n") + 1
    return in_file(text.replace(old, new, 1)), line


@case
def check_says_good():
    out, err = expect(0, "check", HARBOUR)
    lines = out.splitlines()
    check_equal((len(lines), lines[0], err), (2, f"{HARBOUR}: good", ""), "output")
    said = re.fullmatch(re.escape(HARBOUR) + r": \d+ ships; a run takes about (\d+) MB of memory",
                        lines[1])
    check(said, f"the memory of a run: {lines[1]!r}")
    report = run_json()
    if os.environ.get("SANITIZE", "none") == "none":  # a sanitizer takes as much again, or more
        check(0.5 < report["bytes_peak"] / (int(said[1]) * 1e6) < 1.5,
              f"{said[1]} MB said, {report['bytes_peak']} taken")


@case
def bad_content_is_status_65_with_its_place():
    for old, new, wanted in (("berths: 4", "berths: -4", "berths"),
                             ("seed: 7", "sead: 7", "sead"),
                             ("duration: 1 h", "duration: 1 parsec", "duration")):
        path, line = harbour_with(old, new)
        for command in ("check", "run"):
            out, err = expect(65, command, path)
            check_equal(out, "", f"stdout of {command}")
            check(re.search(rf"^{re.escape(path)}:{line}:\d+: .*{wanted}", err, re.MULTILINE),
                  f"not named with its line {line}:\n{err}")


@case
def not_a_scenario_is_status_65():
    for text in ("", "\t", "[" * 10000, "just words", "\0\1\2", "name: [unclosed"):
        path = in_file(text)
        for command in ("check", "run"):
            out, err = expect(65, command, path)
            check_equal(out, "", "stdout")
            check_in(path, err, "error")


@case
def no_such_input_is_status_66():
    for path in ("/no/such/file.yaml", os.path.dirname(HARBOUR), "/dev/null"):
        for command in ("check", "run"):
            out, err = expect(66, command, path)
            check_equal(out, "", "stdout")
            check(err.count("\n") == 1, f"one line of error for {path!r}:\n{err}")


@case
def json_report_has_its_fields():
    report = run_json("--until", "10m", "--seed", "3", "--workers", "1", "--shards", "16")
    check_report(report)
    check(re.fullmatch("[0-9a-f]{16}", report["run_print"]), f"run_print {report['run_print']!r}")
    check_equal((report["seed"], report["workers"], report["shards"]), (3, 1, 16), "what was asked")
    check_equal(report["virtual_ns"], 600 * 10**9, "virtual_ns")
    check_equal(report["end_reason"], "until", "end_reason")


@case
def same_seed_gives_the_same_run():
    one = run_json("--until", "5m", "--workers", "1")
    for workers in ("1", "2", "3"):
        other = run_json("--until", "5m", "--workers", workers)
        for field in ("run_print", "messages", "virtual_ns", "end_reason", "seed", "shards"):
            check_equal(other[field], one[field], f"{field} with {workers} workers")
    other = run_json("--until", "5m", "--workers", "1", "--seed", str(one["seed"] + 1))
    check(other["run_print"] != one["run_print"], "another seed gave the same run print")


@case
def live_run_has_no_run_print():
    report = run_json("--clock", "live", "--until", "200ms")
    check_report(report)
    check(report["run_print"] is None, f"run_print {report['run_print']!r}")
    check(report["virtual_ns"] >= 200 * 10**6, f"virtual_ns {report['virtual_ns']}")


@case
def the_json_report_says_what_the_text_says():
    report = run_json("--until", "10m")
    out, _ = expect(0, "run", HARBOUR, "--until", "10m", "--quiet")
    ships = "".join(f"  {state} {count}" for state, count in report["ships"].items())
    check_in(f"ships                 all {sum(report['ships'].values())}\n{ships}\n", out)
    check_in(f"  {report['dockings']}, refused {report['refusals']}\n", out)
    check(("near misses" in out) == (report["near_misses"] > 0), f"near misses: {report['near_misses']}")
    for name in ("waits", "estimates_off_by"):
        p50, p99, most = (report[name][key] / 1e9 for key in ("p50_ns", "p99_ns", "max_ns"))
        check_in(f"p50 {p50:.1f} s, p99 {p99:.1f} s, max {most:.1f} s\n", out)
    check_equal(sum(s["dockings"] for s in report["stations"]), report["dockings"], "dockings")
    for station in report["stations"]:
        check_in(f"{station['name']:20}  {station['dockings']:10}", out)
    check_in(f"balance: {report['balance']}\n", out)
    check_in(report["scenario"] + ":", out)


@case
def the_page_on_running_explains_the_report_and_names_the_commands():
    with open(os.path.join(SOURCE, "docs", "running.md"), encoding="utf-8") as file:
        page = file.read()
    out, _ = expect(0, "run", HARBOUR, "--until", "10m", "--quiet")
    head, ships, stations, messages, checks = out.split("\n\n")
    check_in("end: until", head)
    for line in [*ships.splitlines(), stations.splitlines()[0]]:
        if line.startswith(" "):
            continue  # the states of the ships
        check_in(f"| `{line.split('  ')[0].strip()}` |", page)
    for column in messages.splitlines()[0].split()[2:]:
        check_in(f"| `{column}` |", page)
    for line in checks.splitlines():
        check_in(f"`{line}`", page)
    commands = expect(0, "--help")[0].split("Commands:\n")[1].split("\n\n")[0]
    for line in commands.splitlines():
        check_in(line.split()[0], page)


@case
def text_report_is_readable():
    out, _ = expect(0, "run", HARBOUR, "--until", "10m", "--quiet")
    for word in ("ships", "dockings", "waits", "audit", "run print", "balanced"):
        check_in(word, out.lower())


@case
def a_report_fits_a_terminal_of_80_columns():
    for name, words in (("harbour", []), ("crowded", []), ("minds", ["--realtime=1000000", "--until", "10m"]),
                        ("rush-hour", ["--faults", "heavy", "--until", "10m"])):
        out, _ = expect(0, "run", os.path.join(SOURCE, "scenarios", name + ".yaml"), "--quiet", *words)
        long = [line for line in out.splitlines() if len(line) > 80]
        check_equal(long, [], f"lines of more than 80 columns, of {name}")


@case
def progress_is_plain_lines_without_a_terminal():
    out, err = expect(0, "run", HARBOUR, "--until", "10m", "--json")
    json.loads(out)
    check(err.startswith("run: ") and "\r" not in err and "\033" not in err, f"stderr: {err!r}")
    check(all(line.startswith("run: ") for line in err.splitlines()), f"stderr: {err!r}")


def on_terminal(columns, *words):
    """Run it with a terminal of so many columns (0: it does not say) for standard error; what it is sent."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24 if columns else 0, columns, 0, 0))
    with subprocess.Popen([ALDIS, *words], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=slave) as child:
        os.close(slave)
        seen = b""
        try:
            while chunk := os.read(master, 4096):
                seen += chunk
        except OSError:  # the terminal's other side is closed
            pass
        os.close(master)
    check_equal(child.returncode, 0, "status")
    return seen.decode("utf-8")


@case
def progress_is_one_line_on_a_terminal():
    seen = on_terminal(200, "run", HARBOUR, "--until", "10m")
    check(seen.startswith("run: "), f"on the terminal: {seen!r}")
    check_in("of 10m 00s, 0 msgs/s, refused 0, idle 200", seen)
    check("\n" not in seen and seen.endswith("\r\033[K"), f"not one line, erased: {seen!r}")


@case
def progress_never_needs_a_second_line_of_the_terminal():
    for columns in (80, 40, 10, 2, 0):
        for words in (["run", HARBOUR, "--until", "40m"], ["explore", HARBOUR, "--until", "1m", "--seeds", "1..2"]):
            seen = on_terminal(columns, *words)
            for text in seen.split("\r\033[K"):
                check(len(text) < (columns or 80), f"{len(text)} of {columns} columns: {text!r}")


@case
def what_came_out_of_nowhere_has_its_messages():
    """Seven cents that are in no trade: who has them, and what that ship had been told just then."""
    env = {**os.environ, "ALDIS_PLANTED": "money-found"}
    status, _, err = aldis("run", HARBOUR, "--check-balance", "--workers", "1", "-q", "--until",
                           "5m", program=PLANTED, env=env)
    check_equal(status, 70, f"status; {err}")
    lines = err.splitlines()
    check(re.match(r"aldis run: .*: balance: credits \(cents\): .* now, \+7, between .* what led to it:$",
                   lines[0]), lines[0])
    found = [json.loads(line) for line in lines[1:]]
    check_equal([(line["event"], line["thing"], line["amount"]) for line in found[:1]],
                [("has_changed", "cents", 7)], "the first line")
    told = found[1:]
    check(told, "no message")
    for line in told:
        check_equal((line["event"], line["actor"]), ("handled", found[0]["actor"]), "a message")
        check(line["at_ns"] <= found[0]["at_ns"], line)
    status, _, err = aldis("run", HARBOUR, "--workers", "1", "-q", "--until", "5m", program=PLANTED,
                           env=env)
    check_equal(status, 70, f"status; {err}")
    check_in("--check-balance finds the very window", err)


@case
def verbose_prints_the_log():
    words = ("run", HARBOUR, "--until", "1s", "--quiet", "--workers", "2", "--shards", "8")
    check_equal(expect(0, *words)[1], "", "stderr without -v")
    for more in (["-v", *words], [*words, "-v"], ["-v", *words, "--verbose"]):
        _, err = expect(0, *more)
        check_in("aldis: info: a system of 2 workers and 8 shards begins\n", err)
        check(all(line.startswith("aldis: ") for line in err.splitlines()), f"stderr: {err!r}")


def interrupted(number, *words):
    """Start a run that would last for years, send it a signal, and give its report."""
    with subprocess.Popen([ALDIS, "run", HARBOUR, "--until", "36500d", "--json", *words],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True) as child:
        check_in("run: ", child.stderr.readline(), "first line of progress")
        os.kill(child.pid, number)
        out, err = child.communicate()
    check_equal(child.returncode, 128 + number, f"status after signal {number}:\n{err}")
    return json.loads(out)


@case
def signals_end_a_run_with_its_report():
    for number in (signal.SIGINT, signal.SIGTERM):
        for clock in ("virtual", "live"):
            report = interrupted(number, "--clock", clock)
            check_report(report)
            check_equal(report["end_reason"], "halted", "end_reason")


if __name__ == "__main__":
    sys.exit(main())
