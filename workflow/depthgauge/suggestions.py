"""The names that stand near one that does not exist."""

from difflib import get_close_matches

# More names than this are not listed, but those that are nearest.
LISTED = 20


def did_you_mean(name, known, otherwise=""):
    """Return ``; did you mean 'b'?`` with the name of ``known`` that is nearest to ``name``.

    Capitals do not count. Where none is near, ``otherwise`` is returned.
    """
    by_lower = {str(one).lower(): one for one in known}
    close = get_close_matches(str(name).lower(), by_lower, n=1)
    return f"; did you mean {by_lower[close[0]]!r}?" if close else otherwise


def those_there(wanted, known):
    """Return a clause that names what there is: ``it has: a, b``.

    Parameters
    ----------
    wanted : sequence of str
        Names that do not exist.
    known : sequence of str
        Those that do, from shallow to deep. Up to 20 are all listed; of more, those nearest to
        the wanted ones are, and how many there are.
    """
    known = list(dict.fromkeys(known))
    if len(known) <= LISTED:
        return f"it has: {', '.join(known)}"
    near = []
    for name in wanted:
        last = {place: place.rsplit("/", 1)[-1] for place in known}
        near += [place for place in known if last[place] == name]
        near += get_close_matches(name, known, n=5, cutoff=0.5)
        like = get_close_matches(name, set(last.values()), n=5, cutoff=0.5)
        near += [place for place in known if last[place] in like][:5]
    near = list(dict.fromkeys(near))[:10]
    if near:
        return f"of its {len(known)}, nearest are: {', '.join(near)}"
    ends = [*known[:3], "...", *known[-10:]]
    return f"it has {len(known)}, from {', '.join(ends)}"
