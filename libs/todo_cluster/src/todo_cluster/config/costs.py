"""Prices, and what is bought besides nodes."""

from datetime import date
from typing import Annotated

from pydantic import Field

from todo_release.config.base import Model

Dollars = Annotated[float, Field(ge=0)]
Gibibytes = Annotated[int, Field(gt=0)]


class CostSettings(Model):
    """What things cost in dollars a month, as of a date; with a token nodes are priced by the API instead."""

    checked_on: date = Field(description="When somebody last compared the prices with `source`.")
    source: str = Field(description="Where the prices are published.")
    credit: Dollars = Field(default=0, description="Money that is there at the start.")
    nodes: dict[str, Dollars] = Field(description="Price of a node, by the slug of its size.")
    load_balancer: Dollars
    ha_control_plane: Dollars
    volume_gib: Dollars = Field(description="Price of a GiB of a volume.")
    volumes: dict[str, Gibibytes] = Field(
        default_factory=dict, description="Volumes in GiB that the components claim, by their names."
    )
    others: dict[str, Dollars] = Field(
        default_factory=dict, description="What is bought elsewhere, by its name; 0 for what is free."
    )
    asleep_hours: float = Field(
        default=108,
        ge=0,
        le=168,
        description="Hours of a week in which staging may sleep: nights and weekends.",
    )
    sleeping: str = Field(default="staging", description="The environment that may sleep.")
