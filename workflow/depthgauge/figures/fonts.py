"""Fonts for what the figures' own font has no glyphs for."""

import logging
import unicodedata

from matplotlib import font_manager

log = logging.getLogger(__name__)

OWN = "DejaVu Sans"  # comes with matplotlib: the same letters everywhere
_UNSEEN = ("Cc", "Cf", "Zs", "Zl", "Zp")  # Unicode's categories of controls and spaces


def fonts_for(text):
    """Return the fonts to draw ``text`` with, and the characters that will stand as boxes.

    Parameters
    ----------
    text : str

    Returns
    -------
    families : list of str
        ``OWN``, and after it as few of the installed fonts as have what it lacks.
    missing : str
        The characters that no installed font has, each once, in Unicode's order.
    """
    families, left = [OWN], {letter for letter in text if not letter.isascii()}
    left -= {letter for letter in left if unicodedata.category(letter) in _UNSEEN}
    left -= _known(font_manager.findfont(OWN), left)
    entries = _installed() if left else []
    while left:
        known, entry = max(
            ((_known(entry.fname, left), entry) for entry in entries),
            key=lambda found: len(found[0]),  # of equal ones the first
            default=(set(), None),
        )
        if not known:
            break
        families.append(entry.name)
        left -= known
    return families, "".join(sorted(left))


def _known(file, letters):
    """Return those of ``letters`` of which the font in ``file`` has a glyph."""
    font = font_manager.get_font(file)
    return {letter for letter in letters if font.get_char_index(ord(letter))}


def _installed():
    """Return an upright font of each file that is installed, plain ones first."""
    manager = font_manager.fontManager
    # Matplotlib remembers what was installed when it was first used.
    for file in set(font_manager.findSystemFonts()) - {entry.fname for entry in manager.ttflist}:
        try:
            manager.addfont(file)
        except Exception as error:  # of any kind, as fonts are broken in any way
            log.debug("%s: %s", file, error)
    upright = [entry for entry in manager.ttflist if entry.style == "normal"]
    plain_first = sorted(
        upright, key=lambda e: ("Sans" not in e.name, abs(e.weight - 400), e.fname)
    )
    # A font of last resort has a box for everything.
    files = {entry.fname: entry for entry in reversed(plain_first) if "Last" not in entry.name}
    return list(reversed(files.values()))
