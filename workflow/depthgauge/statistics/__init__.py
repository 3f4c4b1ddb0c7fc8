"""What distances and labels say: goodness, its tests, and the verdict.

``layer`` writes the files of a layer, of each reading a ``cell``: ``goodness`` with its test, by
``permutation`` and by exact ``moments``, and the other ``measures``: ``auc``, the ``accuracy`` of
neighbours, the ``geometry`` of the features. Of all cells together, ``multiplicity`` corrects the
p-values, ``comparison`` tells cells apart, and ``verdict`` names the one to use.
``sampled_goodness`` says what a sample tells of the whole dataset.
"""
