#!/usr/bin/env python3
"""Runs the mutants that cargo-mutants lists, all of some files in one build.

Each function is given all its mutated bodies and picks one by the environment variable MUTANT, so
that a mutant costs a run of the tests and no compilation. Bodies that do not compile are dropped,
by what the compiler says, and counted; constants get a build each. Works on a copy of the sources.

usage: mutation.py <name> <package> <files> <cargo test options> <test filters>
Each argument is a list separated by spaces. ONLY, in the environment, is a regular expression for
the names of mutants to run. Exit code 1 when a mutant survives.
"""
import collections
import glob
import json
import os
import re
import shutil
import subprocess
import sys

# The tests of any group end within a few seconds; a mutant that hangs is one that is noticed.
SECONDS_MAX = 20
SWITCH = """
/// Which mutant runs; 0 for none.
#[doc(hidden)]
#[allow(missing_docs, unreachable_pub)]
pub fn mutant_id() -> u32 {
    static ID: std::sync::OnceLock<u32> = std::sync::OnceLock::new();
    let read = || std::env::var("MUTANT").map_or(0, |id| id.parse().expect("a number"));
    let id = *ID.get_or_init(read);
    assert!(id != u32::MAX, "the canary");
    id
}
"""
CANARY = 4294967295


def run(arguments, **options):
    return subprocess.run(arguments, capture_output=True, text=True, check=False, **options)


def copy_sources(to):
    """The sources, and nothing left that was compiled from them before."""
    shutil.rmtree(to, ignore_errors=True)
    for old in glob.glob(os.path.join(to, "../release/.fingerprint/chorale-*")):
        shutil.rmtree(old)
    files = run(["git", "ls-files", "-co", "--exclude-standard"]).stdout.split("\n")
    for file in filter(os.path.isfile, files):
        os.makedirs(os.path.join(to, os.path.dirname(file)), exist_ok=True)
        shutil.copyfile(file, os.path.join(to, file))


def list_mutants(files):
    arguments = ["cargo", "mutants", "--list", "--json"]
    for file in files:
        arguments += ["-f", file]
    mutants = json.loads(run(arguments).stdout)
    # The tool turns these round and leaves out the flip that is off by one.
    for old, turned, edge in ((">=", "<", ">"), ("<=", ">", "<")):
        for mutant in mutants[:]:
            name = mutant["name"].replace(f" {old} with {turned}", f" {old} with {edge}")
            if name != mutant["name"]:
                mutants.append({**mutant, "name": name, "replacement": edge})
    only = re.compile(os.environ.get("ONLY", ""))
    mutants = [mutant for mutant in mutants if only.search(mutant["name"])]
    for number, mutant in enumerate(mutants, 1):
        mutant["number"] = number
    return mutants


def switchable(mutant):
    """A constant has no body, and bodies of different opaque types cannot stand in one."""
    return mutant["function"] and "impl " not in (mutant["function"]["return_type"] or "")


def offset(lines, place):
    return sum(len(line) + 1 for line in lines[: place["line"] - 1]) + place["column"] - 1


def with_switches(text, mutants):
    """The file with all mutated bodies of its functions."""
    lines = text.split("\n")
    functions = collections.defaultdict(list)
    for mutant in mutants:
        span = mutant["function"]["span"]
        place = (offset(lines, span["start"]), offset(lines, span["end"]))
        functions[place].append(mutant)
    for (start, end), inside in sorted(functions.items(), reverse=True):
        name = inside[0]["function"]["function_name"].split("::")[-1]
        found = re.compile(r"\bfn " + re.escape(name) + r"\b").search(text, start, end)
        opening = text.index("{", found.end())
        arms = []
        for mutant in inside:
            begin = offset(lines, mutant["span"]["start"])
            finish = offset(lines, mutant["span"]["end"])
            body = text[opening:begin] + mutant["replacement"] + text[finish:end]
            if mutant["genre"] == "FnValue":
                body = "{ " + mutant["replacement"] + " }"
            number = mutant["number"]
            arms.append(f"{number} => /*from {number}*/\n{body}\n/*to {number}*/\n")
        body = text[opening:end]
        head = text[start:opening].replace("const fn", "fn")
        switch = "{ match crate::mutant_id() {\n" + "".join(arms) + "_ => " + body + "\n} }"
        text = text[:start] + head + switch + text[end:]
    return text


def broken(messages, folder, files):
    """The mutants that the compiler's errors lie in, and errors elsewhere."""
    numbers, elsewhere = set(), []
    for line in messages.split("\n"):
        if not line.startswith('{"reason":"compiler-message"'):
            continue
        message = json.loads(line)["message"]
        if message["level"] != "error" or not message["spans"]:
            continue
        found = set()
        for span in message["spans"]:
            if span["file_name"] not in files or not span["is_primary"]:
                continue
            with open(os.path.join(folder, span["file_name"]), encoding="utf-8") as source:
                above = source.read().split("\n")[: span["line_start"]]
            for text in reversed(above):
                mark = re.search(r"/\*(from|to) (\d+)\*/", text)
                if mark:
                    found |= {int(mark[2])} if mark[1] == "from" else set()
                    break
        numbers |= found
        if not found:
            elsewhere.append(message["rendered"])
    return numbers, elsewhere


