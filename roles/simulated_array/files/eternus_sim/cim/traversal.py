# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From an object to what it is associated with; classes named in a question mean their subclasses, too."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .errors import INVALID_PARAMETER, NOT_FOUND, CimError
from .repository import Reference, Repository
from .schema import CimClass
from .values import Item, Path

if TYPE_CHECKING:
    from .operations import Arguments


@dataclass(frozen=True)
class Question:
    """The filters of a traversal; empty where they were not given. For references, ResultClass is the association."""

    assoc_class: str = ""
    result_class: str = ""
    role: str = ""
    result_role: str = ""

    @classmethod
    def read(cls, repository: Repository, namespace: str, arguments: Arguments) -> Question:
        """Raises INVALID_PARAMETER for a class that is not there."""
        assoc_class, result_class = arguments.class_name("AssocClass"), arguments.class_name("ResultClass")
        for name in (assoc_class, result_class):
            if name and repository.schema.get(name) is None:
                raise CimError(INVALID_PARAMETER, "there is no class %s in %s" % (name, namespace))
        return cls(assoc_class, result_class, arguments.text("Role").lower(), arguments.text("ResultRole").lower())


def _around(repository: Repository, namespace: str, path: Path, assoc: str, question: Question) -> Iterator[Reference]:
    repository.cls(namespace, path.cls, INVALID_PARAMETER)
    for association in repository.associations(assoc):
        for found in association.references(path):
            if question.role in ("", found.role.lower()) and question.result_role in ("", found.other_role.lower()):
                yield found


def references(repository: Repository, namespace: str, path: Path, question: Question) -> list[Item]:
    """The association instances that refer to the object."""
    plain = Question(role=question.role)
    return [found.item for found in _around(repository, namespace, path, question.result_class, plain)]


def associators(repository: Repository, namespace: str, path: Path, question: Question) -> list[Item]:
    """The instances at the other ends, each of them once."""
    family = repository.schema.family(question.result_class) if question.result_class else None
    seen = set()
    items: list[Item] = []
    for found in _around(repository, namespace, path, question.assoc_class, question):
        other = found.other
        if (family is not None and other.cls.lower() not in family) or other.ident in seen:
            continue
        seen.add(other.ident)
        try:
            items.append(repository.find(other.namespace or namespace, other))
        except CimError as error:
            # The other end has gone since, or lies on another array.
            if error.code != NOT_FOUND:
                raise
    return items


def related_classes(
    repository: Repository, namespace: str, name: str, question: Question, between: bool
) -> list[CimClass]:
    """The same for a class: the association classes between, or the classes that they refer to."""
    schema = repository.schema
    start = repository.cls(namespace, name, INVALID_PARAMETER)
    assoc = question.result_class if between else question.assoc_class
    found: list[CimClass] = []
    for cls in schema:
        if not cls.association or (assoc and not schema.is_a(cls.name, assoc)):
            continue
        for here in cls.references:
            near = schema.is_a(start.name, here.ref_class)
            if not near or question.role not in ("", here.name.lower()):
                continue
            if between:
                found.append(cls)
            for there in cls.references if not between else ():
                if there is here or question.result_role not in ("", there.name.lower()):
                    continue
                far = schema.get(there.ref_class)
                if far is not None and (not question.result_class or schema.is_a(far.name, question.result_class)):
                    found.append(far)
    return list({cls.name: cls for cls in found}.values())
