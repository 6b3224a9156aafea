# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation of the options that reach an array."""

from __future__ import annotations


class ModuleDocFragment:
    """Options of plugins/module_utils/_options.py: array_args."""

    DOCUMENTATION = r"""
options:
  host:
    description:
      - Name or address of the array's SMI-S agent.
      - Falls back to the environment variable E(ETERNUS_HOST).
    type: str
    required: true
  port:
    description:
      - Port of the agent. The default is V(5989) with TLS and V(5988) without.
      - Falls back to the environment variable E(ETERNUS_PORT).
    type: int
  username:
    description:
      - A user of the array with the role I(Software).
      - Falls back to the environment variable E(ETERNUS_USERNAME).
    type: str
    required: true
  password:
    description:
      - The user's password.
      - Falls back to the environment variable E(ETERNUS_PASSWORD).
    type: str
    required: true
  use_tls:
    description:
      - Whether to use https. Without it the password and everything else go over the network in the clear.
      - No environment variable switches it off; whoever does so is warned.
    type: bool
    default: true
  validate_certs:
    description:
      - Whether to verify the array's certificate.
      - No environment variable switches it off; whoever does so is warned.
    type: bool
    default: true
  ca_path:
    description:
      - File or directory with certificates of the authorities that may sign the array's certificate.
      - Variables like E(REQUESTS_CA_BUNDLE) are not read; neither are proxies nor C(.netrc).
      - Falls back to the environment variable E(ETERNUS_CA_PATH).
    type: path
  request_timeout:
    description:
      - Seconds that one request to the array may take.
      - Falls back to the environment variable E(ETERNUS_REQUEST_TIMEOUT).
    type: float
    default: 60.0
  peers:
    description:
      - Further arrays that the task talks to, for copies between arrays (REC, ROPC) and for volumes on several arrays.
      - What is left out of an entry is as it is for the main connection; no environment variable is read for it.
      - An array that only carries the other end of a REC or ROPC session need not be here. For a restore from it, it
        must.
      - M(eternus.backup.eternus_sync), M(eternus.backup.eternus_backup) and M(eternus.backup.eternus_restore) go on,
        with a warning, without one that cannot be reached; what needs it is refused with V(array_unreachable).
      - M(eternus.backup.eternus_info) shows the main one only.
    type: list
    elements: dict
    default: []
    suboptions:
      host:
        description: Name or address of this array's SMI-S agent.
        type: str
        required: true
      port:
        description: Port of the agent.
        type: int
      username:
        description: A user of this array with the role I(Software).
        type: str
      password:
        description: The user's password.
        type: str
      use_tls:
        description: Whether to use https.
        type: bool
      validate_certs:
        description: Whether to verify this array's certificate.
        type: bool
      ca_path:
        description: File or directory with certificates of the authorities that may sign this array's certificate.
        type: path
requirements:
  - pywbem >= 1.7
"""

    # For modules that ask no array: the action group's defaults are given to them all the same.
    IDLE = r"""
options:
  host:
    description: Not used. It may be there, since C(module_defaults) of the action group gives it to every module.
    type: str
  port:
    description: Not used. It may be there, since C(module_defaults) of the action group gives it to every module.
    type: int
  username:
    description: Not used. It may be there, since C(module_defaults) of the action group gives it to every module.
    type: str
  password:
    description: Not used. It may be there, since C(module_defaults) of the action group gives it to every module.
    type: str
  use_tls:
    description: Not used. It may be there, since C(module_defaults) of the action group gives it to every module.
    type: bool
  validate_certs:
    description: Not used. It may be there, since C(module_defaults) of the action group gives it to every module.
    type: bool
  ca_path:
    description: Not used. It may be there, since C(module_defaults) of the action group gives it to every module.
    type: path
  request_timeout:
    description: Not used. It may be there, since C(module_defaults) of the action group gives it to every module.
    type: float
  peers:
    description: Not used. It may be there, since C(module_defaults) of the action group gives it to every module.
    type: list
    elements: dict
    suboptions:
      host:
        description: Not used.
        type: str
        required: true
      port:
        description: Not used.
        type: int
      username:
        description: Not used.
        type: str
      password:
        description: Not used.
        type: str
      use_tls:
        description: Not used.
        type: bool
      validate_certs:
        description: Not used.
        type: bool
      ca_path:
        description: Not used.
        type: path
"""
