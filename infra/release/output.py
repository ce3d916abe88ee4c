"""Output of the traffic moves: a closed reader or a full disk stops no move half way."""


class Output:
    """Prints lines, and keeps the first error until the moves are over."""

    def __init__(self) -> None:
        self._error: OSError | None = None

    def __call__(self, line: str) -> None:
        """Print a line, unless an earlier one failed."""
        if self._error is not None:
            return
        try:
            print(line, flush=True)
        except OSError as error:  # a closed pipe, a full disk
            self._error = error

    def end(self) -> None:
        """Report the first error, after the last move.

        Raises:
            OSError: a line was not printed; BrokenPipeError where the reader has closed the output.
        """
        if self._error is not None:
            raise self._error
