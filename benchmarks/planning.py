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
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from benchmarks.reading import READERS, read
from enformer_core.dataset.plan import Audit, default_shard_size
from enformer_core.dataset.plan_builder import gather
from enformer_core.genome.alphabet import decode
from enformer_core.genome.fasta import MappedGenome
from enformer_core.storage.local import LocalStore
from enformer_core.variants.assembly_check import check_assemblies
from enformer_core.variants.harmonise import harmonise_alleles
from enformer_core.variants.input_files import input_digests
from enformer_core.variants.source import open_source

# NCBI, GCF_000001405.40 (GRCh38.p14): chromosomes 1-22, X, Y, MT
LENGTHS_BP = (
    *(
        248956422,
        242193529,
        198295559,
        190214555,
        181538259,
        170805979,
        159345973,
        145138636,
        138394717,
        133797422,
    ),
    *(
        135086622,
        133275309,
        114364328,
        107043718,
        101991189,
        90338345,
        83257441,
        80373285,
        58617616,
        64444167,
    ),
    *(46709983, 50818468, 156040895, 57227415, 16569),
)
NAMES = tuple(f"chr{name}" for name in (*range(1, 23), "X", "Y", "M"))
LINE_BP = 60
WORKERS = 2
CENTRE_INDEX = 196_608 // 2 - 1
COMPARED = 1_000_000
MAIN = 10_000_000
SIZES = (COMPARED, 3_000_000, MAIN, 30_000_000)
QUICK = 20
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
    """Plan one file; runs in a process of its own."""
    genome = MappedGenome(fasta)
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
    ) as gathered:
        read = time.perf_counter()
        drafted = gathered.draft(
            default_shard_size(gathered.alleles),
            window_starts=lambda starts: starts - CENTRE_INDEX,
            audit=Audit(0.001, 3, seed),
        )
        drawn_up = time.perf_counter()
        scratch_bytes = sum(file.stat().st_size for file in gathered.folder.iterdir())
        stored = drafted.put(store)
    ended = time.perf_counter()
    plan_bytes = sum(file.stat().st_size for file in (store.root / "plan").iterdir())
    shutil.rmtree(store.root)
    return Planned(
        seconds=ended - began,
        gather_s=read - began,
        draft_s=drawn_up - read,
        peak_gib=_peak_bytes() / 2**30,
        records=gathered.records,
        alleles=gathered.alleles,
        by_status=dict(gathered.by_status),
        shards=len(stored.shards),
        shard_rows=statistics.median(shard.rows for shard in stored.shards),
        parts=len(stored.parts),
        plan_bytes=plan_bytes,
        scratch_bytes=scratch_bytes,
    )


def _peak_bytes() -> int:
    """Unlike ru_maxrss, VmHWM does not begin with the memory of the process that started this one."""
    line = next(
        line
        for line in Path("/proc/self/status").read_text().splitlines()
        if line.startswith("VmHWM")
    )
    return int(line.split()[1]) * 1024


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


