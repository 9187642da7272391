"""Gradient × input: how much each base of a window bears on the mean of some tracks in some bins.

The trunk is run once, with its graph; the tower, whose activations would fill tens of gigabytes, is run without one and
then again piece by piece, each piece backwards at once. Several groups of tracks share every forward pass. Plain
autograd in float32. A token is what passes from the tower to the trunk, with its skips where there are some
(`models.token_rows`). Does not know genomes, targets or tables.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn import functional

from enformer_core.genome.alphabet import reverse_complement
from enformer_core.models.base import Letters, Network
from enformer_core.models.blocks import HasReach
from enformer_core.models.layers import head_columns, one_hot
from enformer_core.scoring.conventions import Strands
from enformer_core.scoring.delta.spans import as_slice, mirrored
from enformer_core.scoring.precision import true_float32
from enformer_core.scoring.sent import sent_to
from enformer_core.scoring.watched_attention import Weights, watched_attention

PIECE_TOKENS = 96
"""Tokens of a piece of the tower: at the published size its graph takes some 600 MB."""

Codes = UInt8[np.ndarray, " length"]

Tokens = Float[Tensor, "1 tokens channels"]

Gradients = Float[Tensor, "groups length 4"]

AttentionRows = Float[Tensor, "layers tokens"]


@dataclass(frozen=True)
class Attribution:
    """What some bins of a window rest on, averaged over the strands that were read.

    Attributes:
        objectives: for each group, the mean prediction over its tracks and the bins.
        gradients: for each group, the derivative of that by each letter of each base, in the order A, C, G, T.
        attention: for each layer, how much the tokens in which the bins lie attend to each token of the window: the
            mean over these and the heads; None where it was not asked for. It is the same for all groups.
    """

    objectives: Float[np.ndarray, " groups"]
    gradients: Float[np.ndarray, "groups length 4"]
    attention: Float[np.ndarray, "layers tokens"] | None


@dataclass(frozen=True)
class _Piece:
    """A run of the window's tokens, and the run that has to be read for them.

    Attributes:
        tokens: its own.
        read: these and a halo at either side, cut at the window's ends, where the network itself pads.
    """

    tokens: range
    read: range

    def own(self, tokens: Tokens) -> Float[Tensor, "1 own channels"]:
        """Its own tokens, of those that were read."""
        skipped = self.tokens.start - self.read.start
        return tokens[:, skipped : skipped + len(self.tokens)]


@dataclass(frozen=True)
class Attributor:
    """Attributes predictions of a network to bases.

    Attributes:
        network: on `device`, for inference: none of its parameters needs a gradient.
        head: which head.
        groups: columns of the head, some for each group.
        device: where it computes.
        strands: `both` averages with what the reverse complement gives, turned back.
        complement_groups: the columns of the same groups in a prediction of the reverse complement, which has the other
            strand's tracks; None where they are the same.
        attention: whether attention is read too; the network must have some.
        dtype: the network's number format.
        piece_tokens: of a piece of the tower.
    """

    network: Network
    head: str
    groups: Sequence[tuple[int, ...]]
    device: torch.device
    strands: Strands = "both"
    complement_groups: Sequence[tuple[int, ...]] | None = None
    attention: bool = False
    dtype: torch.dtype = torch.float32
    piece_tokens: int = PIECE_TOKENS

    def attribute(self, codes: Codes, bins: range) -> Attribution:
        """Attribute the mean over `bins`, for each group of tracks.

        Args:
            codes: of a whole window.
            bins: of the network's output.
        """
        with true_float32(), torch.enable_grad():
            strands = [self._strand(codes, bins, self.groups)]
            if self.strands == "both":
                turned = mirrored(bins, self.network.geometry.bins)
                exchanged = self.complement_groups
                groups = self.groups if exchanged is None else exchanged
                backwards = self._strand(reverse_complement(codes), turned, groups)
                strands.append(backwards.turned_back())
        objectives = [strand.objectives for strand in strands]
        gradients = [strand.gradients for strand in strands]
        attention = [strand.attention for strand in strands if strand.attention is not None]
        return Attribution(
            objectives=_mean(objectives),
            gradients=_mean(gradients),
            attention=_mean(attention) if attention else None,
        )

    def _strand(self, codes: Codes, bins: range, groups: Sequence[tuple[int, ...]]) -> "_Strand":
        """What one strand gives, in the direction in which it is read."""
        letters = one_hot(sent_to(self.device, codes)[None], self.dtype)
        # without a graph: the tower's activations of a whole window would not fit
        with torch.no_grad():
            pieces = [self._tokens(letters, piece) for piece in self._pieces]
        tokens = torch.cat(pieces, dim=1)
        objectives, by_token, attention = self._through_trunk(tokens, bins, groups)
        gradients = self._through_tower(letters, by_token)
        return _Strand(objectives, gradients, attention)

    def _through_trunk(
        self, tokens: Tokens, bins: range, groups: Sequence[tuple[int, ...]]
    ) -> tuple[Float[Tensor, " groups"], list[Tokens], AttentionRows | None]:
        """The objective of each group, its gradient by the tokens, and the attention of the bins."""
        tokens.requires_grad_()
        # bins are counted from the first that is predicted, tokens from the window's first
        queries = self.network.geometry.tokens_of(bins)
        watched = self.network if self.attention else None
        with watched_attention(watched, queries, _mean_weights) as rows:
            embedding = self.network.embed_tokens(tokens)
        # no other bin bears on the objectives
        central = embedding[:, as_slice(bins)]
        objectives = [self._objective(central, tracks) for tracks in groups]
        by_token = _gradients(objectives, tokens)
        attention = torch.stack(rows) if rows else None
        return torch.stack(objectives).detach(), by_token, attention

    def _objective(
        self, embedding: Float[Tensor, "1 bins embedding"], tracks: tuple[int, ...]
    ) -> Float[Tensor, ""]:
        """The mean prediction over bins and tracks, of which the gradient is taken."""
        # the head's other columns would be computed for nothing: Enformer's has 5,313
        columns = torch.tensor(tracks, device=self.device)
        head = self.network.head(self.head)
        weight, bias = head_columns(head, columns)
        logits = functional.linear(embedding, weight, bias)
        return functional.softplus(logits).mean()

    def _through_tower(self, letters: Letters, by_token: Sequence[Tokens]) -> Gradients:
        """Gradients by the letters, from those by the tokens; each piece is read anew.

        A letter in the halo of a piece bears on that piece's tokens too: what pieces say of it adds up.
        """
        groups = len(by_token)
        gradients = letters.new_zeros(groups, *letters.shape[1:])
        for piece in self._pieces:
            bases = self._bases(piece)
            own_rows = as_slice(piece.tokens)
            leaf = letters[:, bases].clone().requires_grad_()
            read = self.network.tokens(leaf)
            tokens = piece.own(read)
            for number, of_group in enumerate(by_token):
                is_last = number + 1 == groups
                (of_piece,) = torch.autograd.grad(
                    tokens,
                    leaf,
                    grad_outputs=of_group[:, own_rows],
                    # let go of with the last group
                    retain_graph=not is_last,
                )
                gradients[number, bases] += of_piece[0]
        return gradients

    def _tokens(self, letters: Letters, piece: _Piece) -> Tokens:
        """The tokens of one piece, without those of its halo."""
        bases = letters[:, self._bases(piece)]
        read = self.network.tokens(bases)
        return piece.own(read)

    def _bases(self, piece: _Piece) -> slice:
        """What of the window has to be read for a piece."""
        token_bp = self.network.geometry.token_bp
        first = piece.read.start * token_bp
        end = piece.read.stop * token_bp
        return slice(first, end)

    @cached_property
    def _pieces(self) -> tuple[_Piece, ...]:
        count = self.network.geometry.tokens
        halo = halo_tokens(self.network)
        pieces = []
        for first in range(0, count, self.piece_tokens):
            end = min(first + self.piece_tokens, count)
            own = range(first, end)
            # at the window's ends the network pads by itself, and nothing is read beyond
            read = range(max(first - halo, 0), min(end + halo, count))
            pieces.append(_Piece(own, read))
        return tuple(pieces)


@dataclass(frozen=True)
class _Strand:
    """What one strand gave, as it was read."""

    objectives: Float[Tensor, " groups"]
    gradients: Gradients
    attention: AttentionRows | None

    def turned_back(self) -> "_Strand":
        """The same of the other strand: bases from the end, each letter its complement's, tokens from the end."""
        # the columns A C G T from the end are T G C A, their complements
        gradients = self.gradients.flip(1, 2)
        attention = None if self.attention is None else self.attention.flip(1)
        return _Strand(self.objectives, gradients, attention)


