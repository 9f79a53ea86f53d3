#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The command line: what is refused, with which text and status; help; standard output."""
import os
import signal
import subprocess
import sys

from tap import case, check, check_equal, check_in, main
from program import ALDIS, HARBOUR, aldis, closed_pipe_status, expect, refused


@case
def no_command_is_misuse():
    check_in("a command is missing", refused())


@case
def unknown_command_names_the_nearest():
    check_in("did you mean 'run'?", refused("rnu", HARBOUR))
    check_in("did you mean 'check'?", refused("chek"))
    check_in("did you mean 'bench'?", refused("benchmark"))
    err = refused("xyzzy")
    check_in("no command 'xyzzy'", err)
    check("did you mean" not in err, f"nothing is near, but one is named:\n{err}")


@case
def unknown_option_names_the_nearest():
    check_in("did you mean --seed?", refused("run", "--sede", "1", HARBOUR))
    check_in("did you mean --workers?", refused("run", "--wrokers=2", HARBOUR))
    check_in("did you mean --json?", refused("bench", "codec", "--jsn"))
    check_in("did you mean --version?", refused("--verison"))
    check_in("did you mean --help?", refused("check", "--hepl"))
    check_in("invalid option -- 'x'", refused("run", "-x", HARBOUR))


@case
def option_value_is_not_taken_for_an_option():
    # "--sede" here is the (wrong) value of --seed.
    check_in("--seed: found '--sede'", refused("run", "--seed", "--sede", HARBOUR))


@case
def options_may_be_shortened_and_follow_the_file():
    expect(0, "run", HARBOUR, "--unt", "1s", "--quiet")


@case
def whole_numbers_are_taken_strictly():
    for text in ("4x", "-1", "+4", " 4", "4 ", "", "0x4", "4.0", "1e3", "four", "99999999999999999999"):
        check_in(f"--seed: found '{text}', allowed: a whole number from 0 to 18446744073709551615",
                 refused("run", f"--seed={text}", HARBOUR))


@case
def ranges_are_in_the_message():
    for text in ("0", "256", "-1", "4294967297"):
        check_in(f"--workers: found '{text}', allowed: a whole number from 1 to 255",
                 refused("run", "--workers", text, HARBOUR))
        check_in(f"--workers: found '{text}', allowed: a whole number from 1 to 255",
                 refused("bench", "--workers", text))
    for text in ("0", "4095"):
        check_in(f"--shards: found '{text}', allowed: a whole number from 1 to 4094",
                 refused("run", "--shards", text, HARBOUR))
    check_in("--n: found '0'", refused("bench", "codec", "--n", "0"))
    check_in("allowed for idle-memory: a whole number from 1 to 16000000",
             refused("bench", "idle-memory", "--n", "16000001"))


@case
def durations_need_a_unit():
    for text in ("10", "10x", "m", "0s", "-1s", "1.5h", "1  h", "h 1", "10 mins", " 10s", "106752d",
                 "18446744073709551616s"):
        check_in(f"--until: found '{text}', allowed: a whole number and ms, s, m, min, h or d",
                 refused("run", "--until", text, HARBOUR))
    for text in ("2s", "2 s", "2000ms", "2000 ms"): # in options as in scenarios
        check_in("0 h 00 min 02 s of virtual time",
                 expect(0, "run", "-q", "--until", text, HARBOUR)[0])


@case
def clock_is_one_of_two():
    err = refused("run", "--clock", "wall", HARBOUR)
    check_in("--clock: found 'wall', allowed: virtual or live", err)


@case
def help_is_a_command_too():
    for words, same in ((["help"], ["--help"]), (["help", "run"], ["run", "--help"]),
                        (["help", "bench"], ["bench", "--help"])):
        check_equal(expect(0, *words), expect(0, *same), f"aldis {' '.join(words)}")
    check_in("did you mean 'run'?", refused("help", "rnu"))


@case
def option_without_its_value_is_misuse():
    check_in("requires an argument", refused("run", HARBOUR, "--seed"))


@case
def number_of_files_is_checked():
    check_in("a FILE is missing", refused("run"))
    check_in("a FILE is missing", refused("check"))
    check_in("FILE is ''", refused("check", ""))
    check_in("found 'b.yaml' too", refused("run", "a.yaml", "b.yaml"))
    check_in("found 'b.yaml' too", refused("explore", "a.yaml", "b.yaml"))


@case
def help_and_version_are_printed_to_stdout():
    out, err = expect(0, "--help")
    check_equal(err, "", "stderr of --help")
    for command in ("run FILE", "check FILE", "bench [NAME]"):
        check_in(command, out)
    for command in ("run", "check", "bench"):
        check_in(f"Usage: aldis {command}", expect(0, command, "--help")[0])
    check_in("thread-ring", expect(0, "bench", "--help")[0])
    out, _ = expect(0, "--version")
    check(out.startswith("aldis ") and out.count(".") == 2, f"not a version: {out!r}")


@case
def full_output_is_status_74():
    for words in (["--help"], ["bench", "--help"], ["check", HARBOUR],
                  ["run", HARBOUR, "--until", "1s", "--quiet"],
                  ["run", HARBOUR, "--until", "1s", "--quiet", "--json"],
                  ["bench", "codec", "--n", "1", "--quiet", "--json"]):
        with open("/dev/full", "w", encoding="utf-8") as full:
            status, _, err = aldis(*words, stdout=full)
        check_equal(status, 74, f"status of {words}")
        check_in("cannot write to standard output", err)


@case
def closed_output_is_status_74():
    done = subprocess.run([ALDIS, "check", HARBOUR], stderr=subprocess.PIPE, text=True,
                          check=False, preexec_fn=lambda: os.close(1))
    check_equal(done.returncode, 74, "status")
    check_in("cannot write to standard output", done.stderr)


@case
def closed_pipe_ends_quietly():
    for words in (["--help"], ["check", HARBOUR], ["run", HARBOUR, "--until", "1s", "--quiet"],
                  ["bench", "codec", "--n", "1", "--quiet"]):
        for ignored in (False, True):
            check_equal(closed_pipe_status(words, ignored), -signal.SIGPIPE,
                        f"status of {words}, SIGPIPE {'ignored' if ignored else 'default'}")


if __name__ == "__main__":
    sys.exit(main())
