"""What columns of a table of variants say of an experiment: labels, probabilities, or measured effects.

Knows names of columns: TraitGym's, those of fine-mapped eQTLs, those of saturation mutagenesis (Kircher et al. 2019,
CAGI5). Does not read rows, nor know which columns are places and alleles.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from enformer_core.errors import InputError, first_few, nearest

_LABEL = ("label",)
# the last is `enformer-ray finemap`'s: of its two the one that no score had a part in
_PIP = (
    *("pip", "susie_pip", "pip_susie", "max_pip", "finemap_pip", "pip_finemap"),
    "pip_uniform",
)
_VALUE = ("coefficient", "value", "log2fc", "log2foldchange")
_ELEMENT = ("element",)
_TAGS = ("tags", "barcodes")
_P = ("pvalue", "p-value", "p_value", "p.value")
_BESIDE_VALUE = (*_ELEMENT, *_TAGS, *_P, "dna", "rna", "confidence")
_MATCH_GROUP = ("match_group",)


@dataclass(frozen=True)
class Asked:
    """What the command line says of the columns; None where the table's own names are to tell.

    Attributes:
        label: column of labels.
        pip: column of posterior probabilities.
        value: column of measured effects.
        element: column that says which element a row is of.
        min_pip: least posterior probability of a positive; 0.9 where nobody says it.
        max_pip: largest of a negative; likewise 0.01.
        match: columns by which negatives are matched to positives.
        min_tags: least number of tags of a row that is judged.
        max_p: largest p-value of one.
    """

    label: str | None = None
    pip: str | None = None
    value: str | None = None
    element: str | None = None
    min_pip: float | None = None
    max_pip: float | None = None
    match: tuple[str, ...] = ()
    min_tags: float | None = None
    max_p: float | None = None

    def __post_init__(self) -> None:
        least, most = self.thresholds
        if not 0 <= most < least <= 1:
            raise InputError(
                f"--min-pip {least} and --max-pip {most}: positives need more than negatives, both "
                "between 0 and 1"
            )
        for name, value in (("--min-tags", self.min_tags), ("--max-p", self.max_p)):
            if value is not None and not (math.isfinite(value) and value >= 0):
                raise InputError(f"{name} {value}: must be a number of at least 0")
        given = [f"{name} {value}" for name, value in self._judged_by if value is not None]
        if len(given) > 1:
            raise InputError(f"{' and '.join(given)}: give one of them")

    @property
    def thresholds(self) -> tuple[float, float]:
        """Least probability of a positive, and largest of a negative."""
        least = 0.9 if self.min_pip is None else self.min_pip
        return least, 0.01 if self.max_pip is None else self.max_pip

    @property
    def of_pips(self) -> list[str]:
        """Options that were given and have a use with probabilities only."""
        given = {"--min-pip": self.min_pip, "--max-pip": self.max_pip}
        return [name for name, value in given.items() if value is not None]

    @property
    def _judged_by(self) -> tuple[tuple[str, str | None], ...]:
        """Options that name what a table is judged by, of which one can be given."""
        return (
            ("--label-column", self.label),
            ("--pip-column", self.pip),
            ("--value-column", self.value),
        )

    @property
    def of_values(self) -> list[str]:
        """Options that were given and have a use with measured effects only."""
        given = {
            "--element-column": self.element,
            "--min-tags": self.min_tags,
            "--max-p": self.max_p,
        }
        return [name for name, value in given.items() if value is not None]


@dataclass(frozen=True)
class Labels:
    """A table whose rows are positives and negatives.

    Attributes:
        column: that tells them apart.
        is_pip: whether it holds posterior probabilities.
        match_group: column that says which negatives belong to which positive; None where there is none.
        match: columns by which negatives are to be drawn.
    """

    column: str
    is_pip: bool
    match_group: str | None
    match: tuple[str, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns that are read for it."""
        group = () if self.match_group is None else (self.match_group,)
        return tuple(dict.fromkeys((self.column, *group, *self.match)))


