# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The universal scalability law: X(n) = first * n / (1 + sigma (n - 1) + kappa n (n - 1)); plain least squares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf, sqrt


@dataclass(frozen=True)
class Law:
    """How throughput grows with n workers.

    ``sigma``: the share of the work that waits for its turn (Amdahl's law, where kappa is 0); ``kappa``: what each
    worker costs each other one.
    """

    first: float
    sigma: float
    kappa: float

    def throughput(self, workers: float) -> float:
        """Return what so many workers do."""
        return self.first * workers / (1 + self.sigma * (workers - 1) + self.kappa * workers * (workers - 1))

    def peak(self) -> float:
        """Return with how many workers there is no more to be had; infinite without kappa."""
        return sqrt(max(0.0, 1 - self.sigma) / self.kappa) if self.kappa > 0 else inf

    def knee(self) -> float:
        """Return where contention alone has halved each worker's share; infinite without sigma."""
        return 1 + 1 / self.sigma if self.sigma > 0 else inf


def fitted(measured: Mapping[int, float]) -> Law:
    """Fit the law to throughputs by their number of workers, one of which must be 1; neither term is below 0."""
    first = measured[1]
    points = [(n - 1.0, n * (n - 1.0), first * n / x - 1) for n, x in measured.items() if n > 1]
    aa, ab, bb = (sum(f(a, b) for a, b, _y in points) for f in (_square_a, _product, _square_b))
    ay, by = sum(a * y for a, _b, y in points), sum(b * y for _a, b, y in points)
    determinant = aa * bb - ab * ab
    if determinant > 0:
        sigma, kappa = (ay * bb - by * ab) / determinant, (by * aa - ay * ab) / determinant
        if sigma >= 0 and kappa >= 0:
            return Law(first, sigma, kappa)
    alone = [Law(first, max(0.0, ay / aa) if aa else 0.0, 0.0), Law(first, 0.0, max(0.0, by / bb) if bb else 0.0)]
    return min(alone, key=lambda law: sum((law.sigma * a + law.kappa * b - y) ** 2 for a, b, y in points))


def _square_a(a: float, _b: float) -> float:
    return a * a


def _product(a: float, b: float) -> float:
    return a * b


def _square_b(_a: float, b: float) -> float:
    return b * b
