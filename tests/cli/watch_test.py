#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`aldis run --watch`: what it shows on a terminal, what its keys do, and what it leaves behind."""
import fcntl
import os
import pty
import resource
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
from terminal import Screen

MINDS = os.path.join(SOURCE, "scenarios", "minds.yaml")
STORM = os.path.join(SOURCE, "scenarios", "storm.yaml")
RUSH_HOUR = os.path.join(SOURCE, "scenarios", "rush-hour.yaml")
ROWS, COLUMNS = 30, 100
PATIENCE_S = 40  # of a machine that has much else to do
SHIP = "[.:*!\u2801-\u28ff]"


class Watched:
    """A run on a terminal of its own."""

    def __init__(self, *words, rows=ROWS, columns=COLUMNS, process_group=None, **settings):
        self.terminal, end = pty.openpty()
        self.screen = Screen(rows, columns)
        self.end = end
        self.size(rows, columns)
        self.before = termios.tcgetattr(end)
        surroundings = dict(os.environ, TERM="xterm-256color", LC_ALL="C.UTF-8")
        surroundings.pop("NO_COLOR", None)
        surroundings.update(settings)
        self.run = subprocess.Popen([ALDIS, "run", *words, "--watch"], stdin=end, stderr=end,
                                    stdout=subprocess.PIPE, env=surroundings,
                                    process_group=process_group)

    def size(self, rows, columns):
        fcntl.ioctl(self.end, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.screen.resize(rows, columns)

    def read(self):
        """What has been written since; waits a little for it."""
        if select.select([self.terminal], [], [], 0.2)[0]:
            self.screen.feed(os.read(self.terminal, 65536))

    def settle(self):
        """Read until nothing comes: of a run that is paused."""
        while select.select([self.terminal], [], [], 0.4)[0]:
            self.read()

    def wait_for(self, found, what):
        """The lines of the first screen of which this holds."""
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            self.read()
            if found(self.screen.lines()):
                return self.screen.lines()
        check(False, f"never seen: {what}; the last screen:\n" + "\n".join(self.screen.lines()))
        return []

    def wait_text(self, text):
        return self.wait_for(lambda lines: text in "\n".join(lines), text)

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
        self.check_given_back()
        os.close(self.end)
        os.close(self.terminal)
        return self.run.returncode, out

    def check_given_back(self):
        after = termios.tcgetattr(self.end)
        check_equal(after, self.before, "the terminal's modes")
        check(self.screen.cursor and not self.screen.other, "the screen has not been given back")

    def quit(self):
        self.press("q")
        check_equal(self.close()[0], 0, "status")


def seconds(lines):
    """The time that it shows; -1: none yet."""
    found = re.match(r" (\d+):(\d\d):(\d\d) of ", lines[0])
    if not found:
        return -1
    hours, minutes, rest = (int(text) for text in found.groups())
    return hours * 3600 + minutes * 60 + rest


def is_after(time_s):
    return lambda lines: seconds(lines) > time_s and lines[-1].strip().startswith("q")


@case
def it_shows_a_map_queues_rates_and_events():
    watched = Watched(MINDS)
    event = re.compile(r"^0:0\d:\d\d ship-\d+ +(idle|flying|docking|docked|trading) → \w+  \w+", re.MULTILINE)
    lines = watched.wait_for(lambda s: "mind: selector > sequence" in "\n".join(s) and seconds(s) > 60 and
                             re.search("[▁-█]", s[2]) and event.search("\n".join(s)),
                             "a minute, the mind of the ship, and an event of a ship's state")
    whole = "\n".join(lines)
    check(re.match(r" 0:0\d:\d\d of 2:00:00  60x .* minds$", lines[0]), lines[0])
    check(re.match(r" ● idle \d+  ● flying \d+  ● docking \d+  ● docked \d+  ● trading \d+  "
                   r"! emergency \d+$", lines[1]), lines[1])
    check(re.search(r"[\d.]+k? msgs/s [▁-█]+ .* msgs, refused \d+  dockings \d+", lines[2]), lines[2])
    check(re.search(r"── stations ─+ berths    queue", lines[3]), lines[3])
    check(re.search(r" Vulcan Dock +\d/3 +(\d+|closed)$", whole, re.MULTILINE), whole)
    sky = "\n".join(line[:63] for line in lines[3:18])
    check(sky.count("◆") >= 2, f"stations on the map, of which the picked ship may hide one:\n{sky}")
    check_in("Ares Haven", sky, "a station's name on the map")
    check(re.search(SHIP, sky), f"ships on the map:\n{sky}")
    check_in("@", sky, "the picked one")
    check(re.search(r"├─+┤ \d+ u", sky), f"the scale:\n{sky}")
    check_in("── ship-1, merchant of tramps ──", whole)
    check(re.search(r"^mailbox 0 of 1024, peak \d+, handled \d+", whole, re.MULTILINE), whole)
    check_in("q quit", lines[-1])
    check_in("32", watched.screen.style_of(4, "/3"), "green for berths")
    watched.press("q")
    status, out = watched.close()
    check_equal(status, 0, "status after q")
    check_in("end: halted", out, "the report")


@case
def keys_pause_step_and_set_the_speed():
    watched = Watched(HARBOUR, "--until", "10m")
    watched.wait_text("60x")
    watched.press("p")
    at = seconds(watched.wait_text(" paused  60x"))
    watched.read()
    watched.read()
    check_equal(seconds(watched.screen.lines()), at, "the time while it is paused")
    for step in (1, 2):
        watched.press("s")
        wanted = at + step
        watched.wait_for(lambda s, wanted=wanted: seconds(s) == wanted, f"step {step}")
    watched.press("+")
    watched.wait_text(" paused  600x")
    watched.press("--")
    watched.wait_text(" paused  10x")
    watched.press("+++")
    watched.wait_text(" paused  full speed")
    watched.press("p")
    status, out = watched.close()
    check_equal(status, 0, "status at the end")
    check_in("end: until", out, "the report")


@case
def two_signals_at_once_give_the_terminal_back_as_well():
    watched = Watched(HARBOUR)
    watched.wait_for(is_after(1), "it runs")
    watched.run.send_signal(signal.SIGSTOP)
    watched.run.send_signal(signal.SIGINT) # both wait until it goes on
    watched.run.send_signal(signal.SIGTERM)
    watched.run.send_signal(signal.SIGCONT)
    status, out = watched.close()
    check(status in (128 + signal.SIGINT, 128 + signal.SIGTERM), f"status {status}")
    check_equal(out, "", "the report of a program that ended at once")


@case
def keys_pick_a_ship_or_a_station():
    watched = Watched(MINDS)
    watched.press("p")
    for keys, wanted in (("b", "ship-1, merchant of tramps"), ("nn", "ship-3, merchant of tramps"),
                         ("b", "ship-2, merchant of tramps"), ("62", "ship-62_"),
                         ("\r", "ship-62, cutter of guards"), ("6199", "ship-6199_"),
                         ("\x7f\x7f\x7f1\r", "ship-61, cutter of guards"),
                         ("500\r", "ship-61, cutter of guards"), ("N", "── Vulcan Dock ──"),
                         ("NN", "── Ares Haven ──"), ("N", "── Ares Haven ──"),
                         ("B", "── Port Gaia ──"), ("n", "ship-62, cutter of guards")):
        watched.press(keys)
        watched.wait_text(wanted)
    watched.press("B")
    watched.wait_text("── Port Gaia ──")
    watched.settle()
    whole = "\n".join(watched.screen.lines())
    check(re.search(r"^open, berths 0 of 6, queue 0 of 256, mean wait 0.0 s, dockings 0", whole,
                    re.MULTILINE), whole)
    check(re.search(r"^market  food 3000 t at [\d.]+  ore 500 t at [\d.]+  machines 80 t at [\d.]+",
                    whole, re.MULTILINE), whole)
    watched.quit()


@case
def a_ship_in_an_emergency_is_found():
    watched = Watched(MINDS)
    watched.press("+")
    watched.wait_for(lambda s: re.search(r"! emergency [1-9]", s[1]), "an emergency")
    watched.press("pe")
    watched.wait_for(lambda s: re.search(r"^emergency(: \w+)?, ", "\n".join(s), re.MULTILINE),
                     "the ship that has it")
    watched.quit()


@case
def keys_move_and_scale_the_map():
    watched = Watched(HARBOUR)
    watched.press("p")
    watched.wait_text("paused")
    watched.settle()
    whole = watched.screen.lines()

    def scale(lines):
        found = re.search(r"├(─*)┤ (\d+) u", "\n".join(lines))
        return int(found.group(2)) / (len(found.group(1)) + 2)

    def column(lines, name):
        return min(line.find(name) for line in lines[3:18] if name in line[:63])

    watched.press("i")
    watched.wait_text("zoom 2")
    watched.settle()
    zoomed = watched.screen.lines()
    check(abs(scale(whole) / scale(zoomed) - 2) < 0.5, f"{scale(whole)} and {scale(zoomed)} u a column")
    watched.press("h")
    watched.wait_for(lambda s: "zoom 2" not in "\n".join(s), "the whole")
    watched.settle()
    check_equal(watched.screen.lines()[3:18], whole[3:18], "the map is as before")
    watched.press("\033[C")  # to the right: all else goes to the left, by an eighth of the map
    watched.settle()
    moved = column(whole, "Ares Haven") - column(watched.screen.lines(), "Ares Haven")
    check(abs(moved - 8) <= 1, f"moved by {moved} columns")
    watched.press("hNf")  # the picked one in the middle
    watched.wait_for(lambda s: any(0 <= line.find("◆") - 31 <= 1 for line in s[9:11]),
                     "the station in the middle")
    watched.quit()


@case
def weather_and_hazards_are_on_the_map():
    watched = Watched(STORM)
    watched.press("+")

    def stormy(lines):
        sky = "\n".join(line[:63] for line in lines[3:18])
        return "░" in sky and "~" in sky and "░ energy storm, " in "\n".join(lines)

    lines = watched.wait_for(stormy, "a storm and a hazard")
    check(re.search(r"~ (Earth's belts|Martian dust|Venusian acid): (moderate|high|extreme)",
                    "\n".join(lines)), "\n".join(lines))
    watched.press("v")
    watched.wait_text("── events, without states and trades ──")
    lines = watched.wait_text(" appears, radius ")
    check("→" not in "\n".join(lines), "states among the notable events")
    watched.press("vN")
    watched.wait_text("── events of the picked ──")

    def of_the_picked(lines):
        at = [i for i, line in enumerate(lines) if "events of the picked" in line][0]
        return all("Lucifer Gate" in line for line in lines[at + 1:-1])

    watched.wait_for(of_the_picked, "events of Lucifer Gate only")
    watched.quit()


@case
def help_names_the_keys():
    watched = Watched(HARBOUR, rows=24, columns=80)
    watched.press("?")
    lines = watched.wait_text("── keys ──")
    check_in("zoom in, out", "\n".join(lines))
    watched.press("?")
    watched.wait_for(lambda s: "── keys ──" not in "\n".join(s), "it is gone")
    watched.quit()


@case
def it_fits_every_terminal():
    watched = Watched(RUSH_HOUR, rows=24, columns=80)
    watched.wait_for(is_after(10), "it runs")
    watched.press("p")
    watched.wait_text("paused")
    for rows, columns in ((10, 40), (60, 200), (5, 20), (24, 80), (1, 1), (3, 300), (200, 500), (30, 100)):
        watched.size(rows, columns)
        watched.settle()
        lines = watched.screen.lines()
        if rows >= 5:
            check(lines[min(rows, 128) - 1].strip().startswith("q"), f"{rows}x{columns}: no keys:\n" + "\n".join(lines))
        if rows >= 5 and columns >= 40:
            check(re.search("◆", "\n".join(lines)), f"{rows}x{columns}: no map")
    watched.quit()


@case
def colours_are_for_terminals_that_have_them():
    for settings, coloured in (({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False),
                               ({"NO_COLOR": ""}, True)):
        watched = Watched(HARBOUR, **settings)
        watched.wait_for(is_after(10), "it runs")
        watched.quit()
        found = any(re.search(r"(^|;)[349]\d", style) for style in watched.screen.styles)
        check_equal(found, coloured, f"colour with {settings}")


@case
def glyphs_are_for_terminals_that_have_them():
    for settings, wide in (({}, True), ({"LC_ALL": "C"}, False), ({"TERM": "linux"}, False),
                           ({"LC_ALL": "", "LC_CTYPE": "", "LANG": "de_DE.UTF-8"}, True)):
        watched = Watched(HARBOUR, **settings)
        lines = watched.wait_for(is_after(60), "it runs")
        watched.quit()
        check_equal(watched.screen.wide, wide, f"beyond ASCII with {settings}")
        if not wide:
            sky = "\n".join(line[:63] for line in lines[3:18])
            check(sky.count("#") >= 4 and re.search(SHIP, sky), f"a map in ASCII:\n{sky}")


@case
def suspended_it_gives_the_terminal_back():
    # A group of its own, whose parent is in another: only such a process can be suspended.
    watched = Watched(HARBOUR, process_group=0)
    watched.wait_for(is_after(1), "it runs")
    watched.press("\x1a")
    done, status, until = 0, 0, time.monotonic() + PATIENCE_S
    while done == 0 and time.monotonic() < until:
        watched.read()
        done, status = os.waitpid(watched.run.pid, os.WUNTRACED | os.WNOHANG)
    check(done != 0 and os.WIFSTOPPED(status), f"status {status}: it has not stopped")
    watched.read()
    watched.check_given_back()
    watched.run.send_signal(signal.SIGCONT)
    watched.wait_for(lambda s: watched.screen.other and "q quit" in s[-1], "it is there again")
    watched.quit()


@case
def watching_changes_nothing():
    plain, _ = expect(0, "run", HARBOUR, "--quiet", "--until", "20m")
    watched = Watched(HARBOUR, "--until", "20m")
    watched.press("++N?vi")
    status, out = watched.close()
    check_equal(status, 0, "status")
    check_equal(re.search(r"run print (\w+)", out).group(1),
                re.search(r"run print (\w+)", plain).group(1), "the run print")


@case
def a_signal_gives_the_terminal_back():
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    for number, wanted in ((signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129),
                           (signal.SIGQUIT, -signal.SIGQUIT)):
        watched = Watched(HARBOUR)
        watched.wait_for(is_after(1), "it runs")
        watched.run.send_signal(number)
        status, out = watched.close()
        check_equal(status, wanted, f"status after signal {number}")
        check_equal("end: halted" in out, wanted > 0, "the report")


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
