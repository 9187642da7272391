"""What scoring asks of a model, and what the networks of this folder have in common."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from enformer_core.models.blocks import Blocks
from enformer_core.models.config import ModelConfig
from enformer_core.models.geometry import Geometry
from enformer_core.models.layers import head_columns

Letters = Float[Tensor, "batch length 4"]

TrackIndex = Int[Tensor, " tracks"]

Prediction = Float[Tensor, "batch bins tracks"]


@runtime_checkable
class SequenceModel(Protocol):
    """One-hot sequence in, non-negative predictions per bin and track out."""

    @property
    def geometry(self) -> Geometry:
        """The window that is read and the bins that are predicted."""
        ...

    def __call__(
        self,
        one_hot: Letters,
        head: str,
        tracks: TrackIndex | None = None,
    ) -> Prediction:
        """Predict one head: all of its tracks, or those indexed, in that order."""
        ...


class HeadedNetwork(nn.Module, ABC):
    """From letters to an embedding of each bin, and a linear map for each head.

    Whoever inherits from it sets `config` and, last of all, `heads`.
    """

    config: ModelConfig
    heads: nn.ModuleDict

    @property
    def geometry(self) -> Geometry:
        """The window that the network reads and the bins that it predicts."""
        return self.config.geometry

    def head(self, name: str) -> nn.Linear:
        """The linear map of one head, from embeddings to tracks before the softplus.

        Raises:
            KeyError: for a head that the network has not.
        """
        linear = self.heads[name]
        assert isinstance(linear, nn.Linear)
        return linear

    @abstractmethod
    def tokens(self, one_hot: Letters) -> Float[Tensor, "batch tokens channels"]:
        """Stem and tower: one token for each `token_bp` letters, which sees its surroundings only.

        What else the trunk reads of the tower stands behind a token's channels, see `token_rows`.
        """

    @abstractmethod
    def embed(self, one_hot: Letters) -> Float[Tensor, "batch bins embedding"]:
        """Everything but the heads: what they read, for the central bins."""

    @abstractmethod
    def blocks(self) -> Blocks:
        """The network's layers by what they do, for engines that carry more than activations through them."""

    def forward(
        self,
        one_hot: Letters,
        head: str,
        tracks: TrackIndex | None = None,
    ) -> Prediction:
        """Predictions of one head: all of its tracks, or those that `tracks` indexes, in that order."""
        # Only the columns that are asked for are multiplied: a head has thousands.
        weight, bias = head_columns(self.head(head), tracks)
        logits = functional.linear(self.embed(one_hot), weight, bias)
        return functional.softplus(logits)


class Network(HeadedNetwork):
    """A tower from letters to tokens, and a trunk that reads nothing but tokens, skips in their rows included."""

    @abstractmethod
    def embed_tokens(
        self, tokens: Float[Tensor, "batch tokens channels"]
    ) -> Float[Tensor, "batch bins embedding"]:
        """The trunk, from the tokens of a whole window: what the heads read, for the central bins."""

    def embed(self, one_hot: Letters) -> Float[Tensor, "batch bins embedding"]:
        """Everything but the heads: what they read, for the central bins."""
        return self.embed_tokens(self.tokens(one_hot))


def linear_heads(channels: int, output_tracks: Mapping[str, int]) -> nn.ModuleDict:
    """A linear map from `channels` of an embedding to the tracks of each head."""
    return nn.ModuleDict(
        {name: nn.Linear(channels, tracks) for name, tracks in output_tracks.items()}
    )
