"""Files by name: each given once, whatever its name is made of; what can be read once only is kept in a file."""

import io
import os
import threading
from pathlib import Path

import pytest

from enformer_core.errors import InputError
from enformer_core.variants.input_files import expand_inputs, input_digests, input_names
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
    with pytest.raises(InputError, match="standard-input: an empty file"):
        input_digests([Path("-")])
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(InputError, match="standard input is closed"):
        expand_inputs([Path("-")])
    terminal = io.TextIOWrapper(io.BytesIO())
    terminal.isatty = lambda: True
    monkeypatch.setattr("sys.stdin", terminal)
    with pytest.raises(InputError, match=r"is a terminal.*\./-"):
        expand_inputs([Path("-")])


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
