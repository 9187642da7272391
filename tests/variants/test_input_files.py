"""Files by name: each given once, whatever its name is made of; what can be read once only is kept in a file."""

import gzip
import io
import os
import threading
from pathlib import Path

import pytest

from enformer_core.errors import InputError
from enformer_core.variants.columns_taken import columns_taken
from enformer_core.variants.input_files import (
    InputFile,
    expand_inputs,
    input_digests,
    input_names,
)
from enformer_core.variants.readability import readable_batches
from enformer_core.variants.source import open_source, open_sources
from tests.support.variants import read_alleles

VCF = b"##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\n1\t5\t.\tA\tC\n"


@pytest.fixture
def write(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def call(name, content=VCF):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(content)
        return Path(name)

    return call


@pytest.fixture
def piped(monkeypatch):
    """Let standard input hold these bytes."""

    def call(content):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))

    return call


def test_bytes_of_a_name_that_are_no_text_stay_readable(write):
    path = write(b"caf\xe9.vcf".decode("utf-8", "surrogateescape"))
    assert read_alleles([path])["input_file"].to_pylist() == ["caf\\xe9.vcf"]
    assert input_digests([path])[0]["name"] == "caf\\xe9.vcf"


@pytest.mark.parametrize("again", ["a.vcf", "./a.vcf", "sub/../a.vcf", "link.vcf", "{here}/a.vcf"])
def test_a_file_is_given_once_by_whatever_names(write, tmp_path, again):
    path = write("a.vcf")
    write("sub/b.vcf")
    Path("link.vcf").symlink_to("a.vcf")
    second = Path(again.format(here=tmp_path))
    with pytest.raises(InputError, match=r"a\.vcf: given twice|before as a\.vcf"):
        input_names(expand_inputs([path, second]))


def test_a_hyphen_is_standard_input(write, piped):
    piped(VCF)
    (file,) = expand_inputs([Path("-")])
    assert (file.name, file.path.read_bytes()) == ("-", VCF)
    in_file = input_digests([write("x.vcf")])[0]
    assert input_digests([file]) == [in_file | {"name": "-"}]
    (source,) = open_sources([file])
    assert [table["input_file"].to_pylist() for table in source.batches()] == [["-"]]


def test_standard_input_that_gives_nothing(piped, monkeypatch):
    piped(b"")
    with pytest.raises(InputError, match=r"^standard input: nothing came by it \(0 bytes\)"):
        input_digests([Path("-")])
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(InputError, match="standard input is closed"):
        expand_inputs([Path("-")])
    terminal = io.TextIOWrapper(io.BytesIO())
    terminal.isatty = lambda: True
    monkeypatch.setattr("sys.stdin", terminal)
    with pytest.raises(InputError, match=r"is a terminal.*\./-"):
        expand_inputs([Path("-")])


REFUSED = {
    b"\n\n": "standard input: no header line and no records",
    b"Dear reader,\n": "standard input: not a variant file",
    b"SNP\tA1\nrs1\tA\n": "standard input: .*, without places",
    VCF.replace(b"5", b"x"): "standard input: VCF, of whose records",
    gzip.compress(VCF * 50)[:60]: "standard input: this gzip file is",
    b"PK\x03\x04"
    + bytes(50): r"standard input: no variants but a ZIP archive. Unpack it: unzip FILE",
    b"PAR1" + bytes(50): "standard input: this Parquet file cannot be read",
    b"chr\tpos\tref\talt\r20\t5\tT\tG\r": "standard input: line 1 and others end with CR alone",
}


@pytest.mark.parametrize("content", REFUSED)
def test_refusals_of_what_was_piped_in_name_no_file_that_the_user_never_made(piped, content):
    piped(content)
    with pytest.raises(InputError, match=REFUSED[content]) as refused:
        read_through(Path("-"))
    assert "enformer-ray-input" not in str(refused.value)
    assert "standard-input" not in str(refused.value)


def read_through(path):
    """Read a file to its end, as planning does."""
    for source in open_sources([path]):
        batches = source.batches()
        list(readable_batches(source, batches, allow_malformed=False, warn=print))


def test_names_with_ends_of_lines_are_shown_in_one(write):
    path = write("a\nb\x1b[31m.txt", b"Dear reader,\n")
    with pytest.raises(InputError, match=r"a\\nb\\x1b\[31m\.txt: not a variant file"):
        open_sources([path])
    (source,) = open_sources([write("c\nd.vcf")])
    [taken] = columns_taken([source])
    assert str(taken).startswith("c\\nd.vcf (VCF): chrom #CHROM")
    assert "\n" not in str(taken)
    # rows carry the name as it is
    assert source.name == "c\nd.vcf"


def test_a_copy_is_called_by_its_address(write):
    file = InputFile(write("cache/1f/x.txt", b"Dear reader,\n"), "s3://bucket/x.txt")
    with pytest.raises(InputError, match=r"^s3://bucket/x\.txt: not a variant file"):
        open_sources([file])
    list_of_names = write("list.txt", b"rs1\n")
    with pytest.raises(InputError, match=r"^s3://bucket/x\.txt: not a variant file"):
        open_sources([list_of_names], sites=file)


def test_standard_input_is_read_once(piped):
    piped(VCF)
    with pytest.raises(InputError, match="-: given twice"):
        input_names(expand_inputs([Path("-"), Path("-")]))


def test_a_pipe_is_read_once_and_kept(tmp_path):
    pipe = tmp_path / "63"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(VCF,))
    writer.start()
    (file,) = expand_inputs([pipe])
    writer.join()
    assert file.given == str(pipe)
    assert open_source(file.path).format == "VCF"


@pytest.mark.parametrize("name", ["x" * 300 + ".vcf", "none.vcf"])
def test_a_name_that_cannot_be_is_an_input_error(write, name):
    with pytest.raises(InputError, match=r"File name too long|no such variant file"):
        input_digests([Path(name)])


def test_links_that_lead_nowhere_are_named(write):
    write("a.vcf")
    Path("loop").symlink_to("loop")
    Path("gone").symlink_to("b.vcf")
    for name, leads_to in (("loop", "loop"), ("gone", "b.vcf")):
        message = f"{name}: a link to {leads_to}, where there is no file"
        with pytest.raises(InputError, match=message):
            input_digests([Path("a.vcf"), Path(name)])
