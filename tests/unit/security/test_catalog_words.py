# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A password in catalog_url, whatever it is made of, is in no error that a database or a bad URL leads to."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.eternus.backup.plugins.module_utils._catalog.connect import open_catalog
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError, ErrorClass
from ansible_collections.eternus.backup.tests.unit.support.run_module import run_module

PASSWORD = 'Zw\u00f6lf\'s "50 %" \\ off@home/:?#'
#: Nothing listens on port 1.
PLACE = "127.0.0.1:1/catalog"


def forms(secret: str) -> set[str]:
    return {secret, repr(secret)[1:-1], quote(secret, safe=""), quote_plus(secret), quote(secret)}


def silent(secret: str, said: Any) -> None:
    text = str(said)
    assert not [form for form in forms(secret) if form in text], text


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://backup:{0}@" + PLACE,
        "postgresql+psycopg://" + PLACE + "?user=backup&password={0}",
        "postgresql://backup:{0}@" + PLACE + "?sslpassword={0}&sslmode={0}",
        "postgresql://backup:{0}@" + PLACE + "?connect_timeout={0}",
        "postgresql://backup:{0}@" + PLACE + "?target_session_attrs={0}",
        "postgresql://backup:{0}@" + PLACE + "?service={0}",
        "postgresql://backup:{0}@/catalog?host=a:1&host=b:{0}",
        "postgresql://backup:{0}@/catalog?host=a&host=b&port=1",
        "postgresql://backup:{0}@127.0.0.1:{0}/catalog",
        "mysql://backup:{0}@" + PLACE,
        "sqlite://backup:{0}@/x",
    ],
)
def test_a_password_is_in_no_error_of_a_database_or_a_bad_url(url: str) -> None:
    result = run_module("eternus_backup_info", {"catalog_url": url.format(quote(PASSWORD, safe=""))})
    assert result["error_class"] in ("catalog_unavailable", "invalid_option"), result
    assert "exception" not in result
    silent(PASSWORD, result)


@pytest.mark.parametrize("password", ["ge@heim", "gehe/i@mnis/x", "ge@hei?mnis", "ge@heim:nis", "@@@"])
def test_an_at_sign_that_was_not_encoded_is_refused_before_its_rest_passes_for_a_host(password: str) -> None:
    with pytest.raises(BackupError) as caught:
        open_catalog(f"postgresql://backup:{password}@{PLACE}")
    assert caught.value.error_class is ErrorClass.INVALID_OPTION
    assert "%40 stands for @" in caught.value.next_step
    for part in password.split("@"):
        assert len(part) < 3 or part not in str(caught.value.as_result())


def test_a_path_may_bear_at_signs(tmp_path: Path) -> None:
    with closing(open_catalog(f"sqlite:///{tmp_path}/a@b@c/catalog.db")) as catalog, catalog.begin() as records:
        assert records.volumes() == []


@settings(max_examples=30, deadline=None)
@given(st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), min_size=4, max_size=20))
def test_any_password_reaches_the_server_whole_and_no_message(password: str) -> None:
    secret = f"<{password}>"
    with pytest.raises(BackupError) as caught:
        open_catalog(f"postgresql://backup:{quote(secret, safe='')}@{PLACE}?sslmode={quote(secret, safe='')}")
    assert caught.value.error_class is ErrorClass.CATALOG_UNAVAILABLE
    silent(secret, caught.value.as_result())
