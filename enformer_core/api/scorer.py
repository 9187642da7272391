"""Score a variant, predict a region or a sequence, in this process: what `enformer-ray score` computes, in three lines.

One pipeline stands behind both: the same conventions, the same engines, the same normal form of an allele.
"""

import os
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Literal, TypeVar, get_args

import numpy as np
import psutil
from jaxtyping import Float32

from enformer_core.analyses.base import WorkerResources
from enformer_core.analyses.engines import load_engine
from enformer_core.analyses.model_inputs import (
    check_strands,
    genome_named,
    load_model,
    located,
    squashings_undone,
    tracks_named,
)
from enformer_core.analyses.named_weights import located_weights
from enformer_core.analyses.score_spec import ScoreSpec
from enformer_core.api.arguments import (
    TrackChoice,
    optional_number,
    optional_path,
    path,
    selector,
    text,
    whole_number,
    whole_numbers,
)
from enformer_core.api.mutations import Mutations, changes, laid_out
from enformer_core.api.results import Prediction, VariantEffect
from enformer_core.api.variant_names import PlacedVariant, VariantName, place_variants
from enformer_core.api.windows import find_window
from enformer_core.errors import InputError, nearest
from enformer_core.genome.alphabet import decode
from enformer_core.genome.regions import find_region
from enformer_core.machine import cpu_count, device_here
from enformer_core.models.registry import ModelSource
from enformer_core.models.tracks.selector import select_tracks
from enformer_core.models.tracks.squashing import Form
from enformer_core.models.tracks.table import Tracks
from enformer_core.scoring.allele_effect import AlleleEffect
from enformer_core.scoring.conventions import (
    AUDIT_TOLERANCE,
    ENGINES,
    INDEL_RULES,
    POLICIES,
    AverageShifts,
    Conventions,
    Engine,
    IndelRule,
    Policy,
    Strands,
    centre_index_of,
    default_max_allele_bp,
    parse_statistics,
)
from enformer_core.scoring.over_pairings import mean
from enformer_core.scoring.rounding import WHOLE_BITS
from enformer_core.scoring.statistics import AlleleScores, Statistic, why_unsound
from enformer_core.scoring.windows import Allele, Window, window_start
from enformer_core.words import agreeing, counted

Choice = TypeVar("Choice", bound=str)
PathName = str | os.PathLike[str]
Device = Literal["auto", "cpu", "cuda"]


