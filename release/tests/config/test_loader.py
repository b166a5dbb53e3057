"""release.yaml: its meaning, and one message with file, line and column for every mistake."""

import json
import tomllib
from pathlib import Path

import pytest

from todo_release.config.loader import load
from todo_release.config.model import FILE_NAME
from todo_release.config.overrides import Overrides, from_environment
from todo_release.config.schema import schema
from todo_release.errors import ConfigError

from ..shop import RELEASE_YAML

REPOSITORY_ROOT = Path(__file__).parents[3]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with the shop's release.yaml."""
    (tmp_path / FILE_NAME).write_text(RELEASE_YAML)
    return tmp_path


def changed(root: Path, old: str, new: str) -> Path:
    """Replaces one text in the release.yaml of a folder."""
    assert RELEASE_YAML.count(old) == 1
    (root / FILE_NAME).write_text(RELEASE_YAML.replace(old, new))
    return root


def test_load_fills_in_variables_and_defaults(root: Path) -> None:
    """`${domain}` is replaced everywhere, also in `set`."""
    config = load(root)
    assert config.environment("staging").url == "https://staging.example.com"
    assert config.environment("production").set == {"host": "example.com"}
    assert (config.chart.path, config.registry.platform, config.remote) == ("chart", "linux/amd64", None)
    assert config.registry.host == "registry.test"
    assert config.registry.path("web") == "shop/web"
    assert config.registry.reference("web") == "registry.test/shop/web"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("name: shop", "name: Shop!", r"^release\.yaml:1:1: name: String should match pattern"),
        ("branch: main", "brnch: main", r"^release\.yaml:2:1: The key 'brnch' is not known"),
        ("context: web", "contxt: web", r"^release\.yaml:7:5: The key 'images\.web\.contxt' is not known"),
        ("    values: web.image\n", "", r"^release\.yaml:6:3: The key 'images\.web\.values' is missing"),
        ("{repository: registry.test/shop}", "{}", r"^release\.yaml:4:1: .*registry\.repository' is missing"),
        ("[shared, api]", "[]", r"^release\.yaml:14:5: images\.api\.inputs: Tuple should have"),
        ("staging.${domain}\"", "${dmain}\"", r"^release\.yaml:22:11: .*dmain.* there are: domain"),
        ("requires: staging", "requires: stagin", r"^release\.yaml:31:5: There is no environment 'stagin'"),
        ("requires: staging", "requires: production", r"^release\.yaml:31:5: .*production -> production"),
        ("values: api.image", "values: web.image", r"^release\.yaml:15:5: The images web and api"),
        ("confirm: true", "confirm: perhaps", r"^release\.yaml:32:5: environments\.production\.confirm"),
        ("variables: {domain: example.com}", "variables: [x]", r"is not a variable"),
    ],
)  # fmt: skip
def test_load_reports_place_mistake_and_remedy(root: Path, old: str, new: str, message: str) -> None:
    """The message begins with a place that an editor can open."""
    with pytest.raises(ConfigError, match=message):
        load(changed(root, old, new))


def test_unknown_key_is_reported_with_the_known_keys_beside_it(root: Path) -> None:
    """Most unknown keys are spelling mistakes, so the message lists the right ones."""
    (root / FILE_NAME).write_text(RELEASE_YAML + "smoke: {http: [{path: /, code: 200}]}\n")
    with pytest.raises(ConfigError, match="use one of: path, status, json, contains"):
        load(root)


def test_load_lists_all_mistakes_in_the_order_of_the_file(root: Path) -> None:
    """All mistakes can be corrected at once."""
    text = RELEASE_YAML.replace("context: web", "contxt: web").replace("name: shop", "name: Shop!")
    (root / FILE_NAME).write_text(text)
    with pytest.raises(ConfigError, match=r"^release\.yaml:1:1: name.*1 more:\n  release\.yaml:7:5: The key"):
        load(root)


@pytest.mark.parametrize(
    ("text", "message"), [(None, "There is no release.yaml"), ("- 1\n", "is not a mapping")]
)
def test_load_refuses_a_missing_or_different_file(tmp_path: Path, text: str | None, message: str) -> None:
    """The error says which of both it is."""
    if text is not None:
        (tmp_path / FILE_NAME).write_text(text)
    with pytest.raises(ConfigError, match=message):
        load(tmp_path)


def test_waiver_of_an_unknown_environment_is_refused_with_its_place(root: Path) -> None:
    """It would never count, and nobody would notice."""
    waiver = "{check: images, object: a, reason: b, until: 2027-01-31, environment: prod}"
    (root / FILE_NAME).write_text(f"{RELEASE_YAML}preflight:\n  waivers:\n    - {waiver}\n")
    with pytest.raises(ConfigError, match=r"There is no environment 'prod'.*staging, production"):
        load(root)


