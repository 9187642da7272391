"""Settings come from the command line over a TOML file over defaults, and what is wrong with them is named."""

import re
import subprocess
import sys

import pytest

from enformer_core.errors import InputError
from jobs import exit_codes
from jobs.cli import COMMANDS, Command, main, parse
from jobs.settings import PlanSettings, ScoreSettings, TileSettings

REQUIRED = ["--genome", "g.fa", "--model", "motif", "--out", "o"]


@pytest.fixture
def config(tmp_path):
    """The option that names a TOML file of this text."""

    def write(text):
        path = tmp_path / "run.toml"
        path.write_text(text)
        return ["--config", str(path)]

    return write


def score_settings(*arguments):
    return parse(["score", *arguments])[1]


def test_defaults():
    settings = score_settings("a.vcf", "b.vcf", *REQUIRED)
    assert isinstance(settings, ScoreSettings)
    assert settings.variants == ("a.vcf", "b.vcf")
    assert settings.statistics == ("sad",)
    assert settings.strands == "both"
    assert settings.shifts == (0,)
    assert settings.ray == "local"
    assert settings == ScoreSettings(
        variants=("a.vcf", "b.vcf"), genome="g.fa", model="motif", out="o"
    )


def test_a_toml_file_gives_settings_and_the_command_line_wins(config):
    text = (
        'variants = ["x.vcf", "y.vcf"]\ngenome = "g.fa"\nmodel = "motif"\nout = "o"\nshard-size = 7\n'
        'statistics = ["sad", "js"]\nshifts = "0,1,-1"\nhead = "mouse"\nsample_seed = 3\n'
        "only-pass = true\nmin_maf = 0.5\nworkers = 4\n"
    )
    settings = score_settings(*config(text), "--head", "human", "--workers=5")
    assert settings.variants == ("x.vcf", "y.vcf")
    assert settings.shard_size == 7
    assert settings.statistics == ("sad", "js")
    assert settings.shifts == (0, 1, -1)
    assert settings.head == "human"
    assert settings.sample_seed == 3
    assert settings.only_pass is True
    assert settings.min_maf == 0.5
    assert settings.workers == 5
    assert score_settings(*config(text), "z.vcf").variants == ("z.vcf",)
    assert score_settings(*config(text), "--shifts", "-2").shifts == (-2,)


def test_lists_are_lists_or_text_with_commas(config):
    for text in ("shifts = [-1, 0]", 'shifts = "-1, 0"', 'shifts = "-1,0,"'):
        assert score_settings("a.vcf", *REQUIRED, *config(text)).shifts == (-1, 0)
    given = score_settings("a.vcf", *REQUIRED, "--shifts", "-1,0", "--statistics", "sad, js")
    assert given.shifts == (-1, 0)
    assert given.statistics == ("sad", "js")
    one_of_each = score_settings("--statistics", "sad", "a.vcf", *REQUIRED)
    assert one_of_each.statistics == ("sad",)
    assert one_of_each.variants == ("a.vcf",)


def test_of_an_option_given_twice_the_last_one_stands():
    assert score_settings("a.vcf", *REQUIRED, "--workers", "2", "--workers", "3").workers == 3


def test_plan_takes_what_score_takes_and_needs_less():
    settings = parse(["plan", "a.vcf", "--genome", "g.fa"])[1]
    assert isinstance(settings, PlanSettings)
    assert (settings.model, settings.out) == ("enformer", "")
    given = ["a.vcf", *REQUIRED, "--log-format", "json", "--single-writer", "--top-tracks", "3"]
    assert parse(["plan", *given])[1].top_tracks == score_settings(*given).top_tracks == 3


