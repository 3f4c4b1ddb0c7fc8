"""TensorFlow's room: networks frozen into graphs, trained ones, and the features they give."""
