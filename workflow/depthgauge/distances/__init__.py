"""Distances of all pairs of images: made from shards of features, and the matrix that they are.

Making them: ``shards`` are the files, ``panels`` reads them some columns at a time, ``products``
and ``close_pairs`` make squared distances of panels, ``distances`` those of a layer, and ``blocks``
shares the matrix out among jobs. The matrix is in ``matrix``, ``reading`` opens that of a reading
of a layer, and with labels it is ``labelled``. What is had from it alone is in ``angle`` and
``neighbours``; ``passes`` are the ways to go over it in threads.
"""
