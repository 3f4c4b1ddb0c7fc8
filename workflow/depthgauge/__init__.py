"""depthgauge: how deep into a pretrained network to look for features of your images."""

__version__ = "0.1.0"
