"""What went wrong, said once and the same way everywhere: where, what came, what was expected, what to do."""

from __future__ import annotations

from collections.abc import Sequence


class TcsError(Exception):
    """Any fault a user can meet. Shown as plain lines, never as a traceback.

    Parameters
    ----------
    message
        One sentence: what came and what was expected, then what to do about it.
    where
        File, field or row the message is about.
    """

    exit_code = 1

    def __init__(self, message: str, where: str = "") -> None:
        self.where = where
        self.message = " ".join(message.split())
        super().__init__(f"{where}: {self.message}" if where else self.message)

    @property
    def lines(self) -> list[str]:
        """The fault as lines to print: one."""
        return [str(self)]


class InputRefused(TcsError):
    """The study, its data or its design cannot be used as given (exit code 2)."""

    exit_code = 2


class Refusals(InputRefused):
    """Several refusals found in one reading, shown together (exit code 2)."""

    def __init__(self, refusals: Sequence[InputRefused]) -> None:
        self.refusals = list(refusals)
        super().__init__("")
        self.args = ("\n".join(self.lines),)

    @property
    def lines(self) -> list[str]:
        """One line for each refusal."""
        return [str(r) for r in self.refusals]


class RunFailed(TcsError):
    """The input was accepted and the run broke all the same (exit code 1)."""


class NotEstimable(RunFailed):
    """The data hold no answer to the question asked of them: no variance, no convergence, too few rows."""


def refuse_all(refusals: Sequence[InputRefused]) -> None:
    """Raise what was found: nothing, the one refusal, or all of them together."""
    if len(refusals) == 1:
        raise refusals[0]
    if refusals:
        raise Refusals(refusals)
