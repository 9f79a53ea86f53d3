#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`aldis run --realtime` and `--max-lag`."""
import json
import re
import signal
import subprocess
import sys

from tap import case, check, check_equal, check_in, main
from program import ALDIS, HARBOUR, expect

WORDS = ("run", HARBOUR, "--quiet", "--until", "1m")


@case
def a_paced_run_is_the_run_without_pace_and_says_how_it_kept_up():
    free = json.loads(expect(0, *WORDS, "--json")[0])
    paced = json.loads(expect(0, *WORDS, "--json", "--realtime=300")[0])
    for field in ("run_print", "messages", "virtual_ns", "end_reason"):
        check_equal(paced[field], free[field], field)
    pace = paced["pace"]
    check(pace["windows"] > 10, f"pace {pace}")
    check(0 <= pace["lag_ns_p50"] <= pace["lag_ns_p99"] <= pace["lag_ns_max"], f"pace {pace}")
    check_equal((pace["inputs"], pace["refused"]), (0, 0), "inputs")
    check("pace" not in free, "a run without pace has one in its report")


@case
def the_text_report_says_so_too():
    out, _ = expect(0, *WORDS, "--realtime=300")
    check(re.search(r"^behind the wall clock p50 [\d.]+ ms, p99 [\d.]+ ms, max [\d.]+ ms of \d+ "
                    r"windows\ninputs 0, refused 0$", out, re.MULTILINE), out)


@case
def a_run_that_lags_too_far_ends():
    """At a million to one, a millisecond behind comes soon."""
    out, err = expect(1, *WORDS, "--json", "--realtime=1000000", "--max-lag", "1ms", "--until",
                      "36500d")
    check_equal(json.loads(out)["end_reason"], "lag", "end_reason")
    check_in("the run fell more than 1ms behind the wall clock", err)


@case
def progress_follows_the_wall_clock():
    """A hundredth of the hour is 36 s: nobody waits so long to see that it runs."""
    with subprocess.Popen([ALDIS, "run", HARBOUR, "--json", "--realtime"], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        check_in("run: 0.000s of", child.stderr.readline(), "first line of progress")
        check(re.match(r"run: [1-5]\.\d+s of 1h 00m 00s, \d+ msgs/s", child.stderr.readline()), "second line")
        child.send_signal(signal.SIGTERM)
        child.communicate()
    check_equal(child.returncode, 143, "status")


@case
def a_signal_ends_a_run_that_waits():
    with subprocess.Popen([ALDIS, "run", HARBOUR, "--json", "--realtime=0.000001"],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True) as child:
        check_in("run: ", child.stderr.readline(), "first line of progress")
        child.send_signal(signal.SIGINT)
        out, err = child.communicate()
    check_equal(child.returncode, 130, f"status; stderr:\n{err}")
    check_equal(json.loads(out)["end_reason"], "halted", "end_reason")


@case
def wrong_values_are_status_64():
    for word in ("--realtime=", "--realtime=0", "--realtime=-1", "--realtime=x", "--realtime=1e3",
                 "--realtime=1.", "--realtime=.5", "--realtime=1.2.3", "--realtime=1000001",
                 "--realtime=0.0000001", "--realtime=nan", "--realtime= 1",
                 "--realtime=99999999999999999999"):
        _, err = expect(64, *WORDS, word)
        check_in("--realtime: found", err)
    for words, wanted in ((("--max-lag", "1s"), "--max-lag: only"),
                          (("--realtime", "--max-lag", "1"), "--max-lag: found"),
                          (("--realtime", "--clock", "live"), "--realtime: a run by --clock=live"),
                          (("--realtime", "--max-lg", "1s"), "--max-lag")):
        _, err = expect(64, *WORDS, *words)
        check_in(wanted, err)


if __name__ == "__main__":
    sys.exit(main())
