"""What Alipay has signed: sorted `name=value` pairs, or a node's exact text (see gateway)."""

from collections.abc import Mapping


def content(parameters: Mapping[str, str], *, without: tuple[str, ...]) -> str:
    """What is signed: non-empty parameters in byte order. A request leaves out `sign`, a notice `sign_type` too."""
    names = sorted(name for name, value in parameters.items() if value and name not in without)
    return "&".join(f"{name}={parameters[name]}" for name in names)
