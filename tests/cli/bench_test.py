#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`aldis bench`: every workload at small sizes. The program checks its own counts (status 70)."""
import json
import os
import signal
import subprocess
import sys

from tap import case, check, check_equal, check_in, main
from program import ALDIS, expect, refused

WORKLOADS = ("ping-pong", "counting", "fan-in", "thread-ring", "fork-join-create",
             "fork-join-throughput", "big", "chameneos", "request-response", "broadcast",
             "wildcards", "priority", "router", "router-4", "flow", "credit", "reliable", "durable",
             "channel-mpsc", "channel-oneshot", "codec", "idle-memory", "timers",
             "retry-table", "phold", "swarm", "pipeline")
APART = WORKLOADS[:18]
FIELDS = {"workload": str, "n": int, "workers": int, "apart": bool, "seconds": float,
          "rate": float, "unit": str, "cpu_s": float, "peak_rss_bytes": int, "parked": int,
          "handovers": int}
# Operations that the rate counts for one N.
FACTORS = {"fork-join-throughput": 100, "big": 120, "broadcast": 1000, "wildcards": 10, "codec": 4}


def measure(name, n, workers, *more):
    out, err = expect(0, "bench", name, "--n", str(n), "--workers", str(workers), "--json",
                      "--quiet", *more)
    check_equal(err, "", "stderr")
    check_equal(out.count("\n"), 1, "lines")
    return json.loads(out)


def check_result(row, name, n, workers):
    for field, kind in FIELDS.items():
        check(isinstance(row.get(field), kind), f"{name}: {field} is {row.get(field)!r}")
    check_equal((row["workload"], row["n"], row["workers"]), (name, n, workers), "what was run")
    check(row["seconds"] > 0 and row["cpu_s"] >= 0, f"{name}: no time passed: {row}")
    operations = row["events"] if name in ("phold", "swarm") else n * FACTORS.get(name, 1)
    # The rate is printed with one place: 0.05 is lost at most.
    check(abs(row["rate"] * row["seconds"] - operations) < 1e-3 * operations + 0.051 * row["seconds"],
          f"{name}: rate x seconds is not {operations}: {row}")
    check(row["peak_rss_bytes"] > 100_000, f"{name}: peak_rss_bytes {row['peak_rss_bytes']}")


@case
def every_workload_runs_on_one_worker():
    for name in WORKLOADS:
        for n in (1, 7, 3000 if name != "swarm" else 200):
            check_result(measure(name, n, 1), name, n, 1)


@case
def every_workload_runs_on_two_workers():
    for name in WORKLOADS:
        for n in (1, 3000 if name != "swarm" else 200):
            check_result(measure(name, n, 2), name, n, 2)


@case
def every_set_of_actors_runs_apart():
    for name in APART:
        row = measure(name, 3000, 2, "--apart")
        check_result(row, name, 3000, 2)
        check(row["apart"], f"{name}: not apart: {row}")


@case
def apart_needs_two_workers_and_actors():
    for name in APART:
        check_in("--apart: needs 2 workers", refused("bench", name, "--apart", "--workers", "1"))
    for name in WORKLOADS[len(APART):]:
        check_in(f"--apart: not for {name}", refused("bench", name, "--apart", "--workers", "2"))


@case
def producers_wait_for_their_receivers():
    # 100 producers overrun one counter of 1024 messages: they are parked, and nothing is lost.
    row = measure("fan-in", 200_000, 1)
    check(row["parked"] > 0, f"nobody was parked: {row}")


@case
def idle_memory_counts_bytes():
    row = measure("idle-memory", 100_000, 1)
    check(32 <= row["bytes_per_actor"] <= 2000, f"bytes_per_actor {row['bytes_per_actor']}")


@case
def phold_executes_what_theory_says():
    # 600,000 for a mean delay of one second, less 0.16 %: the first event of a chain comes no sooner.
    row = measure("phold", 10_000, 1)
    check(abs(row["events"] - 600_000) <= 1200, f"events {row['events']}")
    check(abs(row["events_per_cpu_s"] * row["cpu_s"] / row["events"] - 1) < 1e-3, f"rate: {row}")
    check(32 <= row["bytes_per_actor"] <= 2000, f"bytes_per_actor {row['bytes_per_actor']}")
    check(row["heap_events_per_cpu_s"] > 0, f"the heap: {row}")


@case
def phold_has_one_print_for_a_seed():
    more = ("--end", "2.5", "--remote", "0.75", "--lookahead", "0.05", "--start", "3")
    rows = [measure("phold", 2000, workers, *more, "--seed", seed)
            for workers, seed in ((1, "5"), (2, "5"), (3, "5"), (1, "6"))]
    check_equal(len(rows[0]["run_print"]), 16, "digits of the print")
    check_equal([(row["run_print"], row["events"]) for row in rows[1:3]],
                [(rows[0]["run_print"], rows[0]["events"])] * 2, "prints and events of 2 and 3 workers")
    check(rows[0]["run_print"] != rows[3]["run_print"], "two seeds have one print")


