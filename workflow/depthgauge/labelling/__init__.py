"""Labels for many images from few."""
