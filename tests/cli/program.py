# SPDX-License-Identifier: Apache-2.0
"""Runs the program aldis for the tests of this folder."""
import os
import subprocess

from tap import BUILD, SOURCE, check, check_equal

ALDIS = os.path.join(BUILD, "aldis")
PLANTED = os.path.join(BUILD, "tests", "testkit", "aldis_planted")  # see tests/testkit/planted.h
HARBOUR = os.path.join(SOURCE, "scenarios", "harbour.yaml")
CROWDED = os.path.join(SOURCE, "scenarios", "crowded.yaml")
RUSH_HOUR = os.path.join(SOURCE, "scenarios", "rush-hour.yaml")
TRADE_ROUTES = os.path.join(SOURCE, "scenarios", "trade-routes.yaml")


def aldis(*words, program=ALDIS, **options):
    """Run it to its end; gives (status, stdout, stderr). A signal's status is negative."""
    options.setdefault("stdin", subprocess.DEVNULL)
    options.setdefault("stdout", subprocess.PIPE)
    done = subprocess.run([program, *words], stderr=subprocess.PIPE, text=True, check=False,
                          **options)
    return done.returncode, done.stdout, done.stderr


def expect(status, *words, **options):
    """Run it, and check the exit status; gives (stdout, stderr)."""
    found, out, err = aldis(*words, **options)
    check_equal(found, status, f"status of aldis {' '.join(words)}\n{out}{err}")
    return out, err


def refused(*words):
    """A command line that is misuse: status 64, nothing on stdout; gives stderr."""
    out, err = expect(64, *words)
    check_equal(out, "", f"stdout of aldis {' '.join(words)}")
    check(err.count("\n") <= 3, f"more than three lines of error:\n{err}")
    return err


def closed_pipe_status(words, ignored):
    """Run it with a stdout that nobody reads; SIGPIPE is at its default, or ignored."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        status, _, err = aldis(*words, stdout=writer, restore_signals=not ignored)
    finally:
        os.close(writer)
    check_equal(err, "", "stderr with a closed pipe")
    return status
