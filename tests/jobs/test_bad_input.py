"""Bad input: a message that names the thing and the remedy, exit code 2, no traceback, nothing that looks finished."""

import gzip
import tarfile

import pytest
from safetensors.torch import save_file

from enformer_core.models.motif import motif_model
from enformer_core.storage.local import LocalStore
from tests.support.genomes import OTHER
from tests.support.toy_runs import toy_run
from tests.support.vcf import write_vcf


@pytest.fixture
def refused(run, vcf, genome, tmp_path):
    """Score with one thing wrong; gives the message."""

    def call(*more, variants=vcf, fasta=genome, model="motif", out=tmp_path / "run"):
        code, text, error = run(
            *("score", variants, "--genome", fasta, "--model", model, "--out", out),
            *("--ray", "off", *more),
        )
        assert code == 2, (text, error)
        assert error.startswith("enformer-ray: ")
        assert "Traceback" not in error
        assert not list(tmp_path.rglob("run.json"))
        assert not list(tmp_path.rglob("manifest.json"))
        return error

    return call


def test_files_that_are_not_there(refused, tmp_path):
    assert "nowhere.vcf" in refused(variants=tmp_path / "nowhere.vcf")
    assert "nowhere.fa" in refused(fasta=tmp_path / "nowhere.fa")
    assert "nowhere.safetensors" in refused(
        "--weights", tmp_path / "nowhere.safetensors", model="enformer"
    )


def test_not_a_vcf(refused, tmp_path, genome):
    text = tmp_path / "text.vcf"
    text.write_text("Dear reader,\nthis is a letter.\n")
    assert "text.vcf" in refused(variants=text)
    assert "small.fa" in refused(variants=genome)
    empty = tmp_path / "empty.vcf"
    empty.write_text("")
    assert "empty.vcf" in refused(variants=empty)
    assert "no variants" in refused(variants=write_vcf(tmp_path / "none.vcf", []))


NO_VARIANTS = {
    "page.vcf": (b"<!DOCTYPE html>\n<html><body>404</body></html>\n", "an HTML page"),
    "error.vcf": (b'<?xml version="1.0"?>\n<Error><Code>AccessDenied</Code></Error>', "an XML doc"),
    "x.json": (b'[{"chrom": "1", "pos": 5, "ref": "A", "alt": "C"}]\n', "JSON"),
    "paper.tsv": (b"%PDF-1.4\n1 0 obj\n", "a PDF"),
    "x.vcf.gz.tbi": (gzip.compress(b"TBI\x01" + bytes(40)), "an index (.tbi)"),
    "g.fa.fai": (b"chr1\t4000\t6\t4000\t4001\n", "an index (.fai)"),
    "x.vcf.gz": (gzip.compress(gzip.compress(b"##fileformat=VCFv4.2\n")), "gzip twice"),
    "lfs.vcf": (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "git lfs pull"),
    "reads.bam": (gzip.compress(b"BAM\x01" + bytes(40)), "aligned reads"),
}


@pytest.mark.parametrize("name", NO_VARIANTS)
def test_what_was_given_in_place_of_variants_is_said(refused, tmp_path, name):
    content, what = NO_VARIANTS[name]
    path = tmp_path / name
    path.write_bytes(content)
    error = refused(variants=path)
    assert name in error
    assert what in error


def test_an_archive_in_gzip(refused, tmp_path, vcf):
    path = tmp_path / "x.vcf.gz"
    with tarfile.open(path, "w:gz") as archive:
        archive.add(vcf, "x.vcf")
    assert "a tar archive. Unpack it: tar -xf x.vcf.gz" in refused(variants=path)


def test_a_file_of_which_nothing_can_be_read(refused, run, tmp_path, genome):
    path = write_vcf(tmp_path / "x.vcf", [("chr1", "here", "A", "G"), ("chr1", "there", "A", "G")])
    error = refused(variants=path)
    assert "2 of 2 cannot be read" in error
    assert "line 3: " in error
    assert "--allow-malformed" in error
    code, text, error = run("plan", path, "--genome", genome, "--allow-malformed")
    assert code == 0, error
    assert "malformed" in text
    assert "no allele of the input can be scored: 2 malformed" in error


def test_genome_and_variants_exchanged(refused, vcf, genome):
    assert "Give the genome with --genome" in refused(variants=genome)
    assert "variants (VCF). Give the genome by --genome" in refused(fasta=vcf)


@pytest.mark.parametrize("address", ["https://x.org/a", "gs://bucket/a", "az://b/a", "ftp://x/a"])
def test_addresses_that_nothing_reads(refused, address):
    known = "this kind of storage is not known. Give a path or s3://bucket/prefix"
    assert f"{address}: {known}" in refused(variants=address)
    assert f"{address}: {known}" in refused(fasta=address)
    assert f"{address}: {known}" in refused("--sites", address)
    assert f"{address}: {known}" in refused("--regions", address)
    weights = refused("--weights", address, model="enformer")
    assert f"{address}: this kind of storage is not known" in weights
    assert f"{address}: {known}" in refused(out=address)
    if address.startswith(("az", "ftp")):  # the others are read as they are
        assert "this kind of storage is not known" in refused("--targets", address)


