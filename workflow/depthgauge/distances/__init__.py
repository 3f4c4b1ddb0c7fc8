"""Distances of all pairs of images: made from shards of features, and the matrix that they are.

Making them: ``shards`` are the files, ``panels`` reads them some columns at a time, ``products``
and ``close_pairs`` make squared distances of panels, ``distances`` those of a layer, and ``blocks``
shares the matrix out among jobs. The matrix is in ``matrix``, and what is had from it alone in
``angle`` and ``neighbours``.
"""
