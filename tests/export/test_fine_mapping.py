"""Runs for fine-mapping programs: every way of writing two alleles through every export, files as they are read."""

import gzip
import io
import json
import re
import shlex
from itertools import permutations
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest

from enformer_core.errors import InputError
from enformer_core.export import export_names, export_options, find_export
from enformer_core.export.grouped_scores import TrackGroups
from enformer_core.finemapping.prior import alleles_with_prior
from enformer_core.genome.contig_names import chromosome_number
from jobs.cli import main
from tests.support.genomes import random_letters, write_fasta
from tests.support.scored_files import scored_file_run

COMPLEMENT = {"A": "T", "C": "G", "G": "C", "T": "A"}
GENOME = {"chr1": random_letters(400, 3), "chrX": random_letters(60, 4)}

Z_COLUMNS = "rsid chromosome position allele1 allele2 maf beta se prob"

# each base of the contig with each other one: all 12 pairs of REF and ALT, and palindromes among them
PLACES = range(20, 60)


def other_bases(at):
    return [base for base in "ACGT" if base != GENOME["chr1"][at - 1]]


@pytest.fixture(scope="module")
def scored(tmp_path_factory):
    """A run of every change of 40 bases, of a base of chrX and of the two orders of one indel."""
    folder = tmp_path_factory.mktemp("fine")
    fasta = write_fasta(folder / "g.fa", GENOME)
    rows = [("chr1", at, GENOME["chr1"][at - 1], alt) for at in PLACES for alt in other_bases(at)]
    ref = GENOME["chrX"][9]
    rows.append(("chrX", 10, ref, COMPLEMENT[ref]))
    lines = [f"{c}\t{at}\tv{number}\t{ref}\t{alt}" for number, (c, at, ref, alt) in enumerate(rows)]
    file = folder / "v.tsv"
    file.write_text("\n".join(["chrom\tpos\tid\tref\talt", *lines]) + "\n")
    run = scored_file_run(folder / "run", [file], fasta)
    return run, rows


def study_of(rows, *, swapped, turned):
    """Sumstats of the rows: z is 0.5 for ALT, so -0.5 for REF; three quarters of people carry the first."""
    lines = ["CHR\tBP\tSNP\tA1\tA2\tFRQ\tBETA\tSE\tN"]
    for number, (chrom, at, ref, alt) in enumerate(rows):
        effect, other = (ref, alt) if swapped else (alt, ref)
        if turned:
            effect, other = COMPLEMENT[effect], COMPLEMENT[other]
        beta = (-1 if swapped else 1) * (0.01 + number / 1000)
        lines.append(
            f"{chrom}\t{at}\tv{number}\t{effect}\t{other}\t0.75\t{beta:.6g}\t0.1\t{1000 + number}"
        )
    return "\n".join(lines) + "\n"


@pytest.fixture
def study(tmp_path):
    def make(rows, **how):
        path = tmp_path / "gwas.tsv"
        path.write_text(study_of(rows, **how))
        return path

    return make


def read_text(path, separator="\t"):
    return pl.read_csv(path, separator=separator, infer_schema_length=None)


def beta_of_alt(number):
    return 0.01 + number / 1000


WAYS = [(swapped, turned) for swapped in (False, True) for turned in (False, True)]