class Material:
    """The genome and the variants, made in a directory.

    Attributes:
        folder: where everything lies.
        lengths: of the contigs, in bp.
    """

    def __init__(self, folder: Path, *, quick: bool) -> None:
        self.folder = folder
        self.lengths = {
            name: bp // (QUICK if quick else 1) for name, bp in zip(NAMES, LENGTHS_BP, strict=True)
        }
        self.fasta = folder / "genome.fa"
        self._rng = np.random.default_rng(0)

    def write_genome(self) -> None:
        """Random bases in lines of a FASTA file."""
        letters = np.frombuffer(b"ACGT", dtype=np.uint8)
        with self.fasta.open("wb") as out:
            for name, length in self.lengths.items():
                out.write(f">{name}\n".encode())
                for first in range(0, length, block := LINE_BP << 18):
                    bases = letters[
                        self._rng.integers(0, 4, min(block, length - first), dtype=np.uint8)
                    ]
                    whole = bases[: bases.size // LINE_BP * LINE_BP].reshape(-1, LINE_BP)
                    out.write(np.pad(whole, ((0, 0), (0, 1)), constant_values=ord("\n")).tobytes())
                    if rest := bases[whole.size :].tobytes():
                        out.write(rest + b"\n")

    def write_variants(self, records: int) -> Path:
        """A sorted VCF with so many records, compressed by bgzip."""
        import pysam

        genome = MappedGenome(self.fasta)
        path, total = self.folder / f"{records}.vcf.gz", sum(self.lengths.values())
        plain, done, passed_bp = self.folder / "plain.vcf", 0, 0
        with plain.open("wb") as out:
            out.write(self._header())
            for name, length in self.lengths.items():
                passed_bp += length
                count = records * passed_bp // total - done
                for first in range(0, count, step := 1 << 19):
                    some = min(step, count - first)
                    within = range(length * first // count, length * (first + some) // count)
                    names = np.arange(done + first, done + first + some)
                    pa_csv.write_csv(self._records(genome, name, within, names), out, _TAB)
                done += count
        pysam.tabix_compress(str(plain), str(path), force=True)
        plain.unlink()
        return path

    def _header(self) -> bytes:
        contigs = "".join(
            f"##contig=<ID={name},length={bp}>\n" for name, bp in self.lengths.items()
        )
        return (
            "##fileformat=VCFv4.2\n"
            f"{contigs}"
            '##INFO=<ID=AF,Number=A,Type=Float,Description="Allele frequency">\n'
            '##INFO=<ID=AC,Number=A,Type=Integer,Description="Allele count">\n'
            "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
        ).encode()

    def _records(
        self, genome: MappedGenome, name: str, within: range, numbers: np.ndarray
    ) -> pa.Table:
        """A record for each number, with REFs of the genome, which start in this range of a contig."""
        longest, count = 11, numbers.size
        codes = genome.codes(name)
        starts = np.sort(
            self._rng.integers(within.start, max(within.stop - longest, within.start + 1), count)
        )
        kind = self._rng.choice(
            4, count, p=(0.85, 0.05, 0.05, 0.05)
        )  # SNV, deletion, insertion, two SNVs
        sizes = self._rng.integers(2, longest + 1, count)
        other, third = ((codes[starts] + more) % 4 for more in (1, 2))
        base, one, two = (
            _letters(each, np.ones(count, np.int64)) for each in (codes[starts], other, third)
        )
        long = (
            np.repeat(starts, sizes)
            + np.arange(sizes.sum())
            - np.repeat(np.cumsum(sizes) - sizes, sizes)
        )
        deleted, inserted = _letters(codes[long], sizes), _letters(np.roll(codes[long], 1), sizes)
        info = [f"AF=0.{number};AC={number}" for number in range(1, 1000)]
        pairs = [f"AF=0.{number},0.01;AC={number},2" for number in range(1, 1000)]
        of_info = pa.array(self._rng.integers(0, 999, count))
        double = pa.array(kind == 3)
        alt = pc.binary_join_element_wise(one, two, ",")
        return pa.table(
            {
                "CHROM": pa.repeat(name, count),
                "POS": pa.array(starts + 1),
                "ID": pc.binary_join_element_wise("rs", pa.array(numbers).cast("string"), ""),
                "REF": pc.if_else(pa.array(kind == 1), deleted, base),
                "ALT": pc.case_when(
                    pc.make_struct(double, pa.array(kind == 2), pa.array(kind == 1)),
                    alt,
                    pc.binary_join_element_wise(base, inserted, ""),
                    base,
                    one,
                ),
                "QUAL": pa.repeat(".", count),
                "FILTER": pa.repeat("PASS", count),
                "INFO": pc.if_else(
                    double, pa.array(pairs).take(of_info), pa.array(info).take(of_info)
                ),
            }
        )


_TAB = pa_csv.WriteOptions(include_header=False, delimiter="\t", quoting_style="none")


def _letters(codes: np.ndarray, sizes: np.ndarray) -> pa.Array:
    """Codes end to end as texts of these sizes."""
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(decode(codes).encode())]
    return pa.Array.from_buffers(pa.string(), sizes.size, buffers)


def apart(task: str, *arguments: object) -> dict[str, Any]:
    """Run one task in a process of its own; its figures are the last line that it prints."""
    command = [sys.executable, "-m", "benchmarks.planning", "--task", task, *map(str, arguments)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def run_task(task: str, arguments: list[str]) -> dict[str, Any]:
    """What `apart` asks a process for."""
    if task == "plan":
        vcf, fasta, folder = map(Path, arguments)
        return asdict(plan(vcf, fasta, folder))
    case, *paths = arguments
    if task == "read":
        return read(case, Path(paths[0]))
    return bcftools(case, *map(Path, paths))


def measure(folder: Path, *, quick: bool, rounds: int) -> dict[str, Any]:
    """Everything, in turns."""
    sizes = [size // 50 if quick else size for size in SIZES]
    material = Material(folder, quick=quick)
    _say("genome")
    material.write_genome()
    began = time.perf_counter()
    bases = sum(MappedGenome(material.fasta).contigs.values())
    codes_s = time.perf_counter() - began
    plans: dict[int, list[dict[str, Any]]] = {}
    compared: dict[str, list[float]] = {case: [] for case in BCFTOOLS}
    readings: dict[str, list[float]] = {case: [] for case in READERS}
    for size in sizes:
        _say(f"{size:,} variants")
        vcf = material.write_variants(size)
        plans[size] = []
        for _ in range(rounds if size == sizes[0] else 1):
            _say(f"plan {size:,}")
            plans[size].append(apart("plan", vcf, material.fasta, folder))
            for case in BCFTOOLS if size == sizes[0] else ():
                _say(f"bcftools {case}")
                compared[case].append(
                    apart("bcftools", case, vcf, material.fasta, folder)["seconds"]
                )
            for case in READERS if size == sizes[0] else ():
                _say(f"read {case}")
                readings[case].append(apart("read", case, vcf)["seconds"])
        vcf.unlink()
    return {
        "genome_bp": bases,
        "codes_cache_s": codes_s,
        "plans": {size: _median_of(runs) for size, runs in plans.items()},
        "bcftools_s": {case: statistics.median(seconds) for case, seconds in compared.items()},
        "bcftools_options": BCFTOOLS,
        "reading_s": {case: statistics.median(seconds) for case, seconds in readings.items()},
    }


def _median_of(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """The run of median duration, with the durations of all."""
    ordered = sorted(runs, key=lambda run: run["seconds"])
    return {**ordered[len(ordered) // 2], "all_seconds": [run["seconds"] for run in runs]}


def summarise(figures: Mapping[str, Any], *, quick: bool) -> dict[str, Any]:
    """What is asked of two CPU cores, and whether it is met; sizes are scaled with --quick."""
    plans = list(figures["plans"].items())
    (least, first), (_, main), (most, last) = plans[0], plans[2], plans[-1]
    reading_s = figures["reading_s"]
    found = {
        "seconds_10_million": main["seconds"],
        "peak_gib_10_million": main["peak_gib"],
        "seconds_per_million_largest_vs_smallest": (last["seconds"] / most)
        / (first["seconds"] / least),
        "peak_memory_largest_vs_main": last["peak_gib"] / main["peak_gib"],
        "alleles_of_a_shard": main["shard_rows"],
        "bcftools_norm_seconds_vs_plan": figures["bcftools_s"]["norm"] / first["seconds"],
        "bcftools_norm_with_reference_seconds_vs_plan": figures["bcftools_s"]["norm_checked"]
        / first["seconds"],
        "reading_vs_pyarrow_csv": reading_s["records"] / reading_s["pyarrow_csv"],
    }
    met = {
        name: found[name] <= limit if sign == "<=" else found[name] >= limit
        for name, (sign, limit) in TARGETS.items()
    }
    return {"found": found, "targets": TARGETS, "met": None if quick else met}


def circumstances() -> dict[str, Any]:
    """Machine, versions and date."""
    import pysam.version

    models = [
        line
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    names = ("enformer-ray", "numpy", "pyarrow", "pysam")
    return {
        "machine": {
            "cpu": models[0].split(":")[1].strip() if models else platform.processor(),
            "cores": len(os.sched_getaffinity(0)),
            "memory_gib": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30,
            "load_before": os.getloadavg()[0],
            "system": platform.platform(),
        },
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in names},
            "bcftools": pysam.version.__bcftools_version__,
        },
        "date": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
    }


def _say(text: str) -> None:
    print(f"{dt.datetime.now(dt.UTC):%H:%M:%S} {text}", file=sys.stderr, flush=True)


def table(figures: Mapping[str, Any]) -> str:
    """For people."""
    lines = [
        f"{'records':>12}{'alleles':>12}{'s':>9}{'s/million':>11}{'peak GiB':>10}{'shards':>8}{'MB stored':>11}"
    ]
    for size, row in figures["plans"].items():
        lines.append(
            f"{size:>12,}{row['alleles']:>12,}{row['seconds']:>9.2f}{row['seconds'] / size * 1e6:>11.2f}"
            f"{row['peak_gib']:>10.2f}{row['shards']:>8,}{row['plan_bytes'] / 1e6:>11.1f}"
        )
    lines += [
        f"bcftools {' '.join(BCFTOOLS[case])}: {s:.2f} s"
        for case, s in figures["bcftools_s"].items()
    ]
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
    circumstance = circumstances()
    with tempfile.TemporaryDirectory(
        dir=options.scratch, prefix="enformer-ray-planning-"
    ) as folder:
        os.environ["XDG_CACHE_HOME"] = folder
        figures = measure(Path(folder), quick=options.quick, rounds=options.rounds)
    figures = {
        "quick": options.quick,
        **figures,
        **summarise(figures, quick=options.quick),
        **circumstance,
    }
    print(table(figures))
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