class Scorer:
    """A model that is loaded, with the genome that it reads, ready to be asked.

    The arguments are the options of `enformer-ray score`, with the same names, meanings and defaults; what they mean is
    in docs/conventions.md. Loading Enformer takes some seconds and 1 GB; the first use of a genome packs it once.
    torch computes with `threads` threads from then on, in the whole process.

    Args:
        model: `enformer`, `basenji2`, `borzoi`, `flashzoi`, or a demonstration that needs no weights: `motif`,
            `motif_core`.
        genome: reference genome, FASTA (plain, bgzip or gzip).
        weights: of the model, a path or an address (docs/weights.md).
        params: sizes of a model of Borzoi's family, the params.json that it was trained by; default the published ones.
        head: which head of the model, `human` or `mouse`.
        tracks: which of its tracks, as `--tracks` takes them (`"4828"`, `"assay=CAGE"`), or their columns as numbers;
            None for all.
        targets: published table of the head's tracks, for names and selection.
        statistics: which statistics, `("sad", "js")` or `"sad,js"`.
        strands: `both` averages the strands, `forward` reads one.
        shifts: bp by which windows are moved, to average over.
        centre_bin: output bin of the variant's first base: left of the window's middle (default) or right.
        central_bins: statistics read so many central bins; default all.
        centre_mask_bp: or the bins of so many bp around the variant's own.
        indel_rule: how insertions and deletions keep the window's length.
        average_shifts: what is averaged over shifts, `predictions` or the `scores` that each shift gives.
        unsquash: undo roots and soft clips of training by the table of `targets`, in their form `new` or `old`.
        engine: `delta` carries differences, `direct` makes two plain passes.
        precision: arithmetic of `delta`: `fast` (16-bit differences, where the hardware is quick at them) or `exact`.
        max_offset_bp: how far off its window's centre a variant may lie, so that neighbours share the reference.
        max_allele_bp: longest REF or ALT; default half the output.
        device: `cpu`, `cuda`, or `auto`, which takes a GPU where there is one.
        threads: CPU threads; default all, and one for the demonstration, as with `score --ray off`. Their number moves
            the last digits.

    Attributes:
        tracks: of the columns of everything that comes back, in their order.
        conventions: how alleles are scored, as a run records them.
        notice: what a demonstration says of all its outputs, else None.

    Raises:
        InputError: for what is not there or does not fit, with the remedy; `--tracks` in it is the argument `tracks`.
    """

    def __init__(
        self,
        model: str,
        *,
        genome: PathName,
        weights: PathName | None = None,
        params: PathName | None = None,
        head: str = "human",
        tracks: TrackChoice = None,
        targets: PathName | None = None,
        statistics: str | Iterable[str] = ("sad",),
        strands: Strands = "both",
        shifts: Iterable[int] = (0,),
        centre_bin: int | None = None,
        central_bins: int | None = None,
        centre_mask_bp: int | None = None,
        indel_rule: IndelRule = "left-fixed",
        average_shifts: AverageShifts = "predictions",
        unsquash: Form | None = None,
        engine: Engine = "delta",
        precision: Policy = "fast",
        max_offset_bp: int = 0,
        max_allele_bp: int | None = None,
        device: Device = "auto",
        threads: int | None = None,
    ) -> None:
        model = text("model", model)
        given = optional_path("weights", weights)
        sizes = located(optional_path("params", params))
        source = ModelSource(model, located_weights(given), given=given, params=sizes)
        geometry = source.geometry
        self.conventions = Conventions(
            geometry=geometry,
            statistics=parse_statistics(_words(statistics)),
            centre_index=centre_index_of(optional_number("centre_bin", centre_bin), geometry),
            indel_rule=one_of("indel_rule", indel_rule, INDEL_RULES),
            strands=one_of("strands", strands, get_args(Strands)),
            shifts=whole_numbers("shifts", shifts),
            central_bins=optional_number("central_bins", central_bins),
            centre_mask_bp=optional_number("centre_mask_bp", centre_mask_bp),
            max_offset_bp=whole_number("max_offset_bp", max_offset_bp),
            average_shifts=one_of("average_shifts", average_shifts, get_args(AverageShifts)),
            unsquash=None if unsquash is None else one_of("unsquash", unsquash, get_args(Form)),
        )
        spec = _spec(
            self.conventions,
            one_of("engine", engine, ENGINES),
            one_of("precision", precision, POLICIES),
        )
        resources = _resources(
            source,
            one_of("device", device, get_args(Device)),
            optional_number("threads", threads),
        )
        head = text("head", head)
        table = tracks_named(source, head, optional_path("targets", targets))
        check_strands(source.spec, table, strands)
        self.tracks = _selected(table, tracks)
        self.notice = source.notice
        longest_bp = optional_number("max_allele_bp", max_allele_bp)
        self._max_allele_bp = longest_bp or default_max_allele_bp(geometry)
        self._genome = genome_named(path("genome", genome))
        columns = tuple(self.tracks.indices())
        pairs = self.tracks.strand_pairs()
        undone = squashings_undone(self.tracks, self.conventions.unsquash)
        loaded = load_model(source, self._genome, head, columns, resources, strand_pairs=pairs)
        loaded = replace(loaded, squashings=undone)
        self._engine = load_engine(loaded, spec, resources)
        self._heading = (
            f"{model}, head {head}, {counted(len(columns), 'tracks')}, {spec.engine} engine"
        )

    def variant(self, name: VariantName) -> VariantEffect:
        """The effect of one variant.

        Args:
            name: `chr20:4699605:A:G`, also with `-`, `_`, `/` or `>` between its parts, or
                `("chr20", 4699605, "A", "G")`. The position counts from 1, as in VCF; an insertion or deletion begins
                with the base before it.

        Raises:
            InputError: for a variant that cannot be scored: a REF that the genome does not have (the message says what
                it has), an unknown contig, letters other than A, C, G and T.
        """
        return self.variants([name])[0]

    def variants(self, names: Iterable[VariantName]) -> list[VariantEffect]:
        """The effects of a few variants, in the order of their names; those in one window share its reference.

        All of them lie in memory: 38 MB each with Enformer's 5,313 tracks. For thousands there is `enformer-ray score`.

        Args:
            names: each as `variant` takes it.

        Raises:
            InputError: naming every variant that cannot be scored, before any is computed.
        """
        if isinstance(names, str | bytes) or not isinstance(names, Iterable):
            raise InputError(f"variants takes a list of names: give [{names!r}], or ask variant")
        placed = place_variants(list(names), self._genome, max_allele_bp=self._max_allele_bp)
        effects: dict[int, VariantEffect] = {}
        for start, numbers in self._by_window([variant.allele for variant in placed]):
            alleles = [placed[number].allele for number in numbers]
            computed = self._engine.scorer.effects(alleles, start)
            for number, effect in zip(numbers, computed, strict=True):
                effects[number] = self._variant_effect(placed[number], start, effect)
        return [effects[number] for number in range(len(placed))]

    def mutagenesis(self, region: str) -> Mutations:
        """Every other base at every base of a region: three alleles for each base that is known.

        Each base has a window of its own, exactly centred, as `variant` would have it. With `max_offset_bp` the bases
        share windows, in a fifth of the time and less; `enformer-ray score --mutagenesis` does so by default (8192).

        Args:
            region: `chr20:4,699,500-4,699,700`, from 1 with both ends, or a contig.

        Raises:
            InputError: for a region that the genome does not have, or of which it knows no base.
        """
        contig, first, end = find_region(text("region", region), self._genome)
        letters = decode(self._genome.fetch(contig, first, end))
        alleles = changes(contig, first, letters)
        if not alleles:
            bases = agreeing(end - first, "its one base", f"all of its {end - first:,} bases")
            raise InputError(f"{region}: the genome has N at {bases}")
        scores: dict[int, dict[Statistic, Float32[np.ndarray, " tracks"]]] = {}
        for start, numbers in self._by_window(alleles):
            computed = self._engine.scorer.score([alleles[number] for number in numbers], start)
            for number, of_allele in zip(numbers, computed, strict=True):
                scores[number] = _sound(str(alleles[number]), of_allele, self.tracks)
        in_order = [scores[number] for number in range(len(alleles))]
        return Mutations(
            contig=contig,
            start=first,
            letters=letters,
            tracks=self.tracks,
            statistics=laid_out(letters, first, alleles, in_order),
            notice=self.notice,
        )

    def predict(self, where: str) -> Prediction:
        """The prediction of one window, by a plain pass of each strand in float32, whatever the engine.

        Args:
            where: a region, `chr20:4,600,000-4,796,608` (from 1, with both ends) or `chr20:4,699,605`: the window whose
                middle is the region's; or a sequence, as long as the model's window. Regions may be of any length up
                to the window's. N and every ambiguous letter is no base, and so is what lies beyond a contig.

        Raises:
            InputError: for a region that the genome does not have, or a region or sequence of another length.
        """
        named = find_window(where, self._genome, self.conventions.geometry)
        profile = mean(
            [
                self._engine.predictor.averaged(Window(named.start + shift_bp), named.codes)
                for shift_bp in self.conventions.scored_shifts
            ]
        )
        geometry = self.conventions.geometry
        return Prediction(
            contig=named.contig,
            start=named.start + geometry.crop_bp,
            bin_bp=geometry.bin_bp,
            tracks=self.tracks,
            notice=self.notice,
            contig_bp=None if named.contig is None else self._genome.contigs[named.contig],
            values=np.array(profile.cpu().numpy(), dtype=np.float32),
        )

    def _by_window(self, alleles: Sequence[Allele]) -> Iterator[tuple[int, list[int]]]:
        """Where each window begins, and the numbers of the alleles that are scored in it."""
        by_window: dict[tuple[str, int], list[int]] = {}
        for number, allele in enumerate(alleles):
            start = window_start(allele.start, self.conventions)
            by_window.setdefault((allele.contig, start), []).append(number)
        for (_, start), numbers in by_window.items():
            yield start, numbers

    def _variant_effect(
        self, variant: PlacedVariant, window: int, effect: AlleleEffect
    ) -> VariantEffect:
        allele = variant.allele
        geometry = self.conventions.geometry
        offset_bp = self.conventions.offset_bp(allele.start, window)
        first_bin = self.conventions.scored_bins(offset_bp).start
        return VariantEffect(
            contig=allele.contig,
            start=window + geometry.crop_bp + first_bin * geometry.bin_bp,
            bin_bp=geometry.bin_bp,
            tracks=self.tracks,
            notice=self.notice,
            contig_bp=self._genome.contigs[allele.contig],
            given=variant.given,
            allele=allele,
            ref=effect.reference,
            difference=effect.difference,
            statistics=_sound(variant.given, effect.scores, self.tracks),
        )

    def __repr__(self) -> str:
        engine = self._engine
        where = f"{engine.arithmetic}, on {engine.device}"
        lines = [f"Scorer {self._heading} ({where})", f"genome {self._genome.called}"]
        return "\n".join(lines if self.notice is None else [*lines, self.notice])