@pytest.mark.parametrize(("swapped", "turned"), WAYS)
def test_every_pair_in_every_way_through_every_export(scored, study, tmp_path, swapped, turned):
    run, rows = scored
    assert {(ref, alt) for _, _, ref, alt in rows} == set(permutations("ACGT", 2))
    sumstats = study(rows, swapped=swapped, turned=turned)
    reports = []
    options = {"sumstats": str(sumstats), "report": lambda words, figures: reports.append(figures)}
    paths = {name: tmp_path / f"{name}.tsv" for name in ("polyfun", "finemap", "susie", "sldp")}
    for name, path in paths.items():
        assert find_export(name, **options)(run.ledger, path) == len(rows)
    way = {(False, False): "as_written", (True, False): "swapped", (False, True): "turned"}
    name = way.get((swapped, turned), "turned_and_swapped")
    for figures in reports:
        assert figures[name] == figures["matched"] == figures["rows"] == len(rows)
        assert figures["not_in_run"] == figures["not_in_sumstats"] == figures["unusable"] == 0
    effect = [ref if swapped else alt for _, _, ref, alt in rows]
    other = [alt if swapped else ref for _, _, ref, alt in rows]
    sign = -1 if swapped else 1
    betas = np.array([sign * beta_of_alt(number) for number in range(len(rows))])

    polyfun = read_text(paths["polyfun"])
    assert polyfun.columns == ["SNP", "CHR", "BP", "A1", "A2", "SNPVAR", "Z", "N"]
    # letters are the run's, on the genome's strand; z is of A1
    assert polyfun["A1"].to_list() == effect
    assert polyfun["A2"].to_list() == other
    assert polyfun["Z"].to_numpy() == pytest.approx(betas / 0.1, rel=1e-12)
    assert polyfun["CHR"].to_list() == [1] * (len(rows) - 1) + [23]
    assert polyfun["BP"].to_list() == [at for _, at, _, _ in rows]
    assert polyfun["N"].to_list() == list(range(1000, 1000 + len(rows)))

    finemap = read_text(paths["finemap"], " ")
    assert finemap.columns == Z_COLUMNS.split(" ")
    assert finemap["allele1"].to_list() == effect
    assert finemap["beta"].to_numpy() == pytest.approx(betas, rel=1e-5)
    assert finemap["maf"].to_list() == [0.25] * len(rows)
    assert finemap["prob"].sum() == pytest.approx(1, rel=1e-5)

    _, prior = alleles_with_prior(run.ledger)
    in_order = [f"v{number}" for number in range(len(rows))]
    susie = read_text(paths["susie"])
    assert susie["id"].to_list() == in_order
    assert susie["status"].unique().to_list() == ["scored"]
    assert polyfun["SNPVAR"].to_list() == susie["prior_weights"].to_list()
    assert sorted(susie["prior_weights"]) == sorted(prior.weight.tolist())
    assert finemap["prob"].to_numpy() == pytest.approx(
        susie["prior_weights"].to_numpy() / susie["prior_weights"].sum(), rel=1e-5
    )

    # the scorer of this run gives an allele its place, counted from 0, in the first track
    sldp = read_text(paths["sldp"])
    assert sldp.columns == ["SNP", "A1", "A2", "CAGE", "DNASE", "CHIP"]
    assert sldp["A1"].to_list() == effect
    assert sldp["CAGE"].to_list() == [sign * (at - 1) for _, at, _, _ in rows]
    assert sldp["DNASE"].to_list() == [-sign * (at - 0.5) for _, at, _, _ in rows]


@pytest.mark.parametrize(("swapped", "turned"), WAYS)
def test_scores_beside_credible_sets_are_sizes_whatever_the_alleles(
    scored, tmp_path, swapped, turned
):
    run, rows = scored
    lines = study_of(rows[:4], swapped=swapped, turned=turned).splitlines()
    # SuSiE's table: no z, and a row in no set
    extra = ["PIP\tCS", "0.5\tL1", "0.25\tL1", "0.125\tL2", "0.01\tNA"]
    table = [
        f"{line.partition('0.75')[0].rstrip()}\t{more}"
        for line, more in zip(lines, extra, strict=True)
    ]
    table[0] = "CHR\tBP\tSNP\tA1\tA2\tPIP\tCS"
    path = tmp_path / "cs.tsv"
    path.write_text("\n".join(table) + "\n")
    said = []
    out = tmp_path / "out.csv"
    write = find_export("fipip", sumstats=str(path), warn=said.append)
    # a palindrome's strand is that of the others
    assert write(run.ledger, out) == 3
    found = read_text(out, ",")
    assert found.columns == ["variant", "cs_id", "pip", "chr", "CAGE", "DNASE", "CHIP"]
    assert found["variant"].to_list() == ["{}:{}:{}:{}".format(*row) for row in rows[:3]]
    assert found["cs_id"].to_list() == ["L1", "L1", "L2"]
    assert found["pip"].to_list() == [0.5, 0.25, 0.125]
    assert found["chr"].to_list() == ["chr1"] * 3
    assert found["CAGE"].to_list() == [at - 1 for _, at, _, _ in rows[:3]]
    assert found["DNASE"].to_list() == [at - 0.5 for _, at, _, _ in rows[:3]]
    assert said == ["1 variant in no credible set is left out"]