def test_truncated_gzip(refused, tmp_path, vcf):
    whole = gzip.compress(vcf.read_bytes() * 50)
    cut = tmp_path / "cut.vcf.gz"
    cut.write_bytes(whole[: len(whole) // 2])
    assert "cut.vcf.gz" in refused(variants=cut)


def test_contigs_that_the_genome_has_not(refused, tmp_path):
    error = refused(variants=write_vcf(tmp_path / "x.vcf", [("scaffold_9", 5, "A", "G")]))
    assert "scaffold_9" in error
    assert "chr1" in error


def test_every_ref_wrong_asks_about_the_assembly(refused, tmp_path, letters):
    refs = {pos: letters["chr1"][pos - 1] for pos in (10, 20, 30)}
    wrong = [("chr1", pos, OTHER[ref], ref) for pos, ref in refs.items()]
    error = refused(variants=write_vcf(tmp_path / "x.vcf", wrong))
    assert "0.0% of 3" in error
    assert "assembly" in error


def test_weights_of_another_model(refused, tmp_path):
    path = tmp_path / "motif.safetensors"
    save_file(motif_model().state_dict(), path)
    error = refused("--weights", path, model="enformer")
    assert "motif.safetensors" in error
    assert "makes its own weights" in refused("--weights", path)
    assert "needs --weights" in refused(model="enformer")


def test_unknown_names_come_with_the_nearest(refused):
    assert "did you mean log_sad" in refused("--statistics", "logsad")
    assert "did you mean motif" in refused(model="motiv")
    assert "did you mean human" in refused("--head", "humans")
    assert "CTCF" in refused("--tracks", "CTCV")
    assert "9999" in refused("--tracks", "9999")


def test_an_output_that_cannot_be(refused, tmp_path):
    file = tmp_path / "file"
    file.write_text("x")
    assert "is a file" in refused(out=file)
    assert f"{file}/x/y: {file} is a file; --out must be" in refused(out=file / "x" / "y")
    assert "holds files but no run" in refused(out=tmp_path)
    assert "cannot be written" in refused(out="/proc/nowhere/run")


def test_other_places_below_a_file(run, vcf, genome, tmp_path):
    file = tmp_path / "file"
    file.write_text("x")
    said = f"{file} is a file"
    assert said in run("plan", vcf, "--genome", genome, "--out", file / "x")[2]
    assert said in run("config", "init", "score", "--out", file / "x.toml")[2]
    assert said in run("demo", "--out", file / "x")[2]
    assert said in run("--install-completion", "--shell", "bash", "--output", file / "x")[2]
    weights = tmp_path / "w.safetensors"
    save_file(motif_model().state_dict(), weights)
    code, _, error = run("weights", "import", weights, "--out", file / "x.safetensors")
    assert code == 2
    assert said in error


def test_a_gpu_that_is_not_there(refused, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert "no CUDA device" in refused("--device", "cuda")


def test_a_directory_without_a_run(run, tmp_path):
    for command in (("status", tmp_path), ("verify", tmp_path), ("query", tmp_path, "SELECT 1")):
        code, _, error = run(*command)
        assert code == 2
        assert "no run here" in error
        assert "a command that reads its input still has not put it yet" in error


@pytest.mark.parametrize(
    "name", ["run.json", "run.json/", "scores", "scores/chrom=chr1/x.parquet", "commits", "none"]
)
def test_a_name_within_a_run_is_told_the_run(run, tmp_path, name):
    out = tmp_path / "r0"
    toy_run().claim(LocalStore(out))
    (out / "scores/chrom=chr1").mkdir(parents=True)
    (out / "scores/chrom=chr1/x.parquet").touch()
    given = f"{out}/{name}"
    for command in (
        ("status", given),
        ("verify", given),
        ("query", given, "SELECT 1"),
        ("repair", given),
    ):
        code, _, error = run(*command)
        assert code == 2
        assert f"{given}: no run here" in error
        assert f"Did you mean {out}?" in error
        assert "Traceback" not in error


def test_the_run_that_one_stands_in(run, tmp_path, monkeypatch):
    toy_run().claim(LocalStore(tmp_path / "r0"))
    monkeypatch.chdir(tmp_path / "r0")
    assert "Did you mean .?" in run("status", "run.json")[2]
    monkeypatch.chdir(tmp_path)
    assert "Did you mean r0?" in run("status", "r0/run.json")[2]


@pytest.mark.parametrize("leads_to", ["loop", "gone"])
def test_links_that_lead_to_no_run(run, tmp_path, leads_to):
    link = tmp_path / "loop"
    link.symlink_to(tmp_path / leads_to)
    for command in (("status", link), ("query", link, "SELECT 1"), ("export", link, "--tsv", "-")):
        code, _, error = run(*command)
        assert code == 2
        assert f"{link}: no run here: a link to {tmp_path / leads_to}, where there" in error
