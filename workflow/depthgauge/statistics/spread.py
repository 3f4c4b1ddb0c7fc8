"""How a dispersion warning is put in words."""

SPREAD = (
    "classes differ in spread more than in place, which goodness, ANOSIM and MRPP also react to"
)
