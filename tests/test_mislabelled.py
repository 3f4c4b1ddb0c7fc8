"""Wrong labels: fits of what is left out held to fits anew, planted errors, groups and parts."""

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from depthgauge.cli import main
from depthgauge.labelling import mislabelled as module
from depthgauge.labelling.mislabelled import inner_products, left_out_fit
from depthgauge.tables import read_table, write_table
from scipy.spatial.distance import pdist
from sklearn.kernel_ridge import KernelRidge


def clouds(sizes, apart, seed):
    rng = np.random.default_rng(seed)
    codes = np.repeat(np.arange(len(sizes)), sizes)
    centres = apart * rng.standard_normal((len(sizes), 6))
    return centres[codes] + rng.standard_normal((len(codes), 6)), codes


def test_inner_products_are_those_of_the_centred_features():
    points, _ = clouds([7, 8], 1, 0)
    centred = points - points.mean(axis=0)
    expected = centred @ centred.T
    expected /= np.trace(expected) / 15
    np.testing.assert_allclose(inner_products(pdist(points)), expected, atol=1e-9)
    assert not inner_products(np.zeros(6)).any()


@pytest.mark.parametrize("in_groups", [False, True])
def test_what_is_left_out_is_fitted_as_without_it(in_groups):
    """The oracle: scikit-learn's kernel ridge regression on the other images alone."""
    points, codes = clouds([9, 7, 11], 1, 1)
    inner = inner_products(pdist(points))
    groups = np.random.default_rng(2).integers(0, 12, 27) if in_groups else np.arange(27)
    found = left_out_fit(inner, codes, 3, groups if in_groups else None)
    targets = np.eye(3)[codes]
    mean = targets.mean(axis=0)
    for group in np.unique(groups):
        out = groups == group
        model = KernelRidge(alpha=module.RIDGE, kernel="precomputed")
        model.fit(inner[np.ix_(~out, ~out)], (targets - mean)[~out])
        expected = model.predict(inner[np.ix_(out, ~out)]) + mean
        np.testing.assert_allclose(found[out], expected, atol=1e-9)


@pytest.fixture
def folder(tmp_path):
    """Two networks, one of them noise; twelve of 120 labels are wrong."""
    points, codes = clouds([40, 40, 40], 2, 3)
    rng = np.random.default_rng(4)
    wrong = rng.permutation(120)[:12]
    codes[wrong] = (codes[wrong] + 1) % 3
    names = np.array(["NA", "b", "c"])[codes]
    images = [f"{place}.jpg" for place in range(120)]
    table = pd.DataFrame({"image": images, "label": names, "source": images})
    write_table(table, tmp_path / "manifest.csv")
    rows = []
    for net, features in (("one", points), ("other", rng.standard_normal((120, 6)))):
        (tmp_path / net).mkdir()
        np.save(tmp_path / net / "deep.mean.npy", pdist(features).astype(np.float32))
        rows.append(("depth", "mine", net, "deep", "mean", "angle"))
    rows.append(("network", "mine", "one", "deep", "mean", "angle"))
    columns = ["scope", "dataset", "extractor", "layer", "pooling", "metric"]
    write_table(pd.DataFrame(rows, columns=columns), tmp_path / "verdict.csv")
    return tmp_path, wrong


def run(folder, output, *options, verdict="verdict.csv"):
    line = ["mislabelled", "manifest.csv", verdict, "one/deep.mean.npy", "other/deep.mean.npy"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        done = CliRunner().invoke(main, [*line, "-o", output, "--dataset", "mine", *options])
    assert done.exit_code == 0, (done.output, done.exception)
    return read_table(folder / output)


def test_planted_wrong_labels_come_first_with_the_right_ones(folder):
    folder, wrong = folder
    table = run(folder, "out.csv")
    assert table.columns.tolist() == ["rank", "image", "label", "likely", "doubt", "source"]
    assert table["rank"].tolist() == list(range(1, 121))
    assert (np.diff(table.doubt) <= 0).all()
    first = table[:12]
    assert len(set(first.image) & {f"{place}.jpg" for place in wrong}) >= 11
    assert (first.doubt > 0).all() and (table.likely != table.label).all()
    names = np.array(["NA", "b", "c"])
    right = {f"{place}.jpg": names[place // 40] for place in wrong}
    assert all(row.likely == right.get(row.image, row.likely) for row in first.itertuples())
    run(folder, "again.csv", "--threads", "3")
    assert (folder / "out.csv").read_bytes() == (folder / "again.csv").read_bytes()


def test_many_images_are_fitted_in_parts(folder, monkeypatch):
    folder, wrong = folder
    whole = run(folder, "whole.csv")
    monkeypatch.setattr(module, "BLOCK", 50)
    parts = run(folder, "parts.csv")
    assert sorted(parts.image) == sorted(whole.image)
    assert (parts.doubt.to_numpy() != whole.doubt.to_numpy()).any()
    assert len(set(parts.image[:12]) & {f"{place}.jpg" for place in wrong}) >= 9


def test_where_no_depth_is_advised_no_label_is_doubted(folder, caplog):
    folder, _ = folder
    verdict = read_table(folder / "verdict.csv").assign(layer="")
    write_table(verdict, folder / "none.csv")
    assert run(folder, "out.csv", verdict="none.csv").empty
    assert "no depth is advised" in caplog.text
