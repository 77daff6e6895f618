#!/usr/bin/env python3
"""A second opinion on recorded histories: I1 to I5, in another language, from docs/wire.md alone.

Usage: second_opinion.py [--signatures N] DIR [DIR ...]

DIR holds the histories of one run, or has them in `record`; genesis.json lies there or above.
Checks, with nothing but Python's standard library:
  I1  each height has one block at every node, without a gap, each standing on the one below
  I2  each commit certificate is a quorum's, by stake, of the right set and epoch, for that block or
      one above it; the signatures of the first N (40) where the package py_ecc is there, which is
      said: each takes a quarter of a second
  I3  what was promised is in its rollup's stream, and nothing is there twice
  I4  each follower reads its rollup's blocks one by one, and all read the same
  I5  each block of a stream is what the nodes ordered, and the frame recorded with it says the same
Prints one JSON object a folder. Exit code 0: all hold. 1: some do not. 2: nothing to judge.
"""

import hashlib
import json
import sys
from pathlib import Path

SHOWN = 5  # breaches of an invariant that are spelled out
PROMISES = ("available", "certified", "final")
EPOCH = 1
SIGNATURES = 40  # that are checked in one run unless told otherwise


def unhex(text):
    if not text.startswith("0x"):
        raise ValueError(f"{text[:10]} does not begin with 0x")
    return bytes.fromhex(text[2:])


def digest(domain, *parts):
    name = domain.encode()
    return hashlib.sha256(bytes([len(name)]) + name + b"".join(parts)).digest()


def number(value, width):
    return value.to_bytes(width, "big")


def blob(value):
    return number(len(value), 4) + value


class Cursor:
    """What is left to read of an encoding."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        if self.at + count > len(self.data):
            raise ValueError("bytes end early")
        piece = self.data[self.at : self.at + count]
        self.at += count
        return piece

    def number(self, width):
        return int.from_bytes(self.take(width), "big")

    def option(self, read):
        tag = self.number(1)
        if tag > 1:
            raise ValueError(f"an option cannot be {tag}")
        return read() if tag else None

    def many(self, read):
        return [read() for _ in range(self.number(4))]

    def blob(self):
        return self.take(self.number(4))

    def end(self):
        if self.at != len(self.data):
            raise ValueError(f"{len(self.data) - self.at} bytes follow")

    def signers(self):
        members = self.number(2)
        bits = int.from_bytes(self.take((members + 7) // 8), "little")
        if bits >> members:
            raise ValueError("a signer beyond the last member")
        return members, [place for place in range(members) if bits >> place & 1]

    def certificate(self):
        kind, start = self.number(1), self.at
        fields = (self.number(8), self.number(8), self.number(8), self.take(32))
        vote = self.data[start : self.at]
        members, places = self.signers()
        return {"kind": kind, "epoch": fields[0], "view": fields[1], "height": fields[2],
                "block": fields[3], "vote": vote, "members": members, "places": places,
                "signature": self.take(96)}

    def timeouts(self):
        self.take(16)
        self.many(lambda: (self.take(8), self.option(lambda: self.take(48)), self.signers()))
        self.take(96)
        self.certificate()

    def entry(self):
        self.timeouts() if self.number(1) else self.certificate()

    def header(self):
        start = self.at
        self.take(32 + 1 + 8 + 32)
        height, _, parent, body = self.number(8), self.take(8), self.take(32), self.take(32)
        ordered = (self.number(8), self.take(32))
        self.option(lambda: self.take(96))
        self.take(2)
        time = self.number(8)
        name = digest("chorale/1/header", self.data[start : self.at])
        return {"hash": name, "height": height, "parent": parent, "time": time, "body": body,
                "ordered": ordered}

    def block(self):
        header = self.header()
        self.many(lambda: self.take(8 + 2 + 8 + 32 + 8))
        self.take(8)
        return header

    def proposal(self):
        """The block in a message, if it is a proposal with one."""
        if self.take(2) != b"\x01\x00":
            return None
        self.take(16)
        kind = self.number(1)
        if kind in (0, 4):
            self.certificate()
        elif kind == 1:
            self.take(32)
        elif kind == 2:
            self.timeouts()
            self.certificate()
        else:
            self.entry()
            self.take(32)
        return self.option(self.block)

    def frame(self):
        rollup, sequence, height, time = (self.number(8) for _ in range(4))
        transactions = self.many(self.blob)
        self.blob()
        self.end()
        return rollup, sequence, height, time, transactions


class Genesis:
    """The set, and the chain's id."""

    def __init__(self, path):
        text = json.loads(path.read_text())
        params = text["params"]
        out = blob(text["chain_name"].encode()) + number(text["time"], 8) + unhex(text["seed"])
        for name in ("view_timeout_ms", "block_interval_min_ms", "idle_block_interval_ms",
                     "batch_interval_ms", "lane_quota_bytes", "block_bytes_max", "dedup_ms",
                     "dedup_heights"):
            out += number(params[name], 8)
        out += number(params["schedule_slots_per_validator"], 2)
        out += number(len(text["validators"]), 4)
        for member in text["validators"]:
            out += blob(member["name"].encode())
            for key in ("operator", "bls", "possession", "network"):
                out += unhex(member[key])
            out += number(member["stake"], 8)
        out += number(len(text["rollups"]), 4)
        for rollup in text["rollups"]:
            out += number(rollup["id"], 8) + number(0, 1) + number(rollup["deposit"], 8)
        self.id = digest("chorale/1/genesis", out)
        self.stakes = [member["stake"] for member in text["validators"]]
        self.keys = [unhex(member["bls"]) for member in text["validators"]]
        total = sum(self.stakes)
        self.quorum = total - (total - 1) // 3
        self.dedup_heights = params["dedup_heights"]


