"""The lengths of a model's window: the only place where these numbers stand.

Knows base pairs, tokens and bins. Does not know sequences, genomes or models.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Geometry:
    """A window of `window_bp` bases, read as tokens, of which the central `bins` of `bin_bp` are predicted.

    All indices are 0-based and half-open. Output bin b covers the window's bases
    [crop_bp + bin_bp * b, crop_bp + bin_bp * (b + 1)).

    Attributes:
        window_bp: bases that are read.
        bin_bp: bases of a bin.
        bins: how many are predicted.
        bins_per_token: more than 1 where the network turns each token into several bins.
    """

    window_bp: int
    bin_bp: int
    bins: int
    bins_per_token: int = 1

    def __post_init__(self) -> None:
        if self.window_bp % self.token_bp:
            raise ValueError(
                f"a window of {self.window_bp} bp is not a whole number of {self.token_bp}-bp tokens"
            )
        whole = self.window_bp // self.bin_bp
        if self.bins > whole or (whole - self.bins) % 2:
            of_what = "tokens" if self.bins_per_token == 1 else "bins"
            raise ValueError(f"{self.bins} bins cannot be cut from the middle of {whole} {of_what}")

    @property
    def token_bp(self) -> int:
        """Bases of a token."""
        return self.bin_bp * self.bins_per_token

    @property
    def tokens(self) -> int:
        """Number of tokens, one for each `token_bp` bases of the window."""
        return self.window_bp // self.token_bp

    @property
    def crop_bins(self) -> int:
        """Bins at each end of the window that are not predicted."""
        return (self.window_bp // self.bin_bp - self.bins) // 2

    @property
    def crop_tokens(self) -> int:
        """Tokens at each end of the window for which nothing is predicted, of a model whose tokens are its bins.

        Raises:
            ValueError: where tokens are not bins, and the crop need not be a whole number of them.
        """
        if self.bins_per_token != 1:
            raise ValueError(
                f"the crop is of {self.bin_bp}-bp bins, not of {self.token_bp}-bp tokens"
            )
        return self.crop_bins

    @property
    def crop_bp(self) -> int:
        """Bases at each end of the window for which nothing is predicted."""
        return self.crop_bins * self.bin_bp

    @property
    def output_bp(self) -> int:
        """Bases for which something is predicted."""
        return self.bins * self.bin_bp

    def tokens_of(self, bins: range) -> range:
        """Tokens of the window in which output bins lie, some of them with bins beside these."""
        # four bins a token, 2 cropped: output bins 1 and 2 are bins 3 and 4 of the window, in tokens 0 and 1
        first = (self.crop_bins + bins.start) // self.bins_per_token
        end = -(-(self.crop_bins + bins.stop) // self.bins_per_token)
        return range(first, end)

    def output_bin(self, index: int) -> int:
        """Output bin of the window's base `index`; below 0 or at least `bins` where nothing is predicted."""
        return (index - self.crop_bp) // self.bin_bp


def check_pooling(geometry: Geometry, *, levels: int) -> None:
    """Refuse a tower whose halvings do not make the tokens of the geometry.

    Args:
        geometry: of the model.
        levels: halvings of the sequence, the stem's included.

    Raises:
        ValueError: with both numbers of base pairs.
    """
    pooled_bp = 2**levels
    if pooled_bp != geometry.bin_bp:
        raise ValueError(
            f"stem and tower pool {pooled_bp} bp to a token, the geometry {geometry.bin_bp}"
        )


ENFORMER = Geometry(window_bp=196_608, bin_bp=128, bins=896)

BASENJI2 = Geometry(window_bp=131_072, bin_bp=128, bins=896)
