"""The explorer's page: template, style, scripts and data in one HTML file."""

import hashlib
import json
from base64 import b64encode
from pathlib import Path
from string import Template

from plotly.offline import get_plotlyjs

_PAGE = Path(__file__).parent / "page"


def explorer_page(data):
    """Return the bytes of the page that shows ``data``, see ``explorer``.

    All that it needs is inside, and its policy lets in nothing else.
    """
    plotly, script, style, html = (
        get_plotlyjs(),
        *((_PAGE / f"explorer.{kind}").read_text("utf-8") for kind in ("js", "css", "html")),
    )
    digests = [hashlib.sha256(code.encode()).digest() for code in (plotly, script)]
    policy = "; ".join(
        [
            "default-src 'none'",
            # These two scripts alone; within them plotly's WebGL compiles functions from text.
            "script-src 'unsafe-eval' "
            + " ".join(f"'sha256-{b64encode(digest).decode()}'" for digest in digests),
            "style-src 'unsafe-inline'",
            "img-src data: blob:",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )
    # Within a script element nothing but `<` can end it, whatever a file or a label is called.
    text = json.dumps(data, allow_nan=False).replace("<", "\\u003c")
    return (
        Template(html)
        .substitute(policy=policy, style=style, data=text, plotly=plotly, script=script)
        .encode()
    )
