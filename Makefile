# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# The commands; the work is done in scripts/.
# TARGETS="a b" make integration   runs only these targets; TESTS=tests/unit/x make units only these tests.
# IN_PROCESS=0 make integration   runs every module as a process of its own, not in a fork of Ansible's worker.
# SIZE=MiB ROUNDS=n make bench-tape   measures so much, so often; ST=0 leaves out the st driver, NICE=0 the priority.
# SECONDS=n make fuzz   runs each fuzzer for so long (60). CYCLES=n SEED=n make soak   runs so many cycles (2000).
# SEED=n make trace      draws the same rules again; SAMPLE=all, SAMPLE=9 or SAMPLE="R2.1 R2.4" chooses how many, or which.

CHECK = .venv/bin/python scripts/check.py

.PHONY: fault-array help env lint types package sanity integration units trace coverage test build demo bench bench-tape scale fault fuzz soak audit format
.PHONY: clean

help:
	@echo 'make env | test | tape-test | demo | build | bench | bench-tape | scale | fault | fuzz | soak | audit | clean'
	@echo 'make lint | types | package | sanity | integration | units | trace | coverage   (one step of test)'

env:
	@scripts/env.sh

test: env
	@$(CHECK)

lint types package sanity integration units trace coverage: env
	@$(CHECK) $@

# In the tape bed: Linux's own SCSI tape stack in User-Mode-Linux. SUITES="own tgt" runs only these.
tape-test: env
	@.venv/bin/python scripts/tape_bed/tape_test.py $(SUITES)

build: env
	@.venv/bin/python scripts/stage.py

demo: env
	@scripts/demo.sh

bench-tape: env
	@.venv/bin/python scripts/bench_tape/main.py

# What the product costs, beside what it is compared with: SECTIONS="a b", ROUNDS=n, SMALL=1 (tests/benchmark/run.py).
bench: env
	@.venv/bin/python scripts/bench/main.py

# Many arrays and workers over one catalog, as processes: PARTS="a b", SMALL=1 (tests/benchmark/scale.py, docs/scale.md).
scale: env
	@.venv/bin/python scripts/scale/main.py

# Coverage-guided fuzzing by atheris of all that reads what others wrote. FUZZERS="a b" make fuzz runs only these.
fuzz: env
	@.venv/bin/python scripts/fuzz/main.py "$(SECONDS)" $(FUZZERS)

# The crash matrix: killed at every line (tests/fault). SEED=n draws again, WORKFLOWS="a b" and POINTS=n choose.
fault: env
	@.venv/bin/python scripts/fault/main.py

# Each fault of the array, at each request of each job (make test takes a part of them), in half an hour or more.
fault-array: env
	@ARRAY_FAULTS=all .venv/bin/pytest -q tests/unit/plugins/modules/test_array_faults.py \
		tests/unit/plugins/modules/test_array_faults_states.py

# 2,000 randomized cycles over 20 volumes under faults, 20 to 40 minutes. Figures: build/soak.json.
soak: env
	@.venv/bin/python scripts/soak/main.py "$(CYCLES)" "$(SEED)"

# Known vulnerabilities in what is installed, as the package registry tells. FILES=requirements.txt asks about those alone.
audit: env
	@.venv/bin/python scripts/audit.py $(FILES)

format: env
	@.venv/bin/ruff check --fix --quiet . ; .venv/bin/ruff format .

clean:
	@rm -rf .venv .cache build .ansible tests/output .hypothesis .mypy_cache .pytest_cache .ruff_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
