"""The steps as data, in the order in which they are done."""

from collections.abc import Iterator

from todo_cluster.bootstrap.access import KubeconfigStep
from todo_cluster.bootstrap.components import ChartStep, PresentStep
from todo_cluster.bootstrap.definitions import DefinitionsStep
from todo_cluster.bootstrap.issuers import IssuerStep, TrialStep
from todo_cluster.bootstrap.manifests import ManifestStep
from todo_cluster.bootstrap.step import Step
from todo_cluster.site import Site


def steps_of(site: Site) -> list[Step]:
    """Returns the steps of a site; what needs people and DNS, the trial certificates, comes last."""
    return list(_steps(site))


def _steps(site: Site) -> Iterator[Step]:
    config = site.config
    yield from (ManifestStep(file) for file in config.manifests)
    for key, component in config.enabled.items():
        if component.is_adopted:
            yield PresentStep(key, component)
    for key, component in config.enabled.items():
        if component.applies_definitions and not component.is_adopted:
            yield DefinitionsStep(key, component)
    for key, component in config.enabled.items():
        if not component.is_adopted:
            yield ChartStep(key, component)
    yield from (KubeconfigStep(name) for name in site.namespaces)
    if config.issuers:
        yield IssuerStep(config.issuers, config.issuers.staging)
        yield from (TrialStep(config.issuers, name) for name in site.namespaces)
        if config.issuers.production.name != config.issuers.staging.name:
            yield IssuerStep(config.issuers, config.issuers.production)