def test_the_table_of_our_own_fine_mapping_is_read_without_its_prior(scored, tmp_path):
    run, rows = scored
    chrom, at, ref, alt = rows[0]
    path = tmp_path / "finemap.tsv"
    path.write_text(
        "id\tline\tchrom\tpos\teffect_allele\tother_allele\tz\tprior\tpip_uniform\tpip_prior\tset_uniform"
        f"\tset_prior\nv0\t2\t{chrom}\t{at}\t{alt}\t{ref}\t5\t0.5\t0.25\t0.75\t1\t2\n"
    )
    out = tmp_path / "out.csv"
    assert find_export("fipip", sumstats=str(path))(run.ledger, out) == 1
    found = read_text(out, ",")
    assert found.select("cs_id", "pip").row(0) == (1, 0.25)


def test_a_table_that_was_not_fine_mapped_is_refused(scored, study, tmp_path):
    run, rows = scored
    plain = study(rows[:3], swapped=False, turned=False)
    with pytest.raises(InputError, match=r"needs the columns PIP and CS .* has CHR, BP, SNP"):
        find_export("fipip", sumstats=str(plain))(run.ledger, tmp_path / "o.csv")
    path = tmp_path / "cs.tsv"
    chrom, at, ref, alt = rows[0]
    for pip, cs, said in (("2", "1", "line 2: is in credible set 1"), ("0.5", "0", "no variant")):
        path.write_text(f"CHR BP A1 A2 PIP CS\n{chrom} {at} {alt} {ref} {pip} {cs}\n")
        with pytest.raises(InputError, match=said):
            find_export("fipip", sumstats=str(path))(run.ledger, tmp_path / "o.csv")
    assert not (tmp_path / "o.csv").exists()


def test_polyfun_reads_types_of_parquet(scored, study, tmp_path):
    run, rows = scored
    sumstats = study(rows, swapped=False, turned=False)
    out = tmp_path / "p.parquet"
    find_export("polyfun", sumstats=str(sumstats), n=500.5)(run.ledger, out)
    table = pq.read_table(out)
    kinds = {field.name: str(field.type) for field in table.schema}
    assert kinds == {
        "SNP": "string",
        "CHR": "int64",
        "BP": "int64",
        "A1": "string",
        "A2": "string",
        "SNPVAR": "double",
        "Z": "double",
        "N": "double",
    }
    assert table["N"].unique().to_pylist() == [500.5]
    weights = table["SNPVAR"].to_numpy()
    assert np.isfinite(weights).all()
    assert weights.min() > 0
    assert weights.max() / weights.min() == pytest.approx(100)
    pairs = {
        (row["CHR"], row["BP"], frozenset((row["A1"], row["A2"]))) for row in table.to_pylist()
    }
    assert len(pairs) == table.num_rows


def test_numbers_of_text_are_those_of_parquet(scored, study, tmp_path):
    run, rows = scored
    sumstats = study(rows, swapped=True, turned=False)
    write = find_export("polyfun", sumstats=str(sumstats))
    for name in ("p.txt", "p.txt.gz", "p.parquet"):
        write(run.ledger, tmp_path / name)
    exact = pl.read_parquet(tmp_path / "p.parquet")
    assert read_text(tmp_path / "p.txt").equals(exact)
    packed = gzip.decompress((tmp_path / "p.txt.gz").read_bytes())
    assert read_text(io.BytesIO(packed)).equals(exact)
    again = tmp_path / "again.txt.gz"
    write(run.ledger, again)
    assert again.read_bytes() == (tmp_path / "p.txt.gz").read_bytes()


def test_annotations_of_each_chromosome_are_a_file(scored, tmp_path):
    run, rows = scored
    written = find_export("polyfun_annot")(run.ledger, tmp_path / "e.@.annot.parquet")
    assert written == len(rows)
    first = pl.read_parquet(tmp_path / "e.1.annot.parquet")
    assert first.columns == ["SNP", "CHR", "BP", "A1", "A2", "CAGE", "DNASE", "CHIP", "base"]
    assert first.height == len(rows) - 1
    _, at, ref, alt = rows[0]
    assert first.row(0)[:6] == ("v0", 1, at, alt, ref, at - 1)
    assert first["BP"].is_sorted()
    assert first["base"].unique().to_list() == [1]
    last = pl.read_parquet(tmp_path / "e.23.annot.parquet")
    assert last["CHR"].to_list() == [23]
    assert find_export("polyfun_annot")(run.ledger, tmp_path / "all.annot.parquet") == len(rows)
    assert pl.read_parquet(tmp_path / "all.annot.parquet").height == len(rows)
    with pytest.raises(InputError, match="reads Parquet"):
        find_export("polyfun_annot")(run.ledger, tmp_path / "all.txt")


