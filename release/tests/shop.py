"""The application that the tests release: two services, a chart, release.yaml."""

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

RELEASE_YAML = """\
name: shop
branch: main
variables: {domain: example.com}
registry: {repository: registry.test/shop}
images:
  web:
    context: web
    dockerfile: web/Dockerfile
    inputs: [web]
    exclude: [web/tests]
    values: web.image
  api:
    dockerfile: api/Dockerfile
    inputs: [shared, api]
    values: api.image
environments:
  staging:
    context: here
    namespace: staging
    release: shop-staging
    values: [chart/values.yaml]
    set: {host: "staging.${domain}"}
    url: https://staging.${domain}
  production:
    context: here
    namespace: production
    release: shop
    values: [chart/values.yaml]
    set: {host: "${domain}"}
    url: https://${domain}
    requires: staging
    confirm: true
"""
FILES = {
    "release.yaml": RELEASE_YAML,
    "web/Dockerfile": "FROM node:22\n",
    "web/index.js": "hello\n",
    "web/tests/index.test.js": "test\n",
    "api/Dockerfile": "FROM python:3.13\n",
    "api/main.py": "print()\n",
    "shared/lib.py": "x = 1\n",
    "chart/Chart.yaml": "apiVersion: v2\nname: shop\nversion: 0.0.0\nappVersion: 0.0.0  # as above\n",
    "chart/values.yaml": """\
host: ""
web:
  image: {repository: "", tag: "", digest: ""}  # written by the release
api:
  image:
    repository: ""
    tag: ""
    digest: ""
""",
    ".gitignore": "*.log\n",
}

# The settings of git in tests: neither read nor needed are those of whoever runs them.
GIT_SETTINGS = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"} | {
    f"GIT_{role}_{part}": value
    for role in ("AUTHOR", "COMMITTER")
    for part, value in (("NAME", "Rita"), ("EMAIL", "rita@example.com"))
}


@dataclass(frozen=True)
class Tree:
    """A git work tree under test."""

    path: Path

    def git(self, *arguments: str) -> str:
        """Runs git in the work tree and returns its output."""
        done = subprocess.run(["git", *arguments], cwd=self.path, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def write(self, files: Mapping[str, str]) -> None:
        """Writes files, and the folders that they need."""
        for name, text in files.items():
            path = self.path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")

    def commit(self, message: str, files: Mapping[str, str] | None = None) -> str:
        """Writes files, commits everything, and returns the id of the commit."""
        self.write(files or {})
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.git("rev-parse", "HEAD")
