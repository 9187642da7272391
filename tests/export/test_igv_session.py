"""The session beside bigWigs: what IGV reads, of tracks and of contributions, whatever names hold."""

from xml.etree import ElementTree as ET

import pyBigWig
import pytest

from enformer_core.errors import InputError
from enformer_core.export.igv_session import SESSION, SessionTrack, igv_genome, write_session
from jobs.cli import main
from tests.support.genomes import random_letters, write_fasta

HG38 = {"chr20": 64_444_167}
HOSTILE = "<a>&\"'\x1b\ufffe\u202e]]>"

# of igvteam/igv: SessionReader takes these, and enumerations have these members
ATTRIBUTES = {
    *("clazz", "id", "attributeKey", "name", "color", "altColor", "autoScale", "autoscaleGroup"),
    *("height", "renderer", "visible", "windowFunction"),
}


def session_of(folder):
    """The session, checked: each track has its resource, which is there, and no attribute that IGV does not know."""
    root = ET.parse(folder / SESSION).getroot()
    assert root.tag == "Session"
    assert root.get("version") == "8"
    paths = [each.get("path") for each in root.findall("Resources/Resource")]
    tracks = root.findall("Panel/Track")
    assert [track.get("id") for track in tracks] == paths
    for track in tracks:
        assert set(track.attrib) <= ATTRIBUTES
        for name in ("color", "altColor"):
            red, green, blue = map(int, track.get(name).split(","))
            assert max(red, green, blue) < 256
    return root, tracks


@pytest.mark.parametrize(
    ("contigs", "name"),
    [
        (HG38, "hg38"),
        ({"22": 51_304_566}, "hg19"),
        ({"chr1": 248_387_328}, "hs1"),
        ({"chr1": 195_154_279}, "mm39"),
        ({"chr1": 195_471_971}, "mm10"),
        ({"chr1": 4_000}, None),
    ],
)
def test_an_assembly_is_called_as_igv_calls_it(contigs, name):
    assert igv_genome(contigs) == name


def test_names_are_text_and_kinds_have_colours(tmp_path):
    tracks = [
        SessionTrack("1.bw", HOSTILE, "a", scale="s"),
        SessionTrack("2.bw", "two", "b", scale="t"),
        SessionTrack("3.bw", "three", "a", scale="s"),
        SessionTrack("4.bw", "four", "b"),
    ]
    write_session(tmp_path, tracks, contigs=HG38, fasta="/x.fa", locus="chr20:5-9")
    root, found = session_of(tmp_path)
    assert (root.get("genome"), root.get("locus")) == ("hg38", "chr20:5-9")
    assert found[0].get("name") == "<a>&\"'\\x1b\\ufffe\\u202e]]>"
    assert [each.get("autoscaleGroup") for each in found] == ["1", "2", "1", None]
    colours = [each.get("color") for each in found]
    assert colours[0] == colours[2] != colours[1] == colours[3]


def test_of_another_genome_igv_is_given_the_file(tmp_path):
    tracks = [SessionTrack("1.bw", "one", "")]
    write_session(tmp_path, tracks, contigs={"chr1": 4_000}, fasta="/data/my.fa", locus=None)
    root, _ = session_of(tmp_path)
    assert (root.get("genome"), root.get("locus")) == ("/data/my.fa", "All")


def test_without_tracks_there_is_no_session(tmp_path):
    write_session(tmp_path, [], contigs=HG38, fasta=None, locus=None)
    assert not list(tmp_path.iterdir())
    with pytest.raises(InputError, match="cannot be written"):
        write_session(
            tmp_path / "none",
            [SessionTrack("1.bw", "one", "")],
            contigs=HG38,
            fasta=None,
            locus=None,
        )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A genome, a region, and an element with an odd name."""
    folder = tmp_path_factory.mktemp("igv")
    write_fasta(folder / "g.fa", {"chr1": random_letters(4_000)})
    (folder / "r.bed").write_text("chr1\t1000\t1400\tgene/1\t0\t+\nchr1\t2000\t2100\ttwo\t0\t+\n")
    return folder


def exported(folder, name, *words):
    given = ["--genome", folder / "g.fa", "--model", "motif_core", "--strands", "forward"]
    out = folder / name
    assert main([*map(str, [*words, *given, "--ray", "off", "--out", out])]) == 0
    assert main(["export", str(out), "--bigwig", str(folder / f"{name}-bw")]) == 0
    return folder / f"{name}-bw"


def test_tracks_of_tiles_open_where_they_begin(folder):
    place = exported(folder, "tiles", "tiles", "--tracks", "1,2", "--regions", folder / "r.bed")
    root, tracks = session_of(place)
    assert root.get("genome") == str(folder / "g.fa")
    contig, _, span = root.get("locus").partition(":")
    first, last = map(int, span.split("-"))
    with pyBigWig.open(str(place / tracks[0].get("id"))) as file:
        starts = [start for start, *_ in file.intervals(contig)]
        assert first == starts[0] + 1
        assert file.values(contig, last - 1, last)[0] is not None
    assert [each.get("name") for each in tracks] == [
        "DEMO:GATA1 motif occupancy (not a trained model)",
        "DEMO:AP-1 motif occupancy (not a trained model)",
    ]
    # their units are their own
    assert not any(each.get("autoscaleGroup") for each in tracks)


def test_contributions_of_a_group_have_one_axis(folder):
    groups = ["--group", "G=motif-GATA1", "--group", "C=motif-CTCF"]
    place = exported(folder, "contributions", "attribute", folder / "r.bed", *groups)
    root, tracks = session_of(place)
    assert root.get("locus") == "chr1:1-2400"
    assert all((place / each.get("id")).exists() for each in tracks)
    scales = {each.get("name"): each.get("autoscaleGroup") for each in tracks}
    assert scales["gene/1 G"] == scales["two G"] != scales["gene/1 C"] == scales["two C"]
