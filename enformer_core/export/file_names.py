"""Names of files for targets and groups, which may be called anything at all."""

import hashlib
from urllib.parse import quote

_MOST_BYTES = 200
"""Of a name: file systems take 255, and an ending and what marks a file under way come to it."""

_DIGEST_LETTERS = 12


class FileNames:
    """Names within one folder, each a file's own.

    No name leads out of the folder, is hidden, is too long, or differs from another by capitals only, which macOS and
    Windows take for the same. What has to be changed for that is marked by a part of its digest, so that the same texts
    are always called the same.
    """

    def __init__(self) -> None:
        self._taken: dict[str, tuple[str, ...]] = {}

    def of(self, *texts: str, safe: str = " ") -> str:
        """The name for some texts, joined by full stops; no other texts of this folder have it.

        Args:
            texts: such as a target and a group.
            safe: signs that stand in the name as they are, beside letters and digits; a colon is `_`, any
                other `%2F` and the like.
        """
        # Windows has no colons in names, and scp takes what stands before one for a machine
        plain = (text.replace(":", "_") for text in texts)
        name = ".".join(quote(text, safe=safe) for text in plain)
        # `.` and `..` are the folder itself and the one above it
        if name.startswith("."):
            name = f"%2E{name[1:]}"
        digest = hashlib.sha256("\0".join(texts).encode()).hexdigest()[:_DIGEST_LETTERS]
        if len(name) > _MOST_BYTES:
            name = f"{name[:_MOST_BYTES]}~{digest}"
        # a text may end as a digest does: then once more
        while self._taken.setdefault(name.lower(), texts) != texts:
            name = f"{name}~{digest}"
        return name
