"""Distances of all pairs of images, from shards of features."""