def test_images_may_share_a_tag_and_nothing_else(root: Path) -> None:
    """A tag can be that of the version; a whole mapping is one image."""
    shared = RELEASE_YAML.replace("values: web.image", "values: [web.image, global.tag]").replace(
        "values: api.image", "values: [api.image, global.tag]"
    )
    (root / FILE_NAME).write_text(shared)
    assert load(root).images["web"].values == ("web.image", "global.tag")
    (root / FILE_NAME).write_text(shared.replace("global.tag", "global.image"))
    with pytest.raises(ConfigError, match=r"The images web and api are both written to global\.image"):
        load(root)


def test_unknown_environment_is_refused_with_the_known_ones(root: Path) -> None:
    """The error lists the environments."""
    with pytest.raises(ConfigError, match="Choose one of: staging, production"):
        load(root).environment("prod")


def test_deploy_order_follows_requirements_and_not_the_file(root: Path) -> None:
    """An environment comes after the one it requires, wherever the file has it."""
    text = RELEASE_YAML.replace("  staging:", "  zzz:").replace("  production:", "  staging:")
    (root / FILE_NAME).write_text(
        text.replace("  zzz:", "  first:").replace("requires: staging", "requires: first")
    )
    assert load(root).deploy_order() == ("first", "staging")


def test_smoke_of_an_environment_overrides_the_common_settings(root: Path) -> None:
    """Settings that the environment does not have stay the common ones."""
    text = RELEASE_YAML.replace(
        "    confirm: true\n", "    confirm: true\n    smoke: {connect_to: 127.0.0.1:1}\n"
    )
    (root / FILE_NAME).write_text(text + "smoke: {timeout_seconds: 5, tls: {days: 3}}\n")
    smoke = load(root).smoke_of("production")
    assert (smoke.connect_to, smoke.timeout_seconds, smoke.tls and smoke.tls.days) == ("127.0.0.1:1", 5, 3)
    assert load(root).smoke_of("staging").connect_to is None


COMMAND = 'smoke: {commands: [{name: user, argv: [check, "${url}", "${domain}/${version}"]}]}\n'


def test_build_in_an_answer_is_of_an_image_and_in_one_place(root: Path) -> None:
    """A check names an image of the file, and either the key or the header that has its build."""
    smoke = "smoke: {http: [{path: /, build: %s}]}\n"
    (root / FILE_NAME).write_text(RELEASE_YAML + smoke % "{image: web, json: build}")
    build = load(root).smoke.http[0].build
    assert build is not None
    assert (build.json_, build.answers) == ("build", 3)
    (root / FILE_NAME).write_text(RELEASE_YAML + smoke % "{image: wep, header: x-build}")
    with pytest.raises(ConfigError, match=r"There is no image 'wep'.*Use one of: .*web") as wrong:
        load(root)
    assert wrong.value.line == len(RELEASE_YAML.splitlines()) + 1
    for places in ("", ", json: build, header: x-build"):
        (root / FILE_NAME).write_text(RELEASE_YAML + smoke % f"{{image: web{places}}}")
        with pytest.raises(ConfigError, match="state one of json and header"):
            load(root)


def test_arguments_of_smoke_commands_keep_url_and_version(root: Path) -> None:
    """The engine replaces them when it starts the program; variables of release.yaml are replaced as ever."""
    text = RELEASE_YAML.replace("    confirm: true\n", f"    confirm: true\n    {COMMAND}")
    (root / FILE_NAME).write_text(text + COMMAND)
    config = load(root)
    for smoke in (config.smoke, config.environment("production").smoke):
        assert [command.argv for command in smoke.commands] == [("check", "${url}", "example.com/${version}")]
        assert smoke.needs_version


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "[check, ",
            "[check, '${ulr}', ",
            r"release\.yaml:33:\d+: \$\{ulr\} is not a variable.*there are: domain",
        ),
        (
            "name: user",
            "name: '${url}'",
            r"release\.yaml:33:.*\$\{url\} is not a variable.*only in the argv of smoke",
        ),
        (
            "name: user",
            "name: user, timeout: 1",
            r"'smoke\.commands\.0\.timeout' is not known.*timeout_seconds",
        ),
        (
            "commands: [{",
            "transaction: true, commands: [{",
            r"'smoke\.transaction' is no longer known\. Name the program",
        ),
    ],
)
def test_mistakes_in_smoke_commands_are_told_with_their_place(
    root: Path, old: str, new: str, message: str
) -> None:
    """`${url}` elsewhere, an unknown variable, and the key that programs replaced."""
    (root / FILE_NAME).write_text(RELEASE_YAML + COMMAND.replace(old, new))
    with pytest.raises(ConfigError, match=message):
        load(root)


