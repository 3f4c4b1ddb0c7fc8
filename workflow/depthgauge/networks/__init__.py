"""What needs TensorFlow: networks frozen into graphs, trained ones, and the features they give."""
