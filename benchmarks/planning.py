"""How long it takes to plan millions of variants, in how much memory, and how that compares with bcftools.

    python -m benchmarks.planning --json benchmarks/results/planning.json [--quick] [--scratch DIRECTORY]

A genome with the lengths of GRCh38's chromosomes and random bases, and sorted VCFs over it compressed by bgzip, are
made in a directory that is removed afterwards (some 15 GB; --quick: a twentieth of the genome, a fiftieth of the
variants). Of them 85 % are SNVs, 10 % insertions or deletions of up to 10 bp, 5 % have two ALTs. What is timed is
everything from the closed VCF to the stored plan: digest of the input, the sample that tells the assembly, reading, REF
checks, normal forms, sorting, repeats, windows, the audit's draw, shards, Parquet, puts. Making the genome's cache of
base codes, once for each FASTA, is timed apart. Every figure is of a process of its own. Peak memory is its VmHWM,
mapped pages of the genome included, so more than what it needs; there are no other processes. `bcftools norm` and
pyarrow's CSV reader read the same file, in turns with the smallest plan.

What it does not know: real sites (repeats, hot spots, long indels), wide INFO columns (which cost bcftools more), files
of samples, slow disks, object storage. The page cache is warm. Ratios hold within one run only.
"""

import argparse
import datetime as dt
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.planning_material import Material
from benchmarks.reading import READERS, read
from enformer_core.dataset.plan_builder import gather
from enformer_core.dataset.sharding import default_shard_size
from enformer_core.genome.fasta import Genome
from enformer_core.storage.local import LocalStore
from enformer_core.variants.assembly_check import check_assemblies
from enformer_core.variants.audit_sample import AuditSample
from enformer_core.variants.harmonise import harmonise_alleles
from enformer_core.variants.input_files import input_digests
from enformer_core.variants.source import open_source
from tests.support.memory import peak_bytes

WORKERS = 2
CENTRE_INDEX = 196_608 // 2 - 1
COMPARED = 1_000_000
MAIN = 10_000_000
SIZES = (COMPARED, 3_000_000, MAIN, 30_000_000)
BCFTOOLS = {
    "norm": ["-m-any", "-Ov"],
    "norm_bcf": ["-m-any", "-Ou"],
    "norm_checked": ["-m-any", "-f", "FASTA", "-c", "w", "-Ov"],
    "norm_checked_bcf": ["-m-any", "-f", "FASTA", "-c", "w", "-Ou"],
    "norm_checked_vcf_gz": ["-m-any", "-f", "FASTA", "-c", "w", "-Oz"],
}
TARGETS = {
    "seconds_10_million": ("<=", 60),
    "peak_gib_10_million": ("<=", 3),
    "seconds_per_million_largest_vs_smallest": ("<=", 1.25),
    "peak_memory_largest_vs_main": ("<=", 1.25),
    "alleles_of_a_shard": (">=", 2_000),
    "bcftools_norm_seconds_vs_plan": (">=", 1),
    "bcftools_norm_with_reference_seconds_vs_plan": (">=", 1),
    "reading_vs_pyarrow_csv": ("<=", 2),
}


@dataclass(frozen=True)
class Planned:
    """One plan, made in a process of its own.

    Attributes:
        seconds: from the closed VCF to the stored plan.
        gather_s: of these, for reading, placing and spilling.
        draft_s: for sorting, cutting and encoding.
        peak_gib: VmHWM of the process.
        records: input records.
        alleles: rows of the plan.
        by_status: rows by status.
        shards: how many.
        shard_rows: alleles of the median shard; a contig's last may have fewer.
        parts: how many.
        plan_bytes: as stored.
        scratch_bytes: at their most.
    """

    seconds: float
    gather_s: float
    draft_s: float
    peak_gib: float
    records: int
    alleles: int
    by_status: Mapping[str, int]
    shards: int
    shard_rows: float
    parts: int
    plan_bytes: int
    scratch_bytes: int


