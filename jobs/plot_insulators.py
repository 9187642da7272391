"""`enformer-ray plot insulators`: attention at boundaries against controls, as maps and by layer."""

import polars as pl

from enformer_core.export.insulation import insulation_of, map_rows, window_of
from enformer_core.insulators.summary import contrasts, is_same_everywhere, mean_maps
from enformer_core.pictures.insulation import insulation_picture
from enformer_core.words import counted
from jobs import exit_codes
from jobs.finished_run import open_ledger
from jobs.insulators import cautions
from jobs.picture_file import check_picture_name, save_picture
from jobs.plot_run_settings import InsulatorPictureSettings
from jobs.run_of_kind import notes_of_state


def plot_insulators(settings: InsulatorPictureSettings) -> int:
    """Draw what a run of insulators came to.

    Returns:
        The exit code.

    Raises:
        InputError: for a run of another kind, and one in which no boundary has a control.
        DatasetError: for a run that is damaged.
    """
    check_picture_name(settings.out)
    ledger = open_ledger(settings.run)
    insulation = insulation_of(ledger)
    layers = layer_table(insulation)
    pairs = int(layers["pairs"][0])
    notes = [f"{counted(pairs, 'boundaries')} with controls; intervals are of 95 %"]
    notes += cautions(pairs, is_same=is_same_everywhere(insulation))
    notes += notes_of_state(ledger, settings.run)
    if ledger.run.notice:
        notes.append(ledger.run.notice)
    picture = insulation_picture(
        maps=mean_maps(map_rows(ledger)),
        window_bp=window_of(ledger),
        layers=layers,
        title="Attention at boundaries, against controls",
        notes=notes,
    )
    save_picture(picture, settings.out)
    return exit_codes.DONE


def layer_table(insulation: pl.DataFrame) -> pl.DataFrame:
    """Both statistics of each layer, `mean` first: of boundaries, of controls, and the difference with its interval."""
    rows = []
    for each in contrasts(insulation):
        one = each.contrast
        rows.append(
            {
                "layer": "mean" if each.layer is None else str(each.layer),
                "statistic": each.statistic,
                "pairs": one.pairs,
                "boundaries": one.boundaries,
                "controls": one.controls,
                "difference": one.difference,
                "low": one.low,
                "high": one.high,
            }
        )
    return pl.DataFrame(rows)
