"""Descriptions of what a deployment will change."""

import pytest
import yaml

from todo_release.adapters.kubernetes import object_diff

WEB = """\
kind: Deployment
metadata: {name: web, labels: {app: web, app.kubernetes.io/version: 0.1.0}}
spec:
  replicas: 1
  template:
    spec:
      containers:
        - name: web
          image: web@sha256:1
          env: [{name: A, value: "1"}, {name: C, value: "3"}]
          args: [serve]
"""
KEYS = """\
kind: Secret
metadata: {name: keys}
data: {token: b2xk}
"""


def changes(old: str, new: str) -> list[str]:
    """Returns the lines for two objects written as YAML."""
    return list(object_diff.describe_changes(yaml.safe_load(old), yaml.safe_load(new)))


def test_same_objects_have_no_changes() -> None:
    """Labels with the version do not count."""
    assert changes(WEB, WEB.replace("version: 0.1.0", "version: 0.2.0")) == []


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("sha256:1", "sha256:2", "spec.template.spec.containers.[web].image: web@sha256:1 -> web@sha256:2"),
        ("replicas: 1", "replicas: 2", "spec.replicas: 1 -> 2"),
        ("  replicas: 1\n", "", "spec.replicas: 1 -> (nothing)"),
        ("[serve]", "[serve, --fast]", "spec.template.spec.containers.[web].args.[1]: (nothing) -> --fast"),
        (
            "{name: A, value: \"1\"}, ",
            "{name: A, value: \"1\"}, {name: B, value: \"2\"}, ",
            "spec.template.spec.containers.[web].env.[B]: (nothing) -> {name: B, value: '2'}",
        ),
    ],
)  # fmt: skip
def test_change_names_path_and_both_values(old: str, new: str, line: str) -> None:
    """Items of lists are compared by name, so a variable added in the middle is one line."""
    assert old in WEB
    assert changes(WEB, WEB.replace(old, new)) == [line]
    assert object_diff.is_removal(line) == (new == "")


def test_secret_values_are_never_shown() -> None:
    """The line says only that the value changes."""
    assert changes(KEYS, KEYS.replace("b2xk", "bmV3")) == ["data.token: (hidden) changed"]


def test_long_values_are_cut_and_stay_on_one_line() -> None:
    """A configuration file in a ConfigMap takes one short line."""
    template = "kind: ConfigMap\nmetadata: {{name: c}}\ndata: {{f: {}}}\n"
    old, new = template.format("a"), template.format('"' + "x\\n" * 200 + '"')
    (line,) = changes(old, new)
    assert line.endswith("…")
    assert "\n" not in line
    assert len(line) < 130
