"""Runs one command and kills all its processes when the launcher closes standard input or dies.

    python -I -S leash.py -- COMMAND [ARGUMENT ...]  < a pipe that the launcher keeps open

- End of file on standard input (the launcher closed the pipe, or was killed): the leash sends
  SIGKILL to the command and all its descendants.
- SIGTERM, SIGINT, SIGHUP: the leash forwards the signal to the command's process group; any
  further step is up to the launcher.
- The command ends: the leash kills its remaining descendants and exits with the command's exit code
  (128 + N after signal N, 127 when it cannot be started).

A separate process is needed. PR_SET_PDEATHSIG in a preexec_fn is Linux only, covers the child and
not the grandchildren, fires when the *thread* that forked ends, and preexec_fn may deadlock in a
program with threads. The kernel of every Unix closes a pipe when its owner dies, for any cause. The
cost is one process and 20 ms a command; hence -I -S, few imports, and no import of this package.

On Linux the leash is also a "child subreaper": it inherits, and kills, grandchildren that moved to
their own session (firebase-tools starts Java that way), and PR_SET_PDEATHSIG ends the command when
the leash itself is killed. Elsewhere the leash reaches only the process group.
"""

import os
import select
import signal
import sys
from contextlib import suppress

# <linux/prctl.h>
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36

FORWARDED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
CANNOT_START = 127  # as a shell returns for a command that it cannot run


def main(arguments: list[str]) -> int:
    """Run the command after the `--`; returns the exit code."""
    command = arguments[1:]
    if arguments[:1] != ["--"] or not command:
        print("usage: leash.py -- COMMAND [ARGUMENT ...]", file=sys.stderr)
        return 2
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    signals = _signal_pipe()
    child = _start(command)
    status = _wait(child, signals)
    _kill_all(child)
    return status


def _signal_pipe() -> int:
    """A file descriptor that receives each handled signal as one byte, its number.

    select() can watch this pipe together with standard input: no thread, and no race between
    looking and sleeping.
    """
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
    for number in (*FORWARDED, signal.SIGCHLD):
        # Also where a signal is ignored (nohup, a background job): the leash must forward it.
        signal.signal(number, lambda *_: None)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())  # also in the command, which inherits the mask
    return read_end


def _start(command: list[str]) -> int:
    """Start the command in its own process group, without our standard input; its process id."""
    leash = os.getpid()
    child = os.fork()
    if child:
        # Both sides of the fork set the group, so that neither continues without it. The child may
        # have done so and become the command (PermissionError), or ended.
        with suppress(PermissionError, ProcessLookupError):
            os.setpgid(child, child)
        return child
    try:
        os.setpgid(0, 0)
        _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != leash:  # the leash was killed before the line above
            os._exit(CANNOT_START)
        _default_signals()
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.execvp(command[0], command)
    except OSError as error:
        print(f"cannot start {command[0]}: {error.strerror}", file=sys.stderr, flush=True)
    os._exit(CANNOT_START)


def _default_signals() -> None:
    """Reset ignored signals, so that the command ignores none.

    exec resets handlers but keeps ignored signals: SIGPIPE, which Python itself ignores, SIGHUP
    under nohup, SIGINT in a background job of a script.
    """
    for number in signal.valid_signals():
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


def _wait(child: int, signals: int) -> int:
    """Wait for the end of the command or of standard input; returns the exit code of a shell."""
    while True:
        readable, _, _ = select.select([0, signals], [], [])
        if signals in readable:
            for number in os.read(signals, 64):
                if number in FORWARDED:
                    with suppress(ProcessLookupError, PermissionError):
                        os.killpg(child, number)
            status = _reap(child)
            if status is not None:
                return status
        if 0 in readable and not os.read(0, 64):
            return 128 + signal.SIGKILL


def _reap(child: int) -> int | None:
    """Reap the ended processes; returns the command's exit code when it is among them."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return None
        if pid == 0:
            return None
        if pid == child:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


def _kill_all(group: int) -> None:
    """Send SIGKILL to the command's group and to every child of ours, until none is left."""
    # On macOS a signal to a group of zombies is "not permitted".
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)
    while True:
        for pid in _children():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        try:
            os.waitpid(-1, 0)  # the children of an ended process become ours: look again
        except ChildProcessError:
            return


def _children() -> list[int]:
    """Our children's process ids from /proc/PID/stat; none on a system without /proc."""
    found = []
    for entry in os.listdir("/proc") if os.path.isdir("/proc/self") else []:
        if entry.isdigit():
            with suppress(OSError), open(f"/proc/{entry}/stat", "rb") as stat:
                # pid (name) state parent ...; the name may contain spaces and parentheses
                if int(stat.read().rpartition(b")")[2].split()[1]) == os.getpid():
                    found.append(int(entry))
    return found


def _prctl(option: int, value: int) -> None:
    """Set one Linux process attribute; does nothing on other systems."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
