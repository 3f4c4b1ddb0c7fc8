"""What a run has found of a dataset before all of its networks are done."""

from pathlib import Path

from ..plan import read_plan
from ..statistics.wording import of_100
from ..tables import gathered


def so_far(results, dataset, done):
    """Return a sentence on the best layer of the networks that are done, or None.

    Parameters
    ----------
    results : path
        The folder of a run.
    dataset : str
    done : set of (extractor, layer)
        The cells of the dataset whose goodness is there.

    Returns
    -------
    str or None
        None where no network is done, where all are, or where only controls are: what is untrained
        or is principal components is what must be beaten.
    """
    results = Path(results)
    plan = read_plan(results / "plan.json")
    ready = [
        extractor
        for extractor, layers in plan.layers.items()
        if all((extractor, layer) in done for layer in layers)
    ]
    shown = [name for name in ready if name not in plan.controls()]
    to_come = [name for name in plan.layers if name not in ready]
    if not shown or not to_come:
        return None
    table = gathered(
        results / "nulls" / dataset / extractor / f"{layer}.csv"
        for extractor in shown
        for layer in plan.layers[extractor]
    )
    best = table.loc[table.knn1_half.astype(float).idxmax()]
    return (
        f"{dataset}, so far: {best.extractor} does best at {best.layer}, where the most similar "
        f"picture is of the same class for about {of_100(float(best.knn1_half))} of 100; "
        f"{', '.join(to_come)} to come"
    )