def plan(vcf: Path, fasta: Path, folder: Path) -> Planned:
    """Plan one file, as `score` does, and remove the plan; runs in a process of its own."""
    genome = Genome(fasta)
    store = LocalStore(folder / f"run-{os.getpid()}")
    began = time.perf_counter()
    seed = input_digests([vcf])[0]["sha256"]
    source = open_source(vcf)
    check_assemblies([source], genome)
    with gather(
        source.batches(),
        genome.contigs,
        place=lambda raw: harmonise_alleles(raw, genome, max_allele_bp=1000),
        scratch=folder,
        workers=WORKERS,
    ) as alleles:
        placed = time.perf_counter()
        draft = alleles.draft(
            default_shard_size(alleles.alleles),
            window_starts=lambda starts: starts - CENTRE_INDEX,
            audit=AuditSample(0.001, 3, seed),
        )
        drafted = time.perf_counter()
        scratch_bytes = _bytes_in(alleles.folder)
        stored = draft.put(store)
    ended = time.perf_counter()
    plan_bytes = _bytes_in(store.root / "plan")
    shutil.rmtree(store.root)
    return Planned(
        seconds=ended - began,
        gather_s=placed - began,
        draft_s=drafted - placed,
        peak_gib=peak_bytes() / 2**30,
        records=alleles.records,
        alleles=alleles.alleles,
        by_status=dict(alleles.by_status),
        shards=len(stored.shards),
        shard_rows=statistics.median(shard.rows for shard in stored.shards),
        parts=len(stored.parts),
        plan_bytes=plan_bytes,
        scratch_bytes=scratch_bytes,
    )


def _bytes_in(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.iterdir())


def bcftools(case: str, vcf: Path, fasta: Path, folder: Path) -> dict[str, float]:
    """Seconds of `bcftools norm` on the same file; runs in a process of its own."""
    import pysam.bcftools

    options = [str(fasta) if option == "FASTA" else option for option in BCFTOOLS[case]]
    out = folder / f"bcftools-{os.getpid()}"
    began = time.perf_counter()
    pysam.bcftools.norm(*options, "-o", str(out), str(vcf), catch_stdout=False)
    ended = time.perf_counter()
    out.unlink()
    return {"seconds": ended - began}


