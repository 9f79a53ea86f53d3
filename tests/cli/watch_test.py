#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`aldis run --watch`: what it shows on a terminal, what its keys do, and what it leaves behind."""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time

from tap import SOURCE, case, check, check_equal, check_in, main
from program import ALDIS, HARBOUR, expect, refused

MINDS = os.path.join(SOURCE, "scenarios", "minds.yaml")
ROWS, COLUMNS = 30, 100
HOME = "\033[H"
PATIENCE_S = 40  # of a machine that has much else to do


class Watched:
    """A run on a terminal of its own; the screen is what was drawn last."""

    def __init__(self, *words):
        self.terminal, end = pty.openpty()
        fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        self.before = termios.tcgetattr(end)
        self.end = end
        self.run = subprocess.Popen([ALDIS, "run", *words, "--watch"], stdin=end, stderr=end,
                                    stdout=subprocess.PIPE)
        self.seen = ""

    def read(self):
        """What has been written since; waits a little for it."""
        if select.select([self.terminal], [], [], 0.2)[0]:
            self.seen += os.read(self.terminal, 65536).decode("utf-8", "replace")

    def screen(self):
        """The lines of the last whole drawing."""
        parts = self.seen.split(HOME)
        whole = [part for part in parts[1:] if part.count("\r\n") >= ROWS - 1]
        return [re.sub(r"\033\[[0-9?]*[A-Za-z]|\r", "", line)
                for line in whole[-1].split("\r\n")] if whole else []

    def wait_for(self, found, what):
        """The first screen of which this holds."""
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            self.read()
            screen = self.screen()
            if screen and found(screen):
                return screen
        check(False, f"never seen: {what}; the last screen:\n" + "\n".join(self.screen()))
        return []

    def wait_head(self, word):
        return self.wait_for(lambda screen: word in screen[0], word)

    def press(self, keys):
        os.write(self.terminal, keys.encode())

    def close(self):
        """Wait for its end; gives the status and its standard output."""
        until = time.monotonic() + PATIENCE_S
        while self.run.poll() is None and time.monotonic() < until:
            self.read()
        check(self.run.poll() is not None, "the run has not ended")
        out = self.run.stdout.read().decode()
        self.run.stdout.close()
        while select.select([self.terminal], [], [], 0.1)[0]:
            self.read()
        after = termios.tcgetattr(self.end)
        check_equal(after[3], self.before[3], "the terminal's modes")
        check_in("\033[?25h\033[?1049l", self.seen, "giving the screen back")
        os.close(self.end)
        os.close(self.terminal)
        return self.run.returncode, out


def seconds(screen):
    return float(re.match(r"time ([0-9.]+) s", screen[0]).group(1))


@case
def it_shows_a_map_queues_rates_and_events():
    watched = Watched(MINDS)
    event = re.compile(r"^\d+\.\d s  event:state actor:ship-\d+ from:", re.MULTILINE)
    screen = watched.wait_for(lambda s: "mind: selector > sequence" in "\n".join(s) and
                              seconds(s) > 60 and event.search("\n".join(s)),
                              "a minute, the mind of the ship, and an event of a ship's state")
    check(len(screen) == ROWS, f"{len(screen)} rows")
    check(all(len(line) <= COLUMNS for line in screen), "a line is too long")
    check(re.search(r"idle \d+ flying \d+ .* msgs/s, refused \d+", screen[1]), screen[1])
    check(re.search(r"# Vulcan Dock \d/3 queue \d+  # Port Gaia", screen[2]), screen[2])
    sky = "\n".join(screen[3:-9])
    check(sky.count("#") >= 2 and "." in sky, f"stations and ships on the map:\n{sky}")
    check(re.search(r"^@ ship-1 of tramps: ", "\n".join(screen), re.MULTILINE), "the ship")
    watched.press("q")
    status, out = watched.close()
    check_equal(status, 0, "status after q")
    check_in("end: halted", out, "the report")


@case
def keys_pause_step_and_set_the_speed():
    watched = Watched(HARBOUR)
    watched.wait_head("running  60x")
    watched.press("p")
    at = seconds(watched.wait_head("paused"))
    watched.read()
    watched.read()
    check_equal(seconds(watched.screen()), at, "the time while it is paused")
    for step in (1, 2):
        watched.press("s")
        wanted = at + step
        watched.wait_for(lambda s, wanted=wanted: seconds(s) == wanted, f"step {step}")
    watched.press("+")
    watched.wait_head("paused  600x")
    watched.press("--")
    watched.wait_head("paused  10x")
    watched.press("+++")
    watched.wait_head("as fast as it goes")
    watched.press("p")
    status, out = watched.close()
    check_equal(status, 0, "status at the end")
    check_in("end: until", out, "the report")


@case
def two_signals_at_once_give_the_terminal_back_as_well():
    watched = Watched(HARBOUR)
    watched.wait_head("running  60x")
    watched.run.send_signal(signal.SIGSTOP)
    watched.run.send_signal(signal.SIGINT) # both wait until it goes on
    watched.run.send_signal(signal.SIGTERM)
    watched.run.send_signal(signal.SIGCONT)
    status, out = watched.close()
    check(status in (128 + signal.SIGINT, 128 + signal.SIGTERM), f"status {status}")
    check_equal(out, "", "the report of a program that ended at once")


@case
def keys_pick_a_ship():
    watched = Watched(HARBOUR)
    watched.press("p")
    for keys, wanted in (("b", "ship-1 of post"), ("nn", "ship-3 of post"),
                         ("b", "ship-2 of post")):
        watched.press(keys)
        watched.wait_for(lambda s, wanted=wanted: f"@ {wanted}" in "\n".join(s), wanted)
    watched.press("q")
    watched.close()


@case
def watching_changes_nothing():
    plain, _ = expect(0, "run", HARBOUR, "--quiet", "--until", "20m")
    watched = Watched(HARBOUR, "--until", "20m")
    watched.press("++")
    status, out = watched.close()
    check_equal(status, 0, "status")
    check_equal(re.search(r"run print (\w+)", out).group(1),
                re.search(r"run print (\w+)", plain).group(1), "the run print")


@case
def an_interrupt_gives_the_terminal_back():
    watched = Watched(HARBOUR)
    watched.wait_head("running")
    watched.run.send_signal(signal.SIGINT)
    status, _ = watched.close()
    check_equal(status, 130, "status")


@case
def a_mind_is_told_whenever_it_has_changed():
    _, err = expect(0, "run", MINDS, "--quiet", "--mind=62", "--until=20m")
    lines = err.splitlines()
    check_equal(lines[0], "0.000s: ship-62: nothing", "before it begins")
    paths = [line.split(": ")[2] for line in lines]
    check_in("reactive_selector > timeout > sequence > visit", paths, "paths")
    check(all(one != other for one, other in zip(paths, paths[1:])), f"the same twice: {paths}")
    _, err = expect(0, "run", HARBOUR, "--quiet", "--mind=ship-1", "--until=1m")
    check_equal(err, "0.000s: ship-1: no mind\n", "a ship without a mind")
    check_in("--mind: found '201', allowed: 1 to 200",
             refused("run", HARBOUR, "--quiet", "--mind=201", "--until=1m"), "no such ship")


@case
def without_a_terminal_it_is_misuse():
    check_in("terminal", refused("run", HARBOUR, "--watch"), "the error")
    check_in("--watch", refused("run", HARBOUR, "--watch", "--clock=live"), "the error")


if __name__ == "__main__":
    sys.exit(main())
