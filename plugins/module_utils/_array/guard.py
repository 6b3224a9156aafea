# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""What an answer may be before it is parsed, and how it may come here: over TLS 1.2 or newer, from whom was asked."""

from __future__ import annotations

import io
import ssl
from typing import Any

#: Bytes of the largest answer that is read; 10,000 volumes with our properties are some 6 MB.
MAX_ANSWER = 48 << 20

_STEP = 1 << 16


class UnfitAnswer(Exception):
    """The answer is too large, or declares entities, which CIM-XML never does."""


def read_whole(raw: Any) -> bytes:
    """Return a body up to the bound; refuses a document type, since its entities could grow without end."""
    size, parts = 0, []
    for part in raw.stream(_STEP, decode_content=True):
        size += len(part)
        if size > MAX_ANSWER:
            raw.close()
            raise UnfitAnswer("too large")
        parts.append(part)
    content = b"".join(parts)
    if b"<!DOCTYPE" in content[:_STEP]:
        raise UnfitAnswer("a document type")
    return content


def _tls(*, verify: bool) -> ssl.SSLContext:
    """Return how TLS is spoken. Unlike the libraries' own contexts it reads no variable, as SSLKEYLOGFILE."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.hostname_checks_common_name = False
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def guarded_adapter(*, verify: bool = True) -> Any:
    """Return an adapter for a session of requests that reads answers by :func:`read_whole`, and sends nothing twice.

    It leads nowhere else: the password, and what changes something, are for the host that was named.

    :param verify: whether the array must prove who it is.
    """
    from requests.adapters import HTTPAdapter
    from requests.exceptions import ConnectionError as Broken
    from urllib3.exceptions import HTTPError

    class GuardedAdapter(HTTPAdapter):
        def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
            super().init_poolmanager(*args, **{**kwargs, "ssl_context": _tls(verify=verify)})

        def send(self, *args: Any, **kwargs: Any) -> Any:
            response = super().send(*args, **kwargs)
            response.headers.pop("location", None)
            try:
                response.raw = io.BytesIO(read_whole(response.raw))
            except HTTPError:
                raise Broken("Connection broken in the middle of an answer.") from None
            return response

    return GuardedAdapter(max_retries=0)
