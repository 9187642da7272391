import pytest

from enformer_core.errors import InputError
from jobs import exit_codes
from jobs import settings as job_settings
from jobs.cli import main
from jobs.settings import ScoreSettings

GIVEN = {"variants": ("a.vcf",), "genome": "g.fa", "model": "motif", "out": "o"}


def resolve_settings(given, path, wanted=ScoreSettings):
    return job_settings.resolve_settings(given, path, wanted=wanted)


def config(tmp_path, text):
    path = tmp_path / "run.toml"
    path.write_text(text)
    return str(path)


def test_defaults():
    settings = resolve_settings(GIVEN, None)
    assert settings.statistics == ("sad",)
    assert settings.strands == "both"
    assert settings.shifts == (0,)
    assert settings.ray == "local"


def test_a_toml_file_gives_settings_and_the_command_line_wins(tmp_path):
    path = config(
        tmp_path,
        'variants = ["x.vcf", "y.vcf"]\ngenome = "g.fa"\nmodel = "motif"\nout = "o"\nshard-size = 7\n'
        'statistics = ["sad", "js"]\nshifts = "0,1,-1"\nhead = "mouse"\n',
    )
    settings = resolve_settings({"head": "human"}, path)
    assert settings.variants == ("x.vcf", "y.vcf")
    assert settings.shard_size == 7
    assert settings.statistics == ("sad", "js")
    assert settings.shifts == (0, 1, -1)
    assert settings.head == "human"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("shardsize = 3", "unknown setting 'shardsize'; did you mean shard-size"),
        ('shard-size = "many"', "shard-size = 'many' is not a value of --shard-size"),
        ("shard-size = [1, 2]", "is not a value of"),
        ('strands = "reverse"', "choose both or forward"),
        ("workers = 0", "must be at least 1"),
        ("= 3", "not TOML"),
    ],
)
def test_bad_settings_are_named(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        resolve_settings(GIVEN, config(tmp_path, text))


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(InputError, match="missing: VARIANTS, --genome, --out"):
        resolve_settings({"model": "motif"}, None)
    with pytest.raises(InputError, match=r"nowhere\.toml: cannot be read"):
        resolve_settings(GIVEN, str(tmp_path / "nowhere.toml"))


def test_shifts_may_begin_with_a_minus(tmp_path, capsys):
    code = main(
        [
            "score",
            "x.vcf",
            "--genome",
            "g.fa",
            "--model",
            "motif",
            "--out",
            "o",
            "--shifts",
            "-1,0,900000",
        ]
    )
    assert code == exit_codes.BAD_INPUT
    assert "a shift and offset of 900000 bp" in capsys.readouterr().err


def test_an_unknown_option_is_refused(capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["score", "x.vcf", "--statistic", "sad"])
    assert "--statistic" in capsys.readouterr().err
