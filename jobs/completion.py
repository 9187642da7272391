"""`enformer-ray --install-completion`: the script by which a shell completes commands and options."""

from dataclasses import dataclass, field
from typing import Literal

from enformer_core.errors import InputError
from enformer_core.user_path import user_path, why_unwritable
from jobs import exit_codes
from jobs.option_types import OptionalWrittenFile

Shell = Literal["bash", "zsh", "fish", "powershell"]


@dataclass(frozen=True)
class CompletionSettings:
    """What `enformer-ray --install-completion` is asked for."""

    shell: Shell | None = field(default=None, kw_only=True)
    """for which shell (default the one that this is called from)"""

    output: OptionalWrittenFile = field(default=None, kw_only=True)
    """where to write the script (default where the shell looks for it, with a line in its start-up file)"""


def install(settings: CompletionSettings) -> int:
    """Write the script of the shell, and say where it went.

    Returns:
        The exit code.

    Raises:
        InputError: where the shell is not known, or the script cannot be written.
    """
    from pathlib import Path

    from cyclopts.completion import detect_shell
    from cyclopts.completion.detect import ShellDetectionError

    from jobs.cli import whole_app

    try:
        shell = settings.shell or detect_shell()
    except ShellDetectionError as error:
        raise InputError(
            "the shell that this is called from is not known; give --shell bash, zsh, fish or powershell"
        ) from error
    output = None if settings.output is None else Path(user_path(settings.output))
    try:
        # With a place of the user's choice, start-up files are the user's affair too.
        path = whole_app().install_completion(
            shell=shell, output=output, add_to_startup=output is None
        )
    except OSError as error:
        name = output or error.filename or "the shell's script"
        why = why_unwritable(Path(name), error)
        raise InputError(f"{name}: cannot be written: {why}") from error
    print(f"{path}: completion for {shell}; open a new shell")
    return exit_codes.DONE