def test_signed_annotations_of_a_run_alone_are_of_alt(scored, tmp_path):
    run, rows = scored
    assert find_export("sldp")(run.ledger, tmp_path / "@.sannot.gz") == len(rows)
    found = read_text(io.BytesIO(gzip.decompress((tmp_path / "1.sannot.gz").read_bytes())))
    assert found["A1"].to_list() == [alt for chrom, _, _, alt in rows if chrom == "chr1"]
    assert found["CAGE"].to_list() == [at - 1 for chrom, at, _, _ in rows if chrom == "chr1"]
    assert (tmp_path / "23.sannot.gz").exists()


def test_groups_are_the_users(scored, tmp_path):
    run, _ = scored
    groups = ["both=0,5", "my liver=CAGE:liver"]
    out = tmp_path / "x.tsv"
    find_export("sldp", group=groups)(run.ledger, out)
    found = read_text(out)
    assert found.columns == ["SNP", "A1", "A2", "both", "my_liver"]
    # the mean of a place and of minus that less a half
    assert found["both"].unique().to_list() == [-0.25]
    for wrong, said in (("CAGE", "give a name"), ("a=nothing like it", "nothing like it")):
        with pytest.raises(InputError, match=said):
            TrackGroups.of(run.ledger, [wrong])
    with pytest.raises(InputError, match="has a column Base of its own"):
        TrackGroups.of(run.ledger, ["Base=0"])
    with pytest.raises(InputError, match="given twice"):
        TrackGroups.of(run.ledger, ["a=0", "a=5"])


def test_a_row_that_the_run_has_not_gets_the_mean_and_keeps_its_place(scored, tmp_path):
    run, rows = scored
    _, at, ref, alt = rows[0]
    second = rows[-2]
    path = tmp_path / "s.tsv"
    path.write_text(
        "CHR\tBP\tSNP\tA1\tA2\tZ\n"
        f"1\t300\tfar\tA\tG\t1\n"
        f"1\t{at}\tfirst\t{alt}\t{ref}\t1\n"
        f"1\t{at}\tfirst again\t{ref}\t{alt}\t-1\n"
        f"1\t{second[1]}\t.\t{second[3]}\t{second[2]}\tNA\n"
        f"1\t{second[1]}\tlast\t{second[3]}\t{second[2]}\t2\n"
    )
    said = []
    out = tmp_path / "w.tsv"
    write = find_export("susie", sumstats=str(path), prior="pos", warn=said.append)
    assert write(run.ledger, out) == 5
    found = read_text(out)
    assert found["id"].to_list() == [
        "far",
        "first",
        "first_again",
        f"1:{second[1]}:{second[2]}:{second[3]}",
        "last",
    ]
    mean = (at + second[1]) / 2
    assert found["prior_weights"].to_list() == [mean, at, mean, mean, second[1]]
    assert found["status"].to_list() == ["not_in_run", "scored", "duplicate", "no_z", "scored"]
    assert f"3 rows without a score have the mean weight of the others, {mean:g}" in said


def test_finemap_without_beta_and_frequency_has_z_and_says_so(scored, tmp_path):
    run, rows = scored
    path = tmp_path / "s.tsv"
    lines = [
        f"{c} {at} {alt} {ref} {number + 0.123456789}"
        for number, (c, at, ref, alt) in enumerate(rows[:3])
    ]
    path.write_text("\n".join(["CHR BP A1 A2 Z", *lines]) + "\n")
    said = []
    out = tmp_path / "x.z"
    find_export("finemap", sumstats=str(path), warn=said.append)(run.ledger, out)
    text = out.read_text().splitlines()
    assert text[0] == Z_COLUMNS
    assert text[1].split()[5:8] == ["0.5", "0.123457", "1"]
    assert any("without BETA or SE: beta is z" in each for each in said)
    assert any("maf is 0.5" in each for each in said)