def test_tiles_take_regions():
    settings = parse(["tiles", *REQUIRED, "--regions", "chr20:1-5000000"])[1]
    assert isinstance(settings, TileSettings)
    assert settings.regions == "chr20:1-5000000"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("shardsize = 3", "unknown setting 'shardsize'; did you mean shard-size"),
        ("config = 'other.toml'", "unknown setting 'config'"),
        ("x = {a = 1}", "unknown setting 'x'"),
        ('shard-size = "many"', 'shard-size.*from .*toml: unable to convert "many" into int'),
        ("shard-size = [1, 2]", "shard-size.*unable to convert"),
        ("shard-size = true", "shard-size True: must be a whole number"),
        ("genome = {a = 1}", r"\[genome\]\[a\]"),
        ("only-pass = 3", "only-pass.*unable to convert"),
        ('shifts = "0,x"', "shifts.*'x'"),
        ('strands = "reverse"', '"reverse" for .*strands.*Choose from: "both", "forward"'),
        ('device = "tpu"', 'device.*Choose from: "auto", "cpu", "cuda"'),
        ('log_format = "xml"', 'log_format.*Choose from: "text", "json"'),
        (
            'indel-rule = "left"',
            'indel-rule.*Choose from: "left-fixed", "centre-trim", "stitched", "comp',
        ),
        ('engine = "x"', 'engine.*Choose from: "delta", "direct"'),
        ('precision = "x"', 'precision.*Choose from: "fast", "exact"'),
        ("workers = 0", "--workers 0: must be at least 1"),
        ("top-tracks = -1", "--top-tracks -1: must be at least 0"),
        ("mantissa-bits = 24", "--mantissa-bits 24: must be between 0 and 23"),
        ("audit-fraction = 1.5", "--audit-fraction 1.5: must be between 0 and 1"),
        ("audit-tolerance = 0", "--audit-tolerance 0.0: must be above 0"),
        ("= 3", "not TOML"),
    ],
)
def test_bad_settings_are_named(config, capsys, text, message):
    assert exit_code("score", "a.vcf", *REQUIRED, *config(text)) == exit_codes.BAD_INPUT
    error = capsys.readouterr().err
    assert re.search(message, error)
    assert error.startswith("enformer-ray: ")
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("option", "value"),
    [("strands", "reverse"), ("device", "tpu"), ("log-format", "xml"), ("indel-rule", "left")],
)
def test_choices_are_checked_on_the_command_line_too(capsys, option, value):
    assert exit_code("score", "a.vcf", *REQUIRED, f"--{option}", value) == 2
    assert f'Invalid value "{value}" for --{option}. Choose from' in capsys.readouterr().err


def exit_code(*arguments):
    """What a shell sees, whether the command returns or the parser ends it."""
    try:
        return main(arguments)
    except SystemExit as end:
        return end.code


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(
        InputError, match=r"missing: VARIANTS, --genome, --out. See enformer-ray score"
    ):
        score_settings("--model", "motif")
    with pytest.raises(InputError, match=r"missing: OUT, SQL. See enformer-ray query --help"):
        parse(["query"])
    with pytest.raises(InputError, match=r"missing: OUT. See enformer-ray weights import --help"):
        parse(["weights", "import", "a.h5"])
    with pytest.raises(InputError, match=r"nowhere\.toml: cannot be read"):
        score_settings(*REQUIRED, "--config", str(tmp_path / "nowhere.toml"))


def test_shifts_may_begin_with_a_minus(run, vcf, genome, tmp_path):
    out = tmp_path / "run"
    code, _, error = run(
        *("score", vcf, "--genome", genome, "--model", "motif", "--ray", "off", "--out", out),
        *("--shifts", "-1,0,900000"),
    )
    assert code == exit_codes.BAD_INPUT
    assert "a shift and offset of 900000 bp" in error


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["score", "x.vcf", "--statistic", "sad"], "--statistic.*Did you mean --statistics"),
        (["score", "x.vcf", "--no-strict", *REQUIRED], "--no-strict"),
        (["score", "x.vcf", *REQUIRED, "--workers"], "--workers requires an argument"),
        (["score", "x.vcf", *REQUIRED, "--workers", "two"], '--workers.*"two"'),
        (["scroe", "x.vcf"], "scroe: there is no such command.*Did you mean score"),
        (["weights", "export"], "weights export: there is no such command.*import"),
        (["status", "a", "b"], "'b'"),
    ],
)
def test_a_wrong_command_line_ends_with_2(capsys, arguments, message):
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == exit_codes.BAD_INPUT
    assert re.search(message, capsys.readouterr().err)


@pytest.mark.parametrize("arguments", [[], ["weights"]])
def test_without_a_command_there_is_help_and_an_error(capsys, arguments):
    assert exit_code(*arguments) == exit_codes.BAD_INPUT
    assert "Usage: enformer-ray" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["", "weights", *COMMANDS])
def test_every_command_has_help_of_80_columns(monkeypatch, capsys, command):
    monkeypatch.setenv("COLUMNS", "80")
    assert exit_code(*command.split(), "--help") == exit_codes.DONE
    text = capsys.readouterr().out
    assert max(len(line) for line in text.splitlines()) <= 80
    assert f"Usage: enformer-ray {command}" in text
    for name in COMMANDS:
        if command == "" or name.startswith(f"{command} "):
            assert f" {name.split()[0 if command == '' else 1]} " in text


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_says_what_it_is_for(monkeypatch, capsys, command):
    monkeypatch.setenv("COLUMNS", "1000")
    assert exit_code(*command.split(), "--help") == exit_codes.DONE
    options = re.findall(
        r"^│ (?:\*)? *((?:[A-Z]+ )?--\S+(?: [^ ]+)?)(.*)│$", capsys.readouterr().out, re.MULTILINE
    )
    assert options
    for option, text in options:
        assert len(text.split()) > 1, option


def test_the_version_is_said(capsys):
    assert exit_code("--version") == exit_codes.DONE
    assert re.fullmatch(
        r"\d+\.\d+\.\d+\S*\n", capsys.readouterr().out.removeprefix("enformer-ray ")
    )


