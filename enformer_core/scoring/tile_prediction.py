"""Tiles predicted by the reference's path of the engine alone; neighbours share the tokens of their tower."""

import torch
from jaxtyping import Float
from torch import Tensor

from enformer_core.genome.alphabet import reverse_complement
from enformer_core.genome.fasta import Genome
from enformer_core.scoring.conventions import Strands
from enformer_core.scoring.delta.delta_model import DeltaNetwork
from enformer_core.scoring.delta.reference_tokens import Place, SharedTokens
from enformer_core.scoring.delta.tower import Codes
from enformer_core.scoring.precision import inference_in_true_float32

TilePrediction = Float[Tensor, "bins tracks"]


class TilePredictor:
    """Predicts tiles of a genome.

    A prediction depends on the tile's place only, not on what was predicted before.

    Args:
        network: the model, taken apart.
        genome: what is predicted.
        strands: `both` averages the forward prediction and the reverse complement's, its bins turned and its strands
            exchanged where the network says so.
    """

    def __init__(self, network: DeltaNetwork, genome: Genome, *, strands: Strands) -> None:
        self._network = network
        self._genome = genome
        self._strands = strands
        self._tokens = SharedTokens(network.tower, genome)

    def predict(self, contig: str, start: int) -> TilePrediction:
        """All bins of the tile whose first predicted base is `start`, averaged over strands in float64.

        What its window reads beyond the contig's ends is N.
        """
        geometry = self._network.geometry
        window_start = start - geometry.crop_bp
        window_end = window_start + geometry.window_bp
        codes = self._genome.fetch(contig, window_start, window_end)
        with inference_in_true_float32():
            forward = Place(contig, window_start, reverse=False)
            predictions = [self._strand(forward, codes)]
            if self._strands == "both":
                reverse = Place(contig, window_start, reverse=True)
                backwards = reverse_complement(codes)
                predictions.append(self._strand(reverse, backwards))
            return torch.stack(predictions).mean(dim=0)

    def _strand(self, place: Place, codes: Codes) -> TilePrediction:
        x = self._tokens(place, codes)
        # the trunk carries alts beside a reference: here there are none
        no_alts = x.new_empty(0, *x.shape)
        bins = range(self._network.geometry.bins)
        prediction, _ = self._network.trunk.propagate(x, no_alts, bins)
        # read backwards, its first bin is the last along the chromosome
        columns = self._network.columns
        return columns.along_chromosome(prediction, reverse=place.reverse).double()
