# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""``gather_subset`` and ``query`` of the modules that only read, once. Imports jmespath only for a query."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Callable, Optional

from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError
from ansible_collections.eternus.backup.plugins.module_utils._options import invalid

ALL = "all"

#: What jmespath lets through for some expressions: numbers compared with texts, a step of 0, an expression (``&name``)
#: or an infinite number as the result, thousands of brackets.
_ESCAPING = (TypeError, ValueError, ArithmeticError, LookupError, AttributeError, RecursionError)

#: Characters of an expression, or of what is wrong with it, that a message shows.
_SHOWN = 200

Search = Callable[[Mapping[str, Any]], Any]


def chosen(subset: Sequence[str], known: Sequence[str]) -> frozenset[str]:
    """Return the parts that a list like ``[all, "!volumes"]`` means; only exclusions mean all others.

    :raises BackupError: ``invalid_option`` for an unknown part.
    """
    plus = {item for item in subset if not item.startswith("!")}
    minus = {item[1:] for item in subset if item.startswith("!")}
    for item in sorted(plus | minus):
        if item not in (*known, ALL):
            raise invalid("gather_subset", item, f"Choose among {ALL}, {', '.join(known)}, each with or without '!'.")
    everything = ALL in plus or not plus
    kept = set(known) if everything else plus
    return frozenset(set() if ALL in minus else kept - minus)


def compiled(query: Optional[str], example: str) -> Optional[Search]:
    """Return what a JMESPath expression cuts out, None without one; before anything is read.

    :param example: an expression that makes sense for this module.
    :raises BackupError: ``invalid_option`` for a bad expression, now or when it is used.
    """
    if query is None:
        return None
    import jmespath
    from jmespath.exceptions import JMESPathError

    def bad(error: Exception) -> BackupError:
        first = (str(error).splitlines() or [type(error).__name__])[0]
        return invalid("query", query[:_SHOWN], f"Give a JMESPath expression, e.g. {example} ({first[:_SHOWN]}).")

    try:
        expression = jmespath.compile(query)
    except (JMESPathError, *_ESCAPING) as error:
        raise bad(error) from None

    def search(parts: Mapping[str, Any]) -> Any:
        try:
            found = expression.search(parts)
            json.dumps(found, allow_nan=False)
        except (JMESPathError, *_ESCAPING) as error:
            raise bad(error) from None
        return found

    return search
