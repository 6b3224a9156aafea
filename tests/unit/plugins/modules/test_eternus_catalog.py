# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""eternus_catalog through its real argument spec (behaviour.md §4, §8)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._catalog.schema import CURRENT
from ansible_collections.eternus.backup.tests.unit.plugins.module_utils.catalog import version1
from ansible_collections.eternus.backup.tests.unit.support.documented import assert_documented
from ansible_collections.eternus.backup.tests.unit.support.run_module import run_module


def run(state: str, place: Path, path: Path | None = None, **options: Any) -> dict[str, Any]:
    """Run the module over the catalog in a directory."""
    how = {name: options.pop(name) for name in ("check", "diff") if name in options}
    reach = {"catalog_url": f"sqlite:///{place}/catalog.db", "state": state, **({"path": str(path)} if path else {})}
    return run_module("eternus_catalog", {**reach, **options}, **how)


def done(*how: Any, **options: Any) -> dict[str, Any]:
    result = run(*how, **options)
    assert not result["failed"], result
    return result


def refused(error_class: str, *how: Any, **options: Any) -> dict[str, Any]:
    result = run(*how, **options)
    assert result["failed"] and result["error_class"] == error_class, result
    assert result["next_step"] and result["unchanged"] == "Nothing was changed."
    return result


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """Return the directory of a catalog of the first release."""
    version1.make(f"sqlite:///{tmp_path}/old/catalog.db")
    return tmp_path / "old"


def test_export_check_do_and_again(old: Path, tmp_path: Path) -> None:
    file = tmp_path / "export"
    planned = done("exported", old, file, check=True, diff=True)
    assert planned["changed"] and planned["exported_at"] is None and not file.exists()
    first = done("exported", old, file, diff=True)
    assert first["changed"] and first["diff"] == planned["diff"]
    assert first["diff"]["before"] == {} and first["diff"]["after"]["rows"] == first["counts"]
    assert_documented("eternus_catalog", first)
    again = done("exported", old, file, diff=True)
    assert not again["changed"] and again["diff"]["before"] == again["diff"]["after"]
    assert again["exported_at"] == first["exported_at"]


def test_import_check_do_and_again(old: Path, tmp_path: Path) -> None:
    file, new = tmp_path / "export", tmp_path / "new"
    done("exported", old, file)
    planned = done("imported", new, file, check=True, diff=True)
    assert planned["changed"] and not new.exists()
    first = done("imported", new, file, diff=True)
    assert first["changed"] and first["diff"] == planned["diff"]
    assert {name: first[name] for name in ("unknown", "counts", "content")} == {
        name: planned[name] for name in ("unknown", "counts", "content")
    }
    assert first["diff"]["before"]["rows"]["volumes"] == 0 and first["diff"]["after"]["rows"]["volumes"] == 3
    assert_documented("eternus_catalog", first)
    again = done("imported", new, file, diff=True)
    assert not again["changed"] and again["diff"]["before"] == again["diff"]["after"]
    assert again["unknown"] == first["unknown"] == ["bv02"]
    same = done("exported", new, tmp_path / "again")
    assert same["content"] == first["content"]


def test_a_damaged_export_and_a_catalog_of_other_rows_are_refused_and_the_catalog_left(
    old: Path, tmp_path: Path
) -> None:
    file, new = tmp_path / "export", tmp_path / "new"
    done("exported", old, file)
    file.write_bytes(file.read_bytes()[:-70])
    for check in (True, False):
        assert "was cut off" in refused("invalid_option", "imported", new, file, check=check)["error"]
    assert not new.exists()
    assert done("exported", old, file)["changed"]
    done("imported", new, file)
    before = (new / "catalog.db").read_bytes()
    version1.asked(f"sqlite:///{old}/catalog.db", "DELETE FROM eternus_readers")
    done("exported", old, file)
    refused("confirmation_required", "imported", new, file)
    assert (new / "catalog.db").read_bytes() == before


def test_upgrade_check_do_and_again(old: Path) -> None:
    before = (old / "catalog.db").read_bytes()
    planned = done("upgraded", old, check=True, diff=True)
    assert planned["changed"] and (old / "catalog.db").read_bytes() == before
    first = done("upgraded", old, diff=True)
    assert first["changed"] and first["diff"] == planned["diff"]
    assert (first["previous_version"], first["schema_version"]) == (1, CURRENT)
    assert_documented("eternus_catalog", first)
    again = done("upgraded", old)
    assert not again["changed"] and again["previous_version"] == CURRENT
    refused("catalog_unavailable", "upgraded", old / "nowhere")


def test_a_path_is_needed_and_must_say_where(old: Path) -> None:
    assert "path" in run("exported", old)["msg"]
    assert "path" in run("imported", old)["msg"]
    refused("invalid_option", "exported", old, Path("relative"))


def test_no_secret_is_in_an_export(site: Any, tmp_path: Path) -> None:
    """What the client keeps of an array, sessions and journals: the password of neither array nor catalog is there."""
    site.policy("tv")
    site.backup("tv", key="night")
    site.done("eternus_volume", volumes=site.names("free"), role="backup")
    file = tmp_path / "export"
    result = run_module("eternus_catalog", {"catalog_url": site.url, "state": "exported", "path": str(file)})
    assert not result["failed"], result
    text = file.read_text(encoding="utf-8")
    assert site.array.password not in text
    assert "password" not in text.lower()
    assert result["counts"]["backups"] == 1 and result["counts"]["arrays"] == 1
