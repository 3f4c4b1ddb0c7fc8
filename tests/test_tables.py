"""Tables: names come back as they were given, numbers to the last bit."""

import os
import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from conftest import REPOSITORY
from depthgauge.best_reading import read_rows
from depthgauge.errors import UserError
from depthgauge.manifest import read_labels, read_manifest
from depthgauge.statistics.verdict import OPINIONS
from depthgauge.tables import (
    TEXT,
    read_benchmark,
    read_table,
    read_text_table,
    read_users_table,
    write_table,
)
from hypothesis import given
from hypothesis import strategies as st

AWKWARD = ["01", "007", "1e3", "NA", "N/A", "null", "nan", "None", "inf", "True", "", "-", "1.0"]
AWKWARD += ["1,000", 'a "b"', " x ", "a\nb", "#", "ä€", "0x1F", "1_000", "2020-01-01", "-1.#IND"]


def test_awkward_names_come_back_in_every_column_of_text(tmp_path):
    table = pd.DataFrame({name: np.roll(AWKWARD, place) for place, name in enumerate(sorted(TEXT))})
    write_table(table, tmp_path / "t.csv")
    for read in (read_table, read_text_table):
        found = read(tmp_path / "t.csv")
        assert found.to_dict("list") == table.to_dict("list")
    # Where all cells look alike, too.
    for name in AWKWARD:
        write_table(pd.DataFrame({"rank": [1, 2], "layer": name}), tmp_path / "t.csv")
        assert read_table(tmp_path / "t.csv").layer.tolist() == [name, name]


@given(st.lists(st.floats(allow_nan=False), min_size=1, max_size=30))
def test_numbers_come_back_to_the_last_bit(tmp_path_factory, numbers):
    path = tmp_path_factory.getbasetemp() / "numbers.csv"
    write_table(pd.DataFrame({"goodness": numbers, "rank": range(len(numbers))}), path)
    found = read_table(path)
    assert found.goodness.to_numpy(float).tobytes() == np.array(numbers).tobytes()
    assert found["rank"].dtype == np.int64


def test_an_empty_cell_is_missing_among_numbers_and_empty_text(tmp_path):
    table = pd.DataFrame(
        {
            "layer": ["a", "", "c"],
            "goodness": [1.5, np.nan, -np.inf],
            "best_reading": [True, False, True],
            "certain": ["", "", ""],
            "ari": [np.nan] * 3,
        }
    )
    write_table(table, tmp_path / "t.csv")
    text = b"layer,goodness,best_reading,certain,ari\na,1.5,True,,\n,,False,,\nc,-inf,True,,\n"
    assert (tmp_path / "t.csv").read_bytes() == text
    pd.testing.assert_frame_equal(read_table(tmp_path / "t.csv"), table)
    handed_on = read_text_table(tmp_path / "t.csv")
    assert (handed_on.loc[1] == ["", "", "False", "", ""]).all()
    write_table(handed_on, tmp_path / "again.csv")
    assert (tmp_path / "again.csv").read_bytes() == text


def test_a_warning_of_spread_is_a_boolean_of_a_cell_and_layers_in_a_verdict(tmp_path):
    write_table(pd.DataFrame({"layer": "1", "spread_warning": [True, False]}), tmp_path / "t.csv")
    assert read_table(tmp_path / "t.csv").spread_warning.dtype == bool
    write_table(pd.DataFrame({"scope": "depth", "spread_warning": ["01", ""]}), tmp_path / "t.csv")
    assert read_table(tmp_path / "t.csv").spread_warning.tolist() == ["01", ""]


def test_every_opinion_of_the_verdict_is_text():
    assert {f"by_{name}" for name in OPINIONS} <= TEXT


@pytest.mark.parametrize("read", [read_table, read_text_table])
@pytest.mark.parametrize(
    "damaged",
    [b"", b"\n\n", b"layer,goodness\n\xff\xfe,1\n", b"a,b\n1,2\n1,2,3\n", b'a,b\n"1,2\n'],
)
def test_a_damaged_table_is_named_with_what_to_do(tmp_path, read, damaged):
    (tmp_path / "t.csv").write_bytes(damaged)
    with pytest.raises(UserError, match=r"t\.csv: not a CSV file .*\. Remove it and run again\."):
        read(tmp_path / "t.csv")


def test_what_snakemake_could_not_measure_is_missing(tmp_path):
    (tmp_path / "job.tsv").write_text("s\tmax_rss\tmean_load\n0.5\tNA\t-\n")
    found = read_benchmark(tmp_path / "job.tsv").iloc[-1]
    assert found.s == 0.5 and np.isnan(found.max_rss) and np.isnan(found.mean_load)


def test_nobody_is_told_to_remove_a_table_of_their_own(tmp_path):
    (tmp_path / "mine.csv").write_bytes(b"image,label\n\xff\xfe,1\n")
    for read in (read_users_table, read_manifest, read_labels):
        with pytest.raises(UserError, match=r"mine\.csv: .*CSV.*UTF-8") as caught:
            read(tmp_path / "mine.csv")
        assert "Remove" not in str(caught.value)


def test_a_missing_table_is_named_with_how_to_have_it_made(tmp_path):
    with pytest.raises(UserError, match=r"t\.csv: there is no such table\. Ask for it: snakemake"):
        read_table(tmp_path / "t.csv")


def test_a_failed_write_leaves_the_table_as_it_was(tmp_path):
    write_table(pd.DataFrame({"layer": ["a"]}), tmp_path / "t.csv")
    with pytest.raises(UnicodeEncodeError):
        write_table(pd.DataFrame({"layer": ["b", "\udc80"]}), tmp_path / "t.csv")
    assert [file.read_text() for file in tmp_path.glob("t*")] == ["layer\na\n"]


def test_a_row_without_a_layer_is_called_as_its_file(tmp_path):
    for layer in ("", "NA"):
        table = pd.DataFrame({"dataset": "", "layer": [layer], "goodness": 1.0})
        write_table(table, tmp_path / f"{layer or '1e3'}.csv")
    found = read_rows([tmp_path / "1e3.csv", tmp_path / "NA.csv"])
    assert found.layer.tolist() == ["1e3", "NA"] and found.dataset.tolist() == ["", ""]


def test_tables_are_read_and_written_in_one_place():
    package = REPOSITORY / "workflow" / "depthgauge"
    found = {
        file.relative_to(package).as_posix()
        for file in package.rglob("*.py")
        if re.search(r"\bread_csv\(|\.to_csv\(", file.read_text(encoding="utf-8"))
    }
    assert found == {"tables.py"}


def test_what_plans_a_run_does_without_pandas_and_numba():
    modules = ["config", "readings", "datasets", "capacity", "fingerprint", "networks.learned"]
    modules += ["networks.keras_weights", "datasets.sampling", "distances.blocks"]
    code = "import importlib, sys\n"
    code += f"for name in {modules}: importlib.import_module('depthgauge.' + name)\n"
    code += "assert not {'pandas', 'numba'} & set(sys.modules)"
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY / "workflow")}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
