"""Release pages on GitHub."""

import json
from pathlib import Path

import httpx2
import pytest

from todo_release.adapters.github import GitHub
from todo_release.config.overrides import Overrides
from todo_release.errors import RepositoryError

from ...doubles.world import World
from ...shop import Tree


class Api:
    """GitHub's releases of one repository, in memory."""

    def __init__(self) -> None:
        """None yet."""
        self.releases: dict[str, dict[str, object]] = {}
        self.requests: list[httpx2.Request] = []
        self.status: int | None = None
        self.is_away = False

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        """Answer a request."""
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
    """A repository without releases."""
    return Api()


@pytest.fixture
def world(tree: Tree, tmp_path: Path, api: Api) -> World:
    """The shop, with a changelog and a page on GitHub."""
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text("github: owner/shop\nchangelog: {}\n")
    tree.commit("news", {"changelog.d/shop.added.md": "A shop.\n"})
    made = World(tree.path, Overrides(files=(overlay,)))
    made.github = GitHub("owner/shop", "t0ken", transport=httpx2.MockTransport(api))
    return made


def test_version_is_announced_last_and_once(world: World, api: Api) -> None:
    """With its news; the second run finds the page and makes none."""
    assert world.release("0.1.0")[-1] == "announce"
    assert api.releases["v0.1.0"] == {
        "tag_name": "v0.1.0",
        "name": "shop 0.1.0",
        "body": "### Added\n\n- A shop.",
        "prerelease": False,
    }
    plan = world.session.release("0.1.0")
    assert plan.is_finished
    assert plan.steps[-1].reason == "https://github.test/v0.1.0"
    assert {request.url.path.split("/releases")[0] for request in api.requests} == {"/repos/owner/shop"}
    assert api.requests[0].headers["authorization"] == "Bearer t0ken"


def test_prerelease_is_announced_as_one(world: World, api: Api) -> None:
    """GitHub does not show it as the latest."""
    world.release("0.1.0-rc.1")
    assert api.releases["v0.1.0-rc.1"]["prerelease"] is True


def test_version_that_fails_is_not_announced(world: World, api: Api) -> None:
    """The page says that people may use it."""
    world.failing_checks["https://example.com"] = "500"
    with pytest.raises(Exception, match="does not answer as it should"):
        world.release("0.1.0")
    assert api.releases == {}


@pytest.mark.parametrize(
    ("status", "is_away", "message"),
    [
        (403, False, "GitHub refused for owner/shop: 403 denied"),
        (None, True, "GitHub does not answer: no route"),
    ],
)
def test_github_that_refuses_or_is_away_is_said_without_the_token(
    api: Api, status: int | None, is_away: bool, message: str
) -> None:
    """With what to do about it."""
    api.status, api.is_away = status, is_away
    github = GitHub("owner/shop", "t0ken", transport=httpx2.MockTransport(api))
    with pytest.raises(RepositoryError, match=message) as failed:
        github.release("v0.1.0")
    assert "t0ken" not in str(failed.value)