def apart(task: str, *arguments: object) -> dict[str, Any]:
    """Run one task in a process of its own; its figures are the last line that it prints."""
    command = [sys.executable, "-m", "benchmarks.planning", "--task", task, *map(str, arguments)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def run_task(task: str, arguments: list[str]) -> dict[str, Any]:
    """Do in this process what `apart` starts one for."""
    if task == "plan":
        vcf, fasta, folder = map(Path, arguments)
        return asdict(plan(vcf, fasta, folder))
    case, *paths = arguments
    if task == "read":
        return read(case, Path(paths[0]))
    return bcftools(case, *map(Path, paths))


def measure(folder: Path, *, quick: bool, rounds: int) -> dict[str, Any]:
    """Plan every size; the smallest several times, in turns with bcftools and the readers.

    Args:
        folder: for the genome, the variants and the plans.
        quick: whether a small genome and few variants will do.
        rounds: of the smallest size.
    """
    sizes = [size // 50 if quick else size for size in SIZES]
    material = Material(folder, quick=quick)
    _say("genome")
    material.write_genome()
    began = time.perf_counter()
    bases = sum(Genome(material.fasta).contigs.values())
    codes_s = time.perf_counter() - began
    plans: dict[int, list[dict[str, Any]]] = {}
    bcftools_s: dict[str, list[float]] = {case: [] for case in BCFTOOLS}
    reading_s: dict[str, list[float]] = {case: [] for case in READERS}
    for size in sizes:
        _say(f"{size:,} variants")
        vcf = material.write_variants(size)
        is_compared = size == sizes[0]
        plans[size] = []
        for _ in range(rounds if is_compared else 1):
            _say(f"plan {size:,}")
            plans[size].append(apart("plan", vcf, material.fasta, folder))
            if is_compared:
                _compare(vcf, material.fasta, bcftools_s, reading_s)
        vcf.unlink()
    return {
        "genome_bp": bases,
        "codes_cache_s": codes_s,
        "plans": {size: _median_of(runs) for size, runs in plans.items()},
        "bcftools_s": {case: statistics.median(seconds) for case, seconds in bcftools_s.items()},
        "bcftools_options": BCFTOOLS,
        "reading_s": {case: statistics.median(seconds) for case, seconds in reading_s.items()},
    }


def _compare(
    vcf: Path,
    fasta: Path,
    bcftools_s: Mapping[str, list[float]],
    reading_s: Mapping[str, list[float]],
) -> None:
    """Add the seconds of one run of every other program."""
    for case, seconds in bcftools_s.items():
        _say(f"bcftools {case}")
        figures = apart("bcftools", case, vcf, fasta, vcf.parent)
        seconds.append(figures["seconds"])
    for case, seconds in reading_s.items():
        _say(f"read {case}")
        figures = apart("read", case, vcf)
        seconds.append(figures["seconds"])


def _median_of(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """The run of median duration, with the durations of all."""
    ordered = sorted(runs, key=lambda run: run["seconds"])
    median = ordered[len(ordered) // 2]
    return {**median, "all_seconds": [run["seconds"] for run in runs]}


def summarise(figures: Mapping[str, Any], *, quick: bool) -> dict[str, Any]:
    """What is expected of two CPU cores, and whether it is met; sizes are scaled with --quick."""
    plans = list(figures["plans"].items())
    smallest_size, smallest = plans[0]
    main_run = plans[2][1]
    largest_size, largest = plans[-1]
    bcftools_s = figures["bcftools_s"]
    reading_s = figures["reading_s"]
    smallest_rate = smallest["seconds"] / smallest_size
    largest_rate = largest["seconds"] / largest_size
    results = {
        "seconds_10_million": main_run["seconds"],
        "peak_gib_10_million": main_run["peak_gib"],
        "seconds_per_million_largest_vs_smallest": largest_rate / smallest_rate,
        "peak_memory_largest_vs_main": largest["peak_gib"] / main_run["peak_gib"],
        "alleles_of_a_shard": main_run["shard_rows"],
        "bcftools_norm_seconds_vs_plan": bcftools_s["norm"] / smallest["seconds"],
        "bcftools_norm_with_reference_seconds_vs_plan": (
            bcftools_s["norm_checked"] / smallest["seconds"]
        ),
        "reading_vs_pyarrow_csv": reading_s["records"] / reading_s["pyarrow_csv"],
    }
    met = {
        name: results[name] <= limit if sign == "<=" else results[name] >= limit
        for name, (sign, limit) in TARGETS.items()
    }
    return {"found": results, "targets": TARGETS, "met": None if quick else met}


def machine_and_versions() -> dict[str, object]:
    """Machine, versions and date, with what else matters here: memory, and the bcftools inside pysam."""
    import pysam.version

    # not above: it imports torch, whose memory would count as the planner's in every process
    from benchmarks.circumstances import circumstances

    common = circumstances("numpy", "pyarrow", "pysam")
    memory_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        **common,
        "machine": {**common["machine"], "memory_gib": memory_bytes / 2**30},
        "versions": {**common["versions"], "bcftools": pysam.version.__bcftools_version__},
    }


def _say(text: str) -> None:
    print(f"{dt.datetime.now(dt.UTC):%H:%M:%S} {text}", file=sys.stderr, flush=True)


def table(figures: Mapping[str, Any]) -> str:
    """Lay the figures out for reading: a line for each size, each run of bcftools, each target."""
    lines = [
        f"{'records':>12}{'alleles':>12}{'s':>9}{'s/million':>11}{'peak GiB':>10}{'shards':>8}{'MB stored':>11}"
    ]
    for size, row in figures["plans"].items():
        seconds = row["seconds"]
        lines.append(
            f"{size:>12,}{row['alleles']:>12,}{seconds:>9.2f}{seconds / size * 1e6:>11.2f}"
            f"{row['peak_gib']:>10.2f}{row['shards']:>8,}{row['plan_bytes'] / 1e6:>11.1f}"
        )
    for case, seconds in figures["bcftools_s"].items():
        lines.append(f"bcftools {' '.join(BCFTOOLS[case])}: {seconds:.2f} s")
    met = figures["met"] or {}
    for name, value in figures["found"].items():
        sign, limit = TARGETS[name]
        lines.append(f"{name:44}{value:>10.2f}  {sign} {limit}  {met.get(name, '')}")
    return "\n".join(lines)


def main() -> None:
    """Measure, print, and write the figures down."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", type=Path, help="where to write the figures")
    parser.add_argument(
        "--quick", action="store_true", help="a small genome and few variants: does it run?"
    )
    parser.add_argument(
        "--scratch", type=Path, help="directory for the genome, the variants and the plans"
    )
    parser.add_argument(
        "--rounds", type=int, default=3, help="of the smallest size and bcftools, in turns"
    )
    parser.add_argument("--task", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.task:
        print(json.dumps(run_task(options.task[0], options.task[1:])))
        return
    before = machine_and_versions()  # the load, too: what follows would add its own
    with tempfile.TemporaryDirectory(
        dir=options.scratch, prefix="enformer-ray-planning-"
    ) as folder:
        os.environ["XDG_CACHE_HOME"] = folder
        figures = measure(Path(folder), quick=options.quick, rounds=options.rounds)
    figures = {
        "quick": options.quick,
        **figures,
        **summarise(figures, quick=options.quick),
        **before,
    }
    print(table(figures))
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
