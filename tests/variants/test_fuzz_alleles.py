"""No damaged file scores a wrong allele: every row that would be scored is held against another reading of the text.

make fuzz          # 20,000 of them
ENFORMER_RAY_FUZZ=20000 python -m pytest tests/variants/test_fuzz_alleles.py

What a row may be is decided here by `str.split` and `csv`, which share nothing with the readers: the allele of the
record that was written under its identifier, or what the header and the cells of its line plainly say. Two alleles are
the same where they make the same sequence of the contig, however they are written.
"""

import csv
import gzip
import os
import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import numpy as np
import pyarrow.compute as pc
import pytest

from enformer_core.errors import InputError
from enformer_core.genome.fasta import Genome
from enformer_core.variants import parse, source
from enformer_core.variants.harmonise import harmonise_alleles
from enformer_core.variants.source import open_source
from tests.support.bgzf import bgzip
from tests.support.genomes import random_letters, write_fasta

COUNT = int(os.environ.get("ENFORMER_RAY_FUZZ", "240"))
CHUNK = 240  # files of one test
RECORDS = 12
CONTIGS = {"1": random_letters(900, 1), "2": random_letters(700, 2), "X": random_letters(500, 3)}


@dataclass(frozen=True)
class Record:
    """An allele as it is written: `pos` counts from 1."""

    chrom: str
    pos: int
    name: str
    ref: str
    alt: str


@dataclass(frozen=True)
class Dialect:
    """A kind of table: its lines before the records, and a record's cells."""

    before: tuple[str, ...]
    cells: Callable[[Record], list[object]]
    separator: str = "\t"


DIALECTS = {
    "vcf": Dialect(
        ("##fileformat=VCFv4.2", "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO"),
        lambda r: [r.chrom, r.pos, r.name, r.ref, r.alt, ".", "PASS", "AC=1"],
    ),
    "tsv": Dialect(
        ("chrom\tpos\trsid\tref\talt",), lambda r: [r.chrom, r.pos, r.name, r.ref, r.alt]
    ),
    "csv": Dialect(
        ("rsid,chr,position,ref,alt,beta",),
        lambda r: [r.name, f"chr{r.chrom}", r.pos, r.ref, r.alt, 0.5],
        ",",
    ),
    "gwas": Dialect(
        ("chromosome\tbase_pair_location\teffect_allele\tother_allele\trsid\tbeta",),
        lambda r: [r.chrom, r.pos, r.alt, r.ref, r.name, "-0.1"],
    ),
    "plink": Dialect(
        ("SNP CHR BP A1 A2 P",), lambda r: [r.name, r.chrom, r.pos, r.alt, r.ref, "1e-9"], " "
    ),
    "bed": Dialect(
        ("#chrom\tchromStart\tchromEnd\tname\tref\talt",),
        lambda r: [f"chr{r.chrom}", r.pos - 1, r.pos - 1 + len(r.ref), r.name, r.ref, r.alt],
    ),
    "ends": Dialect(
        ("chr\tstart\tend\tref\talt\tid",),
        lambda r: [r.chrom, r.pos, r.pos + len(r.ref) - 1, r.ref, r.alt, r.name],
    ),
    "bim": Dialect((), lambda r: [r.chrom, r.name, 0, r.pos, r.alt, r.ref]),
}

ROLES = {
    **dict.fromkeys(("chrom", "chr", "chromosome"), "chrom"),
    **dict.fromkeys(("pos", "position", "bp", "base_pair_location"), "pos"),
    **dict.fromkeys(("id", "rsid", "snp", "name"), "id"),
    **dict.fromkeys(("a1", "effect_allele"), "effect"),
    **dict.fromkeys(("a2", "other_allele"), "other"),
    **{name: name for name in ("ref", "alt", "start", "end")},
    "chromstart": "bed_start",
    "chromend": "end",
}

ALLELES = {"ref", "alt", "effect", "other"}
"""Facts that a number, under whatever name, is none of."""

NAMES = ["chrom", "pos", "ref", "alt", "A1", "A2", "id", "start", "end", "junk", "", "POS"]


def records_by(dice: random.Random) -> list[Record]:
    """Alleles that the genome has, SNVs, insertions and deletions, in the order of places."""
    records = []
    for number in range(RECORDS):
        chrom = dice.choice(list(CONTIGS))
        pos = dice.randrange(30, len(CONTIGS[chrom]) - 30)
        ref = CONTIGS[chrom][pos - 1 : pos - 1 + dice.choice([1, 1, 1, 2, 4])]
        alt = dice.choice([letter for letter in "ACGT" if letter != ref[0]])
        if dice.random() < 0.3:
            alt = ref[0] + dice.choice(["", "A", "GT"])
        if alt != ref:
            records.append(Record(chrom, pos, f"rs{1000 + number}", ref, alt))
    return records


