# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The law that make scale fits to what it measures."""

from __future__ import annotations

from math import inf, isclose

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.eternus.backup.tests.benchmark.scale_law import Law, fitted

WORKERS = (1, 2, 4, 8, 16, 32)


@given(st.floats(0.1, 1e4), st.floats(0, 0.5), st.floats(0, 0.1))
def test_the_fit_finds_the_law_that_the_figures_obey(first: float, sigma: float, kappa: float) -> None:
    law = Law(first, sigma, kappa)
    found = fitted({n: law.throughput(n) for n in WORKERS})
    assert found.first == first
    assert isclose(found.sigma, sigma, abs_tol=1e-6) and isclose(found.kappa, kappa, abs_tol=1e-6)


def test_more_than_linear_growth_is_no_negative_contention() -> None:
    found = fitted({1: 1.0, 2: 2.2, 4: 4.9})
    assert (found.sigma, found.kappa) == (0.0, 0.0)


def test_one_measurement_alone_grows_for_ever() -> None:
    law = fitted({1: 3.0})
    assert (law.throughput(10), law.peak(), law.knee()) == (30.0, inf, inf)


def test_beyond_the_peak_more_workers_do_less() -> None:
    law = Law(1.0, 0.05, 0.002)
    peak = law.peak()
    assert law.throughput(peak) > max(law.throughput(peak / 2), law.throughput(peak * 2))
