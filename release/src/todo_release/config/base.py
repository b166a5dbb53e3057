"""The base class of all settings, and the form of a path in the values."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

ValuesPath = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$")]


class Model(BaseModel):
    """Base of all settings: frozen, and an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)
