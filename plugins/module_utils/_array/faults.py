# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""What can go wrong on the way to the array: pywbem's errors become the product's, once (behaviour.md §4)."""

from __future__ import annotations

import re
import socket
import ssl
from typing import Any

from ansible_collections.eternus.backup.plugins.module_utils._errors import NOTHING_CHANGED, BackupError, ErrorClass
from ansible_collections.eternus.backup.plugins.module_utils._options import ArrayOptions

#: What is said when a changing request may have been carried out although no answer came.
ANSWER_LOST = "Whether the array carried the request out is not known."

_PLAIN_HTTP_MARKS = ("wrong_version_number", "wrong version number", "record layer failure", "record_layer_failure")
_TLS_MARKS = ("certificate", "ssl", "hostname", "tlsv1", "handshake")
_OLD_TLS_MARKS = ("protocol version", "protocol_version", "unsupported protocol", "unsupported_protocol")
_REASON = re.compile(r"\[Errno -?\d+\] ([A-Za-z][^)'\"]*)")

_ACCESS_DENIED = 2


def fault(error: Exception, options: ArrayOptions, *, acting: bool, spoken: bool) -> BackupError:
    """Return what an error of pywbem means.

    :param acting: the request was to change something.
    :param spoken: the array has answered on this connection before; then the scheme and the certificate are right.
    """
    import pywbem

    if isinstance(error, pywbem.AuthError):
        return not_authorized(options)
    if isinstance(error, pywbem.HTTPError):
        return _http_error(error, options, acting=acting)
    if isinstance(error, pywbem.CIMError):
        return cim_error(error, options)
    if isinstance(error, pywbem.TimeoutError):
        return _unreachable(options, f"gave no answer within {options.request_timeout:g} s", acting=acting)
    if isinstance(error, pywbem.ConnectionError):
        return _no_connection(str(error), options, acting=acting, spoken=spoken)
    return unfit(type(error).__name__, options, acting=acting)


def unfit(why: str, options: ArrayOptions, *, acting: bool) -> BackupError:
    """Return the error for an answer that is no CIM-XML, or must not be read."""
    return BackupError(
        ErrorClass.ARRAY_ERROR,
        f"What answers at {options.url} does not speak CIM-XML as expected ({why}).",
        next_step="Check that host and port lead to the array's SMI-S agent.",
        unchanged=ANSWER_LOST if acting else NOTHING_CHANGED,
        answer_lost=acting,
    )


def not_authorized(options: ArrayOptions) -> BackupError:
    """Return the error for a refused user or password."""
    return BackupError(
        ErrorClass.NOT_AUTHORIZED,
        f"The array at {options.url} does not accept user {options.username} with this password.",
        next_step="Check username and password; the user needs the array's Software role.",
        host=options.host,
        username=options.username,
    )


def cim_error(error: Any, options: ArrayOptions) -> BackupError:
    """Return the error for a CIM status: ``array_error`` with the status, or ``not_authorized``."""
    if error.status_code == _ACCESS_DENIED:
        return not_authorized(options)
    return BackupError(
        ErrorClass.ARRAY_ERROR,
        f"The array at {options.url} refused the request: {error.status_code_name} {error.status_description}".rstrip()
        + ".",
        next_step="Check that host and port lead to an ETERNUS SMI-S agent, and that it is enabled.",
        code=error.status_code,
        meaning=error.status_code_name,
    )


def missing_ca(options: ArrayOptions) -> BackupError:
    """Return the error for a ``ca_path`` that is not there."""
    return BackupError(
        ErrorClass.INVALID_OPTION,
        f"ca_path {options.ca_path} is not there or may not be read.",
        next_step="Give the file of the authority that signed the array's certificate.",
        option="ca_path",
    )


def speaks_tls(options: ArrayOptions) -> bool:
    """Tell whether a port speaks TLS. A handshake only: nothing is sent over it, so there is nothing to verify."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        address = (options.host.strip("[]"), options.port)
        with socket.create_connection(address, timeout=5) as plain, context.wrap_socket(plain):
            return True
    except OSError:
        return False


def _http_error(error: Any, options: ArrayOptions, *, acting: bool) -> BackupError:
    if error.status in (401, 403):
        return not_authorized(options)
    if error.status == 400 and not options.use_tls and speaks_tls(options):
        return _mismatch(options)
    elsewhere = " It leads elsewhere, and is not followed." if 300 <= error.status < 400 else ""
    return BackupError(
        ErrorClass.ARRAY_ERROR,
        f"The array at {options.url} answered HTTP status {error.status}.{elsewhere}",
        next_step="Wait until the array's SMI-S agent is ready, then run the task again."
        if error.status >= 500
        else "Check that host and port lead to the array's SMI-S agent.",
        unchanged=ANSWER_LOST if acting else NOTHING_CHANGED,
        code=error.status,
        answer_lost=acting,
    )


def _no_connection(text: str, options: ArrayOptions, *, acting: bool, spoken: bool) -> BackupError:
    lower = text.lower()
    if not spoken:
        if options.use_tls and any(mark in lower for mark in _PLAIN_HTTP_MARKS):
            return _mismatch(options)
        if not options.use_tls and "refused" not in lower and speaks_tls(options):
            return _mismatch(options)
        if options.use_tls and any(mark in lower for mark in _TLS_MARKS):
            return _tls_failed(lower, options)
    found = _REASON.search(text)
    refused = "refused" in lower
    return _unreachable(
        options,
        f"cannot be reached: {found.group(1).strip().lower()}"
        if found
        else ("cannot be reached: connection refused" if refused else "closed the connection or cannot be reached"),
        acting=acting and not refused,
    )


def _mismatch(options: ArrayOptions) -> BackupError:
    spoken, wanted = ("http", "https") if options.use_tls else ("https", "http")
    return BackupError(
        ErrorClass.PROTOCOL_MISMATCH,
        f"{wanted} was used, but port {options.port} of {options.host} speaks {spoken}.",
        next_step=f"Give the port for {wanted} (5989 is https, 5988 is http), or set use_tls accordingly.",
        host=options.host,
        port=options.port,
    )


def _tls_failed(lower: str, options: ArrayOptions) -> BackupError:
    if "hostname" in lower or "ip address mismatch" in lower:
        what = f"The certificate is not for the name {options.host}."
    elif "expired" in lower:
        what = "The certificate has expired."
    elif "not yet valid" in lower:
        what = "The certificate is not valid yet; one of the two clocks may be wrong."
    elif "self-signed" in lower or "self signed" in lower or "issuer" in lower:
        what = "The certificate is signed by an authority that is not trusted here."
    elif any(mark in lower for mark in _OLD_TLS_MARKS):
        what = "It offers no TLS 1.2 or newer."
    else:
        what = "The TLS handshake failed."
    return BackupError(
        ErrorClass.TLS_FAILED,
        f"The array at {options.url} cannot be trusted: {what}",
        next_step="Give the right authority by ca_path, and the name that the certificate bears as host.",
        host=options.host,
        port=options.port,
    )


def _unreachable(options: ArrayOptions, what: str, *, acting: bool) -> BackupError:
    return BackupError(
        ErrorClass.ARRAY_UNREACHABLE,
        f"The array at {options.url} {what}.",
        next_step="Look at the session's state, then run the task again."
        if acting
        else "Check host, port and network, and that the array's SMI-S agent is enabled.",
        unchanged=ANSWER_LOST if acting else NOTHING_CHANGED,
        host=options.host,
        port=options.port,
        answer_lost=acting,
    )