def test_small_probabilities_are_not_written_as_0(scored, study, tmp_path):
    run, rows = scored
    sumstats = study(rows, swapped=False, turned=False)
    out = tmp_path / "x.z"
    expression = "CASE WHEN pos = 20 THEN 1e9 ELSE 0 END"
    find_export("finemap", sumstats=str(sumstats), prior=expression)(run.ledger, out)
    probabilities = read_text(out, " ")["prob"]
    assert probabilities.min() > 0
    assert probabilities.max() / probabilities.min() == pytest.approx(100, rel=1e-5)
    assert probabilities.sum() == pytest.approx(1, rel=1e-5)


def test_an_indel_in_both_orders_is_there_once_for_polyfun(tmp_path):
    # where the genome has TT, C/CT and CT/C lie at one place with one pair of alleles
    fasta = write_fasta(tmp_path / "g.fa", {"chr2": "GACTTTGACC"})
    file = tmp_path / "v.tsv"
    file.write_text("chrom\tpos\tid\tref\talt\nchr2\t3\ti\tC\tCT\nchr2\t3\td\tCT\tC\n")
    run = scored_file_run(tmp_path / "run", [file], fasta)
    path = tmp_path / "s.tsv"
    path.write_text("CHR POS ID REF ALT Z N\n2 3 i C CT 1 9\n2 3 d CT C 2 9\n")
    said = []
    out = tmp_path / "p.tsv"
    write = find_export("polyfun", sumstats=str(path), warn=said.append)
    assert write(run.ledger, out) == 1
    assert read_text(out)["SNP"].to_list() == ["i"]
    assert any("insertion and deletion exchanged" in each for each in said)
    assert find_export("finemap", sumstats=str(path))(run.ledger, tmp_path / "x.z") == 2


def test_contigs_without_a_number_are_counted(tmp_path):
    fasta = write_fasta(tmp_path / "g.fa", {"chr2": "ACGTACGT", "chrUn_7": "ACGTACGT"})
    file = tmp_path / "v.tsv"
    file.write_text("chrom\tpos\tref\talt\nchr2\t1\tA\tG\nchrUn_7\t1\tA\tG\n")
    run = scored_file_run(tmp_path / "run", [file], fasta)
    said = []
    out = tmp_path / "a.parquet"
    assert find_export("polyfun_annot", warn=said.append)(run.ledger, out) == 1
    assert said == ["1 allele is on contigs that are no numbered chromosomes, and left out"]


@pytest.mark.parametrize(
    ("contig", "number"),
    [("chr1", 1), ("22", 22), ("chrX", 23), ("Y", 24), ("chrM", 26), ("NC_000001.11", 1)]
    + [(name, None) for name in ("chr0", "chr27", "chrUn", "chr1_alt", "123456789012")],
)
def test_numbers_of_chromosomes_are_plinks(contig, number):
    assert chromosome_number(contig) == number


STUDIES = [name for name in export_names() if "sumstats" in export_options(name)]


@pytest.mark.parametrize("name", [each for each in STUDIES if each != "sldp"])
def test_without_sumstats_it_is_refused(scored, tmp_path, name):
    run, _ = scored
    with pytest.raises(InputError, match=f"--{name}: needs summary statistics"):
        find_export(name)(run.ledger, tmp_path / "x")


def test_without_n_polyfun_is_refused_and_says_how(scored, tmp_path):
    run, rows = scored
    path = tmp_path / "s.tsv"
    chrom, at, ref, alt = rows[0]
    path.write_text(f"CHR BP A1 A2 Z\n{chrom} {at} {alt} {ref} 1\n")
    with pytest.raises(InputError, match="--n N"):
        find_export("polyfun", sumstats=str(path))(run.ledger, tmp_path / "x")
    assert find_export("polyfun", sumstats=str(path), n=9.0)(run.ledger, tmp_path / "x") == 1
    with pytest.raises(InputError, match="--n -1: a sample size must be above 0"):
        find_export("polyfun", sumstats=str(path), n=-1.0)(run.ledger, tmp_path / "x")


