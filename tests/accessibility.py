"""What axe-core, the checker of accessible pages, has against the page that a browser shows."""

import importlib.resources


def complaints(browser, scheme=None):
    """Return (rule, element) of what axe-core finds, in the colour scheme that is given."""
    if scheme is not None:
        feature = {"name": "prefers-color-scheme", "value": scheme}
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    axe = importlib.resources.files("axe_core_python").joinpath("axe.min.js")
    # Not as a script of the page, which its policy would refuse.
    browser.execute_cdp_cmd("Runtime.evaluate", {"expression": axe.read_text(encoding="utf-8")})
    checked = browser.execute_async_script("axe.run().then(arguments[0])")
    assert checked["passes"], "axe-core looked at nothing"
    return [(found["id"], n["html"]) for found in checked["violations"] for n in found["nodes"]]
