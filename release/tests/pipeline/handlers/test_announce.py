"""Release pages on GitHub."""

import json
from pathlib import Path

import httpx2
import pytest

from todo_release.adapters.github import GitHub
from todo_release.config.overrides import Overrides
from todo_release.errors import RepositoryError
from todo_release.pipeline.steps import Announce

from ...doubles.harness import Harness
from ...shop import Tree


class Api:
    """An in-memory double of GitHub's releases of one repository."""

    def __init__(self) -> None:
        """Starts without releases."""
        self.releases: dict[str, dict[str, object]] = {}
        self.requests: list[httpx2.Request] = []
        self.status: int | None = None
        self.is_away = False

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        """Answers a request."""
        self.requests.append(request)
        if self.is_away:
            raise httpx2.ConnectError("no route")
        if self.status:
            return httpx2.Response(self.status, text="denied")
        if request.method == "POST":
            body = json.loads(request.content)
            self.releases[body["tag_name"]] = body
            return httpx2.Response(201, json={"html_url": f"https://github.test/{body['tag_name']}"})
        tag = request.url.path.rpartition("/")[2]
        if tag not in self.releases:
            return httpx2.Response(404)
        return httpx2.Response(200, json={"html_url": f"https://github.test/{tag}"})


@pytest.fixture
def api() -> Api:
    """Returns a GitHub double without releases."""
    return Api()


@pytest.fixture
def harness(tree: Tree, tmp_path: Path, api: Api) -> Harness:
    """Returns the shop with a changelog and a GitHub repository."""
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text("github: owner/shop\nchangelog: {}\n")
    tree.commit("news", {"changelog.d/shop.added.md": "A shop.\n"})
    harness = Harness(tree.path, Overrides(files=(overlay,)))
    harness.github = GitHub("owner/shop", "t0ken", transport=httpx2.MockTransport(api))
    return harness


def test_version_is_announced_last_and_once(harness: Harness, api: Api) -> None:
    """The release page is created last, with the news; a second run finds it and creates none."""
    assert harness.release("0.1.0")[-1] == "announce"
    assert api.releases["v0.1.0"] == {
        "tag_name": "v0.1.0",
        "name": "shop 0.1.0",
        "body": "### Added\n\n- A shop.",
        "prerelease": False,
        "make_latest": "true",
    }
    plan = harness.session.plan_release("0.1.0")
    assert plan.is_finished
    assert plan.steps[-1].reason == "https://github.test/v0.1.0"
    assert {request.url.path.split("/releases")[0] for request in api.requests} == {"/repos/owner/shop"}
    assert api.requests[0].headers["authorization"] == "Bearer t0ken"


def test_prerelease_is_announced_as_one(harness: Harness, api: Api) -> None:
    """A prerelease is marked as one, so GitHub does not show it as the latest version."""
    harness.release("0.1.0-rc.1")
    assert api.releases["v0.1.0-rc.1"]["prerelease"] is True
    assert api.releases["v0.1.0-rc.1"]["make_latest"] == "false"


def test_correction_of_an_earlier_line_is_not_announced_as_latest(harness: Harness, tree: Tree) -> None:
    """A version that is lower than a released one is not the latest, whenever it is made."""
    tree.git("branch", "release/0.1")
    tree.commit("more")
    tree.git("tag", "v1.3.0")
    tree.git("switch", "--quiet", "release/0.1")
    plan = harness.session.plan_release("0.1.0")
    assert plan.refusals == ()
    assert [step.is_latest for step in plan.steps if isinstance(step, Announce)] == [False]


def test_version_that_fails_is_not_announced(harness: Harness, api: Api) -> None:
    """A version that failed its smoke checks has no release page."""
    harness.failing_checks["https://example.com"] = "500"
    with pytest.raises(Exception, match="does not answer as it should"):
        harness.release("0.1.0")
    assert api.releases == {}


@pytest.mark.parametrize(
    ("status", "is_away", "message"),
    [
        (403, False, "GitHub refused for owner/shop: 403 denied"),
        (None, True, "GitHub does not answer: no route"),
    ],
)
def test_github_error_is_reported_without_the_token(
    api: Api, status: int | None, is_away: bool, message: str
) -> None:
    """An error of GitHub becomes a RepositoryError that does not contain the token."""
    api.status, api.is_away = status, is_away
    github = GitHub("owner/shop", "t0ken", transport=httpx2.MockTransport(api))
    with pytest.raises(RepositoryError, match=message) as failed:
        github.release("v0.1.0")
    assert "t0ken" not in str(failed.value)
