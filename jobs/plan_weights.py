"""What `plan` asks of weights: those that are files here must fit by their names and shapes; of others it says so."""

import os

from enformer_core.analyses.model_inputs import tracks_named
from enformer_core.analyses.named_weights import model_source, weights_named
from enformer_core.models.registry import likely_model
from enformer_core.models.weights.source import open_weights
from enformer_core.user_path import user_path
from jobs.settings import PlanSettings


def unseen_weights(settings: PlanSettings) -> tuple[str, ...]:
    """What is to be said of weights that were not looked for or into, since no file here has their name.

    Raises:
        InputError: for weights that are here and lack the head, or are of other sizes or of another model.
    """
    if settings.weights is None:
        return ()
    names = weights_named(settings.weights)
    here = [name for name in names if os.path.lexists(user_path(name))]
    for name in here:
        # as `score` asks them, values excepted
        source = model_source(settings.model, name, settings.params)
        bearer = likely_model(source.weights, None)
        if bearer not in (None, source.name):
            source.load(open_weights(str(source.weights)))  # which refuses them in words
        tracks_named(source, settings.head, settings.targets)
    return tuple(
        f"{name} is no file here, so nobody has looked whether these weights are there and fit; `score` will"
        for name in names
        if name not in here
    )
