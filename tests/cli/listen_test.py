#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`aldis run --listen`: orders for ships, good and bad, and that a replay repeats them."""
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile

from tap import case, check, check_equal, check_in, main
from program import ALDIS, HARBOUR, expect

FOLDER = tempfile.mkdtemp(prefix="aldis-listen-")
PATH = os.path.join(FOLDER, "socket")


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff


def fnv32(text):
    value = 0x811c9dc5
    for byte in text.encode():
        value = (value ^ byte) * 0x01000193 & 0xffffffff
    return value


def frame(payload, type_name="set_destination"):
    head = struct.pack("<BBHII", 0xAD, 1, 0, fnv32(type_name), len(payload))
    return head + struct.pack("<I", crc32c(head + payload)) + payload


def order(ship, station, **options):
    name = ship.encode()
    payload = b"\x08" + bytes([station]) if station else b""
    return bytes([len(name)]) + name + frame(payload, **options)


class Run:
    """A paced run that listens; ends by SIGTERM."""

    def __init__(self, *words):
        # A minute of virtual time per second: ships are on their way, and the end is far off.
        self.child = subprocess.Popen(
            [ALDIS, "-v", "run", HARBOUR, "--json", "--realtime=60", "--until", "36500d", "--listen",
             PATH, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True)
        while not self.child.stderr.readline().startswith("run: "):
            check(self.child.poll() is None, "the run has ended")

    def connect(self):
        client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        client.settimeout(60)
        client.connect(PATH)
        return client

    def finish(self):
        self.child.send_signal(signal.SIGTERM)
        out, err = self.child.communicate()
        check_equal(self.child.returncode, 143, f"status; stderr:\n{err}")
        check(not os.path.exists(PATH), "the socket is still there")
        report = json.loads(out)
        check_equal(report["audit"], "balanced", "audit")
        return report, err


def ask(client, data, answers=1):
    """Send; gives so many lines of answer."""
    client.sendall(data)
    text = b""
    while text.count(b"\n") < answers:
        more = client.recv(4096)
        check(more, f"hung up after {text!r}")
        text += more
    return text.decode().splitlines()


@case
def orders_reach_their_ships_and_a_replay_repeats_them():
    recording = os.path.join(FOLDER, "recording")
    run = Run("--record", recording)
    with run.connect() as client, run.connect() as other:
        for ship in range(1, 41):
            check_equal(ask(client, order(f"ship-{ship}", ship % 5)), ["ok"], "answer")
            if ship % 8 == 0:
                check_equal(ask(other, order(f"ship-{ship}", 0)), ["ok"], "answer of the other")
        check_equal(ask(client, order("ship-1", 1) + order("ship-2", 2), 2), ["ok"] * 2, "two")
        two = order("ship-3", 3)  # in pieces
        client.sendall(two[:9])
        check_equal(ask(client, two[9:]), ["ok"], "answer to an order in pieces")
    report, err = run.finish()
    check_equal(report["messages"]["set_destination"]["sent"], 48, "orders")
    check_equal((report["pace"]["inputs"], report["pace"]["refused"]), (48, 0), "inputs")
    check_in("orders: 48 taken, 0 refused, 0 not understood", err)
    for workers in ("1", "3"):
        out, _ = expect(0, "replay", recording, "--workers", workers)
        check_in(f"48 inputs, run print {report['run_print']}\n", out)


@case
def stations_and_tugs_are_paused_and_shut_down():
    run = Run()

    def control(receiver, type_name):
        name = receiver.encode()
        return bytes([len(name)]) + name + frame(b"", type_name=type_name)

    with run.connect() as client:
        for receiver, type_name in (("station-1", "pause"), ("station-1", "resume"), ("station-2", "shutdown"),
                                    ("ship-1", "pause"), ("rescue", "pause")):
            check_equal(ask(client, control(receiver, type_name)), ["ok"], f"{type_name} of {receiver}")
        answers = ask(client, control("rescue", "shutdown"))
        check(answers[0].startswith("error ALDIS_EUNACCEPTED: "), answers[0])
        check(ask(client, control("station-6", "pause"))[0].startswith("error ALDIS_ENOTFOUND: "), "no such station")
    report, _ = run.finish()
    sent = {name: report["messages"][name]["sent"] - report["messages"][name]["rejected"]
            for name in ("pause", "resume", "shutdown")}
    check_equal(sent, {"pause": 3, "resume": 1, "shutdown": 1}, "orders")


@case
def bad_orders_are_answered_and_the_next_one_is_heard():
    run = Run()
    good, bad_sum = order("ship-1", 1), bytearray(order("ship-1", 1))
    bad_sum[-1] ^= 1
    with run.connect() as client:
        for data, wanted in ((order("ship-9999", 1), "error ALDIS_ENOTFOUND: "),
                             (order("\x01\n\x7f", 1), "error ALDIS_"),
                             (order("ship-1", 1, type_name="ship_refused"), "error ALDIS_ECODEC: no such"),
                             (bytes(bad_sum), "error ALDIS_ECODEC: "),
                             (b"\6ship-1" + frame(b"\x08\xff"), "error ALDIS_ECODEC: ")):
            answers = ask(client, data + good, 2)
            check(answers[0].startswith(wanted), f"{answers[0]!r} for {data!r}")
            check_equal(answers[1], "ok", f"answer after {data!r}")
    for data in (b"\0", b"\x40" + b"x" * 100, b"\6ship-1" + b"\0" * 16,
                 b"\6ship-1" + struct.pack("<BBHIII", 0xAD, 1, 0, 1, 1 << 19, 0),
                 b"\6ship-1" + struct.pack("<BBHIII", 0xAD, 1, 0, 1, 1 << 30, 0)):
        with run.connect() as client:
            answers = ask(client, data)
            check(answers[0].startswith("error ALDIS_E"), f"{answers[0]!r} for {data!r}")
            check_equal(client.recv(100), b"", f"not hung up after {data!r}")
    _, err = run.finish()
    check_in("orders: 5 taken, 2 refused, 8 not understood", err)


@case
def clients_that_come_and_go_or_wait_do_no_harm():
    run = Run()
    waiting = [run.connect() for _ in range(20)]  # more than there are places
    waiting[0].sendall(order("ship-1", 1)[:5])
    waiting[0].close()
    check_equal(ask(waiting[1], order("ship-1", 1)), ["ok"], "answer")
    for client in waiting[1:17]:
        client.close()
    check_equal(ask(waiting[19], order("ship-1", 1)), ["ok"], "answer to one that had to wait")
    report, _ = run.finish()
    check_equal(report["messages"]["set_destination"]["sent"], 2, "orders")


@case
def a_socket_that_was_left_is_taken_over_and_nothing_else_is():
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as left:
        left.bind(PATH)  # and never listens: as after a kill
    run = Run()
    words = ("run", HARBOUR, "--quiet", "--realtime", "--listen")
    check_in(PATH, expect(73, *words, PATH)[1])
    run.finish()
    file = os.path.join(FOLDER, "file")
    with open(file, "w", encoding="utf-8") as out:
        out.write("mine\n")
    for path in (file, os.path.join(FOLDER, "none", "socket"), "x" * 108, ""):
        expect(73, *words, path)
    with open(file, encoding="utf-8") as text:
        check_equal(text.read(), "mine\n", "a file that was there")
    check_in("--listen", expect(64, "run", HARBOUR, "--listen", PATH)[1])


if __name__ == "__main__":
    try:
        STATUS = main()
    finally:
        shutil.rmtree(FOLDER)
    sys.exit(STATUS)
