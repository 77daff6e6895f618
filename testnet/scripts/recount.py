#!/usr/bin/env python3
"""Recomputes the promises of a testnet from its recorded histories, and from nothing else.

Usage: recount.py DIR/record [DIR/record ...]

Reads client.jsonl (what was submitted and what was answered) and follower-*.jsonl (what was read
and verified), and checks for each folder:
  lost        every transaction answered `available` or better is in its rollup's stream
  duplicated  ... and no transaction is in the streams twice
  gaps        each follower read its rollup's sequence numbers one by one
  mismatched  at each sequence number all followers read the same bytes and the same ids
  untrue      no node said anything that a follower could not verify
  disorder    heights rise with sequence numbers
  reordered   what a node accepted of a rollup kept its order, unless it reached another node too
Prints one JSON object a folder. Exit code 0: all hold. 1: some do not. 2: nothing to judge.
"""

import json
import sys
from pathlib import Path

EXAMPLES = 5  # ids shown for each kind of fault
PROMISES = ("available", "certified", "final")


def lines(path):
    """The objects of a history. A last line without its end was torn off by a crash."""
    with open(path, "rb") as file:
        for number, line in enumerate(file, 1):
            if not line.endswith(b"\n"):
                return
            try:
                yield json.loads(line)
            except ValueError as error:
                raise SystemExit(f"{path}:{number}: {error}") from error


class Client:
    """What the load did and was told."""

    def __init__(self, path):
        self.sent = {}  # id -> (rollup, node, time, request, index)
        self.promised = {}  # id -> time of the answer
        self.refused, self.unknown, self.copied = set(), set(), set()
        for line in lines(path):
            kind, name = line["type"], line["id"]
            if kind == "invoke":
                place = (line["request"], line["index"])
                self.sent[name] = (line["rollup"], line["node"], line["t"], *place)
            elif kind == "retry":
                self.copied.add(name)
            elif kind == "ok" and line["level"] in PROMISES:
                self.promised[name] = line["t"]
            elif kind == "fail":
                self.refused.add(name)
            elif kind in ("unknown", "ok"):
                self.unknown.add(name)
            else:
                raise SystemExit(f"{path}: a line of type {kind!r}")


class Streams:
    """What the followers read, rollup by rollup."""

    def __init__(self, paths):
        self.frames = {}  # rollup -> {sequence: (digest, height, ids)}
        self.gaps, self.mismatched, self.untrue, self.readers = [], [], [], 0
        for path in paths:
            self.readers += 1
            self.read(path)

    def read(self, path):
        expected = None
        for line in lines(path):
            rollup = line["rollup"]
            if line["type"] == "start":
                expected = line["from"]
            elif line["type"] == "frame":
                sequence = line["sequence"]
                if sequence != expected:
                    self.gaps.append(f"{path.name}: {sequence} after {expected} was due")
                expected = sequence + 1
                self.add(path, rollup, sequence, line)
            elif line["type"] == "trouble" and line["untrue"]:
                self.untrue.append(f"{path.name}: {line['node']}: {line['why']}")

    def add(self, path, rollup, sequence, line):
        frame = (line["digest"], line["height"], tuple(line["ids"]))
        before = self.frames.setdefault(rollup, {}).setdefault(sequence, frame)
        if before != frame:
            self.mismatched.append(f"{path.name}: rollup {rollup} sequence {sequence}")

    def places(self):
        """id -> list of (rollup, sequence, index), over all streams."""
        places = {}
        for rollup, frames in self.frames.items():
            for sequence, (_, _, ids) in frames.items():
                for index, name in enumerate(ids):
                    places.setdefault(name, []).append((rollup, sequence, index))
        return places

    def disorder(self):
        found = []
        for rollup, frames in self.frames.items():
            heights = [(sequence, frames[sequence][1]) for sequence in sorted(frames)]
            for (_, low), (sequence, high) in zip(heights, heights[1:]):
                if high <= low:
                    found.append(f"rollup {rollup} sequence {sequence}: height {high}")
        return found


def reordered(client, places):
    """Transactions that lie behind one that was sent only after they were answered, or behind
    one that stood after them in the same request; by node and rollup."""
    lanes, found = {}, []
    for name, (rollup, node, sent, request, index) in client.sent.items():
        if name in places and name not in client.copied:
            _, sequence, at = places[name][0]
            answered = client.promised.get(name, float("inf"))
            entry = ((sequence, at), name, sent, answered, request, index)
            lanes.setdefault((node, rollup), []).append(entry)
    for lane in lanes.values():
        newest, highest = -1, {}
        for _, name, sent, answered, request, index in sorted(lane):
            if answered < newest or index < highest.get(request, -1):
                found.append(name)
            newest = max(newest, sent)
            highest[request] = max(index, highest.get(request, -1))
    return found


def judge(folder):
    client = Client(folder / "client.jsonl")
    streams = Streams(sorted(folder.glob("follower-*.jsonl")))
    places = streams.places()
    where = {name: client.sent[name][0] for name in client.promised if name in client.sent}
    lost = [n for n, rollup in where.items() if rollup not in {p[0] for p in places.get(n, ())}]
    twice = [name for name, found in places.items() if len(found) > 1]
    faults = {
        "lost": lost,
        "duplicated": twice,
        "gaps": streams.gaps,
        "mismatched": streams.mismatched,
        "untrue": streams.untrue,
        "disorder": streams.disorder(),
        "reordered": reordered(client, places),
        "unsent": [name for name in client.promised if name not in client.sent],
    }
    result = {
        "folder": str(folder),
        "offered": len(client.sent),
        "refused": len(client.refused),
        "submitted": len(client.promised),
        "unknown": len(client.unknown),
        "unknown_final": sum(name in places for name in client.unknown),
        "final": len(where) - len(lost),
        "followers": streams.readers,
        "rollups": len(streams.frames),
        "frames": sum(len(frames) for frames in streams.frames.values()),
        **{kind: len(found) for kind, found in faults.items()},
        "examples": {kind: found[:EXAMPLES] for kind, found in faults.items() if found},
    }
    result["passed"] = not result["examples"]
    return result


def main(arguments):
    if not arguments or any(argument.startswith("-") for argument in arguments):
        print(__doc__.strip(), file=sys.stderr)
        return 2
    passed = True
    for argument in arguments:
        folder = Path(argument)
        if not (folder / "client.jsonl").is_file():
            print(f"no client.jsonl in {folder}", file=sys.stderr)
            return 2
        result = judge(folder)
        print(json.dumps(result, indent=2))
        if result["submitted"] == 0 or result["frames"] == 0:
            print(f"{folder}: nothing was submitted or read", file=sys.stderr)
            return 2
        passed = passed and result["passed"]
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
