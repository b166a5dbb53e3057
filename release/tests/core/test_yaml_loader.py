"""YAML is read as Helm reads it; Helm itself is the judge."""

import json
import subprocess
from pathlib import Path

import pytest
import yaml

from todo_release.core import yaml_loader

CHART = {
    "Chart.yaml": "apiVersion: v2\nname: values\nversion: 0.1.0\n",
    "templates/values.yaml": """\
apiVersion: v1
kind: ConfigMap
metadata: {name: values}
data: {read: {{ toJson .Values | quote }}}
""",
}
SCALARS = (
    "=", "<<", "=~", "2025-10-17", "2001-12-14t21:59:43.10-05:00", "2025-10-17 10:00:00", "2025-1-1", "1:30",
    "22:22:22", "0o17", "017", "08", "0x1F", "-0x1f", "0b11", "-0b11", "0b2", "1_000", "1_0.5", "_1", "+5",
    "-0", "1e3", "1E-3", "1e400", "1.5", ".5", "+.5", "5.", "8.0", "0x1.8p1", "y", "Y", "n", "N",
    "yes", "Off", "oN", "TRUE", "tRUE", "~", "Null", "nULL", "!!str 5", '!!int "5"', "!!float 5",
    "!!bool yes", "!!binary aGVsbG8=", "!!timestamp 2025-10-17", "!custom word", '"\\x41"', "'it''s'",
    "1.2.3", "+", ".", "...x", "-.5e2", "1__0", "0", "00", "0x", "0o8", "1e", "e1", "12e03", "0.1e-7",
)  # fmt: skip
MAPPINGS = """\
keys: {1: a, 1.5: b, true: c, no: d, 2025-10-17: e, =: f, 0x10: g, y: h}
base: &base {x: 1, z: 2}
one: {<<: *base, x: 3}
several: {x: 4, <<: [{z: 5, w: 6}, *base]}
quoted: {"<<": kept}
again: [&twice 1, *twice, &twice 2, *twice]
last: {a: 1, b: 2}
folded: >-
  two
  lines
"""


def read_by_helm(folder: Path, values: str) -> object:
    """Returns the values of a chart as Helm passes them to templates."""
    for name, text in (CHART | {"values.yaml": values}).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    done = subprocess.run(
        ["helm", "template", "values", str(folder)], capture_output=True, text=True, check=True
    )
    return json.loads(yaml_loader.load(done.stdout)["data"]["read"])


def test_plain_scalars_have_the_values_that_helm_gives_them(tmp_path: Path) -> None:
    """Dates and `=` are strings, `0o17` is 15, `y` is true, `1:30` is no number."""
    values = "".join(f"s{number}: {scalar}\n" for number, scalar in enumerate(SCALARS))
    expected = read_by_helm(tmp_path, values)
    assert isinstance(expected, dict)
    # Helm drops keys without a value from the values; JSON has no -0.
    read = {key: value for key, value in yaml_loader.load(values).items() if value is not None}
    names = dict(zip((f"s{number}" for number in range(len(SCALARS))), SCALARS, strict=True))
    assert {names[key]: value for key, value in read.items()} == {
        names[key]: value for key, value in expected.items() if value is not None
    }
    types = {names[key]: type(value) for key, value in read.items() if not isinstance(value, float)}
    assert all(types[names[key]] is type(value) for key, value in expected.items() if names[key] in types)


def test_mappings_are_those_that_helm_reads(tmp_path: Path) -> None:
    """Keys are strings, merged keys replace those before them, an anchor may be given twice."""
    assert yaml_loader.load(MAPPINGS) == read_by_helm(tmp_path, MAPPINGS)


@pytest.mark.parametrize(
    ("text", "problem", "line"),
    [
        ("a: 1\nb: \x01", "control characters are not allowed", 2),
        ("ä: 1\nä: \x07", "control characters are not allowed", 2),
        ("a: &loop [*loop]", "an anchor's value contains itself", 1),
        ("a: 1\nb: .inf", ".inf cannot be written as JSON", 2),
        ("? [a]\n: b", "a mapping or a list cannot be a key", 1),
        ("~: 1", "null cannot be a key", 1),
        ("a: !!int x", "cannot decode `x` as a !!int", 1),
        ("a: !!binary '*'", "!!binary value contains invalid base64 data", 1),
        ("a: {<<: 5}", "map merge requires map or sequence of maps as the value", 1),
        ("a: 1\n---\nb: 2", "another document begins here", 3),
        ("[" * 2000 + "]" * 2000, "the document is nested too deeply", 1),
    ],
)
def test_what_cannot_be_read_is_told_with_its_line(text: str, problem: str, line: int) -> None:
    """Every failure is an error of YAML whose place is known."""
    with pytest.raises(yaml.YAMLError) as raised:
        yaml_loader.load(text)
    assert yaml_loader.locate_error(raised.value, text)[:2] == (problem, line)


def test_document_that_aliases_blow_up_is_refused() -> None:
    """A few lines can stand for billions of values."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    with pytest.raises(yaml.YAMLError, match="excessive aliasing"):
        yaml_loader.load("\n".join(lines))


def test_documents_without_content_are_left_out() -> None:
    """A stream may begin, end and be filled with separators."""
    assert yaml_loader.load_all("---\n---\na: 1\n---\n# nothing\n") == [{"a": 1}]
    assert yaml_loader.load("") is None
