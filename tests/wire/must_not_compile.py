#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Programs that must not compile: prints TAP.

Usage: must_not_compile.py INCLUDE_DIR GENERATED_DIR COMPILER...

One right program is compiled first, without any warning flag; then one with each mistake put in. The
compiler must refuse it, and its errors must name the thing at fault. A compiler that is not there is
left out."""

import os
import shutil
import subprocess
import sys

RIGHT = r"""
#include "wire_test.pb.h"
#include <aldis/aldis.h>

/* Plain C structs as payloads. */
struct ping { uint32_t seq; };
ALDIS_MESSAGE(ping, struct ping);
ALDIS_SIGNAL(go);
ALDIS_MESSAGE(pong, struct ping);
struct count { uint64_t n; };
ALDIS_MESSAGE(count, struct count);
ALDIS_REQUEST(ping, count);

#define SHIP_PROTOCOL(X, kind) X(kind, ping) X(kind, go)
ALDIS_PROTOCOL(ship, SHIP_PROTOCOL);

/* A protocol from a .proto. */
ALDIS_WIRE_STRUCT(Empty);
ALDIS_WIRE_STRUCT(Vec3);
ALDIS_WIRE_STRUCT(Dock);
ALDIS_WIRE_STRUCT_RULES(Leave, ALDIS_WIRE_RULES_OF_LEAVE);
ALDIS_WIRE_MESSAGES(StationMessage);
#define STATION_PROTOCOL(X, kind) ALDIS_WIRE_ARMS(StationMessage, X, kind)
ALDIS_PROTOCOL(station, STATION_PROTOCOL);

/* Channels. */
ALDIS_CHANNEL(ping);
ALDIS_CHANNEL(go);

struct ship { ship_ref other; station_ref home; };

static inline aldis_err talk(ping_tx to, ping_rx from, go_tx other)
{
    struct ping it;
    (void)other;
    /*CREATE*/ (void)aldis_channel_create(ping, &to, &from, &(aldis_channel_opts){0});
    /*CHANNEL SEND*/ (void)aldis_channel_send(to, ping, .seq = 1);
    /*RECEIVE*/ return aldis_channel_receive(from, ping, &it);
}
static aldis_err ship_on_count(struct ship *self, const aldis_answer *answer,
                               const struct count *count, aldis_ctx *ctx)
{
    (void)self; (void)answer; (void)count; (void)ctx;
    return ALDIS_OK;
}
/*ON_REPLY*/ ALDIS_ON_REPLY(ship_on_count, struct ship, ping);

static aldis_err ship_on_ping(struct ship *self, const struct ping *msg, aldis_ctx *ctx)
{
    /*SEND*/ aldis_send(ctx, self->other, ping, .seq = msg->seq);
    aldis_send(ctx, self->home, dock, .berth = 1);
    aldis_signal(ctx, self->other, go);
    /*ASK*/ aldis_ask(ctx, self->other, ping, ship_on_count, NULL, .seq = 1);
    /*RELIABLE*/ (void)aldis_send_reliable(ctx, self->other, ping, NULL, NULL, .seq = 1);
    /*COPY*/ aldis_send_copy(ctx, self->other, ping, msg);
    struct ping *place = aldis_build(ctx, self->other, ping);
    /*SPAWN*/ (void)aldis_spawn(ctx, ship, &self->other, NULL);
    return place ? aldis_post(ctx, place) : ALDIS_OK;
}
/*GO*/
static aldis_err ship_on_go(struct ship *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)self; (void)msg; (void)ctx;
    return ALDIS_OK;
}
/*END*/
ALDIS_BEHAVIOUR(ship, struct ship, SHIP_PROTOCOL);

/* A state machine. */
#define DOOR_PROTOCOL(X, kind) X(kind, ping) X(kind, go)
ALDIS_PROTOCOL(door, DOOR_PROTOCOL);
#define DOOR_STATES(S, kind)                                                                       \
    S(kind, shut, top, aldis_nothing, aldis_nothing, 0)                                            \
    S(kind, open, top, aldis_nothing, aldis_nothing, 0)
ALDIS_STATES(door, DOOR_STATES);
struct door { aldis_machine machine; };
static inline aldis_err swing(struct door *self, const struct ping *msg, aldis_ctx *ctx)
{
    (void)msg; (void)ctx;
    return aldis_become(door, self, open);
}
#define DOOR_TABLE(T, kind)                                                                        \
    T(kind, shut, ping, swing, open, stay)                                                         \
    T(kind, open, go, aldis_go, shut)
ALDIS_MACHINE(door, struct door, DOOR_PROTOCOL, DOOR_STATES, DOOR_TABLE, shut);