def lines(path):
    """Objects of a history with their places. A cut last line, and a cut one that a `start` follows
    in the same line, were left by a crash."""
    with open(path, "rb") as file:
        for count, line in enumerate(file, 1):
            if not line.endswith(b"\n"):
                return
            try:
                found = json.loads(line)
            except ValueError:
                found = json.loads(line[line.rindex(b"{") :])
            yield f"{path.name}:{count}", found


class Pairings:
    """Signatures, if somebody installed the means to check them."""

    def __init__(self, most):
        self.checked, self.skipped, self.most = 0, 0, most
        try:
            from py_ecc.bls import G2ProofOfPossession

            self.scheme, self.why = G2ProofOfPossession, None
        except ImportError:
            self.scheme, self.why = None, "the package py_ecc is not installed"

    def holds(self, genesis, found):
        if self.scheme is None or self.checked >= self.most:
            self.why = self.why or f"only the first {self.most} are checked"
            self.skipped += 1
            return True
        self.checked += 1
        name = b"chorale/1/commit"
        message = bytes([len(name)]) + name + genesis.id + found["vote"]
        keys = [genesis.keys[place] for place in found["places"]]
        return self.scheme.FastAggregateVerify(keys, message, found["signature"])


class Run:
    """One run, and what is wrong with it."""

    def __init__(self, folder, signatures):
        root = folder / "record" if (folder / "record").is_dir() else folder
        places = (root / "genesis.json", folder / "genesis.json", root.parent / "genesis.json")
        self.genesis = Genesis(next(path for path in places if path.is_file()))
        self.breaches = {f"I{index}": [] for index in range(1, 6)}
        self.counts = {f"I{index}": 0 for index in range(1, 6)}
        self.pairings, self.seen = Pairings(signatures), set()
        self.blocks, self.finals, self.ordered, self.links = {}, {}, {}, []
        self.sent, self.promised, self.refused = {}, {}, set()
        self.frames = {}  # rollup -> {sequence: (digest, height, time, ids, place)}
        faults = root / "faults.jsonl"
        excused = ("byzantine", "rollback")
        logged = [line for _, line in lines(faults)] if faults.is_file() else []
        self.excused = {line["node"] for line in logged if line.get("kind") in excused}
        for path in sorted(root.rglob("*.jsonl")):
            if path.name.startswith("client"):
                self.read_load(path)
            elif path.name.startswith("follower-"):
                self.read_follower(path)
            elif path.name != "faults.jsonl":
                self.read_node(path)

    def check(self, name, holds, place, what):
        self.counts[name] += 1
        if not holds:
            self.breaches[name].append(f"{place}: {what}")

    # ---- nodes

    def read_node(self, path):
        due, fresh, honest = None, True, True
        for place, line in lines(path):
            kind = line["kind"]
            if kind == "start":
                fresh, honest = True, line["name"] not in self.excused
            elif kind == "lost":
                fresh = True
            elif kind == "statement":
                self.take_block(line)
            elif kind == "commit" and honest:
                height = line["height"]
                self.check("I1", fresh or height == due, place, f"height {height}, due was {due}")
                due, fresh = max(due or 0, height + 1), False
                self.on_commit(place, height, unhex(line["hash"]), line["certificate"])
            elif kind == "ordered" and honest:
                told = [(c["rollup"], c["sequence"], c["ids"]) for c in line["rollups"]]
                self.ordered.setdefault(line["height"], (told, place))

    def take_block(self, line):
        if not line["bytes"].startswith("0x0100"):
            return
        try:
            block = Cursor(unhex(line["bytes"])).proposal()
        except ValueError:
            return
        if block:
            self.blocks[block["hash"]] = block

    def final(self, place, height, block):
        first, where = self.finals.setdefault(height, (block, place))
        self.check("I1", first == block, place, f"height {height} is another block at {where}")

    def on_commit(self, place, height, block, text):
        self.final(place, height, block)
        try:
            cursor = Cursor(unhex(text))
            found = cursor.certificate()
            cursor.end()
        except ValueError as error:
            return self.check("I2", False, place, f"no certificate: {error}")
        if text not in self.seen:
            self.check_certificate(place, found)
            self.seen.add(text)
            if found["height"] > 0:
                self.links.append((place, found["height"], found["block"]))
        self.check("I2", found["height"] >= height, place, "a certificate of a lower block")
        if found["height"] == height:
            self.check("I2", found["block"] == block, place, "a certificate of another block")

    def check_certificate(self, place, found):
        stakes, members = self.genesis.stakes, found["members"]
        right = found["kind"] == 1 and found["epoch"] == EPOCH and found["view"] > 0
        right = right and members == len(stakes)
        stake = sum(stakes[p] for p in found["places"]) if right else 0
        self.check("I2", right, place, "a certificate of another kind, epoch, view or set")
        self.check("I2", stake >= self.genesis.quorum, place, f"stake {stake} is no quorum")
        if right and stake >= self.genesis.quorum:
            holds = self.pairings.holds(self.genesis, found)
            self.check("I2", holds, place, "the signature is not the signers'")

    def judge_chain(self):
        for place, height, block in self.links:
            first, where = self.finals.get(height, (block, place))
            self.check("I1", first == block, place, f"certified against {where}")
        for height, (name, place) in sorted(self.finals.items()):
            below = self.genesis.id if height == 1 else self.finals.get(height - 1, (None,))[0]
            block = self.blocks.get(name)
            if block and below:
                self.check("I1", block["parent"] == below, place, f"{height} stands on another")
                self.check("I2", block["height"] == height, place, "a block of another height")

    # ---- the load and the followers

    def read_load(self, path):
        for place, line in lines(path):
            kind, name = line["type"], line["id"]
            if kind == "invoke":
                self.sent.setdefault(name, line["rollup"])
            elif kind == "ok" and line["level"] in PROMISES:
                self.promised[name] = place
                self.refused.discard(name)
            elif kind == "fail":
                self.refused.add(name)

    def read_follower(self, path):
        due, before, rollup = None, None, None
        for place, line in lines(path):
            if line["type"] == "start":
                due, before, rollup = line["from"], None, line["rollup"]
            elif line["type"] == "end" and line["next"] is not None:
                self.check("I4", line["next"] == due, place, f"next is not {due}")
            elif line["type"] == "frame":
                sequence, moment = line["sequence"], (line["height"], line["time"])
                self.check("I4", line["rollup"] == rollup, place, "a frame of another rollup")
                self.check("I4", sequence == due, place, f"sequence {sequence}, due was {due}")
                rises = before is None or all(a < b for a, b in zip(before, moment))
                self.check("I4", rises, place, "height or time does not rise")
                self.check("I4", bool(line["ids"]), place, "an empty frame")
                due, before = sequence + 1, moment
                self.on_frame(place, line)

    def on_frame(self, place, line):
        own = (line["digest"], line["height"], line["time"], line["ids"])
        frames = self.frames.setdefault(line["rollup"], {})
        first = frames.setdefault(line["sequence"], (*own, place))
        self.check("I4", first[:4] == own, place, f"another frame than at {first[4]}")
        if "bytes" not in line:
            return
        try:
            frame = Cursor(unhex(line["bytes"])).frame()
        except ValueError as error:
            return self.check("I5", False, place, f"no frame: {error}")
        rollup, sequence, height, time, transactions = frame
        named = (line["rollup"], line["sequence"], line["height"], line["time"])
        self.check("I5", frame[:4] == named, place, "bytes of another frame")
        key = number(rollup, 8)
        ids = ["0x" + digest("chorale/1/transaction", key, tx).hex() for tx in transactions]
        self.check("I5", ids == line["ids"], place, "bytes of other transactions")
        read = b"".join(number(value, 8) for value in (sequence, height, time))
        weight = hashlib.sha256(read + b"".join(blob(tx) for tx in transactions)).digest()
        self.check("I4", weight == unhex(line["digest"]), place, "bytes of another digest")

    def judge_streams(self):
        spots = {}
        for rollup, frames in self.frames.items():
            for sequence, (_, height, _, ids, place) in sorted(frames.items()):
                for name in ids:
                    before = spots.get(name)
                    far = before and name not in self.sent
                    far = far and height - before[1] >= self.genesis.dedup_heights
                    self.check("I3", not before or far, place, f"{name} is there twice")
                    spots[name] = (rollup, height)
        for name, place in self.promised.items():
            self.check("I3", name in spots, place, f"{name} was promised and is nowhere")
        for name, rollup in self.sent.items():
            if name in spots:
                same = spots[name][0] == rollup and name not in self.refused
                self.check("I3", same, "client", f"{name} is where it should not be")

    def judge_projection(self):
        told = set()
        for height, (contents, place) in self.ordered.items():
            for rollup, sequence, ids in contents:
                if not ids:
                    continue
                told.add((rollup, sequence))
                frame = self.frames.get(rollup, {}).get(sequence)
                if frame:
                    same = frame[1] == height and frame[3] == ids
                    self.check("I5", same, frame[4], f"other than ordered at {place}")
                    block = self.blocks.get(self.finals.get(height, (None,))[0])
                    if block:
                        self.check("I5", frame[2] == block["time"], frame[4], "another time")
        last = max(self.ordered, default=0)
        for rollup, frames in self.frames.items():
            for sequence, frame in frames.items():
                known = (rollup, sequence) in told or frame[1] > last
                self.check("I5", known, frame[4], f"nobody ordered sequence {sequence}")

    # ---- the end

    def result(self, folder):
        self.judge_chain()
        self.judge_streams()
        self.judge_projection()
        found = {"folder": str(folder)}
        for name, breaches in self.breaches.items():
            found[name] = {"checked": self.counts[name], "violated": len(breaches),
                           "breaches": breaches[:SHOWN]}
        found["signatures"] = {"checked": self.pairings.checked, "skipped": self.pairings.skipped}
        if self.pairings.skipped:
            found["signatures"]["why"] = self.pairings.why
        counts = (self.finals, self.sent, self.promised, self.frames)
        found["enough"] = all(len(count) > 0 for count in counts)
        found["passed"] = found["enough"] and not any(self.breaches.values())
        return found


def main(arguments):
    signatures = SIGNATURES
    if arguments[:1] == ["--signatures"] and len(arguments) > 1 and arguments[1].isdigit():
        signatures, arguments = int(arguments[1]), arguments[2:]
    if not arguments or any(argument.startswith("-") for argument in arguments):
        print(__doc__.strip(), file=sys.stderr)
        return 2
    worst = 0
    for argument in arguments:
        try:
            result = Run(Path(argument), signatures).result(argument)
        except (OSError, ValueError, KeyError, StopIteration) as error:
            print(f"{argument}: cannot be judged: {error!r}", file=sys.stderr)
            return 2
        print(json.dumps(result, indent=2))
        violated = any(result[f"I{index}"]["violated"] for index in range(1, 6))
        worst = max(worst, 1 if violated else 0 if result["enough"] else 2)
    return worst


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
