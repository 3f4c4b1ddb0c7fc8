import numpy as np
import pytest
from depthgauge.distances.products import inner_products


@pytest.mark.parametrize(("m", "n", "c"), [(1, 1, 1), (3, 7, 5), (50, 20, 384), (130, 129, 64)])
def test_rows_are_multiplied_by_rows_wherever_they_lie(m, n, c):
    rng = np.random.default_rng(m)
    x = rng.standard_normal((m + 2, c + 3), dtype=np.float32)[1:-1, :c]
    y = rng.standard_normal((n, 2 * c), dtype=np.float32)[:, c:]
    out = np.full((m, n + 4), np.nan, np.float32)
    inner_products(x, y, out[:, :n], add=False)
    expected = x.astype(np.float64) @ y.T.astype(np.float64)
    np.testing.assert_allclose(out[:, :n], expected, rtol=1e-5, atol=1e-4)
    assert np.isnan(out[:, n:]).all()


@pytest.mark.parametrize(("m", "c"), [(1, 1), (7, 5), (129, 384)])
def test_rows_with_themselves_fill_the_half_above_the_diagonal(m, c):
    x = np.random.default_rng(m).standard_normal((m, c), dtype=np.float32)
    out = np.full((m, m), np.nan, np.float32)
    inner_products(x, x, out, add=False)
    upper = np.triu_indices(m)
    expected = x.astype(np.float64) @ x.T.astype(np.float64)
    np.testing.assert_allclose(out[upper], expected[upper], rtol=1e-5, atol=1e-4)
    assert np.isnan(out[np.tril_indices(m, -1)]).all()


@pytest.mark.parametrize("itself", [False, True])
def test_products_are_added_to_what_is_there(itself):
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((2, 60, 320), dtype=np.float32)
    y = x if itself else y
    out = np.full((60, 60), np.nan, np.float32)
    for add in (False, True, True):
        inner_products(x, y, out, add=add)
    upper = np.triu_indices(60)
    expected = 3 * x.astype(np.float64) @ y.T.astype(np.float64)
    np.testing.assert_allclose(out[upper], expected[upper], rtol=1e-5, atol=3e-4)