Allele = tuple[str, str]
"""A contig and what the allele makes of it."""


def made_by(chrom: str, start: int, ref: str, alt: str) -> Allele | None:
    """The contig with the allele in it; None where the genome does not have REF there."""
    name = re.sub("^chr", "", chrom, flags=re.IGNORECASE)
    letters = CONTIGS.get(name, "")
    end = start + len(ref)
    if start < 0 or end > len(letters) or letters[start:end] != ref or ref == alt:
        return None
    return name, letters[:start] + alt + letters[end:]


def said(chrom: str, start: int, first: str, second: str, *, is_declared: bool) -> set[Allele]:
    """Alleles that this may mean: where nothing declares which one is REF, either may be."""
    pairs = [(first.upper().replace("-", ""), second.upper().replace("-", ""))]
    if not is_declared:
        pairs += [pairs[0][::-1]]
    alleles = {made_by(chrom, start, ref, alt) for ref, alt in pairs}
    # of a hyphen for REF programs mean a place before the base, or behind it
    alleles |= {made_by(chrom, start + 1, ref, alt) for ref, alt in pairs if not ref}
    return alleles - {None}


def split_plainly(line: str) -> list[list[str]]:
    """A line's cells, stripped, by each separator that it may be meant to have."""
    tabs = line.split("\t")
    commas = next(csv.reader([line.replace("\t", " ")]), [])
    readings = [tabs, commas, line.split()]
    return [[cell.strip().strip("\"'").strip() for cell in cells] for cells in readings]


def plain_readings(lines: list[str], number: int) -> set[Allele]:
    """What the line of this number says, by a header above it; cells count from the left."""
    alleles: set[Allele] = set()
    of_line = split_plainly(lines[number - 1])
    for cells in of_line:
        if len(cells) in (
            5,
            6,
        ):  # of a .bim, which has no header; PLINK 2 may leave out centimorgans
            chrom, _, *_, pos, first, second = cells
            if re.fullmatch(r"\d{1,9}(\.0+)?", pos):
                start = int(float(pos)) - 1
                alleles |= said(chrom, start, second, first, is_declared=False)
    for above in lines[: number - 1]:
        for names, cells in zip(split_plainly(above), of_line, strict=True):
            # a line cut short, or with more behind it, says what it says all the same
            shared = min(len(names), len(cells))
            alleles |= read_by_header(names[:shared], cells[:shared])
            # R's numbers of rows stand before the columns, and the header has no name for them
            if len(cells) == len(names) + 1 and cells[0].isdecimal():
                alleles |= read_by_header(names, cells[1:])
    return alleles


def read_by_header(names: list[str], cells: list[str]) -> set[Allele]:
    """What the cells say under these names; nothing where two columns could be one fact, or one is missing."""
    named = [ROLES.get(name.lower().lstrip("#"), "") for name in names]
    roles = [
        "" if role in ALLELES and not re.fullmatch(r"[A-Za-z,-]+", cell) else role
        for role, cell in zip(named, cells, strict=True)
    ]
    if any(roles.count(role) > 1 for role in set(roles) - {"", "id"}):
        return set()
    found = dict(zip(roles, cells, strict=True))
    firsts = [found[role] for role in ("ref", "other") if role in found]
    seconds = [found[role] for role in ("alt", "effect") if role in found]
    place = next((found[role] for role in ("pos", "bed_start", "start") if role in found), "")
    if "chrom" not in found or not re.fullmatch(r"\d{1,9}(\.0+)?", place):
        return set()
    is_declared = "ref" in found and "alt" in found
    start = int(float(place))
    alleles: set[Allele] = set()
    for first, second in product(firsts, seconds):
        if "pos" in found or "bed_start" in found:
            starts = {start - 1 if "pos" in found else start}
        else:
            starts = ends_say(start, found.get("end", ""), first)
        for each, alt in product(starts, second.split(",")):
            alleles |= said(found["chrom"], each, first, alt, is_declared=is_declared)
    return alleles


def ends_say(start: int, end: str, ref: str) -> set[int]:
    """The 0-based start that the end shows; counted from 1 where there is no end."""
    if not end.isdecimal():
        return {start - 1} if not end else set()
    return {start - 1} if int(end) == start + len(ref) - 1 else {start}


# How files come to be what they are: each takes the lines and gives others.


def swap_cells(lines, dice, separator):
    """Two cells of a line change places, the header's among them."""
    at = dice.randrange(len(lines))
    cells = lines[at].split(separator)
    one, other = (dice.randrange(len(cells)) for _ in range(2))
    cells[one], cells[other] = cells[other], cells[one]
    return [*lines[:at], separator.join(cells), *lines[at + 1 :]]


