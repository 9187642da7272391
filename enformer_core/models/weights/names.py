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
        lacks: what none of its names begin with, though others of its mark do; None for nothing.
        derived: names of what files may hold beside parameters, and what the sizes say already.
        widened: our names of those tensors to which files may add an axis of length 1 at the end, as a convolution of
            width 1 has it and a dense layer does not.
    """

    rows: Rows = ()
    aliases: Rows = ()
    mark: re.Pattern[str] | None = None
    lacks: re.Pattern[str] | None = None
    derived: re.Pattern[str] | None = None
    widened: re.Pattern[str] | None = None

    def canonical(self, theirs: str) -> str:
        """The name in a file without its alias: `_trunk.1.0.weight` is `stem.0.weight`."""
        for alias, beginning in self.aliases:
            if theirs.startswith(alias):
                ending = theirs.removeprefix(alias)
                return beginning + ending
        return theirs

    def ours(self, theirs: str) -> str:
        """Our name of a tensor in a file, by its name or an alias."""
        return _renamed(self.canonical(theirs), self.rows)

    def published(self, ours: str) -> str:
        """The name in files of one of our parameters."""
        backwards = tuple((our, their) for their, our in self.rows)
        return _renamed(ours, backwards)


def _renamed(name: str, rows: Rows) -> str:
    # ("heads.{}.", "_heads.{}.0.") turns heads.human.bias into _heads.human.0.bias: the group is `human`.
    for old, new in rows:
        match = _expression(old).match(name)
        if match:
            beginning = new.format(*match.groups())
            ending = name[match.end() :]
            return beginning + ending
    return name


@cache
def _expression(beginning: str) -> re.Pattern[str]:
    """`heads.{}.` as a regular expression, whose group is what stands for `{}`."""
    # Names have one such part at most, and rows end with a dot: no row fits where another one does.
    pattern = re.escape(beginning).replace(r"\{\}", r"(\w+)")
    return re.compile(pattern)
