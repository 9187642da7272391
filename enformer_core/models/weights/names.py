"""What a model's parameters are called in `.safetensors` and PyTorch files, beside the names of our attributes."""

import re
from dataclasses import dataclass
from functools import cache

Rows = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class NameTable:
    """A translation of names, both ways; a name that no row begins is the same on both sides.

    Attributes:
        rows: how names begin in files, and how ours do; `{}` stands for a number or the name of a head.
        aliases: other beginnings under which files may hold a tensor a second time, each with the one that it repeats.
        mark: what only names of this model begin with; None where the model is not to be told by its names.
    """

    rows: Rows = ()
    aliases: Rows = ()
    mark: re.Pattern[str] | None = None

    def canonical(self, theirs: str) -> str:
        """The name in a file without its alias: `_trunk.1.0.weight` is `stem.0.weight`."""
        for alias, beginning in self.aliases:
            if theirs.startswith(alias):
                return beginning + theirs.removeprefix(alias)
        return theirs

    def ours(self, theirs: str) -> str:
        """Our name of a tensor in a file, by its name or an alias."""
        return _renamed(self.canonical(theirs), self.rows)

    def published(self, ours: str) -> str:
        """The name in files of one of our parameters."""
        return _renamed(ours, tuple((our, their) for their, our in self.rows))


def _renamed(name: str, rows: Rows) -> str:
    for old, new in rows:
        if match := _expression(old).match(name):
            return new.format(*match.groups()) + name[match.end() :]
    return name


@cache
def _expression(beginning: str) -> re.Pattern[str]:
    """`heads.{}.` as a regular expression, whose group is what stands for `{}`."""
    return re.compile(re.escape(beginning).replace(r"\{\}", r"(\w+)"))