def move_columns(lines, dice, separator):
    """Two columns change places in all lines but the header, or in all."""
    first = dice.randrange(2)
    width = len(lines[-1].split(separator))
    one, other = (dice.randrange(width) for _ in range(2))
    for at in range(first, len(lines)):
        cells = lines[at].split(separator)
        if len(cells) == width:
            cells[one], cells[other] = cells[other], cells[one]
            lines[at] = separator.join(cells)
    return lines


def change_cells(lines, dice, separator):
    """A column is dropped or doubled, in a line, in the header alone, or everywhere."""
    drop = dice.random() < 0.5
    width = len(lines[-1].split(separator))
    column = dice.randrange(width)
    which = dice.choice([range(len(lines)), [0], [1 % len(lines)], range(1, len(lines))])
    for at in which:
        cells = lines[at].split(separator)
        if column < len(cells):
            cells[column : column + 1] = [] if drop else [cells[column]] * 2
            lines[at] = separator.join(cells)
    return lines


def rename(lines, dice, separator):
    """A name of the header becomes another."""
    cells = lines[0].split(separator)
    cells[dice.randrange(len(cells))] = dice.choice(NAMES)
    return [separator.join(cells), *lines[1:]]


def separate(lines, dice, separator):
    """Another separator, in a line or in all."""
    other = dice.choice(["\t", ",", " ", ";", "\t\t", "  ", " , "])
    if dice.random() < 0.7:
        return [line.replace(separator, other) for line in lines]
    at = dice.randrange(len(lines))
    return [*lines[:at], lines[at].replace(separator, other), *lines[at + 1 :]]


def dress(lines, dice, separator):
    """Cells in quotes or padded, or lines in quotes; R's numbers of rows; a comment; a header once more."""
    sign = dice.choice(['"', "'", " ", ""])
    kind = dice.randrange(5)
    if kind == 0:
        return [f'"{line}"' for line in lines]
    if kind == 1:
        return [lines[0], *(f"{at}{separator}{line}" for at, line in enumerate(lines[1:], 1))]
    if kind == 2:
        at = dice.randrange(len(lines) + 1)
        return [*lines[:at], dice.choice([lines[0], "# made by hand", "", " "]), *lines[at:]]
    dressed = [
        separator.join(f"{sign}{cell}{sign}" for cell in line.split(separator)) for line in lines
    ]
    return dressed if kind == 3 else [lines[0], *dressed[1:]]


def rewrite(lines, dice, separator):
    """A cell becomes something else."""
    at = dice.randrange(len(lines))
    cells = lines[at].split(separator)
    column = dice.randrange(len(cells))
    old = cells[column]
    others = ["", ".", "NA", "-", "1e3", old.lower(), old[1:]]
    forms = ["{}.0", "{0},{0}", "chr{}", "['{}']", "{}A", "{}1", "0{}", "<{}>", "{0}/{0}"]
    cells[column] = dice.choice([*others, *(form.format(old) for form in forms)])
    return [*lines[:at], separator.join(cells), *lines[at + 1 :]]


def shuffle(lines, dice, separator):
    """Lines in another order, or some of them twice."""
    del separator
    if dice.random() < 0.3:
        dice.shuffle(lines)
        return lines
    return [*lines, *dice.sample(lines, min(3, len(lines)))]


MUTATIONS = [swap_cells, move_columns, change_cells, rename, separate, dress, rewrite, shuffle]


def splice(text: bytes, dice: random.Random) -> bytes:
    """Some bytes of the text are lost, doubled or replaced."""
    at = dice.randrange(len(text))
    to = at + dice.randint(0, 12)
    piece = dice.choice(
        [b"", text[at:to] * 2, b"\t", b"\n", b",", b'"', b"\xe9", b"\0", b"1", b"#"]
    )
    return text[:at] + piece + text[to:]


def packed(text: bytes, dice: random.Random) -> bytes:
    """Line ends, encodings and compressions, some of them damaged."""
    kind = dice.randrange(12)
    if kind == 0:
        text = text.replace(b"\n", b"\r\n")
    elif kind == 1:
        text = text.replace(b"\n", b"\r")
    elif kind == 2:
        text = b"\xef\xbb\xbf" + text
    elif kind == 3:
        text = text.decode("latin-1").encode(dice.choice(["utf-16", "utf-16-le", "utf-8"]))
    elif kind in (4, 5):
        text = gzip.compress(text) if kind == 4 else bgzip(text)
        if dice.random() < 0.3:
            text = text[: dice.randrange(1, len(text))]
    return text


