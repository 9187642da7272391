"""Which runs alleles may be copied from: those in which everything that decides a score is the same.

Knows identities. Does not know which alleles a run has.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from enformer_core.analyses.model_inputs import tracks_identity
from enformer_core.analyses.score_spec import ScoreSpec
from enformer_core.analyses.variant_run_type import VariantEffectsType
from enformer_core.dataset.codec import JsonObject, as_json_object
from enformer_core.dataset.differences import difference_lines
from enformer_core.dataset.find_run import find_run
from enformer_core.dataset.run import SCORE_VERSION
from enformer_core.errors import InputError
from enformer_core.genome.fasta import Genome
from enformer_core.models.tracks.squashing import Squashing
from enformer_core.storage.open import parse_address

NO_PART_OF_A_SCORE = frozenset(
    {
        "shard_size",
        "audit_fraction",
        "top_tracks",
        "max_allele_bp",
        "input",
        "sites",
        "allow_swapped",
        "filters",
        "columns",
        "keep_columns",
    }
)
"""Fields of a scoring run's identity that say which alleles it has, and how they are kept; all others decide scores."""


@dataclass(frozen=True)
class ReusableRun:
    """A run from which may be copied, as workers are told of it.

    Attributes:
        location: as the user named it.
        identity: its digest; another run that stands there meanwhile is not copied from.
    """

    location: str
    identity: str


@dataclass(frozen=True)
class Deciding:
    """What decides the scores of a run that is to be computed: all of its identity but `NO_PART_OF_A_SCORE`.

    Attributes:
        model: its name.
        head: which of its heads.
        weights_sha256: None where they are not known, and not compared.
        tracks: columns of the head.
        genome: whose letters are read.
        spec: how alleles are scored.
        strand_pairs: of each track the column in which a reverse complement has it; None where strands are alike.
        squashings: of each track what is undone of its predictions; None where nothing is.
        replicates: of how many models the mean is.
    """

    model: str
    head: str
    weights_sha256: str | None
    tracks: Sequence[int]
    genome: Genome
    spec: ScoreSpec
    strand_pairs: Sequence[int] | None = None
    squashings: Sequence[Squashing] | None = None
    replicates: int = 1

    def identity(self, contigs: Iterable[str]) -> JsonObject:
        """The same as `run.json` has it, with the letters of these contigs, as far as the genome has them."""
        spec = self.spec
        lengths = dict(self.genome.contigs)
        letters = {name: self.genome.sha256(name) for name in contigs if name in lengths}
        weights: JsonObject = {}
        if self.weights_sha256 is not None:
            weights["weights_sha256"] = self.weights_sha256
        if self.replicates > 1:
            weights["replicates"] = self.replicates
        return as_json_object(
            {
                "kind": VariantEffectsType.name,
                "model": {"name": self.model, "head": self.head, **weights},
                "tracks": asdict(tracks_identity(self.tracks, self.strand_pairs, self.squashings)),
                "reference": {"sha256": letters},
                "score_version": SCORE_VERSION,
                "engine": spec.engine,
                "precision": spec.precision if spec.engine == "delta" else None,
                "conventions": spec.conventions.record(),
                "mantissa_bits": spec.mantissa_bits,
            }
        )


def find_reusable(location: str, deciding: Deciding) -> ReusableRun:
    """A run from which alleles may be copied.

    Raises:
        InputError: when there is no run, or its scores could be others: naming the fields that differ.
    """
    store, run = find_run(location)
    stored = {name: value for name, value in run.identity.items() if name not in NO_PART_OF_A_SCORE}
    there_letters = stored["reference"]["sha256"]
    now = deciding.identity(there_letters)
    # contigs that only one of them reads have no alleles that both have
    shared = now["reference"]["sha256"].keys()
    letters = {name: digest for name, digest in there_letters.items() if name in shared}
    there = stored | {"reference": {"sha256": letters}}
    if "weights_sha256" not in now["model"]:
        model = {name: there["model"][name] for name in there["model"] if name != "weights_sha256"}
        there |= {"model": model}
    lines = difference_lines(there, now, {}, {})
    if lines:
        shown = "\n".join(lines)
        raise InputError(
            f"--reuse {location}: nothing of it can be reused; these fields decide scores, and differ:\n{shown}\n"
            "Leave it out, or repeat its settings."
        )
    # workers may have another working directory
    place = location if parse_address(location) else str(Path(store.location).absolute())
    return ReusableRun(place, run.digest)