@dataclass(frozen=True)
class Effects:
    """A table whose rows have a measured effect.

    Attributes:
        column: of the effects.
        element: column that names the element; None where the file is of one.
        tags: column that counts tags, where rows are filtered by it.
        p: column of p-values, likewise.
    """

    column: str
    element: str | None
    tags: str | None
    p: str | None

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns that are read for it."""
        named = (self.column, self.element, self.tags, self.p)
        return tuple(dict.fromkeys(name for name in named if name is not None))


Layout = Labels | Effects


def find_layout(table: str, header: Sequence[str], asked: Asked) -> Layout:
    """What a table holds, by the names of its columns.

    Args:
        table: the file, for messages.
        header: names of its columns, as they stand there.
        asked: what the user says of them.

    Raises:
        InputError: for a column that is not there, and where nothing, or two things, could be judged by.
    """
    names = _Names(table, header)
    label = names.asked("--label-column", asked.label)
    value = names.asked("--value-column", asked.value)
    pip = names.asked("--pip-column", asked.pip)
    if label is None and value is None and pip is None:
        label = names.find(_LABEL)
        pip = names.find(_PIP)
        beside = names.find(_BESIDE_VALUE)
        value = names.find(_VALUE[:1]) or (names.find(_VALUE) if beside is not None else None)
        if label is not None and not asked.of_pips:
            # benchmarks that make labels of probabilities, as TraitGym's traits, keep both
            pip = None
        found = [name for name in (label, pip, value) if name is not None]
        if len(found) > 1:
            raise InputError(
                f"{table}: has columns {' and '.join(found)}: say by which it is judged, by --label-column, "
                "--pip-column or --value-column"
            )
    if value is not None:
        return _effects(names, value, asked)
    column = label or pip
    if column is None:
        raise InputError(
            f"{table}: has no column label, pip or Coefficient; it has {first_few(names.cleaned, 12)}. Name the column "
            "of labels by --label-column, of probabilities by --pip-column, or of measured effects by --value-column"
        )
    if asked.of_values:
        raise InputError(
            f"{asked.of_values[0]}: is of measured effects, and {table} is judged by its column {column}. Leave it out."
        )
    if label is not None and asked.of_pips:
        raise InputError(
            f"{asked.of_pips[0]}: is of probabilities, and {table} is judged by its labels ({column}). Leave it out, "
            "or name the column of probabilities by --pip-column"
        )
    match = tuple(names.named("--match", name) for name in asked.match)
    if column in match:
        raise InputError(
            f"--match {column}: is what rows are judged by: no negative is like a positive in it. Leave it out."
        )
    group = names.find(_MATCH_GROUP)
    return Labels(
        column,
        is_pip=label is None,
        match_group=None if match else group,
        match=match,
    )


def _effects(names: "_Names", value: str, asked: Asked) -> Effects:
    if asked.of_pips:
        raise InputError(
            f"{asked.of_pips[0]}: is of probabilities, and {names.table} is judged by its measured effects ({value}). "
            "Leave it out."
        )
    if asked.match:
        raise InputError(
            f"--match: draws negatives, and {names.table} is judged by its measured effects ({value}). Leave it out."
        )
    tags = None
    if asked.min_tags is not None:
        tags = names.needed("--min-tags", _TAGS)
    p = None
    if asked.max_p is not None:
        p = names.needed("--max-p", _P)
    element = names.asked("--element-column", asked.element) or names.find(_ELEMENT)
    return Effects(value, element, tags, p)


@dataclass(frozen=True)
class _Names:
    """Names of columns, found in any case of letters."""

    table: str
    header: Sequence[str]

    @property
    def cleaned(self) -> list[str]:
        """Without quotes, and without the sign before a header's first."""
        return [name.strip().strip('"').removeprefix("#") for name in self.header]

    def find(self, known: Sequence[str]) -> str | None:
        """The column that has the first of these names that is there.

        Raises:
            InputError: where several columns have it.
        """
        for name in known:
            found = [each for each in self.cleaned if each.lower() == name.lower()]
            if len(found) > 1:
                raise InputError(
                    f"{self.table}: several columns are called {name}. Give each a name of its own."
                )
            if found:
                return found[0]
        return None

    def named(self, option: str, name: str) -> str:
        """The column of a name that the user gave; as written first.

        Raises:
            InputError: where there is none, with those that are called alike.
        """
        if self.cleaned.count(name) == 1:
            return name
        found = self.find([name])
        if found is None:
            raise InputError(
                f"{option} {name}: {self.table} has no such column{nearest(name, self.cleaned)}"
            )
        return found

    def asked(self, option: str, name: str | None) -> str | None:
        """The same, of an option that may not be given."""
        return None if name is None else self.named(option, name)

    def needed(self, option: str, known: Sequence[str]) -> str:
        """The column with one of these names, which an option needs.

        Raises:
            InputError: where there is none.
        """
        found = self.find(known)
        if found is None:
            raise InputError(
                f"{option}: {self.table} has no column {' or '.join(known)}; it has {first_few(self.cleaned, 12)}"
            )
        return found