def compile_tests(folder, package, options):
    """Ours without optimization, which compiles ten times as fast; what we depend on with it."""
    command = ["cargo", "test", "--no-run", "--profile=release", "--message-format=json"]
    command += ["-p", package, "--config=profile.release.opt-level=0"]
    command += ['--config=profile.release.package."*".opt-level=3']
    command += ["--config=profile.release.debug=false", *options]
    result = run(command, cwd=folder)
    if result.returncode != 0:
        return None, result
    artifacts = map(json.loads, filter(None, result.stdout.split("\n")))
    binaries = [a.get("executable") for a in artifacts if a.get("profile", {}).get("test")]
    return [binary for binary in binaries if binary], result


def build(folder, package, options, files, mutants):
    """Compiles the switches; returns the test binaries and what had to be dropped."""
    dropped = set()
    while True:
        for file in files:
            with open(file, encoding="utf-8") as source:
                text = source.read()
            here = [m for m in mutants if m["file"] == file and m["number"] not in dropped]
            with open(os.path.join(folder, file), "w", encoding="utf-8") as target:
                target.write(with_switches(text, here))
        binaries, result = compile_tests(folder, package, options)
        if binaries is not None:
            return binaries, dropped
        numbers, elsewhere = broken(result.stdout, folder, files)
        if not numbers - dropped:
            sys.exit("does not compile:\n" + "\n".join(elsewhere) + result.stderr[-2000:])
        dropped |= numbers


def outcome(binaries, filters, number, folder):
    environment = {**os.environ, "MUTANT": str(number), "RUST_BACKTRACE": "0"}
    environment["CARGO_MANIFEST_DIR"] = folder
    for binary in binaries:
        try:
            code = run([binary, *filters], cwd=folder, env=environment, timeout=SECONDS_MAX)
        except subprocess.TimeoutExpired:
            return "timeout"
        except UnicodeDecodeError:
            return "caught"
        if code.returncode != 0:
            return "caught"
    return "missed"


def alone(mutant, folder, crate, package, options, filters):
    """What becomes of a mutant that needs a build of its own."""
    with open(mutant["file"], encoding="utf-8") as source:
        text = source.read()
    lines = text.split("\n")
    begin, end = (offset(lines, mutant["span"][place]) for place in ("start", "end"))
    path = os.path.join(folder, mutant["file"])
    with open(path, "w", encoding="utf-8") as target:
        target.write(text[:begin] + mutant["replacement"] + text[end:])
    binaries, _ = compile_tests(folder, package, options)
    with open(path, "w", encoding="utf-8") as target:
        target.write(text)
    return "uncompilable" if binaries is None else outcome(binaries, filters, 0, crate)


def main():
    name, package, files, options, filters = [sys.argv[1], sys.argv[2]] + [
        argument.split() for argument in sys.argv[3:6]
    ]
    target = os.environ["CARGO_TARGET_DIR"]
    folder = os.path.join(target, "switched")
    copy_sources(folder)
    crate = os.path.join(folder, files[0].split("/")[0])
    with open(os.path.join(crate, "src/lib.rs"), "a", encoding="utf-8") as lib:
        lib.write(SWITCH)
    everything = list_mutants(files)
    mutants = [m for m in everything if switchable(m)]
    binaries, dropped = build(folder, package, options, files, mutants)
    if outcome(binaries, filters, 0, crate) != "missed":
        sys.exit(f"{name}: the tests fail without a mutant")
    if outcome(binaries, filters, CANARY, crate) == "missed":
        sys.exit(f"{name}: the tests do not run the mutants")
    counts = collections.defaultdict(collections.Counter)
    survivors = []
    # Those with a build of their own come last: they replace the one with the switches.
    for mutant in sorted(everything, key=lambda mutant: not switchable(mutant)):
        if not switchable(mutant):
            result = alone(mutant, folder, crate, package, options, filters)
        elif mutant["number"] in dropped:
            result = "uncompilable"
        else:
            result = outcome(binaries, filters, mutant["number"], crate)
        counts[mutant["file"]][result] += 1
        if result == "missed":
            survivors.append(f"  {result}: {mutant['name']}")
        print(result, mutant["name"], file=sys.stderr, flush=True)
    for file, count in counts.items():
        print(f"{file}: {sum(count.values())} mutants,", dict(count))
    print("\n".join(survivors))
    sys.exit(1 if survivors else 0)


main()