@dataclass(frozen=True)
class Made:
    """A damaged file: its text before it was packed, and the alleles that were written by identifier."""

    text: bytes
    content: bytes
    written: dict[str, Allele | None]


def damaged_file(number: int) -> Made:
    dice = random.Random(number)
    dialect = DIALECTS[dice.choice(list(DIALECTS))]
    records = records_by(dice)
    table = [dialect.separator.join(map(str, dialect.cells(record))) for record in records]
    lines = [*dialect.before[-1:], *table]
    for mutate in dice.choices(MUTATIONS, k=dice.randint(0, 3)):
        lines = mutate(lines, dice, dialect.separator)
    text = "\n".join([*dialect.before[:-1], *lines, ""]).encode()
    for _ in range(dice.choice([0, 0, 1, 3])):
        text = splice(text, dice) or b"\n"
    written = {r.name: made_by(r.chrom, r.pos - 1, r.ref, r.alt) for r in records}
    return Made(text, packed(text, dice), written)


def wrong_rows(made: Made, genome: Genome, path) -> list[dict]:
    """Rows that would be scored, of alleles that nobody has written; none of a file that is refused."""
    path.write_bytes(made.content)
    try:
        raws = list(open_source(path).batches(rows=7))
    except InputError as error:
        return [] if path.name in str(error) else [{"error": str(error)}]
    text = made.text.decode("utf-8", "backslashreplace")
    lines = [line.rstrip("\r") for line in text.split("\n")]
    wrong = []
    for raw in raws:
        for row in harmonise_alleles(raw, genome, max_allele_bp=50).to_pylist():
            if row["status"] != "ok":
                continue
            scored = made_by(row["chrom"], row["start"], row["ref"], row["alt"])
            assert scored is not None, f"the genome does not have REF: {row}"
            name = row["id"]
            # a record that has lost its identifier may be any of them
            known = [made.written[name]] if name in made.written else [*made.written.values()]
            if scored not in known and scored not in plain_readings(lines, row["input_line"]):
                wrong.append(row | {"line": lines[row["input_line"] - 1]})
    return wrong


@pytest.fixture(scope="module")
def genome(tmp_path_factory):
    path = tmp_path_factory.mktemp("genome") / "g.fa"
    return Genome(write_fasta(path, CONTIGS))


@pytest.mark.parametrize("first", range(0, COUNT, CHUNK))
def test_no_damaged_file_scores_a_wrong_allele(genome, tmp_path, first):
    for number in range(first, min(first + CHUNK, COUNT)):
        made = damaged_file(number)
        wrong = wrong_rows(made, genome, tmp_path / f"fuzz_{number}.vcf")
        assert not wrong, f"file {number}:\n{made.text.decode('latin-1')}\n{wrong}"


@pytest.mark.parametrize("dialect", DIALECTS)
def test_of_an_undamaged_file_every_allele_is_scored_and_right(genome, tmp_path, dialect):
    records = records_by(random.Random(3))
    cells = [DIALECTS[dialect].cells(record) for record in records]
    table = [DIALECTS[dialect].separator.join(map(str, row)) for row in cells]
    text = "\n".join([*DIALECTS[dialect].before, *table, ""]).encode()
    written = {r.name: made_by(r.chrom, r.pos - 1, r.ref, r.alt) for r in records}
    path = tmp_path / "whole.txt"
    assert wrong_rows(Made(text, text, written), genome, path) == []
    placed = [
        harmonise_alleles(raw, genome, max_allele_bp=50) for raw in open_source(path).batches()
    ]
    assert sum(pc.sum(pc.equal(table["status"], "ok")).as_py() for table in placed) == len(records)


def one_base_to_the_right(monkeypatch):
    starts = parse._starts

    def shifted(records, rules):
        start, reason = starts(records, rules)
        return pc.add(start, 1), reason

    monkeypatch.setattr(parse, "_starts", shifted)


def alleles_of_the_line_above(monkeypatch):
    to_alleles = source.to_alleles

    def moved(records, input_file, rules=None):
        above = np.roll(np.arange(records.num_rows), 1)
        for role in ("pos", "ref", "alt", "chrom"):
            at = records.schema.get_field_index(role)
            records = records.set_column(at, role, records[role].take(above))
        return to_alleles(records, input_file, rules)

    monkeypatch.setattr(source, "to_alleles", moved)


@pytest.mark.parametrize("mutant", [one_base_to_the_right, alleles_of_the_line_above])
def test_a_reader_that_is_wrong_is_found_out(genome, tmp_path, monkeypatch, mutant):
    mutant(monkeypatch)
    found = [wrong_rows(damaged_file(number), genome, tmp_path / "x.vcf") for number in range(40)]
    assert sum(map(bool, found)) > 5, "the check must be able to fail"
