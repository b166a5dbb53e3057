"""What a deployment will change, in lines."""

import pytest

from todo_release import diff

BASE = """\
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
---
kind: Secret
metadata: {name: keys}
data: {token: b2xk}
"""


def test_same_objects_have_no_changes() -> None:
    """Order of documents, keys and the version labels do not count."""
    first, second = BASE.split("---\n")
    other = f"{second}---\n{first.replace('version: 0.1.0', 'version: 0.2.0')}"
    assert diff.changes(BASE, other) == ()


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
def test_change_names_object_path_and_both_values(old: str, new: str, line: str) -> None:
    """Items of lists by their name: a variable in the middle is one line."""
    assert old in BASE
    assert diff.changes(BASE, BASE.replace(old, new)) == (f"~ Deployment/web: {line}",)


def test_secret_values_are_never_shown() -> None:
    """Only that they change."""
    assert diff.changes(BASE, BASE.replace("b2xk", "bmV3")) == (
        "~ Secret/keys: data.token: (hidden) changed",
    )


def test_new_and_gone_objects_are_named() -> None:
    """Without their content."""
    first, second = BASE.split("---\n")
    assert diff.changes(first, second) == ("+ Secret/keys", "- Deployment/web")
    assert diff.changes("", first) == ("+ Deployment/web",)


def test_long_values_are_cut_and_stay_on_one_line() -> None:
    """A whole configuration file in a ConfigMap would bury the rest."""
    template = "kind: ConfigMap\nmetadata: {{name: c}}\ndata: {{f: {}}}\n"
    old, new = template.format("a"), template.format('"' + "x\\n" * 200 + '"')
    (line,) = diff.changes(old, new)
    assert line.endswith("…")
    assert "\n" not in line
    assert len(line) < 130
