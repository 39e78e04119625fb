"""Critical differences compared with scipy's tests and published critical values."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from sklearn_ser.exceptions import MetadataError
from sklearn_ser.metrics import critical_difference, holm


def scores(n=14, shifts=(0.0, 0.01, 0.08, 0.09), seed=0):
    rng = np.random.default_rng(seed)
    values = rng.normal(0.6, 0.1, (n, 1)) + rng.normal(shifts, 0.02, (n, len(shifts)))
    return pd.DataFrame(values, columns=list("abcdefgh"[: len(shifts)]))


@pytest.mark.parametrize("ties", [False, True])
def test_friedman_is_scipys(ties):
    table = scores(shifts=(0, 0.005, 0.01, 0.015))
    table = table.round(2) if ties else table
    found = critical_difference(table)
    assert found.p_value == pytest.approx(stats.friedmanchisquare(*table.to_numpy().T).pvalue)
    ranks = table.rank(axis=1, ascending=False).mean().sort_values()
    pd.testing.assert_series_equal(found.average_ranks, ranks.rename("rank"))
    turned = critical_difference(-table, greater_is_better=False)
    pd.testing.assert_series_equal(turned.average_ranks, found.average_ranks)


@pytest.mark.parametrize(("k", "q"), [(2, 1.960), (4, 2.569), (5, 2.728), (8, 3.031)])
def test_nemenyi_has_the_published_critical_values(k, q):
    """Table 5(a) of Demsar (2006)."""
    found = critical_difference(scores(shifts=np.zeros(k)), method="nemenyi")
    assert found.critical_difference == pytest.approx(q * np.sqrt(k * (k + 1) / (6 * 14)), abs=1e-3)


def test_nemenyi_pairs_further_apart_than_the_critical_difference_are_significant():
    found = critical_difference(scores(), method="nemenyi")
    ranks = found.average_ranks
    for first in ranks.index:
        for second in ranks.index:
            apart = abs(ranks[first] - ranks[second]) > found.critical_difference
            assert (found.p_values.loc[first, second] < 0.05) == apart
    assert [set(clique) for clique in found.cliques] == [{"c", "d"}, {"a", "b"}]


def test_wilcoxon_pairs_are_scipys_with_holm():
    table = scores()
    found = critical_difference(table)
    pairs = [(a, b) for i, a in enumerate(table) for b in list(table)[i + 1 :]]
    p = holm([stats.wilcoxon(table[a], table[b], method="exact").pvalue for a, b in pairs])
    for (a, b), expected in zip(pairs, p, strict=True):
        assert found.p_values.loc[a, b] == found.p_values.loc[b, a] == pytest.approx(expected)
    assert np.isnan(found.critical_difference)
    assert found.n_blocks == 14
    assert [set(clique) for clique in found.cliques] == [{"c", "d"}, {"a", "b"}]


def test_no_pair_is_significant_unless_friedmans_test_is():
    found = critical_difference(scores(shifts=(0, 0, 0), seed=1))
    assert found.p_value > 0.05
    assert found.cliques == [tuple(found.average_ranks.index)]
    same = critical_difference(pd.DataFrame(np.ones((5, 3))))
    assert same.p_value == 1.0
    assert (same.p_values == 1).all(axis=None)


def test_cliques_may_overlap():
    table = scores(n=12, shifts=(0.0, 0.012, 0.024), seed=7)
    found = critical_difference(table)
    p, (first, second, third) = found.p_values, found.average_ranks.index
    assert p.loc[first, third] < 0.05 < min(p.loc[first, second], p.loc[second, third])
    assert found.cliques == [(first, second), (second, third)]


def test_errors():
    with pytest.raises(MetadataError, match=r"two or more rows .* got the shape \(1, 3\)"):
        critical_difference(pd.DataFrame([[1.0, 2.0, 3.0]]))
    table = scores()
    table.iloc[3, 1] = np.nan
    with pytest.raises(MetadataError, match="scores are missing in row 3, but each"):
        critical_difference(table)
