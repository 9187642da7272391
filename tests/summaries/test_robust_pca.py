"""Robust scaling, PCA, robust scaling: against scikit-learn, by hand, and the same whatever the blocks."""

import tempfile
import tracemalloc

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import RobustScaler

from enformer_core.errors import InputError
from enformer_core.summaries import scratch_matrix
from enformer_core.summaries.robust_pca import fit
from enformer_core.summaries.scratch_matrix import ScratchMatrix, check_scratch


def heavy_tailed(rows, tracks, *, factors=40, seed=0):
    """Scores as they are: few causes of unlike strength, tails that are heavy, scales that differ by the track."""
    random = np.random.default_rng(seed)
    causes = random.standard_t(3, (rows, factors)) * 2.0 ** -np.linspace(0, 5, factors)
    mixed = causes @ random.standard_normal((factors, tracks))
    noise = 0.05 * random.standard_t(3, (rows, tracks))
    scales = 10.0 ** random.uniform(-4, 2, tracks)
    return ((mixed + noise) * scales).astype(np.float32)


def fitted(values, components, **options):
    with ScratchMatrix(values.shape[1], np.float32) as matrix:
        matrix.add(values)
        matrix.finish()
        return fit(matrix, components, **options)


def yardstick(values, components):
    """The published transform's own classes, in float64."""
    pca = PCA(components, svd_solver="covariance_eigh")
    return make_pipeline(RobustScaler(), pca, RobustScaler()).fit(values.astype(np.float64))


def subspace_angle(first, second):
    """The largest angle between two subspaces, in radians, by the sine: it is exact where the angle is small."""
    beside = second - (second @ first.T) @ first
    return float(np.arcsin(min(np.linalg.norm(beside, 2), 1)))


def test_it_is_what_scikit_learn_fits():
    values = heavy_tailed(5000, 500)
    ours = fitted(values, 20)
    theirs = yardstick(values, 20)
    scaler, pca, second = (step for _, step in theirs.steps)
    assert np.array_equal(ours.centre, scaler.center_)
    assert np.array_equal(ours.scale, scaler.scale_)
    assert subspace_angle(ours.components, pca.components_) < 1e-9
    # each component, not the space alone; signs by the same rule
    assert np.abs(ours.components - pca.components_).max() < 1e-8
    assert np.allclose(ours.explained_variance, pca.explained_variance_, rtol=1e-10)
    ratio = ours.explained_variance / ours.total_variance
    assert np.allclose(ratio, pca.explained_variance_ratio_, rtol=1e-10)
    assert np.allclose(ours.second_centre, second.center_, atol=1e-8)
    assert np.allclose(ours.second_scale, second.scale_, rtol=1e-8)
    scores = theirs.transform(values.astype(np.float64))
    assert np.abs(ours.transform(values) - scores).max() < 1e-6


def test_other_alleles_come_to_what_scikit_learn_makes_of_them():
    ours = fitted(heavy_tailed(600, 70), 10)
    theirs = yardstick(heavy_tailed(600, 70), 10)
    others = heavy_tailed(300, 70, seed=1)
    wanted = theirs.transform(others.astype(np.float64)).astype(np.float32)
    # one unit in the last place of float32, where both lie beside the middle between two numbers
    np.testing.assert_array_max_ulp(ours.transform(others).astype(np.float32), wanted, maxulp=1)


def test_two_tracks_by_hand():
    # track 0: quartiles 1 2 3, track 1: all 5, so that its scale is 1
    values = np.array([[0, 5], [1, 5], [2, 5], [3, 5], [4, 5]], dtype=np.float32)
    pca = fitted(values, 1)
    assert pca.centre.tolist() == [2, 5]
    assert pca.scale.tolist() == [2, 1]
    assert pca.mean.tolist() == [0, 0]
    # scaled -1 -0.5 0 0.5 1: squares 2.5, over 4
    assert pca.components.tolist() == [[1, 0]]
    assert pca.explained_variance.tolist() == [0.625]
    assert pca.total_variance == 0.625
    assert pca.second_centre.tolist() == [0]
    assert pca.second_scale.tolist() == [1]
    assert pca.transform(np.array([[6, 7]], dtype=np.float32)).tolist() == [[2]]


def test_of_each_component_the_largest_loading_is_positive():
    components = fitted(heavy_tailed(400, 30), 12).components
    largest = np.abs(components).argmax(axis=1)
    assert (components[np.arange(12), largest] > 0).all()


