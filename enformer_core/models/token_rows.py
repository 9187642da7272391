"""What passes from a tower to a trunk: one row of numbers for each token.

A trunk may read more of a tower than its tokens: skips, what some levels gave before their pooling, of which a token
holds several positions. They stand in the token's row behind its channels, so that rows can be cut, kept and joined as
tokens are:

    channels of the token | position 1 of skip 0 | position 2 of skip 0 | … | position 1 of skip 1 | …

Does not know levels or trunks.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

Rows = Float[Tensor, "*alts tokens _"]
"""Of each token its `RowLayout.width` numbers."""

Tokens = Float[Tensor, "*alts tokens channels"]

Positions = Float[Tensor, "*alts _ _"]
"""Positions of a skip, and their channels."""


@dataclass(frozen=True)
class SkipPart:
    """What each row holds of one skip.

    Attributes:
        per_token: positions of it, in order.
        channels: of each position.
    """

    per_token: int
    channels: int

    @property
    def width(self) -> int:
        """Numbers in each row."""
        return self.per_token * self.channels


@dataclass(frozen=True)
class RowLayout:
    """What stands where in the row of a token.

    Attributes:
        channels: of the token itself, which come first.
        skips: what follows, in the order in which the trunk reads them.
    """

    channels: int
    skips: tuple[SkipPart, ...] = ()

    @property
    def width(self) -> int:
        """Numbers of a row."""
        return self.channels + sum(skip.width for skip in self.skips)

    def columns(self, number: int) -> slice:
        """Where in each row a skip stands."""
        first = self.channels + sum(skip.width for skip in self.skips[:number])
        return slice(first, first + self.skips[number].width)

    def tokens(self, rows: Rows) -> Tokens:
        """The tokens themselves, as a view."""
        return rows[..., : self.channels]

    def skip(self, rows: Rows, number: int) -> Positions:
        """The positions of a skip one after the other, as many for each token as it has."""
        # [tokens, per_token · channels] becomes [tokens, per_token, channels], and then a list of positions
        of_tokens = rows[..., self.columns(number)]
        by_token = of_tokens.unflatten(-1, (-1, self.skips[number].channels))
        return by_token.flatten(-3, -2)

    def joined(self, tokens: Tokens, skips: Sequence[Positions]) -> Rows:
        """Rows of tokens and their skips; the very tokens given where there are no skips.

        Raises:
            ValueError: when there are more skips or fewer than a row has, or one has more positions or fewer.
        """
        if len(skips) != len(self.skips):
            raise ValueError(f"{len(skips)} skips for rows that hold {len(self.skips)}")
        if not skips:
            return tokens
        count = tokens.shape[-2]
        parts = [tokens]
        for number, (part, skip) in enumerate(zip(self.skips, skips, strict=True)):
            if skip.shape[-2] != count * part.per_token:
                raise ValueError(
                    f"skip {number} has {skip.shape[-2]} positions for {count} tokens, "
                    f"expected {part.per_token} for each"
                )
            parts.append(skip.unflatten(-2, (count, part.per_token)).flatten(-2))
        return torch.cat(parts, dim=-1)
