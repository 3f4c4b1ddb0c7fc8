"""What a distance matrix and labels say: goodness, its tests, and the verdict."""