struct station { int docked; };
static aldis_err station_on_dock(struct station *self, const Dock *msg, aldis_ctx *ctx)
{
    (void)msg; (void)ctx; self->docked++;
    return ALDIS_OK;
}
static aldis_err station_on_leave(struct station *self, const Leave *msg, aldis_ctx *ctx)
{
    (void)msg; (void)ctx; self->docked--;
    return ALDIS_OK;
}
/*SALUTE*/
static aldis_err station_on_salute(struct station *self, const Empty *msg, aldis_ctx *ctx)
{
    (void)self; (void)msg; (void)ctx;
    return ALDIS_OK;
}
/*SALUTE END*/
ALDIS_BEHAVIOUR(station, struct station, STATION_PROTOCOL);
""".replace("ALDIS_WIRE_RULES_OF_LEAVE", "ALDIS_WIRE_PRESENT(Leave, why)")


def between(text, start, end, new):
    """text with everything from start to end replaced."""
    first, last = text.index(start), text.index(end)
    return text[:first] + new + text[last:]


def line(mark, new):
    """The right program with the line that begins with mark replaced."""
    first = RIGHT.index(mark)
    return RIGHT[:first] + new + RIGHT[RIGHT.index("\n", first):]


# name, program, what the errors must name
WRONG = [
    ("sending a message that the receiver's kind does not accept",
     line("/*SEND*/", "aldis_send(ctx, self->other, pong, .seq = 1);"), ["pong", "ship_accepts"]),
    ("signalling a message that the receiver's kind does not accept",
     line("/*SEND*/", "aldis_signal(ctx, self->home, go);"), ["go", "station_accepts"]),
    ("copying a message that the receiver's kind does not accept",
     line("/*COPY*/", "aldis_send_copy(ctx, self->home, ping, msg);"), ["ping", "station_accepts"]),
    ("sending an arm of another kind's oneof",
     line("/*SEND*/", "aldis_send(ctx, self->other, dock, .berth = 1);"), ["dock", "ship_accepts"]),
    ("building a message that the receiver's kind does not accept",
     line("/*SEND*/", "(void)aldis_build(ctx, self->home, ping);"), ["ping", "station_accepts"]),
    ("sending a field that the message does not have",
     line("/*SEND*/", "aldis_send(ctx, self->other, ping, .sequence = 1);"), ["sequence"]),
    ("sending a copy of another payload",
     line("/*COPY*/", "Dock dock = {0}; aldis_send_copy(ctx, self->other, ping, &dock);"),
     ["Dock"]),
    ("sending to a bare id, which has no kind",
     line("/*SEND*/", "aldis_send(ctx, self->other.id, ping, .seq = 1);"), ["accepts_"]),
    ("leaving out a handler", between(RIGHT, "/*GO*/", "/*END*/", ""), ["ship_on_go"]),
    ("leaving out the handler of an arm", between(RIGHT, "/*SALUTE*/", "/*SALUTE END*/", ""),
     ["station_on_salute"]),
    ("a handler with another payload",
     RIGHT.replace("ship_on_ping(struct ship *self, const struct ping *msg",
                   "ship_on_ping(struct ship *self, const Dock *msg")
          .replace("msg->seq", "0").replace("aldis_send_copy(ctx, self->other, ping, msg);", ""),
     ["ship_on_ping", "signature"]),
    ("a handler with another state",
     RIGHT.replace("ship_on_go(struct ship *self", "ship_on_go(struct station *self"),
     ["ship_on_go", "signature"]),
    ("a handler that may write to its payload",
     RIGHT.replace("ship_on_go(struct ship *self, const aldis_none *msg",
                   "ship_on_go(struct ship *self, aldis_none *msg"), ["ship_on_go", "signature"]),
    ("a handler that returns nothing",
     RIGHT.replace("static aldis_err ship_on_go", "static void ship_on_go")
          .replace("(void)self; (void)msg; (void)ctx;\n    return ALDIS_OK;\n}\n/*END*/", "}"),
     ["ship_on_go", "signature"]),
    ("a handler of an arm with another arm's payload",
     RIGHT.replace("station_on_leave(struct station *self, const Leave *msg",
                   "station_on_leave(struct station *self, const Dock *msg"),
     ["station_on_leave", "signature"]),
    ("a reference of another kind", line("/*SPAWN*/", "self->home = self->other;"),
     ["station_ref", "ship_ref"]),
    ("spawning into a reference of another kind",
     line("/*SPAWN*/", "(void)aldis_spawn(ctx, ship, &self->home, NULL);"), ["station_ref"]),
    ("sending one message through another's channel",
     line("/*CHANNEL SEND*/", "(void)aldis_channel_send(other, ping, .seq = 1);"), ["go_tx"]),
    ("sending a field that the channel's message does not have",
     line("/*CHANNEL SEND*/", "(void)aldis_channel_send(to, ping, .sequence = 1);"), ["sequence"]),
    ("receiving into another payload",
     line("/*RECEIVE*/", "Dock dock; (void)it; return aldis_channel_receive(from, ping, &dock);"),
     ["Dock"]),
    ("making a channel with another's end",
     line("/*CREATE*/",
          "(void)aldis_channel_create(ping, &other, &from, &(aldis_channel_opts){0});"),
     ["go_tx"]),
    ("a message type that was never declared",
     RIGHT.replace("X(kind, ping) X(kind, go)", "X(kind, ping) X(kind, go) X(kind, undeclared)"),
     ["undeclared"]),
    ("asking with a message that is no request",
     line("/*ASK*/", "aldis_ask(ctx, self->home, dock, ship_on_count, NULL, .berth = 1);"),
     ["dock_on_reply"]),
    ("asking a kind that does not accept the request",
     line("/*ASK*/", "aldis_ask(ctx, self->home, ping, ship_on_count, NULL, .seq = 1);"),
     ["ping", "station_accepts"]),
    ("a handler of answers with another reply",
     RIGHT.replace("const struct count *count, aldis_ctx", "const struct ping *count, aldis_ctx"),
     ["ship_on_count", "signature", "ping"]),
    ("a handler of answers with another state",
     RIGHT.replace("ship_on_count(struct ship *self", "ship_on_count(struct station *self"),
     ["ship_on_count", "signature"]),
    ("an answer handled by the handler of another request",
     RIGHT.replace("ALDIS_REQUEST(ping, count);",
                   "ALDIS_REQUEST(ping, count);\nALDIS_REQUEST(pong, count);")
          .replace("ALDIS_ON_REPLY(ship_on_count, struct ship, ping)",
                   "ALDIS_ON_REPLY(ship_on_count, struct ship, pong)"),
     ["pong_on_reply"]),
    ("asking without a handler for the answer",
     line("/*ASK*/", "aldis_ask(ctx, self->other, ping, ship_on_ping, NULL, .seq = 1);"),
     ["ship_on_ping_entry_"]),
    ("calling from outside with room for another reply",
     line("/*ASK*/", "struct ping got; aldis_call((aldis_system *)0, self->other, ping, &got, 0, "
          ".seq = 1);"), ["struct ping"]),
    ("sending reliably what the receiver's kind does not accept",
     line("/*RELIABLE*/",
          "(void)aldis_send_reliable(ctx, self->home, ping, NULL, NULL, .seq = 1);"),
     ["ping", "station_accepts"]),
    ("a row whose handler takes another message",
     RIGHT.replace("T(kind, open, go, aldis_go, shut)", "T(kind, open, go, swing, open)"),
     ["signature of swing"]),
    ("a row that goes to a state that was never declared",
     RIGHT.replace("aldis_go, shut)", "aldis_go, ajar)"), ["door_state_ajar"]),
    ("a row for a message that the protocol does not list",
     RIGHT.replace("T(kind, open, go, aldis_go, shut)", "T(kind, open, pong, aldis_go, shut)"),
     ["door_event_pong"]),
    ("becoming a state that was never declared",
     RIGHT.replace("aldis_become(door, self, open)", "aldis_become(door, self, ajar)"),
     ["door_state_ajar"]),
    ("a struct whose inner struct was not described",
     RIGHT.replace("ALDIS_WIRE_STRUCT(Vec3);", ""), ["Vec3_wire"]),
    ("a struct that can be longer than a frame",
     RIGHT.replace("ALDIS_WIRE_STRUCT(Dock);",
                   "#undef Dock_size\n#define Dock_size (1 << 20)\nALDIS_WIRE_STRUCT(Dock);"),
     ["Dock can be longer than a frame"]),
    ("a rule for a field that is not there",
     RIGHT.replace("ALDIS_WIRE_PRESENT(Leave, why)", "ALDIS_WIRE_PRESENT(Leave, reason)"),
     ["Leave_reason_tag"]),
]


def compile_program(compiler, include_dir, generated_dir, program):
    """The compiler's exit status and its errors, without the program's text that it quotes."""
    command = [compiler, "-std=c11", "-fsyntax-only", "-I", include_dir, "-I", generated_dir,
               "-x", "c", "-"]
    run = subprocess.run(command, input=program, text=True, capture_output=True, check=False)
    messages = [text for text in run.stderr.splitlines() if "error:" in text]
    return run.returncode, "\n".join(messages), run.stderr


def main():
    include_dir, generated_dir, *compilers = sys.argv[1:]
    number = failed = 0
    tried = set()
    for compiler in compilers:
        path = shutil.which(compiler)
        if not path:
            print(f"# {compiler} is not there")
            continue
        if os.path.realpath(path) in tried:
            print(f"# {compiler} is one of those already tried")
            continue
        tried.add(os.path.realpath(path))
        cases = [("the right program compiles", RIGHT, None)] + WRONG
        for name, program, named in cases:
            number += 1
            status, errors, whole = compile_program(compiler, include_dir, generated_dir, program)
            if named is None:
                good, fault = status == 0, whole
            elif program == RIGHT:
                good, fault = False, "the mistake is not in the program: adapt this test"
            else:
                missing = [word for word in named if word not in errors]
                good = status != 0 and not missing
                fault = f"exit status {status}; not named: {missing}\n{whole}"
            if not good:
                failed += 1
                for text in fault.splitlines():
                    print("#", text)
            print(f"{'ok' if good else 'not ok'} {number} - {compiler}: {name}")
    print(f"1..{number}")
    return 1 if failed or number == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
