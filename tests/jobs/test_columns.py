"""Which columns of a table were taken for what: said by `plan` and `score`, kept in `run.json`, set by two options."""

import json

import pytest

MOTIF = ["--model", "motif", "--ray", "off", "--strands", "forward", "--audit-fraction", "0"]


def munged(tmp_path, letters, records):
    """Records with A1 and A2, of which A1 is the genome's letter, as MungeSumstats writes them."""
    other = {"A": "C", "C": "G", "G": "T", "T": "A"}
    rows = ["SNP\tCHR\tBP\tA1\tA2"]
    for pos in range(100, 100 + records):
        letter = letters["chr1"][pos - 1]
        rows.append(f"rs{pos}\tchr1\t{pos}\t{letter}\t{other[letter]}")
    path = tmp_path / "munged.tsv"
    path.write_text("\n".join(rows) + "\n")
    return path


@pytest.fixture
def table(tmp_path, letters):
    """As many records as it takes to see which allele is the genome's."""
    return munged(tmp_path, letters, 30)


@pytest.fixture
def few(tmp_path, letters):
    """For runs: each record takes its time."""
    return munged(tmp_path, letters, 3)


def test_plan_says_what_was_assumed_and_what_speaks_against_it(run, table, genome):
    code, text, error = run("plan", table, "--genome", genome, *MOTIF)
    assert code == 0, error
    assert "effect allele A1, other allele A2" in text
    assert "ASSUMED" in text
    assert "the genome has A1, taken for the effect allele, in 100.0% of 30" in error
    assert "--effect-allele A2" in error
    code, text, error = run(
        *("plan", table, "--genome", genome, *MOTIF, "--effect-allele", "A2", "--json")
    )
    [taken] = json.loads(text)["columns"]
    assert taken["basis"] == "given"
    assert taken["columns"] == {
        "chrom": "CHR",
        "pos": "BP",
        "effect_allele": "A2",
        "other_allele": "A1",
    }
    assert "taken for the effect allele" not in error


def test_score_says_it_and_keeps_it(run, rows, few, genome, tmp_path):
    common = ["score", few, "--genome", genome, *MOTIF]
    plain, given = tmp_path / "plain", tmp_path / "given"
    _, text, _ = run(*common, "--out", plain)
    assert "columns: munged.tsv (summary statistics)" in text
    assert "effect allele A1, other allele A2" in text
    first = json.loads((plain / "run.json").read_text())
    assert first["plan"]["columns"][0]["basis"] == "assumed"
    assert "columns" not in first["identity"]  # runs of earlier releases are continued
    assert run(*common, "--out", given, "--columns", "other=A1,effect=A2")[0] == 0
    second = json.loads((given / "run.json").read_text())
    assert second["identity"]["columns"] == {"other": "A1", "effect": "A2"}
    assert {row["effect_sign"] for row in rows(plain)} == {-1}
    assert {row["effect_sign"] for row in rows(given)} == {1}
    # what is given is part of what the run is
    code, _, error = run(*common, "--out", plain, "--effect-allele", "A2")
    assert code == 2
    assert "columns" in error


def test_a_column_that_is_not_there(run, table, genome):
    for option in (["--effect-allele", "A3"], ["--columns", "chrom=CHRM"]):
        code, _, error = run("plan", table, "--genome", genome, *MOTIF, *option)
        assert code == 2
        assert "did you mean" in error


def test_what_a_table_has_no_use_for_is_said(run, rows, few, genome, tmp_path):
    sites = tmp_path / "sites.vcf"
    sites.write_text("#CHROM\tPOS\tID\tREF\tALT\nchr1\t5\trs5\tA\tC\n")
    note = "--sites is not used: places and alleles of its own count"
    given = [few, "--genome", genome, *MOTIF, "--sites", sites]
    code, text, error = run("plan", *given)
    assert code == 0, error
    assert f"note: munged.tsv: {note}" in error
    assert note in text
    code, text, _ = run("score", *given, "--out", tmp_path / "run")
    assert note in text
    [taken] = json.loads((tmp_path / "run" / "run.json").read_text())["plan"]["columns"]
    assert taken["notes"] == [note]


def test_places_are_those_of_identifiers_where_these_have_them(run, genome, letters, tmp_path):
    letter = letters["chr1"][99]
    alt = "A" if letter != "A" else "C"
    path = tmp_path / "x.tsv"
    path.write_text(f"variant_id\tcontig_name\nchr1_100_{letter}_{alt}_b38\tchr2\n")
    code, text, error = run(
        *("plan", path, "--genome", genome, *MOTIF, "--columns", "chrom=contig_name", "--json")
    )
    assert code == 0, error
    [taken] = json.loads(text)["columns"]
    note = "--columns chrom=contig_name is not used: the place is that of the identifiers"
    assert taken["notes"] == [note]
    assert note in error


def test_identifiers_that_disagree_are_counted(run, genome, letters, tmp_path):
    letter = letters["chr1"][99]
    alt = "A" if letter != "A" else "C"
    path = tmp_path / "x.tsv"
    path.write_text(f"chr\tpos\tid\tref\talt\nchr1\t100\tchr1:90:{letter}:{alt}\t{letter}\t{alt}\n")
    _, _, error = run("plan", path, "--genome", genome, *MOTIF)
    assert "1 allele has an identifier that names another place" in error
    assert "the flag is id_disagrees" in error