@pytest.mark.parametrize("name", ["url", "version"])
def test_variable_with_the_name_of_one_of_the_engine_is_refused(root: Path, name: str) -> None:
    """Which of the two a program gets would otherwise be a guess."""
    with pytest.raises(ConfigError, match=rf"^release\.yaml:3:\d+: The engine itself sets \$\{{{name}\}}"):
        load(changed(root, "variables: {", f"variables: {{{name}: x, "))


def test_overrides_replace_values_of_the_file(root: Path, tmp_path: Path) -> None:
    """Partial files come first, then single values; a context holds for every environment."""
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text("registry: {insecure: true}\nvariables: {domain: file.test}\n")
    overrides = Overrides(
        files=(overlay,),
        registry="localhost:5000/x",
        context="there",
        variables={"domain": "flag.test"},
        values={"staging": ("/extra.yaml",)},
    )
    config = load(root, overrides)
    assert config.registry.repository == "localhost:5000/x"
    assert config.registry.insecure
    assert {environment.context for environment in config.environments.values()} == {"there"}
    assert config.environment("staging").url == "https://staging.flag.test"
    assert config.environment("staging").values == ("chart/values.yaml", "/extra.yaml")
    assert config.environment("production").values == ("chart/values.yaml",)


def test_mistake_in_an_overlay_is_reported_in_the_overlay(root: Path, tmp_path: Path) -> None:
    """The place is that of the overlay, not of release.yaml."""
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text("branch: main\nregistry:\n  insecur: true\n")
    with pytest.raises(ConfigError, match=r"overlay\.yaml:3:3: The key 'registry\.insecur' is not known"):
        load(root, Overrides(files=(overlay,)))


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (Overrides(files=(Path("none.yaml"),)), "overlay none.yaml does not exist"),
        (Overrides(values={"prod": ("x",)}), "environment 'prod', which does not exist"),
    ],
)
def test_overrides_of_missing_files_or_environments_are_refused(
    root: Path, overrides: Overrides, message: str
) -> None:
    """Ignoring them would deploy something else than was asked for."""
    with pytest.raises(ConfigError, match=message):
        load(root, overrides)


def test_environment_variables_give_overrides_and_flags_win() -> None:
    """Overrides of flags are laid over those of environment variables."""
    overrides = from_environment(
        {
            "RELEASE_CONFIG": "a.yaml:b.yaml",
            "RELEASE_REGISTRY": "localhost:5000/x",
            "RELEASE_REGISTRY_INSECURE": "true",
            "RELEASE_CONTEXT": "there",
            "RELEASE_VAR_DOMAIN": "a.test",
            "RELEASE_VALUES_PRE_PRODUCTION": "x.yaml",
            "RELEASE_VAR_EMPTY": "",
            "PATH": "/bin",
        }
    )
    assert overrides == Overrides(
        files=(Path("a.yaml"), Path("b.yaml")),
        registry="localhost:5000/x",
        is_insecure=True,
        context="there",
        variables={"domain": "a.test"},
        values={"pre-production": ("x.yaml",)},
    )
    both = Overrides(files=(Path("c.yaml"),), variables={"domain": "b.test"}, is_insecure=False).over(
        overrides
    )
    assert both.files == (Path("a.yaml"), Path("b.yaml"), Path("c.yaml"))
    assert (both.registry, both.variables, both.is_insecure) == (
        "localhost:5000/x",
        {"domain": "b.test"},
        False,
    )


def test_insecure_must_be_true_or_false() -> None:
    """Other values are refused instead of guessed."""
    with pytest.raises(ConfigError, match="Set it to true or false"):
        from_environment({"RELEASE_REGISTRY_INSECURE": "1"})


def test_published_schema_is_that_of_the_model() -> None:
    """`python -m todo_release.config.schema docs/release.schema.json` generates it."""
    published = json.loads((REPOSITORY_ROOT / "docs/release.schema.json").read_text())
    assert published == schema()


def test_release_yaml_of_this_repository_is_valid() -> None:
    """It has five images and two environments."""
    config = load(REPOSITORY_ROOT)
    assert set(config.images) == {"frontend", "backend", "mcp", "notification", "sse-gateway"}
    assert config.deploy_order() == ("staging", "production")


def test_smoke_programs_of_this_repository_come_with_the_workspace() -> None:
    """`./inv` has their console scripts on PATH; a program renamed in one place only would be missing."""
    scripts = {
        name
        for path in REPOSITORY_ROOT.glob("libs/*/pyproject.toml")
        for name in tomllib.loads(path.read_text(encoding="utf-8"))["project"].get("scripts", {})
    }
    programs = {command.argv[0] for command in load(REPOSITORY_ROOT).smoke.commands}
    assert programs == {"todo-synthetic-user"}
    assert programs <= scripts
