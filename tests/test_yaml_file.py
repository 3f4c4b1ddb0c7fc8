"""YAML files that were written by hand: what is wrong with them, and in which line."""

import pytest
import yaml
from depthgauge.errors import UserError
from depthgauge.yaml_file import read_yaml


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a:\n  b: 1\n\tc: 2\n", "line 3: .* a tab, where YAML takes spaces alone; .*: c: 2"),
        ("a: {b: 1\nc: 2\n", r"line 2: .*, while parsing a mapping in { } that begins in line 1;"),
        ("a: 1\nb: [1, 2\n", r"line 3: .*list in \[ \] that begins in line 2; .* the end of the f"),
        ("a: 'b\nc: 2\n", "line 3: .*the file ends.*text in quotes that begins in line 1"),
        ("a:\n  b: 1\n c: 2\n", "line 3: .*indented otherwise.* begins in line 1; .*: c: 2"),
        ("a: 1\nb: c: d\n", "line 2: .*not allowed here; there stands: b: c: d"),
        ("a: *b\n", "line 1: .*undefined alias"),
        ("a: !b c\n", "line 1: .*'!b'"),
        ("a: 2020-13-45\n", "cannot be read as YAML: month"),
        ("a: 1\nb: \0\n", "line 2: has a character that no text has"),
        ("[" * 5000, "is nested too deep"),
        ("a: 1\nb: é\n".encode("latin-1"), "line 2: is not in UTF-8"),
        ("a: 1\n".encode("utf-16"), "line 1: is not in UTF-8"),
        ('{\n\t"a": 1,\n}\n', "line 2: .* a tab"),
    ],
)
def test_what_is_no_yaml_is_told_with_its_line(tmp_path, text, said):
    file = tmp_path / "c.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UserError, match=f"c.yaml: {said}") as caught:
        read_yaml(file)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300 + len(str(tmp_path))


def test_what_is_no_file_is_told(tmp_path):
    with pytest.raises(UserError, match="none.yaml: there is no such file"):
        read_yaml(tmp_path / "none.yaml")
    with pytest.raises(UserError, match="Is a directory"):
        read_yaml(tmp_path)


def test_a_key_that_stands_twice_is_told_with_its_lines(tmp_path):
    file = tmp_path / "c.yaml"
    file.write_text("datasets:\n  a: {kind: digits, kind: mnist}\n  b: {}\n  a: {}\nseed: 1\n")
    with pytest.raises(UserError, match="c.yaml") as caught:
        read_yaml(file)
    assert "datasets.a: lines 2, 4" in str(caught.value)
    assert "datasets.a.kind: lines 2, 2" in str(caught.value)


@pytest.mark.parametrize(
    "text", ["a: 1\n'1': 2\n1: 3\n", "a: &x {b: 1}\nc: *x\nd: {<<: *x}\n", "", "- é\n"]
)
def test_what_is_yaml_is_read_as_it_is(tmp_path, text):
    for mark in ("", "\ufeff"):  # which Windows puts first
        (tmp_path / "c.yaml").write_text(mark + text, encoding="utf-8")
        assert read_yaml(tmp_path / "c.yaml") == yaml.safe_load(text)


def test_json_may_be_indented_by_tabs(tmp_path):
    (tmp_path / "c.json").write_text('{\n\t"a": [1]\n}\n')
    assert read_yaml(tmp_path / "c.json") == {"a": [1]}