@pytest.mark.parametrize("pieces", [1, 7, 100, 1000])
def test_rows_may_come_in_pieces_of_any_size(pieces, monkeypatch):
    monkeypatch.setattr(scratch_matrix, "BLOCK_ROWS", 64)
    values = heavy_tailed(300, 25)
    whole = fitted(values, 5)
    with ScratchMatrix(25, np.float32) as matrix:
        for first in range(0, 300, pieces):
            matrix.add(values[first : first + pieces])
        matrix.finish()
        again = fit(matrix, 5)
    for name, array in vars(whole).items():
        assert np.array_equal(array, getattr(again, name)), name


def test_blocks_and_strips_of_other_sizes_change_rounding_alone(monkeypatch):
    values = heavy_tailed(300, 25)
    whole = fitted(values, 5)
    monkeypatch.setattr(scratch_matrix, "BLOCK_ROWS", 7)
    monkeypatch.setattr(scratch_matrix, "_STRIP_BYTES", 300 * 4 * 3)
    pieces = fitted(values, 5)
    assert np.array_equal(whole.centre, pieces.centre)
    assert np.array_equal(whole.scale, pieces.scale)
    assert np.allclose(whole.components, pieces.components, atol=1e-10)


@pytest.mark.parametrize("tracks", [3, 96, 501])
def test_a_row_has_its_components_whatever_rows_stand_beside_it(tracks):
    pca = fitted(heavy_tailed(700, tracks, factors=min(tracks, 40)), 3)
    rows = heavy_tailed(1100, tracks, seed=2)
    together = pca.transform(rows)
    for size in (1, 2, 5, 64):
        pieces = [pca.transform(rows[first : first + size]) for first in range(0, 1100, size)]
        assert np.array_equal(np.concatenate(pieces), together)
    order = np.random.default_rng(0).permutation(1100)
    assert np.array_equal(pca.transform(rows[order]), together[order])
    assert pca.transform(rows[:0]).shape == (0, 3)


def test_what_cannot_be_fitted_is_refused_with_what_can():
    values = heavy_tailed(10, 30)
    with pytest.raises(
        InputError,
        match=r"--components 20: 10 alleles and 30 tracks have at most 9, .* Give --components 9 or fewer",
    ):
        fitted(values, 20)
    with pytest.raises(
        InputError, match=r"1 allele and 30 tracks have at most 0, .* Give more alleles\."
    ):
        fitted(values[:1], 1)
    with pytest.raises(InputError, match="0 alleles"):
        fitted(values[:0], 1)
    with pytest.raises(InputError, match="--components 0: give at least 1"):
        fitted(values, 0)


def test_directions_that_rounding_makes_are_no_components():
    values = heavy_tailed(200, 4)
    twice = np.concatenate([values, values], axis=1)
    with pytest.raises(
        InputError, match=r"--components 5: .* vary in 4 directions alone. Give --components 4"
    ):
        fitted(twice, 5)
    assert fitted(twice, 4).components.shape == (4, 8)
    with pytest.raises(InputError, match="vary in 0 directions alone"):
        fitted(np.ones((9, 3), dtype=np.float32), 1)


def test_memory_holds_blocks_and_strips_and_not_the_rows(monkeypatch):
    monkeypatch.setattr(scratch_matrix, "_STRIP_BYTES", 1 << 20)
    monkeypatch.setattr(scratch_matrix, "BLOCK_ROWS", 512)
    tracks, pieces = 100, 40
    piece = heavy_tailed(1000, tracks)
    with ScratchMatrix(tracks, np.float32) as matrix:
        for number in range(pieces):
            matrix.add(piece * np.float32(1 + number))
        matrix.finish()
        tracemalloc.start()
        fit(matrix, 5)
        _, peak_bytes = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    rows_bytes = 4 * tracks * 1000 * pieces
    assert rows_bytes == 16_000_000
    # a strip in float64, as percentiles sort it, and as it is scaled
    assert peak_bytes < 8_000_000


def test_steps_are_told():
    told = []
    fitted(heavy_tailed(50, 5), 2, progress=told.append)
    assert told[0] == "quartiles of each track"
    assert len(told) == 4


def test_a_scratch_disk_that_is_too_small_is_told_before(monkeypatch):
    check_scratch(1, "Give --sample 1000")
    with pytest.raises(
        InputError, match=r"1,000 PB of scratch disk .* Give --sample 1000, or .* TMPDIR"
    ):
        check_scratch(10**18, "Give --sample 1000")


def test_a_scratch_file_that_cannot_be_made_is_told(monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "absent"))
    with pytest.raises(InputError, match=r"absent: the scratch file cannot be written: .*TMPDIR"):
        ScratchMatrix(3, np.float32)