def one_of(setting: str, given: str, known: tuple[Choice, ...]) -> Choice:
    """A setting that is one of a few words.

    Raises:
        InputError: for another word, with the nearest known ones.
    """
    for choice in known:
        if given == choice:
            return choice
    raise InputError(f"{setting}={given!r} is not known{nearest(str(given), known)}")


def _spec(conventions: Conventions, engine: Engine, precision: Policy) -> ScoreSpec:
    """What a run's workers are told, but that nothing is audited and nothing rounded."""
    return ScoreSpec(
        conventions=conventions,
        engine=engine,
        precision=precision,
        audit_fraction=0.0,
        audit_tolerance=AUDIT_TOLERANCE[precision],
        mantissa_bits=WHOLE_BITS,
        top_tracks=0,
    )


def _resources(source: ModelSource, device: str, threads: int | None) -> WorkerResources:
    device = device_here(device)
    if threads is not None and threads < 1:
        raise InputError(f"threads={threads}: must be at least 1")
    # as a worker of `score --ray off` has it; the demonstration gains nothing from more than one
    cpus = threads or (1 if source.demonstration else cpu_count())
    # a worker's process holds nothing else, this one may hold a notebook's tables
    held_bytes = psutil.Process().memory_info().rss
    return WorkerResources(
        device=device,
        cpus=cpus,
        gpus=int(device == "cuda"),
        memory_bytes=source.spec.worker_memory_bytes + held_bytes,
    )


def _selected(table: Tracks, tracks: TrackChoice) -> Tracks:
    selection, notes = select_tracks(table, selector(tracks))
    for note in notes:
        warnings.warn(note, stacklevel=3)
    return selection


def _words(statistics: str | Iterable[str]) -> tuple[str, ...]:
    if isinstance(statistics, str):
        return tuple(word.strip() for word in statistics.split(",") if word.strip())
    if not isinstance(statistics, Iterable):
        raise InputError(f"statistics={statistics!r}: must be names, such as ('sad', 'js')")
    return tuple(text("statistics", name) for name in statistics)


def _sound(
    variant: str, scores: AlleleScores, tracks: Tracks
) -> dict[Statistic, Float32[np.ndarray, " tracks"]]:
    """The scores as they are stored, in float32.

    Raises:
        InputError: for scores that are not finite; in a run such an allele has the status `failed`.
    """
    why = why_unsound(scores, tracks.indices())
    if why is not None:
        raise InputError(f"{variant}: {why}. Are these the model's weights?")
    return {name: np.asarray(values, dtype=np.float32) for name, values in scores.items()}
