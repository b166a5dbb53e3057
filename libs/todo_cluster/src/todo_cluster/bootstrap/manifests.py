"""Steps that apply our own objects: priorities, namespaces with quotas, accounts and their rights."""

from dataclasses import dataclass
from pathlib import PurePath

from todo_cluster.bootstrap import applying
from todo_cluster.bootstrap.step import DONE, State, fingerprint_of
from todo_cluster.site import Site


@dataclass(frozen=True, slots=True)
class ManifestStep:
    """The objects of one file are in the cluster as they are in the file."""

    file: str

    @property
    def name(self) -> str:
        """See `Step`."""
        return f"manifest.{PurePath(self.file).stem}"

    @property
    def title(self) -> str:
        """See `Step`."""
        return f"objects of {self.file}"

    def fingerprint(self, site: Site) -> str:
        """See `Step`."""
        return fingerprint_of(site.objects(self.file))

    def check(self, site: Site, recorded: str | None) -> State:
        """See `Step`; an object that somebody changed by hand is applied again."""
        found = applying.differences(site.cluster, site.objects(self.file))
        if not found:
            return DONE
        more = f" and {len(found) - 1} more" if len(found) > 1 else ""
        return State(False, f"{found[0]}{more}")

    def do(self, site: Site) -> None:
        """See `Step`."""
        for item in site.objects(self.file):
            applying.apply(site.cluster, item)
