#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Scenarios from other files, from settings and from maps: --set, include, `aldis import`; --events."""
import json
import os
import subprocess
import sys
import tempfile

from tap import SOURCE, case, check, check_equal, check_in, main
from program import ALDIS, CROWDED, HARBOUR, expect

FOLDER = tempfile.mkdtemp(prefix="aldis-scenario-")


def write(name, text):
    path = os.path.join(FOLDER, name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


@case
def a_setting_changes_the_run():
    out, _ = expect(0, "run", HARBOUR, "--quiet", "--until", "10s", "--set", "fleet.traders.count=5")
    check_in("all 95", out)


@case
def a_setting_reaches_what_has_no_name_or_is_not_there():
    plain, _ = expect(0, "run", HARBOUR, "--quiet", "--until", "5m")
    for setting in ("stations.Port Gaia.goods.food.stock=1", "signals.speed=100 u/s"):
        out, _ = expect(0, "run", HARBOUR, "--quiet", "--until", "5m", "--set", setting)
        check(out.splitlines()[1] != plain.splitlines()[1], f"{setting} changes nothing")


@case
def several_files_are_checked_and_the_worst_tells():
    names = [os.path.join(SOURCE, "scenarios", name) for name in os.listdir(os.path.join(SOURCE, "scenarios"))
             if name.endswith(".yaml")]
    out, _ = expect(0, "check", *names)
    for name in names:
        check_in(f"{name}: good\n", out)
    check_equal(out.splitlines()[-1], f"{len(names)} files: {len(names)} good, 0 not", "last line")
    wrong = write("wrong.yaml", "name: 4\nduration: 5\n")
    out, err = expect(65, "check", HARBOUR, wrong, names[0])
    check_in(f"{names[0]}: good\n", out)
    check_in("3 files: 2 good, 1 not", out)
    check_in(f"{wrong}:2:11: duration: found \"5\"", err)
    out, err = expect(66, "check", wrong, "no-such-file", HARBOUR)
    check_in("no-such-file: cannot be opened", err)
    check_in("3 files: 1 good, 2 not", out)
    out, err = expect(65, "check", HARBOUR, names[0], "--set", "stations.Port Gaia.berths=0")
    check_in('berths: found "0"', err)
    check_in("stations.Port Gaia", err)
    expect(64, "check", HARBOUR, "")
    both = subprocess.run([ALDIS, "check", HARBOUR, wrong, HARBOUR], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False).stdout.splitlines()
    at = [i for i, line in enumerate(both) if line.startswith(wrong)]
    check(both[0].startswith(HARBOUR) and both[-2].startswith(HARBOUR) and min(at) > 1, both)


LIMITS = """limits:
  mailbox:
    policy: reject
    ship: {capacity: 64}
    station: {capacity: 256, bytes: 64 KiB, handling: 20 ms, shed_target: 2 s, policy: wait}
    rescue: {policy: unbounded}
  memory: 64 MB
  docking_rate: {requests: 9, per: 1 min, burst: 3}
  docking_credit: {total: 5}
"""


@case
def what_limits_mean_is_said():
    with open(HARBOUR, encoding="utf-8") as file:
        path = write("limits.yaml", file.read() + LIMITS)
    out, _ = expect(0, "check", path)
    line = sum(1 for _ in open(path, encoding="utf-8")) - LIMITS.count("\n") + 2
    check_equal(out.splitlines(), [
        f'{path}:{line}: warning: limits.docking_rate: 9 requests in 1 min; "Port Gaia" could serve 10.9 ships',
        f'{path}:{line}: warning: limits.docking_credit: 5 ships at a time; "Port Gaia" has 10 berths',
        f"{path}: good, with 2 warnings",
        out.splitlines()[3],
        f"{path}: limits.mailbox.ship: 64 messages, 1 MiB; one more is rejected",
        f"{path}: limits.mailbox.station: 256 messages, 64 KiB; who sends one more is held up; each takes 20 ms, "
        "so 50 a second at the most; under load what has waited 2 s is dropped",
        f"{path}: limits.mailbox.rescue: as many messages as come",
        f"{path}: limits.memory: 64 MB for all actors and messages",
        f"{path}: limits.docking_rate: each station takes in 9 requests in 1 min, 3 of them at once; one more is "
        "put off",
        f"{path}: limits.docking_credit: 5 ships at a time may ask, wait or be in a berth at one station; others "
        "are held back"], "output")
    out, _ = expect(0, "check", HARBOUR, "--set", "limits.mailbox.capacity=4")
    check_in(f"{HARBOUR}: warning: limits.mailbox: without a `handling` a message takes no time", out)
    check_in("limits.mailbox.station: 4 messages, 1 MiB; who sends one more is held up\n", out)


SMALL = """name: two docks
duration: 30 min
units_per_AU: 1000
bodies:
  - name: Rock
stations:
  - {name: A, body: Rock, berths: 2, service: 30 s}
  - {name: "b.c=d", body: Rock, radius: 90 u, berths: 2, service: 30 s}
classes:
  - {name: boat, speed: 5 u/s, acceleration: 1 u/s2}
fleets:
  - {name: boats, class: boat, count: 6, route: random}
"""


@case
def a_permission_that_nobody_can_use_is_a_warning():
    path = write("small.yaml", SMALL)
    expect(0, "check", path)
    out, _ = expect(0, "check", path, "--set", "lookahead=10 s", "--set", "stations.A.permission=30 s")
    check_in('stations[0] "A": its permission of 30 s is over before a ship can be in its berth (approach 10 s, '
             "and twice the lookahead of 10 s): nobody docks there", out)
    check_in("good, with 1 warning\n", out)
    out, _ = expect(0, "check", path, "--set", "lookahead=9 s", "--set", "stations.A.permission=30 s")
    check("warning" not in out, out)
    report = json.loads(expect(0, "run", path, "-q", "--json", "--set", "lookahead=10 s", "--set",
                               "stations.A.permission=30 s", "--set", "stations.A.approach=10 s")[0])
    check_equal(report["stations"][0]["dockings"], 0, "dockings there")


@case
def too_many_ships_are_told_once():
    _, err = expect(65, "check", HARBOUR, "--set", "fleets.traders.count=16000000")
    check_in("fleets[1]: found too many ships, allowed: 16000000 in all fleets", err)
    check_equal(err.count("\n"), 1, "lines")


@case
def a_name_may_have_dots_and_equals_signs():
    path = write("small.yaml", SMALL)
    _, err = expect(65, "check", path, "--set", "stations.b.c=d.berths=0")
    check_in('stations[1].berths: found "0"', err)
    expect(0, "check", path, "--set", "stations.b.c=d.berths=7")
    for wrong in ("stations.b.c=7", "stations.b.c=d=7", "stations.b.c=d.berths=", "stations.A=", "=", "a", ""):
        expect(65, "check", path, "--set", wrong)


@case
def limits_are_in_the_report_and_in_the_events():
    limits = ["--set", "limits.mailbox.station.capacity=1", "--set", "limits.mailbox.station.handling=1 s",
              "--set", "limits.mailbox.station.policy=drop_newest", "--set", "limits.memory=64 MB"]
    events = os.path.join(FOLDER, "limited.jsonl")
    out, _ = expect(0, "run", HARBOUR, "--quiet", "--json", "--until", "5m", "--events", events, *limits)
    report = json.loads(out)
    with open(events, encoding="utf-8") as file:
        lines = [json.loads(line) for line in file]
    dropped = report["limits"]["mailbox"]["dropped"]
    check(dropped > 0, out)
    check_equal(report["limits"]["mailbox"]["rejected"], 0, "rejected")
    check_equal(report["limits"]["memory"]["max_bytes"], 64000000, "budget")
    limited = [line for line in lines if line["event"] == "limited"]
    check_equal(sum(line["dropped"] for line in limited), dropped, "in the events")
    types = {line["message"] for line in limited}
    check_equal(sum(report["messages"][name]["dropped"] for name in types), dropped, "in the table")
    out, _ = expect(0, "run", HARBOUR, "--quiet", "--until", "5m", *limits)
    check_in(f"mailboxes             dropped {dropped} (0 had waited too long), rejected 0", out)
    check_in("MB of 64.0 MB at most", out)
    out, _ = expect(0, "run", HARBOUR, "--quiet", "--until", "10s", "--json")
    check("limits" not in json.loads(out), out)


def events_of(scenario, *words):
    """Run it; gives the report as JSON, and its events."""
    path = os.path.join(FOLDER, "events.jsonl")
    out, _ = expect(0, "run", scenario, "--quiet", "--json", "--events", path, *words)
    with open(path, encoding="utf-8") as file:
        return json.loads(out), [json.loads(line) for line in file]


@case
def who_is_held_back_for_credit_is_named_and_let_in():
    # With memory for what ships tell the ledger.
    report, events = events_of(CROWDED, "--until", "3m", "--set", "limits.memory=64 MB")
    held, let_in, waits = {}, 0, []
    for event in events:
        if event["event"] == "held":
            check(event["actor"] not in held, f"held twice: {event}")
            held[event["actor"]] = event
        elif event["event"] == "let_in":
            let_in += 1
            began = held.pop(event["actor"])
            check_equal(event["station"], began["station"], "station")
            check_equal(event["waited_ns"], event["at_ns"] - began["at_ns"], "waited")
            waits.append(event["waited_ns"])
    credit = report["limits"]["docking_credit"]
    check(0 <= let_in - credit["held"] <= 2, f"{let_in} let in, the ledger has {credit['held']}")
    check(max(waits) >= 0.98 * credit["max_ns"], f"longest {max(waits)}, reported {credit['max_ns']}")
    check(len(held) > 1000, f"only {len(held)} wait at the end")
    check(len(held) <= report["ships"]["docking"], f"{len(held)} wait at the end")


@case
def what_memory_refuses_is_among_the_events():
    only_memory = ["--set", "limits={memory: 4.2 MB}", "--set", "classes.ferry.failures=5 min"]
    for words in ([], only_memory):
        report, events = events_of(CROWDED, *words)
        limited = [event for event in events if event["event"] == "limited"]
        memory = [event["refused"] for event in limited if event["actor"] == "memory"]
        check(memory, "none of memory")
        check_equal(sum(memory), report["limits"]["memory"]["refused"], "refused")
        rejected = sum(event["rejected"] for event in limited if event["actor"] == "mailboxes")
        # Of what the runtime sends for itself, some is refused, too.
        check(rejected >= sum(memory) * 0.99 > 0, f"{rejected} rejected, {sum(memory)} by memory")


@case
def what_a_fault_plan_loses_is_told_from_what_a_mailbox_drops():
    for faults, text in (([], "had waited too long), rejected"),
                         (["--faults", "light"], "had waited too long; faults included), rejected")):
        out, _ = expect(0, "run", CROWDED, "--quiet", "--until", "1m", *faults)
        check_in(text, out)


@case
def who_is_put_off_does_not_ask_before_its_time():
    events = os.path.join(FOLDER, "rate.jsonl")
    # Who goes to help another meanwhile asks when it is back.
    alone = [word for name in ("courier", "merchant", "hauler", "survey")
             for word in ("--set", f"classes.{name}.distress_range=0 u")]
    out, _ = expect(0, "run", HARBOUR, "--quiet", "--json", "--until", "20m", "--events", events,
                    "--set", "limits.docking_rate={requests: 2, per: 1 min, burst: 1}", *alone)
    refused = json.loads(out)["limits"]["docking_rate"]["refused"]
    check(refused > 50, out)
    again, put_off, asked = {}, 0, 0
    with open(events, encoding="utf-8") as file:
        for event in map(json.loads, file):
            ship = event["actor"]
            if event["event"] == "refused" and event["reason"] == "too many requests":
                again[ship] = event
                put_off += 1
                check(event["again_ns"] > event["at_ns"], event)
            elif event["event"] == "state" and event["to"] == "docking" and ship in again:
                asked += 1
                check(event["at_ns"] >= again[ship]["again_ns"], (event, again[ship]))
                check_equal(event["station"], again.pop(ship)["station"], "asked again")
    check(refused - 5 <= put_off <= refused, f"{put_off} of {refused} have heard of it")
    check(asked > 20, asked)


@case
def an_unknown_path_names_the_nearest():
    for setting, text in {
            "fleets.tradrs.count=5": 'there is no "tradrs" here; did you mean "traders"?',
            "fleets.zzz.count=5": 'there is no "zzz" here, allowed: post, traders, ore, explorers',
            "fleets.trader.count=5": 'there is no "trader" here; did you mean "traders"?',
            "seed.x.count=5": 'there is no "x" here: nothing here has a name',
            "fleets.ore.cont=5": 'found unknown key "cont", allowed: a key of a fleet (did you mean '
                                 '"count"?)',
            "stations.Port Gaia.berths=-4": 'stations[2].berths: found "-4", allowed: a whole number '
                                            'from 1 to 64',
            "include=5": "include: found a setting, allowed: only in the file itself",
            "trafic.every=5 s": 'found unknown key "trafic", allowed: a key of a scenario (did you mean "traffic"?)',
            "signals.sped=5": 'found unknown key "sped", allowed: a key of signals (did you mean "speed"?)',
            "stations.Port Gaia.goods.fod.stock=5": 'there is no "fod" here; did you mean "food"?',
            "xyzzyplugh=5": "traffic, signals, limits, faults\n",
            "limits=5": 'limits: found "5", allowed: limits: a mapping that begins with mailbox:',
            "limtis.memory=5": 'found unknown key "limtis", allowed: a key of a scenario (did you mean "limits"?)',
            "limits.mailbx.capacity=5": 'found unknown key "mailbx", allowed: a key of limits (did you mean "mailbox"?)',
            "limits.mailbox.station.capacity=0": 'limits.mailbox.station.capacity: found "0", allowed: a whole number',
            "traffic.evry=5": 'found unknown key "evry", allowed: a key of traffic control (did you mean "every"?)',
            "nonsense": "allowed: PATH=VALUE"}.items():
        _, err = expect(65, "check", HARBOUR, "--set", setting)
        check(err.startswith(f"--set {setting}: "), err)
        check_in(text, err)


@case
def a_fault_rule_that_fits_nobody_is_refused():
    for rule, text in {
            "to: shp": 'faults.rules[0]: found to "shp", allowed: what there is in a run (did you mean "ship"?)',
            "from: xyzzyplugh": 'found from "xyzzyplugh", allowed: ship, station, hazards, weather, rescue, '
                                'traffic, ledger\n',
            "type: dockd": 'found type "dockd", allowed: what there is in a run (did you mean "docked"?)',
            "type: zzzzzzzzzzzzzzzzz": "allowed: update_position, "}.items():
        _, err = expect(65, "check", HARBOUR, "--set", f"faults={{rules: [{{kind: loss, chance: 0.1, {rule}}}]}}")
        check_in(text, err)
    check_in(", ...\n", err)
    expect(0, "check", HARBOUR, "--set",
           "faults={rules: [{kind: loss, chance: 0.1, from: ship, to: station, type: docked}]}")


@case
def an_included_file_is_a_part_and_errors_name_it():
    with open(HARBOUR, encoding="utf-8") as file:
        text = file.read()
    at = text.index("market:")
    write("goods.inc.yaml", text[at:])
    whole = write("whole.yaml", "include: [goods.inc.yaml]\n" + text[:at])
    expect(0, "check", whole)
    write("goods.inc.yaml", text[at:].replace("price: 40", "price: -40"))
    _, err = expect(65, "check", whole)
    check_in("goods.inc.yaml:4:", err)
    check_in('found "-40"', err)


@case
def no_include_leads_out_of_the_folder():
    os.symlink(HARBOUR, os.path.join(FOLDER, "link.yaml"))
    for name in ("../x.yaml", "/etc/passwd", ".hidden", '"\\e[31m"', "link.yaml", "gone.yaml"):
        path = write("out.yaml", f"include: [{name}]\nname: out\n")
        status = 66 if name in ("link.yaml", "gone.yaml") else 65
        _, err = expect(status, "check", path)
        check("\033" not in err, "an escape sequence comes through")
        check_in(f"{path}:1:11: include: found ", err)
        check_in("cannot be opened" if status == 66 else "the name of a file in the same folder", err)
    write("inner.yaml", "include: [goods.inc.yaml]\n")
    _, err = expect(65, "check", write("out.yaml", "include: [inner.yaml]\nname: out\n"))
    check_in("inner.yaml:1:10: found an include", err)


@case
def a_run_with_settings_can_be_compared_and_made_again():
    files = [os.path.join(FOLDER, name) for name in ("a.windows", "b.windows")]
    for name, count in zip(files, ("5", "6")):
        expect(0, "run", HARBOUR, "--quiet", "--until", "20s", "--set", f"fleets.traders.count={count}",
               "--print-windows", name)
    out, _ = expect(1, "compare", *files)
    check_in("the scenarios differ", out)
    out, _ = expect(0, "compare", files[0], files[0])


@case
def a_map_becomes_a_scenario():
    systems = write("systems.csv", "name,x_pc,y_pc,z_pc\nSol,0,0,0\n\"Far, far\",1.5,2,-3\n"
                                   "Sol b,0,0,0\nNear,0.5,0,0\n")
    links = write("links.csv", "from,to\nSol,Near\n\"Far, far\",Sol\n")
    prices = write("prices.csv", "system,commodity,price\nSol,ore,50\nNear,ore,80\nSol,tea,900\n")
    out, err = expect(0, "import", systems, "--links", links, "--prices", prices)
    check_in("3 systems; 1 of the rows at the place of another", err)
    made = write("map.yaml", out)
    check_equal(expect(0, "check", made)[0].splitlines()[0], f"{made}: good", "check")
    out, _ = expect(0, "run", made, "--quiet", "--until", "20m", "--json")
    report = json.loads(out)
    check(report["messages"]["docked"]["handled"] > 3, "nobody docked")
    check(report["messages"]["market_order"]["handled"] > 3, "nobody traded")


@case
def bad_rows_of_a_map_are_told_with_line_and_column():
    systems = write("bad.csv", "name,x,y,z\nSol,0,0,0\nBad,nan,0,0\nWorse,1,zwei,0\nShort,1\n,4,5,6\n"
                               "Sol,9,9,9\n")
    out, err = expect(65, "import", systems)
    check_equal(out, "", "output")
    for text in (f'{systems}:3:5: x: found "nan", allowed: a number',
                 f'{systems}:4:9: y: found "zwei", allowed: a number',
                 f"{systems}:5:1: found 2 fields, allowed: 4 as in line 1",
                 f'{systems}:6:1: name: found "", allowed: 1 to 50 bytes of printable UTF-8',
                 f"{systems}:7:1: name: found a name again"):
        check_in(text, err)
    systems = write("worse.csv", "name,x,y,z\n\"Sol\"x,0,0,0\n" + "n" * 300 + ",1,2,3\n"
                                 "A,1" + "0" * 300 + ",2,3\n\"Open,4,5,6\n")
    out, err = expect(65, "import", systems)
    for text in (f"{systems}:2:1: name: text behind the quote",
                 f"{systems}:3:1: name: longer than 255 bytes",
                 f"{systems}:4:3: x: longer than 255 bytes",
                 f"{systems}:5:1: name: the quote has no end"):
        check_in(text, err)
    path = os.path.join(FOLDER, "bytes.csv")
    for data, status, text in ((b"name,x,y,z\nA\xff,1,2,3\n", 65, "printable UTF-8"),
                               (b"name,x,y,z\nA\0B,1,2,3\n", 66, "it is not text")):
        with open(path, "wb") as file:
            file.write(data)
        check_in(text, expect(status, "import", path)[1])
    _, err = expect(65, "import", write("none.csv", "title,x,y,z\nSol,0,0,0\n"))
    check_in('there is no column "name"', err)
    _, err = expect(65, "import", write("twice.csv", "name,x,y,z,x\nSol,0,0,0,1\nNear,1,0,0,0\n"))
    check_in('twice.csv:1:1: found two columns "x", allowed: one\n', err)
    expect(66, "import", os.path.join(FOLDER, "gone.csv"))


@case
def what_a_map_says_twice_or_of_nobody_is_told():
    systems = write("two.csv", "name,x,y,z\nSol,0,0,0\nNear,1,0,0\n")
    links = write("l.csv", "from,to\nSol,Naer\nzzzzzz,Sol\nSol,Sol\n")
    out, err = expect(65, "import", systems, "--links", links)
    check_equal(out, "", "output")
    check_equal(err.splitlines(), [
        f'{links}:2:5: to: found "Naer", allowed: the name of a system (did you mean "Near"?)',
        f'{links}:3:1: from: found "zzzzzz", allowed: the name of a system',
        f"{links}:4:5: to: found a link from a system to itself"], "links")
    prices = write("p.csv", "system,commodity,price\nSol,ore,5\nNear,ore,6\nSol,ore,7\nSool,ore,1\n"
                            "Sol,tea,0.4\n")
    _, err = expect(65, "import", systems, "--prices", prices)
    check_equal(err.splitlines(), [
        f"{prices}:4:9: price: found a second price of this commodity here, allowed: one",
        f'{prices}:5:1: system: found "Sool", allowed: the name of a system (did you mean "Sol"?)',
        f"{prices}:6:9: price: found a price that cannot be, allowed: 1 to 1000000 credits"], "prices")


@case
def a_table_of_another_make_is_told_as_such():
    for text, wanted in (("name,x_pc,y_pc,z_ly\nA,1,2,3\nB,1,2,4\n",
                          '1:1: found column "z_ly", allowed: "z_pc", in the unit of x'),
                         ("name;x;y;z\nA;1;2;3\n", "1:1: found other separators of fields, allowed: commas"),
                         ("name,x,y,z,\033[31m\nA,1,2,3,4\nB,1,2,4,5\n",
                          '1:1: found column "\\x1b[31m", allowed: printable UTF-8'),
                         ("name,x,y,z\nA,\033[31m,2,3\nB,1,2,4\n", '2:3: x: found "\\x1b[31m", allowed: a number')):
        path = write("other.csv", text)
        out, err = expect(65, "import", path)
        check_equal(out, "", "output")
        check_in(f"{path}:{wanted}", err)
        check("\033" not in err, "an escape sequence comes through")


@case
def events_are_json_lines_in_order():
    path = os.path.join(FOLDER, "events.json")
    expect(0, "run", HARBOUR, "--quiet", "--until", "10m", "--events", path, "--check-balance")
    with open(path, encoding="utf-8") as file:
        events = [json.loads(line) for line in file]
    check(len(events) > 500, f"only {len(events)} events")
    times = [event["at_ns"] for event in events]
    check_equal(times, sorted(times), "order")
    check({"state", "trade_taken", "trade_settled"} <= {event["event"] for event in events}, "kinds")
    expect(64, "run", HARBOUR, "--clock", "live", "--events", path)


@case
def events_on_standard_output_come_before_the_report():
    out, _ = expect(0, "run", HARBOUR, "--quiet", "--until", "10s", "--events", "/dev/stdout")
    lines = out.splitlines()
    at = [i for i, line in enumerate(lines) if not line.startswith("{")]
    check_in('"event":"state"', lines[0])
    check(lines[at[0]].startswith("harbour: 0 h 00 min 10 s") and at == list(range(at[0], len(lines))), out)


@case
def no_output_overwrites_an_input_or_another_output():
    with open(HARBOUR, encoding="utf-8") as file:
        text = file.read()
    scenario, out = write("own.yaml", text), os.path.join(FOLDER, "same.out")
    again = os.path.join(FOLDER, ".", "same.out")
    write("same.out", "mine")
    plan = write("plan.yaml", "rules:\n  - {kind: loss, chance: 0.1}\n")
    for words, other in ((["--events", scenario], "FILE"),
                         (["--record", scenario], "FILE"),
                         (["--print-windows", out, "--events", again], "--print-windows"),
                         (["--faults", plan, "--events", plan], "--faults")):
        _, err = expect(64, "run", scenario, "--until", "1s", *words)
        check_in(f"allowed: another file than that of {other}", err)
    for path, kept in ((scenario, text), (out, "mine")):
        with open(path, encoding="utf-8") as file:
            check_equal(file.read(), kept, path)
    expect(0, "run", scenario, "--until", "1s", "--events", "/dev/null", "--print-windows",
           "/dev/null")


@case
def events_that_cannot_be_written_are_status_74():
    for until in ("10s", "10m"):
        _, err = expect(74, "run", HARBOUR, "--quiet", "--until", until, "--events", "/dev/full")
        check_in("/dev/full cannot be written: No space left on device", err)


@case
def a_plan_that_there_is_not_is_refused():
    _, err = expect(66, "run", HARBOUR, "--until", "1s", "--faults", "medium")
    check_in("--faults: allowed: light, heavy, or a YAML file", err)


if __name__ == "__main__":
    sys.exit(main())
