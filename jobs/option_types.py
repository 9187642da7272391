"""How values of options are read, and what stands behind an option in the help where its type says too little.

Knows words of a command line. Does not know which options there are.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, TypeVar, get_args, get_origin, get_type_hints

from cyclopts import Group, Parameter, Token

from enformer_core.errors import InputError
from enformer_core.genome.region_text import split_regions
from enformer_core.user_path import user_path

Class = TypeVar("Class", bound=type)

STREAM = "-"
"""Standard input where something is read, standard output where something is written."""

STREAM_WORD = "\0-"
"""A hyphen alone, as the parser takes it: it would look for an option of that name. No word of a shell is this."""


def _split_at_commas(hint: type, tokens: Sequence[Token]) -> tuple[object, ...]:
    """`sad,js` as ("sad", "js") and `-1,0` as (-1, 0); a TOML list comes as one token an item."""
    item_type = get_args(hint)[0]
    words = [word.strip() for token in tokens for word in token.value.split(",")]
    if tokens and not any(words):
        option = _keyword(tokens[-1])
        raise InputError(f"{option} '': names nothing. Name what is meant, or leave {option} out")
    return tuple(item_type(word) for word in words if word)


def _places_at_commas(hint: type, tokens: Sequence[Token]) -> tuple[str, ...]:
    """Regions and names of BED files; commas within numbers, and in the name of a file that is there, stay."""
    del hint
    places = [place for token in tokens for place in _places(token.value)]
    return tuple(places)


def _places(text: str) -> list[str]:
    name = user_path(text)
    # what a person has called their file is no list of regions, whatever its commas
    if os.path.lexists(name):
        return [name]
    regions = split_regions(text)
    return [user_path(region) for region in regions]


def _path(hint: object, tokens: Sequence[Token]) -> str:
    path = _path_or_stream(hint, tokens)
    if path == STREAM:
        raise InputError(
            f"{STREAM}: {_keyword(tokens[-1])} is neither standard input nor standard output. Give a name; one that "
            f"is a hyphen is ./{STREAM}"
        )
    return path


def _path_or_stream(hint: object, tokens: Sequence[Token]) -> str:
    del hint
    # of an option given twice the last one stands
    last = tokens[-1]
    return user_path(last.value)


def _keyword(token: Token) -> str:
    return token.keyword or "this place"


def _paths(hint: object, tokens: Sequence[Token]) -> tuple[str, ...]:
    del hint
    return tuple(user_path(token.value) for token in tokens)


def _texts(hint: object, tokens: Sequence[Token]) -> tuple[str, ...]:
    del hint
    return tuple(token.value for token in tokens)


_COMMAS = Parameter(
    converter=_split_at_commas,
    n_tokens=1,  # `--statistics sad x.vcf` must not take the file for a statistic
    allow_leading_hyphen=True,  # shifts
)


@dataclass(frozen=True)
class _Written:
    """Stands in the hint of an option that names what its command writes, so that one rule guards all of them."""


_WRITTEN = _Written()

_PATH = Parameter(converter=_path, n_tokens=1)
_STREAM = Parameter(converter=_path_or_stream, n_tokens=1)

# `None` stands within: what surrounds an Annotated type loses its converter.
Words = Annotated[tuple[str, ...], _COMMAS, Parameter(metavar="NAME,…")]
Shifts = Annotated[tuple[int, ...], _COMMAS, Parameter(metavar="BP,…")]
Places = Annotated[
    tuple[str, ...],
    _COMMAS,
    Parameter(metavar="BED|REGION,…", converter=_places_at_commas),
]
FileList = Annotated[
    tuple[str, ...],
    _COMMAS,
    Parameter(metavar="FILE,…", converter=_places_at_commas),
]
Runs = Annotated[
    tuple[str, ...],
    _COMMAS,
    Parameter(metavar="RUN,…", converter=_places_at_commas),
]
# One text, of which the last would stand: who gives it twice means both.
_SELECTION = Parameter(metavar="TRACK,…", allow_repeating=False)

Selection = Annotated[str | None, _SELECTION]
Files = Annotated[tuple[str, ...], Parameter(converter=_paths)]
ONE_EACH_TIME = "NAME=TRACK,…"
"""What stands for the value of an option that is given again for each further one: commas are its own."""

Groups = Annotated[tuple[str, ...], Parameter(metavar=ONE_EACH_TIME, converter=_texts, n_tokens=1)]
Tables = Annotated[
    tuple[str, ...],
    Parameter(metavar="NAME=FILE", converter=_texts, n_tokens=1),
]
Regions = Annotated[
    tuple[str, ...],
    # numbers may have commas
    Parameter(metavar="REGION", converter=_texts, n_tokens=1),
]
Identifiers = Annotated[
    tuple[str, ...],
    # a name may be anything
    Parameter(metavar="ID", converter=_texts, n_tokens=1, allow_leading_hyphen=True),
]
File = Annotated[str, _PATH, Parameter(metavar="FILE")]
Directory = Annotated[str, _PATH, Parameter(metavar="DIR")]
OptionalDirectory = Annotated[str | None, _PATH, Parameter(metavar="DIR")]
OptionalFile = Annotated[str | None, _PATH, Parameter(metavar="FILE")]
OptionalStream = Annotated[str | None, _STREAM, Parameter(metavar="FILE")]
# what a command writes, held by `output_guard` against all that it reads; the directory of a run is none of these
WrittenFile = Annotated[File, _WRITTEN]
OptionalWrittenFile = Annotated[OptionalFile, _WRITTEN]
OptionalWrittenStream = Annotated[OptionalStream, _WRITTEN]
OptionalWrittenDirectory = Annotated[OptionalDirectory, _WRITTEN]
Place = Annotated[str | None, _PATH, Parameter(metavar="BED|REGION")]
ModelName = Annotated[str, Parameter(metavar="NAME")]
ColumnName = Annotated[str, Parameter(metavar="COLUMN")]
ColumnRoles = Annotated[tuple[str, ...], _COMMAS, Parameter(metavar="ROLE=COLUMN,…")]
BasePairs = Annotated[int, Parameter(metavar="BP")]
Fraction = Annotated[float, Parameter(metavar="FRACTION")]


def written_options(settings: type) -> list[str]:
    """Names of the fields of a class of settings that say what its command writes."""
    hints = get_type_hints(settings, include_extras=True)
    return [name for name, hint in hints.items() if _WRITTEN in get_args(hint)]


def holds_paths(parameter: Parameter) -> bool:
    """Whether an option's values may be names of files, which need not be text."""
    return parameter.converter in (_path, _path_or_stream, _paths, _places_at_commas)


def listed_under(group: Group) -> Callable[[Class], Class]:
    """Decorate a class of settings: the help lists its own fields under the heading.

    It stands below `@dataclass`, which reads the annotations as they are left here.
    """

    def mark(settings: Class) -> Class:
        # Only what this class adds: what it inherits stays under the heading of its own class.
        for name, hint in settings.__annotations__.items():
            heading = Parameter(group=group)
            settings.__annotations__[name] = _put_first(heading, hint)
        return settings

    return mark


def _put_first(parameter: Parameter, hint: object) -> object:
    """The hint with a parameter that its own ones overrule: a field may name another group."""
    if get_origin(hint) is not Annotated:
        return Annotated[hint, parameter]
    plain, *own = get_args(hint)
    return Annotated[plain, parameter, *own]
