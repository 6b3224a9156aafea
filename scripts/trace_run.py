# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""make trace: every rule has a test, and the tests of a sample of rules fail when the rule's function is disabled.

``SEED=n`` draws the same sample again; ``SAMPLE=n`` draws so many rules, ``SAMPLE=all`` takes all of them, and
``SAMPLE="R2.1 R2.4"`` these. The figures go to build/trace.json.
"""

from __future__ import annotations

import json
import os
import random
import secrets
from concurrent.futures import ThreadPoolExecutor

from runner import BIN, BUILD, ROOT, TREE, Finished, Step, environment, report, run, say
from trace_rules import RULE, Mutation, Rules, read

WORKERS = 2
SAMPLE = 5
SHOWN = 20
_SITE = ROOT / "scripts" / "trace_site"


def drawn(rules: Rules, wanted: str, seed: int) -> list[str]:
    """Return the rules whose functions are disabled in this run, in the order of the page."""
    if wanted == "all":
        return rules.proven
    if RULE.match(wanted):
        return [rule for rule in rules.proven if rule in wanted.split()]
    count = min(int(wanted or SAMPLE), len(rules.proven))
    chosen = set(random.Random(seed).sample(rules.proven, count))
    return [rule for rule in rules.proven if rule in chosen]


def _pytest(name: str, tests: list[str], mutation: Mutation | None) -> Finished:
    argv = [str(BIN / "pytest"), "-q", "-x", "--no-header", *tests]
    env = environment(HYPOTHESIS_STORAGE_DIRECTORY=str(ROOT / ".cache" / "hypothesis"))
    if mutation is not None:
        argv += ["-p", "sitecustomize"]
        env.update(PYTHONPATH=str(_SITE), TRACE_MUTATION=json.dumps(mutation.as_json()))
    return run(f"trace-{name}", argv, env)


def _prove(rules: Rules, rule: str) -> tuple[str, Finished]:
    """Run a rule's tests with its function disabled: they killed it, it survived, or pytest itself was broken."""
    done = _pytest(rule, rules.units[rule], rules.mutations[rule])
    return {0: "survived", 1: "killed"}.get(done.code, "broken"), done


def trace() -> Step:
    """Hold page, tests and functions together; each rule counts one, and each disabled function one."""
    step = Step("trace")
    rules = read(ROOT, tree=TREE)
    for fault in rules.faults:
        step.count(fault, False)
    step.passed += sum(1 for rule in rules.ids if rules.units[rule] or rules.targets[rule])
    seed = int(os.environ.get("SEED") or secrets.randbelow(1_000_000))
    sample = [rule for rule in drawn(rules, os.environ.get("SAMPLE", ""), seed) if rules.units[rule]]
    shown = " ".join(sample) if len(sample) <= SHOWN else f"{len(sample)} functions"
    say(f"{len(rules.ids)} rules, {step.passed} with tests; seed {seed}, disabled: {shown or 'none'}")
    killed: list[str] = []
    if sample:
        tests = sorted({test for rule in sample for test in rules.units[rule]})
        before = _pytest("before", tests, None)
        report(f"{len(tests)} tests pass with nothing disabled", before, before.code == 0)
        step.count("the tests of the sample fail before anything is disabled", before.code == 0)
    with ThreadPoolExecutor(WORKERS) as pool:
        for rule, (fate, done) in zip(sample, pool.map(lambda rule: _prove(rules, rule), sample)):
            mutation = rules.mutations[rule]
            say(f"{'ok    ' if fate == 'killed' else 'FAILED'} {rule} {fate}: {mutation.function} {mutation.kind}")
            step.count(f"{rule}: {fate}, {mutation.function} disabled and its tests say nothing", fate == "killed")
            if fate == "killed":
                killed.append(rule)
            elif fate == "broken":
                report(rule, done, False)
    _write(step, rules, sample, killed, seed)
    return step


def _write(step: Step, rules: Rules, sample: list[str], killed: list[str], seed: int) -> None:
    figures: dict[str, object] = {
        "rules": len(rules.ids),
        "with_tests": sum(1 for rule in rules.ids if rules.units[rule] or rules.targets[rule]),
        "later": len(rules.later),
        "with_function": len(rules.proven),
        "words": len(rules.words),
        "roles": len(rules.roles),
        "sampled": sample,
        "killed": len(killed),
        "survived": [rule for rule in sample if rule not in killed],
        "seed": seed,
    }
    step.figures.update(figures)
    BUILD.mkdir(exist_ok=True)
    tests = {rule: [*rules.units[rule], *rules.targets[rule]] for rule in rules.ids}
    (BUILD / "trace.json").write_text(json.dumps({**figures, "tests": tests}, indent=2) + "\n", encoding="utf-8")
