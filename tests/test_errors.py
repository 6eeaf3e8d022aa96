"""What is said of an optional package that is missing, and of one that is there and broken."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from kinegraph.errors import MissingExtraError, require


@pytest.fixture
def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that packages are imported from; those of a test are forgotten after it."""
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("brokenpkg", "brokenpkg.part"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return tmp_path


def said(module: str) -> str:
    with pytest.raises(MissingExtraError) as caught:
        require(module, extra="export", purpose="exporting")
    assert caught.value.extra == "export"
    assert isinstance(caught.value.__cause__, ImportError)
    return str(caught.value)


@pytest.mark.parametrize("module", ["brokenpkg", "brokenpkg.part"])
def test_a_missing_package_names_the_extra(module: str) -> None:
    expected = "exporting needs the package 'brokenpkg', which is not installed: pip install 'kinegraph[export]'"
    assert said(module) == expected


def test_a_package_whose_own_import_is_missing_is_not_called_missing(broken: Path) -> None:
    (broken / "brokenpkg.py").write_text("import absentpkg.core\n")
    assert said("brokenpkg") == (
        "exporting needs the package 'brokenpkg', which is installed but fails to import "
        "(No module named 'absentpkg'); 'absentpkg' is what is missing: pip install 'kinegraph[export]'"
    )


def test_a_package_that_does_not_fit_another_is_named_with_the_reason(broken: Path) -> None:
    (broken / "brokenpkg.py").write_text("raise ImportError('numpy 3 is not\\nsupported')\n")
    assert said("brokenpkg") == (
        "exporting needs the package 'brokenpkg', which is installed but fails to import (numpy 3 is not supported): "
        "pip install --force-reinstall --no-deps brokenpkg"
    )


def test_a_package_that_lacks_a_part_of_its_own_is_there(broken: Path) -> None:
    (broken / "brokenpkg").mkdir()
    (broken / "brokenpkg" / "__init__.py").touch()
    assert "which is installed but fails to import (No module named 'brokenpkg.part'): pip" in said("brokenpkg.part")


def test_the_remedy_has_the_name_that_pip_knows() -> None:
    assert str(MissingExtraError("export", "yaml", "x", ImportError("y"))).lower().endswith("--no-deps pyyaml")
