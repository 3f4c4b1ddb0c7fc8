import importlib
import sys

import pytest
from depthgauge.networks.left_out import left_out


def test_modules_are_missing_within_and_there_afterwards(monkeypatch):
    monkeypatch.delitem(sys.modules, "wave", raising=False)
    with left_out("wave"):
        with pytest.raises(ModuleNotFoundError):
            importlib.import_module("wave")
        importlib.import_module("json")  # others are as ever
    assert "wave" not in sys.modules
    assert importlib.import_module("wave").open


def test_what_was_imported_before_stays():
    before = importlib.import_module("json")
    with left_out("json"):
        assert importlib.import_module("json") is before
    assert sys.modules["json"] is before


def test_an_error_within_leaves_nothing_behind(monkeypatch):
    monkeypatch.delitem(sys.modules, "wave", raising=False)
    with pytest.raises(ZeroDivisionError), left_out("wave"):
        raise ZeroDivisionError
    assert "wave" not in sys.modules
