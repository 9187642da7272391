"""Text as pictures may show it. A library that draws ends the whole program at signs that XML does not have."""

import re
from typing import Any

from enformer_core.user_path import one_line

_NOT_XML = re.compile("[\ud800-\udfff\ufffe\uffff]")


def shown(text: str) -> str:
    r"""A text of signs that XML, a browser and a font know; others stand there by number: `\x1b`, `\ud800`."""
    return _NOT_XML.sub(lambda sign: f"\\u{ord(sign[0]):04x}", one_line(text))


def shown_in(content: Any) -> Any:
    """JSON of which all texts, names of fields too, are as `shown` says."""
    if isinstance(content, str):
        return shown(content)
    if isinstance(content, list):
        return [shown_in(each) for each in content]
    if isinstance(content, dict):
        return {shown(name): shown_in(each) for name, each in content.items()}
    return content