def test_help_waits_for_neither_torch_nor_ray():
    asked = [["--help"], *([*name.split(), "--help"] for name in COMMANDS)]
    code = (
        "import sys\n"
        "from jobs.cli import main\n"
        f"for asked in {asked}:\n"
        "    try: main(asked)\n"
        "    except SystemExit: pass\n"
        "    loaded = {'torch', 'ray'} & set(sys.modules)\n"
        "    if loaded: sys.exit(f'{asked} loads {loaded}')\n"
        f"print('all', {len(asked)})\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith(f"all {len(asked)}\n")


def test_a_new_command_is_one_file_and_one_line(tmp_path, monkeypatch, capsys):
    (tmp_path / "toy_greeting.py").write_text(
        "from dataclasses import dataclass\n"
        "@dataclass(frozen=True)\n"
        "class GreetingSettings:\n"
        "    name: str\n"
        "    '''who is greeted'''\n"
        "    times: int = 1\n"
        "    '''how often'''\n"
        "def greet(settings):\n"
        "    print(f'hello {settings.name}! ' * settings.times)\n"
        "    return 3\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    line = Command("say hello", "toy_greeting:GreetingSettings", "toy_greeting:greet")
    monkeypatch.setitem(COMMANDS, "greet", line)
    assert exit_code("--help") == 0
    assert re.search(r"greet +say hello", capsys.readouterr().out)
    assert exit_code("greet", "--help") == 0
    assert re.search(r"NAME --name +who is greeted \[required\]", capsys.readouterr().out)
    assert exit_code("greet", "you", "--times", "2") == 3
    assert capsys.readouterr().out == "hello you! hello you! \n"
    assert exit_code("greet", "you", "--tims", "2") == 2


@pytest.mark.parametrize("value", ["2.5", "0x10", "1e3", "-0.5"])
def test_whole_numbers_are_not_rounded(config, value):
    message = f"--shard-size {value}: must be a whole number"
    with pytest.raises(InputError, match=message):
        score_settings("a.vcf", *REQUIRED, "--shard-size", value)


@pytest.mark.parametrize("value", ["nan", "-inf", "Infinity"])
def test_what_is_no_number_is_refused(config, value):
    message = f"--min-maf {value}: must be a number"
    with pytest.raises(InputError, match=message):
        score_settings("a.vcf", *REQUIRED, "--min-maf", value)
    with pytest.raises(InputError, match="--price-per-hour nan: must be a number"):
        parse(["status", "o", *config("price-per-hour = nan")])


def test_whole_numbers_of_a_toml_file_are_not_rounded(config):
    with pytest.raises(InputError, match=r"--shard-size 2\.5: must be a whole number"):
        score_settings("a.vcf", *REQUIRED, *config("shard_size = 2.5"))


def test_help_comes_on_the_narrowest_terminal(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "1")
    assert exit_code("status", "--help") == 0
    assert "Usage: enformer-ray status" in capsys.readouterr().out


def test_regions_keep_the_commas_of_their_numbers(tmp_path, monkeypatch):
    where = "chr20:4,600,000-4,796,608,chr21,chr22:1-5"
    expected = ("chr20:4,600,000-4,796,608", "chr21", "chr22:1-5")
    assert parse(["score", "x.vcf", *REQUIRED, "--regions", where])[1].regions == expected
    config = tmp_path / "x.toml"
    config.write_text('regions = ["chr20:4,600,000-4,796,608", "chr21"]\n')
    settings = parse(["score", "x.vcf", *REQUIRED, "--config", str(config)])[1]
    assert settings.regions == expected[:2]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a,b.bed").write_text("")
    assert parse(["score", "x.vcf", *REQUIRED, "--regions", "a,b.bed"])[1].regions == ("a,b.bed",)


def test_standard_input_and_names_with_a_hyphen_are_variants():
    assert parse(["score", "-", *REQUIRED])[1].variants == ("-",)
    assert parse(["score", *REQUIRED, "--", "-x.vcf"])[1].variants == ("-x.vcf",)


@pytest.mark.parametrize(
    "words",
    [["status", "-"], ["score", "x.vcf", *REQUIRED, "--out", "-"], ["weights", "import", "x", "-"]],
)
def test_what_is_no_stream_is_not_taken_for_one(words):
    with pytest.raises(InputError, match="neither standard input nor standard output"):
        parse(words)


def test_a_hyphen_in_a_message_is_a_hyphen(capsys):
    with pytest.raises(SystemExit):
        parse(["status", "run", "-"])
    assert "'-': status takes no such word" in capsys.readouterr().err


def test_the_mark_that_windows_puts_before_a_toml_file_is_no_part_of_it(config):
    settings = score_settings("a.vcf", *REQUIRED, *config("\ufeffshard-size = 7\n"))
    assert settings.shard_size == 7
