#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`aldis run --record` and `aldis replay`."""
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile

from tap import case, check, check_equal, check_in, main
from program import ALDIS, HARBOUR, expect

FOLDER = tempfile.mkdtemp(prefix="aldis-replay-")


def recorded(name, *words, scenario=HARBOUR):
    """Record a run; gives the file's path and the run's report."""
    path = os.path.join(FOLDER, name)
    out, _ = expect(0, "run", scenario, "--quiet", "--json", "--until", "2m", "--record", path, *words)
    return path, json.loads(out)


@case
def a_replay_has_the_recorded_print_on_any_number_of_workers():
    path, report = recorded("paced", "--realtime=1000", "--seed", "5", "--shards", "16")
    for workers in ("1", "2", "3"):
        out, err = expect(0, "replay", path, "--workers", workers)
        check_equal(err, "", "stderr")
        check(re.fullmatch(rf"repeated: \d+ windows, 0 inputs, run print {report['run_print']}\n",
                           out), f"output {out!r}")


@case
def a_halted_run_is_repeated_to_where_it_was_halted():
    path = os.path.join(FOLDER, "halted")
    with subprocess.Popen([ALDIS, "run", HARBOUR, "--json", "--until", "36500d", "--record", path],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True) as child:
        check_in("run: ", child.stderr.readline(), "first line of progress")
        child.send_signal(signal.SIGTERM)
        out, err = child.communicate()
    check_equal(child.returncode, 143, f"status; stderr:\n{err}")
    check_in(f"run print {json.loads(out)['run_print']}\n", expect(0, "replay", path)[0])


@case
def a_cut_or_altered_file_is_status_65_with_its_offset():
    path, _ = recorded("whole")
    with open(path, "rb") as file:
        whole = file.read()
    bad = os.path.join(FOLDER, "bad")
    for content, offset in ((b"", 0), (whole[:10], 0), (b"x" + whole[1:], 0), (whole[:40], 16),
                            (whole[:20] + b"\0" + whole[21:], 16), (whole + b"\0", len(whole) - 52),
                            (whole[:-52], len(whole) - 52), (whole[:-1], len(whole) - 52)):
        with open(bad, "wb") as file:
            file.write(content)
        out, err = expect(65, "replay", bad)
        check_equal(out, "", "stdout")
        check_in(f"{bad}: byte {offset}: ", err)


@case
def a_changed_scenario_is_status_65_and_one_that_is_gone_66():
    copy = os.path.join(FOLDER, "copy.yaml")
    shutil.copy(HARBOUR, copy)
    path, _ = recorded("changed", scenario=copy)
    with open(copy, "a", encoding="utf-8") as file:
        file.write("# changed\n")
    check_in(f"{copy} has changed", expect(65, "replay", path)[1])
    os.unlink(copy)
    check_in(copy, expect(66, "replay", path)[1])


@case
def no_such_file_is_status_66():
    for path in ("/no/such/file", FOLDER, "/dev/null"):
        out, err = expect(66, "replay", path)
        check_equal((out, err.count("\n")), ("", 1), f"for {path!r}")


@case
def misuse_is_status_64():
    for words in ((), ("a", "b"), ("a", "--workers", "0"), ("a", "--seed", "1")):
        expect(64, "replay", *words)
    check_in("--record", expect(64, "run", HARBOUR, "--clock", "live", "--record", "x")[1])


@case
def a_file_that_cannot_be_created_is_status_73():
    for path in (os.path.join(FOLDER, "none", "file"), FOLDER, "/dev/full"):
        out, err = expect(73, "run", HARBOUR, "--quiet", "--until", "1m", "--record", path)
        check_equal(out, "", "stdout")
        check_in(path, err)


@case
def a_full_disk_before_the_first_input_is_status_73():
    """Not a byte may be written: the recording cannot begin."""
    path = os.path.join(FOLDER, "full")
    out, err = expect(73, "run", HARBOUR, "--quiet", "--until", "1m", "--record", path,
                      preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (8, 8)))
    check_in("end: halted", out)
    check_in(f"{path}: File too large", err)


if __name__ == "__main__":
    try:
        STATUS = main()
    finally:
        shutil.rmtree(FOLDER)
    sys.exit(STATUS)
