"""The perplexity that a number of images allows."""


def usable_perplexity(perplexity, n):
    """Return ``perplexity``, lowered to what ``n`` images allow.

    t-SNE takes 3 * perplexity neighbours of each image. A perplexity near 1, or near the
    number of neighbours, has no solution; hence the floor of 1.5 for fewer than six images.
    """
    return min(perplexity, max((n - 1) / 3, 1.5))
