# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Python that a module's process runs first: it stops itself (SIGSTOP) at a point, once; a short lease."""

from __future__ import annotations

#: Seconds of a lease in these tests.
LEASE = 4.0

_UTILS = "ansible_collections.eternus.backup.plugins.module_utils"

_STOP = """
def _at(number):
    import os, signal
    seen = []
    def reached():
        seen.append(1)
        if len(seen) == number:
            os.kill(os.getpid(), signal.SIGSTOP)
    return reached
"""

#: Live by a short lease.
SHORT = f"""
def _short():
    from {_UTILS}._backup import context
    make = context.Context.__init__
    make.__defaults__ = tuple({LEASE} if one == context.LEASE_SECONDS else one for one in make.__defaults__)
_short()
"""


def before_the_look(number: int = 1) -> str:
    """Stop before a look at the lease, which comes right before a request."""
    return f"""{_STOP}
def _patch(reached):
    from {_UTILS}._backup.operation import Operation
    acting = Operation.acting
    def stopping(self):
        reached()
        return acting(self)
    Operation.acting = stopping
_patch(_at({number}))
"""


def at_the_wire(number: int = 1) -> str:
    """Stop after that look, when a request that changes something is about to be written to the socket."""
    return f"""{_STOP}
def _patch(reached):
    import http.client
    send = http.client.HTTPConnection.send
    def stopping(self, data):
        if any(b"CIMMethod: " + method in bytes(data) for method in (b"Create", b"Modify")):
            reached()
        return send(self, data)
    http.client.HTTPConnection.send = stopping
_patch(_at({number}))
"""


def after_the_act(number: int = 1) -> str:
    """Stop when the array has answered, before anything of it is recorded."""
    return f"""{_STOP}
def _patch(reached):
    from {_UTILS}._backup import apply, taking, undo
    for module in (apply, taking, undo):
        def stopping(*args, _confirm=module.confirm):
            reached()
            return _confirm(*args)
        module.confirm = stopping
_patch(_at({number}))
"""


def before_the_commit(number: int) -> str:
    """Stop when all of a writing transaction is said but the commit. Counted from the process's first one."""
    return f"""{_STOP}
def _patch(reached):
    from contextlib import contextmanager
    from {_UTILS}._catalog.postgres import PostgresDoor
    from {_UTILS}._catalog.sqlite import SqliteDoor
    for door in (PostgresDoor, SqliteDoor):
        @contextmanager
        def stopping(self, engine, _writing=door.writing):
            with _writing(self, engine) as connection:
                yield connection
                reached()
        door.writing = stopping
_patch(_at({number}))
"""


#: Wait for the database's lock shorter than the product does.
IMPATIENT = f"""
def _impatient():
    from {_UTILS}._catalog import failures, postgres, sqlite
    for module in (failures, postgres, sqlite):
        module.LOCK_SECONDS = 1
_impatient()
"""


#: Believe a session list sooner than the product does: the simulated one is never stale here.
TRUSTING = f"""
def _trusting():
    import sys
    from datetime import timedelta
    from {_UTILS}._backup import recover
    from {_UTILS}._waiter import Wait
    for name, module in list(sys.modules.items()):
        if "._backup." in name and hasattr(module, "SETTLED"):
            module.SETTLED = timedelta(seconds=1)
        if "._backup." in name and hasattr(module, "CONFIRM"):
            module.CONFIRM = Wait(0.1, 1.0)
_trusting()
"""


def in_a_block(number: int = 3) -> str:
    """Stop when a block is about to be written to tape."""
    return f"""{_STOP}
def _patch(reached):
    from {_UTILS}._tape.virtual_drive import VirtualDrive
    write = VirtualDrive.write_block
    def stopping(self, data):
        reached()
        return write(self, data)
    VirtualDrive.write_block = stopping
_patch(_at({number}))
"""