def test_the_command_writes_several_and_tells_counts(scored, study, tmp_path, capsys):
    run, rows = scored
    sumstats = study(rows[:5], swapped=True, turned=False)
    out = str(run.ledger.store.location)
    files = {"--susie": tmp_path / "w.tsv", "--sldp": tmp_path / "@.sannot.gz"}
    words = [word for option, path in files.items() for word in (option, str(path))]
    assert main(["export", out, *words, "--sumstats", str(sumstats), "--json"]) == 0
    told = capsys.readouterr()
    answer = json.loads(told.out)
    assert [each["format"] for each in answer["files"]] == ["susie", "sldp"]
    for each in answer["files"]:
        assert each["rows"] == each["matched"]["swapped"] == 5
        assert each["matched"]["not_in_sumstats"] == len(rows) - 5
    # both say it in JSON, and people read it once
    assert told.err.count(f"matched: {sumstats}: 5 of 5 rows matched (5 swapped, ") == 1
    assert "@.sannot.gz: 5 variants, a file for each chromosome (@)" in told.err
    assert "w.tsv: 5 rows, a file" not in told.err
    assert (tmp_path / "1.sannot.gz").exists()


def test_a_match_of_next_to_nothing_is_refused_unless_it_is_asked_for(
    scored, study, tmp_path, capsys
):
    run, rows = scored
    sumstats = study(rows[:30], swapped=False, turned=False)
    # all but the first are a thousand bases on, as in another assembly
    first, *others = sumstats.read_text().splitlines(keepends=True)[1:]
    moved = [re.sub(r"^(\S+)\t(\d+)", r"\1\t1\2", line) for line in others]
    header = sumstats.read_text().splitlines(keepends=True)[0]
    sumstats.write_text("".join([header, first, *moved]))
    words = ["export", str(run.ledger.store.location), "--susie", str(tmp_path / "w.tsv")]
    assert main([*words, "--sumstats", str(sumstats)]) == 2
    assert "of 30 that could be alleles of the run 1 is one" in capsys.readouterr().err
    assert not (tmp_path / "w.tsv").exists()
    assert main([*words, "--sumstats", str(sumstats), "--few-matches"]) == 0


def test_groups_that_name_no_track_are_told_by_their_option(scored, tmp_path, capsys):
    run, _ = scored
    words = ["export", str(run.ledger.store.location), "--sldp", str(tmp_path / "a.gz")]
    assert main([*words, "--group", "A=900-901"]) == 2
    error = capsys.readouterr().err
    assert "--group A: " in error
    assert "--tracks" not in error


PAGE = Path(__file__).parents[2] / "docs" / "priors.md"


def documented():
    """The export commands of the page, what a backslash joins as one."""
    text = PAGE.read_text().replace("\\\n", " ")
    lines = re.findall(
        r"enformer-ray export [^\n]*",
        "\n".join(re.findall(r"```sh notrun\n(.*?)```", text, re.DOTALL)),
    )
    return [shlex.split(line, comments=True)[1:] for line in lines]


def test_the_commands_of_the_page_do_what_it_says(scored, study, tmp_path, monkeypatch):
    run, rows = scored
    (tmp_path / "scores").symlink_to(run.ledger.store.location)
    text = study_of(rows, swapped=False, turned=False)
    (tmp_path / "gwas.tsv.gz").write_bytes(gzip.compress(text.encode()))
    (tmp_path / "locus.tsv").write_text(text)
    sets = text.replace("FRQ", "PIP").replace("BETA", "CS")
    (tmp_path / "credible_sets.tsv").write_text(sets)
    (tmp_path / "sldp").mkdir()
    monkeypatch.chdir(tmp_path)
    commands = documented()
    assert len(commands) == 10
    for command in commands:
        assert main(command) == 0
    written = {path.name for path in tmp_path.iterdir()}
    assert {"gwas.parquet", "locus.z", "weights.tsv", "sets.csv"} <= written
    assert {"enformer.1.annot.parquet", "enformer.23.annot.parquet"} <= written
    assert pl.read_parquet("enformer.1.annot.parquet").columns[5:] == ["liver", "DNase", "base"]
    assert {path.name for path in Path("sldp").iterdir()} == {"1.sannot.gz", "23.sannot.gz"}


def test_the_command_refuses_what_has_no_use(scored, tmp_path, capsys):
    run, _ = scored
    out = str(run.ledger.store.location)
    tsv = ["export", out, "--tsv", str(tmp_path / "t.tsv")]
    assert main([*tsv, "--sumstats", "x"]) == 2
    assert "--sumstats x: is for --polyfun and" in capsys.readouterr().err
    assert main([*tsv, "--group", "a=0"]) == 2
    assert "--group a=0: is for --polyfun-annot and" in capsys.readouterr().err
    assert main(["export", out, "--sldp", "-", "--json"]) == 2
    assert "--json: standard output is one of the files" in capsys.readouterr().err
