"""A browser in few words, for who reads where they are logged in."""

import re

# The first that fits: most name others too.
BROWSERS = (
    (r"MicroMessenger", "WeChat"),
    (r"Edg(?:e|A|iOS)?/", "Edge"),
    (r"OPR/|Opera", "Opera"),
    (r"Firefox|FxiOS", "Firefox"),
    (r"Chrome|CriOS|Chromium", "Chrome"),
    (r"Safari", "Safari"),
)
SYSTEMS = (
    (r"Android", "Android"),
    (r"iPhone|iPod", "iPhone"),
    (r"iPad", "iPad"),
    (r"Windows", "Windows"),
    (r"Mac OS X|Macintosh", "macOS"),
    (r"Linux|X11", "Linux"),
)


def in_words(agent: str) -> str:
    """Return such as "Chrome · Windows", or "" of what is not known."""
    found = (next((name for pattern, name in known if re.search(pattern, agent)), "") for known in (BROWSERS, SYSTEMS))
    return " · ".join(filter(None, found))
