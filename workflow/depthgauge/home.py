"""Where the workflow lies: the Snakefile, the rules, the schema, the captions and the profiles."""

from pathlib import Path

# A wheel carries them within the package (setup.py); in a checkout they lie around it.
_CARRIED = Path(__file__).parent / "home"
HOME = _CARRIED if _CARRIED.is_dir() else Path(__file__).parents[2]
SNAKEFILE = HOME / "Snakefile"