@case
def swarm_tells_those_around_at_60_hz():
    more = ("--share", "0.3", "--radius", "600", "--seed", "9")
    rows = [measure("swarm", 700, workers, *more) for workers in (1, 2, 3)]
    row = rows[0]
    # 20 within 500 metres are 34.6 within 600, less what the walls cut off.
    check(15 < row["told_by_each"] < 34.6, f"told_by_each {row['told_by_each']}")
    tells = (row["events"] / 700 - 320) / row["told_by_each"]
    check(abs(tells - 0.3 * 320) < 2, f"{tells} tells of a ship, expected 96: {row}")
    for key in ("run_print", "events", "told_by_each"):
        check_equal([other[key] for other in rows[1:]], [row[key]] * 2, f"{key} on 2 and 3 workers")
    for row in rows:
        check(0 < row["tick_ms_p50"] <= row["tick_ms_p99"] <= row["tick_ms_max"], f"ticks: {row}")
        check(row["tick_cpu_ms_p50"] > 0, f"ticks: {row}")
    quiet = measure("swarm", 100, 1, "--share", "0")
    check_equal((quiet["events"], quiet["told_by_each"]), (32_000, 0), "events, told by none")
    check_equal(expect(0, "bench", "swarm", "--ships", "10", "--json", "--quiet")[0].count('"n": 10,'),
                1, "--ships is --n")


@case
def impossible_parameters_are_refused_with_the_range():
    for option, values, allowed in (
            ("--lookahead", ("0", "1", "1.5", "0.0", "-0.1", "nan", "1e-3", ".1", "0.1s"),
             "allowed: a number above 0 and below 1"),
            ("--remote", ("1.01", "2", "-1", "inf", "0,5"), "allowed: a number from 0 to 1"),
            ("--end", ("0", "-5", "1000001", "x", "1.", ""), "allowed: a number from 0.001 to 1000000"),
            ("--start", ("0", "-1", "1.5", "10001"), "allowed: a whole number from 1 to 10000"),
            ("--seed", ("-1", "18446744073709551616", "a"), "allowed: a whole number from 0 to"),
            ("--share", ("-0.1", "1.1", "nan"), "allowed: a number from 0 to 1"),
            ("--radius", ("0", "-1", "inf", "1e3"), "allowed: a number from 0.001 to 1000000000")):
        name = "swarm" if option in ("--share", "--radius") else "phold"
        for value in values:
            text = refused("bench", name, f"{option}={value}")
            check_in(f"{option}: found '{value}'", text)
            check_in(allowed, text)
    check_in("allowed for 1000000 actors: a whole number from 1 to 268",
             refused("bench", "phold", "--n", "1000000", "--start", "300"))


@case
def options_of_phold_are_for_phold_only():
    for option in ("--end", "--remote", "--lookahead", "--start", "--seed"):
        value = "1" if option in ("--start", "--seed") else "0.5"
        check_in(f"{option}: only for phold", refused("bench", "ping-pong", option, value))
        check_in(f"{option}: only for phold", refused("bench", option, value))
    for option in ("--share", "--radius"):
        check_in(f"{option}: only for swarm", refused("bench", "phold", option, "0.5"))
    check_in("--seed: only for phold and swarm", refused("bench", "big", "--seed", "1"))


@case
def codec_gives_both_ways():
    row = measure("codec", 100, 1)
    for size in ("small", "large"):
        for way in ("encode", "decode"):
            check(row[f"{size}_{way}_per_s"] > 0, f"{size} {way}: {row}")
    check(row["large_frame_bytes"] > 10 * row["small_frame_bytes"], f"sizes: {row}")


@case
def without_a_name_all_run():
    out, err = expect(0, "bench", "--n", "50", "--workers", "2", "--json")
    rows = [json.loads(line) for line in out.splitlines()]
    check_equal(sorted(row["workload"] for row in rows), sorted(WORKLOADS), "workloads, in any order")
    for name in WORKLOADS:
        check_in(f"bench: {name} (", err, "progress")


@case
def without_json_a_table_is_printed():
    out, err = expect(0, "bench", "codec", "--n", "10", "--quiet")
    check_equal(err, "", "stderr")
    heading, row = out.splitlines()[:2]
    check_equal(heading.split()[:2], ["workload", "n"], "heading")
    check_equal(row.split()[:2], ["codec", "10"], "row")
    check_in("small_encode_per_s", out)


@case
def unknown_workload_names_the_nearest():
    check_in("did you mean 'ping-pong'?", refused("bench", "pingpong"))
    check_in("did you mean 'thread-ring'?", refused("bench", "thread"))


@case
def signals_end_it_at_once():
    for number in (signal.SIGINT, signal.SIGTERM):
        for words in (["ping-pong", "--n", "1000000000000"], []):
            with subprocess.Popen([ALDIS, "bench", *words], stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                  text=True) as child:
                check_in("bench: ", child.stderr.readline(), "first line of progress")
                os.kill(child.pid, number)
                child.communicate()
                check_equal(child.returncode, 128 + number, f"status after signal {number}")


if __name__ == "__main__":
    sys.exit(main())
