"""What a reader finds in the legend of a figure."""


def read_legend(figure):
    """Return the texts of a figure's legend, line by line."""
    figure.draw_without_rendering()
    texts = [(text.get_window_extent(), text.get_text()) for text in figure.legends[0].get_texts()]
    return [text for _, text in sorted(texts, key=lambda one: (-round(one[0].y0), one[0].x0))]
