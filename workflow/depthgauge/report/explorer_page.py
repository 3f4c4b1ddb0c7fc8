"""The explorer's page: template, style, scripts and data in one HTML file."""

import hashlib
import json
from base64 import b64encode
from pathlib import Path
from string import Template

_PAGE = Path(__file__).parent / "page"
# One after the other they are one script.
_SCRIPTS = ("data", "map", "panels", "page")


def explorer_page(data):
    """Return the bytes of the page that shows ``data``, see ``explorer``.

    All that it needs is inside, and its policy lets in nothing else.
    """
    script = "\n".join(_text(f"explorer_{name}.js") for name in _SCRIPTS)
    style, html = _text("explorer.css"), _text("explorer.html")
    policy = "; ".join(
        [
            "default-src 'none'",
            f"script-src '{_digest(script)}'",
            f"style-src '{_digest(style)}'",
            "img-src data: blob:",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )
    # Within a script element nothing but `<` can end it, whatever a file or a label is called.
    text = json.dumps(data, allow_nan=False).replace("<", "\\u003c")
    return Template(html).substitute(policy=policy, style=style, data=text, script=script).encode()


def _text(name):
    return (_PAGE / name).read_text("utf-8")


def _digest(code):
    return f"sha256-{b64encode(hashlib.sha256(code.encode()).digest()).decode()}"
