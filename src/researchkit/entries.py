"""What every entry of a study file is made of: a frozen model, and the types of its values."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, Strict

from researchkit.markup import as_list, as_written

LONGEST, FURTHEST = 255, 2_000  # bytes of a file's name that systems take, and of the way to it beside the study's own


def nameable(path: str) -> str:
    """A path whose parts a system can have as names; else it could not even be asked whether such a file is there."""
    sizes = [len(part.encode("utf-8", "surrogatepass")) for part in path.split("/")]
    if max(sizes) > LONGEST or sum(sizes) + len(sizes) > FURTHEST:
        raise ValueError(
            f"no file can have so long a name; {LONGEST} bytes are the most, and {FURTHEST:,} with its folders"
        )
    return path


FilePath = Annotated[str, AfterValidator(nameable)]
Number = Annotated[float, Strict(), Field(allow_inf_nan=False)]
Whole = Annotated[int, Strict()]
Code = Annotated[str, BeforeValidator(as_written)]
Codes = Annotated[tuple[Code, ...], BeforeValidator(as_list)]
Names = Annotated[tuple[str, ...], BeforeValidator(as_list)]
Slug = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,59}$")]


class Part(BaseModel):
    """A piece of a study file: nothing may be added to it, nothing changed in it."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)