def _gradients(objectives: Sequence[Float[Tensor, ""]], tokens: Tokens) -> list[Tokens]:
    """The gradient of each by the tokens; the graph is let go of with the last."""
    gradients = []
    for number, objective in enumerate(objectives):
        is_last = number + 1 == len(objectives)
        (gradient,) = torch.autograd.grad(objective, tokens, retain_graph=not is_last)
        gradients.append(gradient)
    return gradients


def halo_tokens(network: Network) -> int:
    """Tokens that the edge of a piece spoils: 3 for the published towers.

    Raises:
        TypeError: for a network with a level that does not say how far it sees.
    """
    # Enformer, whose level n has positions of 2ⁿ bases: 7 + 2 · (2 + 4 + … + 64) = 259 bp, which 3 tokens cover. A skip
    # sees less, for it is given before the last level.
    reach_bp = 0
    position_bp = 1
    for level in network.blocks().levels:
        if not isinstance(level, HasReach):
            raise TypeError(f"{type(level).__name__} does not say how far it sees (`HasReach`)")
        reach_bp += level.reach * position_bp
        position_bp *= level.pooled
    return -(-reach_bp // network.geometry.token_bp)


def _mean_weights(weights: Weights) -> Float[Tensor, " tokens"]:
    """The mean weight of each token over heads and queries."""
    return weights.mean(dim=(0, 1))


def _mean(of_strands: Sequence[Tensor]) -> Float[np.ndarray, "..."]:
    """The mean over strands, in float64, so that the sum loses no digit of either."""
    stacked = torch.stack(list(of_strands)).double()
    mean = stacked.mean(dim=0)
    return mean.cpu().numpy()
