"""A whole run over object storage: variants, genome and output in a bucket, on a real server that keeps conditions."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from enformer_core import open_run
from enformer_core.storage.open import open_store
from jobs.cli import main
from tests.support.genomes import random_letters, write_fasta
from tests.support.proxy import FaultProxy
from tests.support.runs import content_digests
from tests.support.seaweed import ACCESS_KEY, SECRET_KEY, SeaweedFS, client
from tests.support.vcf import write_vcf

ROOT = Path(__file__).parents[2]
SMALL = (
    "--model",
    "motif",
    "--shard-size",
    "2",
    "--tracks",
    "0,1",
    "--strands",
    "forward",
    "--audit-fraction",
    "0",
)
ALLELES, SHARDS = 9, 5


@pytest.fixture(scope="module")
def inputs(tmp_path_factory, letters, genome):
    """Nine SNVs, and the FASTA."""
    other = str.maketrans("ACGT", "CGTA")
    vcf = tmp_path_factory.mktemp("input") / "some.vcf"
    places = [
        *(("chr1", at) for at in range(700, 1200, 100)),
        *(("chr2", at) for at in range(500, 900, 100)),
    ]
    write_vcf(
        vcf,
        [
            (name, at + 1, letters[name][at], letters[name][at].translate(other))
            for name, at in places
        ],
    )
    return vcf, genome


@pytest.fixture(scope="module")
def weed(tmp_path_factory, inputs):
    """A server whose bucket holds a VCF and a FASTA."""
    with SeaweedFS(tmp_path_factory.mktemp("weed")) as server:
        for path in inputs:
            client(server.endpoint).put_object(
                Bucket=server.bucket, Key=f"in/{path.name}", Body=path.read_bytes()
            )
        yield server
        server.kill()  # nobody needs what it would tidy up


@pytest.fixture
def reach(monkeypatch, use_endpoint, tmp_path_factory):
    """Point this process, and those that it starts, to an endpoint; copies of inputs go to a directory of their own."""
    home = tmp_path_factory.mktemp("node")

    def use(endpoint):
        use_endpoint(endpoint)
        for name in [name for name in os.environ if name.startswith("RAY_")]:
            monkeypatch.delenv(name)
        monkeypatch.setenv("ENFORMER_RAY_CACHE", str(home / "cache"))
        return home

    return use


def command(bucket, out, *more):
    where = f"s3://{bucket}"
    return [
        "score",
        f"{where}/in/some.vcf",
        "--genome",
        f"{where}/in/small.fa",
        "--out",
        out,
        *SMALL,
        *more,
    ]


def kill_and_continue_by_two(arguments, out, tmp_path):
    """Kill a command when its first shard is committed, and let two go on side by side."""
    slow = [sys.executable, "-m", "tests.support.planted", "0.5", "-", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}

    def begin():
        with (tmp_path / "said").open("ab") as said:
            return subprocess.Popen(slow, cwd=ROOT, env=environment, stdout=said, stderr=said)

    first = begin()
    deadline = time.monotonic() + 120
    while not any(open_store(out).keys("commits/")):
        assert first.poll() is None, (tmp_path / "said").read_text()
        assert time.monotonic() < deadline
        time.sleep(0.2)
    first.kill()
    first.wait()
    others = [begin(), begin()]
    assert [other.wait(timeout=300) for other in others] == [0, 0], (tmp_path / "said").read_text()


def contents(weed, prefix):
    """Every object below a prefix."""
    s3 = client(weed.endpoint)
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=weed.bucket, Prefix=f"{prefix}/")
    keys = [entry["Key"] for page in pages for entry in page.get("Contents", ())]
    return {key: s3.get_object(Bucket=weed.bucket, Key=key) for key in keys}


def assert_no_secret(weed, prefix, *told, home):
    """Neither in an object, nor in its metadata, nor in what was said, nor in what was left on this node."""
    objects = contents(weed, prefix)
    assert objects
    texts = [text.encode() for text in told]
    texts += [path.read_bytes() for path in home.rglob("*") if path.is_file()]
    for key, found in objects.items():
        texts += [key.encode(), str(found["Metadata"]).encode(), found["Body"].read()]
    for secret in (ACCESS_KEY, SECRET_KEY):
        assert not any(secret.encode() in text for text in texts), secret


@pytest.fixture(scope="module")
def on_disk(tmp_path_factory, inputs):
    """The same run on a local disk: what every other must come to."""
    vcf, genome = map(str, inputs)
    out = str(tmp_path_factory.mktemp("disk") / "run")
    assert main(["score", vcf, "--genome", genome, "--out", out, *SMALL, "--ray", "off"]) == 0
    return content_digests(out)


def test_everything_lies_in_a_bucket(weed, reach, run, rows, on_disk):
    home, out = reach(weed.endpoint), f"s3://{weed.bucket}/runs/off"
    code, text, error = run(*command(weed.bucket, out, "--ray", "off"))
    assert code == 0, error
    assert f"{ALLELES} alleles in {SHARDS} shards: {ALLELES} ok" in text
    assert content_digests(out) == on_disk
    assert {key.split("/")[2] for key in contents(weed, "runs/off")} == {
        *("run.json", "tracks.parquet", "manifest.json", "plan", "scores", "effects", "commits")
    }

    answered = rows(out, "FROM scores SELECT chrom, pos, len(sad) AS tracks ORDER BY chrom, pos")
    assert [(row["chrom"], row["pos"]) for row in answered] == [
        *(("chr1", at + 1) for at in range(700, 1200, 100)),
        *(("chr2", at + 1) for at in range(500, 900, 100)),
    ]
    assert {row["tracks"] for row in answered} == {2}
    assert rows(out, "FROM effects SELECT count(DISTINCT variant_id) AS n") == [{"n": ALLELES}]

    tables = open_run(out)
    assert tables.scores.sort("chrom", "pos").collect()["pos"].to_list() == [
        row["pos"] for row in answered
    ]
    assert tables.scores.filter(chrom="chr2").select("sad").collect().height == 4
    assert tables.effects.collect()["variant_id"].n_unique() == ALLELES
    assert tables.tracks.collect()["index"].to_list() == [0, 1]

    # by an index that the first look-up puts, and the second one finds
    for _ in range(2):
        code, found, _ = run("lookup", out, "2:601", "chr1:701", "--json")
        alleles = json.loads(found)["alleles"]
        assert (code, [each["keys"] for each in alleles]) == (0, [["chr1:701"], ["2:601"]])
    assert [key.split("/")[-1] for key in contents(weed, "runs/off/lookup")] == [
        "ids.parquet",
        "shards.parquet",
    ]

    # copied from a bucket, and put together in one
    copy, small = f"s3://{weed.bucket}/runs/copy", f"s3://{weed.bucket}/runs/small"
    copying = command(weed.bucket, copy, "--ray", "off", "--reuse", out)
    code, _, error = run(*copying)
    assert code == 0, error
    assert content_digests(copy) == on_disk
    assert json.loads(run("status", copy, "--json")[1])["rows_reused"] == ALLELES
    code, _, error = run("compact", copy, "--out", small)
    assert code == 0, error
    assert run("verify", small)[0] == 0
    assert rows(small, "FROM scores SELECT chrom, pos, sad ORDER BY ALL") == rows(
        out, "FROM scores SELECT chrom, pos, sad ORDER BY ALL"
    )

    code, status, _ = run("status", out, "--json")
    assert (code, json.loads(status)["rows_done"], json.loads(status)["finished"]) == (
        0,
        ALLELES,
        True,
    )
    code, verdict, _ = run("verify", out)
    assert (code, verdict.startswith(f"verified: {ALLELES} alleles")) == (0, True)

    code, again, _ = run(*command(weed.bucket, out, "--ray", "off"))
    assert (code, again.startswith("already complete")) == (0, True)
    assert_no_secret(weed, "runs/off", text, error, status, verdict, again, home=home)


def test_contributions_lie_in_a_bucket_as_on_a_disk(weed, reach, run, inputs, tmp_path):
    """Targets are read from there too."""
    reach(weed.endpoint)
    bed = b"chr1\t1000\t1384\tone\nchr2\t1000\t1384\ttwo\n"
    client(weed.endpoint).put_object(Bucket=weed.bucket, Key="in/targets.bed", Body=bed)
    (tmp_path / "targets.bed").write_bytes(bed)
    where = f"s3://{weed.bucket}"
    small = ["--model", "motif", "--strands", "forward", "--group", "GATA1=1", "--ray", "off"]
    code, _, error = run(
        *("attribute", f"{where}/in/targets.bed", "--genome", f"{where}/in/small.fa"),
        *("--out", f"{where}/runs/attributed", *small),
    )
    assert code == 0, error
    assert run("verify", f"{where}/runs/attributed")[0] == 0
    on_disk = str(tmp_path / "run")
    genome = str(inputs[1])
    targets = str(tmp_path / "targets.bed")
    assert run("attribute", targets, "--genome", genome, "--out", on_disk, *small)[0] == 0
    tables = ["contributions", "contribution_bins"]
    assert content_digests(f"{where}/runs/attributed", tables) == content_digests(on_disk, tables)
    # refusals call files as their user does, not the copy that is read
    client(weed.endpoint).put_object(Bucket=weed.bucket, Key="in/bad.bed", Body=b"chr9\t1\t9\n")
    bad = f"{where}/in/bad.bed"
    code, _, error = run("attribute", bad, "--genome", genome, "--out", tmp_path / "bad", *small)
    assert code == 2
    assert f"{bad}, line 1: " in error
    npz = tmp_path / "npz"
    assert run("export", f"{where}/runs/attributed", "--npz", npz)[0] == 0
    assert (npz / "shap.npz").exists()


@pytest.mark.parametrize("is_killed", [False, pytest.param(True, marks=pytest.mark.full)])
def test_links_lie_in_a_bucket_as_on_a_disk(weed, reach, run, inputs, tmp_path, is_killed):
    """Genes and candidates are read from there too, and links are judged there; killed, and continued by two."""
    reach(weed.endpoint)
    files = {
        "genes.bed": "chr1\t2000\t3000\tone\t0\t+\nchr2\t900\t2500\ttwo\t0\t-\n",
        "elements.bed": "chr1\t100\t600\nchr1\t2500\t3000\nchr2\t100\t600\n",
    }
    for name, text in files.items():
        body = text.encode()
        client(weed.endpoint).put_object(Bucket=weed.bucket, Key=f"in/{name}", Body=body)
        (tmp_path / name).write_bytes(body)
    small = ["--model", "motif", "--strands", "forward", "--group", "GATA1=1", "--ray", "off"]
    small += ["--scores", "gradient"]

    def words(where, genome, out):
        files = ["--genes", f"{where}/genes.bed", "--candidates", f"{where}/elements.bed"]
        return ["links", *files, "--genome", str(genome), "--out", str(out), *small]

    where = f"s3://{weed.bucket}"
    stored = f"{where}/runs/linked-{is_killed}"
    arguments = words(f"{where}/in", f"{where}/in/small.fa", stored)
    if is_killed:
        kill_and_continue_by_two(arguments, stored, tmp_path)
    else:
        code, _, error = run(*arguments)
        assert code == 0, error
    assert run("verify", stored)[0] == 0
    code, _, error = run(*words(tmp_path, inputs[1], tmp_path / "run"))
    assert code == 0, error
    assert content_digests(stored, ["links"]) == content_digests(tmp_path / "run", ["links"])
    names = "chrom\tchromStart\tchromEnd\tmeasuredGeneSymbol\tRegulated\tdistanceToTSS\n"
    (tmp_path / "tested.tsv").write_text(names + "chr1\t2600\t2700\tone\tTRUE\t750\n")
    code, text, error = run("evaluate", "links", tmp_path / "tested.tsv", "--predictions", stored)
    assert code == 0, error
    assert "gradient (GATA1)" in text


def test_gene_effects_lie_in_a_bucket_as_on_a_disk(weed, reach, run, inputs, tmp_path):
    """Genes are read from there too. One command is killed, two go on side by side, and the tables are the same."""
    reach(weed.endpoint)
    genes = b"chr1\t2000\t3000\tone\t0\t+\nchr2\t900\t2500\ttwo\t0\t-\n"
    client(weed.endpoint).put_object(Bucket=weed.bucket, Key="in/genes.bed", Body=genes)
    (tmp_path / "genes.bed").write_bytes(genes)
    where = f"s3://{weed.bucket}"
    out = f"{where}/runs/genes"
    arguments = [*command(weed.bucket, out, "--ray", "off"), "--genes", f"{where}/in/genes.bed"]
    kill_and_continue_by_two(arguments, out, tmp_path)
    assert run("verify", out)[0] == 0
    on_disk = tmp_path / "run"
    options = ["--genome", inputs[1], "--out", on_disk, *SMALL, "--ray", "off"]
    code, _, error = run("score", inputs[0], *options, "--genes", tmp_path / "genes.bed")
    assert code == 0, error
    tables = ["scores", "gene_effects", "effects"]
    assert content_digests(out, tables) == content_digests(on_disk, tables)
    found = open_run(out).gene_effects.collect()
    assert found["gene_id"].n_unique() == 2
    assert found.height == ALLELES


@pytest.mark.full
def test_insulators_lie_in_a_bucket_as_on_a_disk(weed, reach, run, tmp_path):
    """Boundaries and genome are read from there too; killed, and continued by two."""
    reach(weed.endpoint)
    letters = random_letters(400_000, 3)
    write_fasta(tmp_path / "long.fa", {"chr1": letters})
    (tmp_path / "boundaries.bed").write_text("chr1\t120000\t121000\tone\n")
    for name in ("long.fa", "boundaries.bed"):
        body = (tmp_path / name).read_bytes()
        client(weed.endpoint).put_object(Bucket=weed.bucket, Key=f"in/{name}", Body=body)

    def words(where, out):
        files = [f"{where}/boundaries.bed", "--genome", f"{where}/long.fa", "--out", str(out)]
        small = ["--model", "motif", "--strands", "forward", "--controls", "3", "--ray", "off"]
        return ["insulators", *files, *small]

    stored = f"s3://{weed.bucket}/runs/insulators"
    kill_and_continue_by_two(words(f"s3://{weed.bucket}/in", stored), stored, tmp_path)
    assert run("verify", stored)[0] == 0
    code, text, error = run(*words(tmp_path, tmp_path / "run"))
    assert code == 0, error
    assert "4 places in" in text
    tables = ["insulation", "attention_maps"]
    assert content_digests(stored, tables) == content_digests(tmp_path / "run", tables)
    assert run("export", stored, "--insulation", tmp_path / "pictures")[0] == 0


def test_with_a_worker_on_ray(weed, reach, run, on_disk):
    """In a process of its own: workers take their environment from it."""
    home, out = reach(weed.endpoint), f"s3://{weed.bucket}/runs/ray"
    arguments = command(weed.bucket, out, "--ray", "local", "--workers", "1")
    done = subprocess.run(
        [sys.executable, "-m", "jobs.cli", *arguments],
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "RAY_AUTH_MODE": "disabled",
            "RAY_USAGE_STATS_ENABLED": "0",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert content_digests(out) == on_disk
    assert run("verify", out)[0] == 0
    copies = list((home / "cache" / "copies").rglob("small.fa"))
    assert len(copies) == 1, "one copy for the driver and its worker"
    assert_no_secret(weed, "runs/ray", done.stdout, done.stderr, home=home)


def test_a_store_that_overwrites_is_refused_before_anything_is_computed(
    moto_endpoint, bucket, inputs, reach, run, on_disk
):
    for path in inputs:
        body = path.read_bytes()
        client(moto_endpoint).put_object(Bucket=bucket, Key=f"in/{path.name}", Body=body)
    out = f"s3://{bucket}/runs/overwritten"
    with FaultProxy(moto_endpoint, strip_preconditions=True) as ignorant:
        reach(ignorant.endpoint)
        code, _, error = run(*command(bucket, out, "--ray", "off"))
        assert code == 2, error
        assert "overwrites objects that exist (it ignores If-None-Match)" in error
        assert "--single-writer" in error
        assert [*open_store(out).keys("")] == ["run.json"]
        code, _, error = run(*command(bucket, out, "--ray", "off", "--single-writer"))
        assert code == 0, error
        assert content_digests(out) == on_disk
        assert run("verify", out)[0] == 0


@pytest.mark.parametrize(
    ("name", "where", "says"),
    [
        (
            "input",
            ["s3://{bucket}/in/none.vcf", "s3://{bucket}/in/small.fa", "s3://{bucket}/runs/a"],
            "no such object",
        ),
        (
            "genome",
            ["s3://{bucket}/in/some.vcf", "s3://{bucket}/in/none.fa", "s3://{bucket}/runs/a"],
            "no such object",
        ),
        (
            "bucket",
            ["s3://{bucket}/in/some.vcf", "s3://{bucket}/in/small.fa", "s3://no-bucket/a"],
            "no bucket no-bucket",
        ),
    ],
)
def test_what_is_not_there_is_named(weed, reach, run, name, where, says):
    reach(weed.endpoint)
    variants, genome, out = (place.format(bucket=weed.bucket) for place in where)
    code, _, error = run(
        "score", variants, "--genome", genome, "--out", out, *SMALL, "--ray", "off"
    )
    assert code == 2, error
    assert says in error
    assert not contents(weed, "runs/a")


def test_a_key_that_is_not_accepted_says_what_to_renew(weed, reach, run, monkeypatch):
    reach(weed.endpoint)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another-key-that-nobody-may-see")
    code, text, error = run(*command(weed.bucket, f"s3://{weed.bucket}/runs/b", "--ray", "off"))
    assert code == 5
    assert "run the same command again" in error
    assert "another-key-that-nobody-may-see" not in text + error


def test_a_pattern_in_a_bucket_names_its_rows_by_their_objects(weed, inputs, reach, run, tmp_path):
    reach(weed.endpoint)
    records = inputs[0].read_text().splitlines(keepends=True)
    for name, kept in (("a", records[:-4]), ("b", [*records[:2], *records[-4:]])):
        client(weed.endpoint).put_object(
            Bucket=weed.bucket, Key=f"parts/{name}/v.vcf", Body="".join(kept).encode()
        )
    where = f"s3://{weed.bucket}"
    asked = ["--genome", f"{where}/in/small.fa", "--out", tmp_path / "out", "--json", *SMALL]
    code, text, error = run("plan", f"{where}/parts/*/v.vcf", *asked)
    assert code == 0, error
    assert (json.loads(text)["records"], json.loads(text)["alleles"]) == (ALLELES, ALLELES)
    code, _, error = run(
        "score",
        f"{where}/parts/*/v.vcf",
        *[one for one in asked if one != "--json"],
        "--ray",
        "off",
    )
    assert code == 0, error
    assert [
        one["name"]
        for one in json.loads((tmp_path / "out" / "run.json").read_text())["identity"]["input"]
    ] == [
        f"{where}/parts/a/v.vcf",
        f"{where}/parts/b/v.vcf",
    ]
