"""Runs one command and lets nothing of it outlive whoever holds the other end of standard input.

    python -I -S leash.py -- COMMAND [ARGUMENT ...]  < a pipe that the launcher keeps open

- End of file on standard input (the launcher closed the pipe, or was killed): SIGKILL to the
  command and all it started.
- SIGTERM, SIGINT, SIGHUP: passed on to the command's process group; a second end is up to the
  launcher.
- The command ends: what it left running is killed too, and its exit code is ours (128 + N after
  signal N, 127 when it cannot be started).

Why a process in between, and not one line in the launcher. PR_SET_PDEATHSIG in a preexec_fn is
Linux only, covers the child and not the grandchildren, fires when the *thread* that forked ends,
and preexec_fn may deadlock in a program with threads. A pipe is closed by the kernel however its
holder dies, on every Unix. The price is a process and 20 ms a command; hence -I -S,
few imports, and no import of this package.

Where Linux has more to offer it is taken: as "child subreaper" the leash also inherits, and kills,
grandchildren that moved to a session of their own (firebase-tools starts Java that way), and
PR_SET_PDEATHSIG ends the command when the leash itself is killed. Elsewhere the process group is
the limit.
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
CANNOT_START = 127  # what a shell answers for a command that it cannot run


def main(arguments: list[str]) -> int:
    """Run `arguments` after the `--`; returns the exit code to end with."""
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
    """The file descriptor on which every signal that concerns us arrives as one byte, its number.

    A pipe that select() can watch together with standard input: no thread, and no race between
    looking and sleeping.
    """
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
    for number in (*FORWARDED, signal.SIGCHLD):
        # Also where they are ignored (nohup, a shell's background job): a signal to the leash is
        # for the command.
        signal.signal(number, lambda *_: None)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())  # also in the command, which inherits the mask
    return read_end


def _start(command: list[str]) -> int:
    """Start the command, in a group of its own and without our standard input; its process id."""
    leash = os.getpid()
    child = os.fork()
    if child:
        # On both sides of the fork, so that neither goes on before it is done. It may also have
        # done so and become the command (PermissionError), or ended.
        with suppress(PermissionError, ProcessLookupError):
            os.setpgid(child, child)
        return child
    try:
        os.setpgid(0, 0)
        _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != leash:  # it was killed before the line above
            os._exit(CANNOT_START)
        _default_signals()
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.execvp(command[0], command)
    except OSError as error:
        print(f"cannot start {command[0]}: {error.strerror}", file=sys.stderr, flush=True)
    os._exit(CANNOT_START)


def _default_signals() -> None:
    """The command ignores no signal, whatever the launcher inherited from its own parent.

    exec resets handlers and keeps the rest: SIGPIPE, which Python itself ignores, SIGHUP under
    nohup, SIGINT in a background job of a script.
    """
    for number in signal.valid_signals():
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


def _wait(child: int, signals: int) -> int:
    """Until the command ends or the launcher lets go; returns the exit code in the shell's way."""
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
    """Collect whoever has ended; the command's exit code when it was among them."""
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
    """SIGKILL to the command's group and to every child of ours, until none is left."""
    # A group of zombies is "not permitted" on macOS.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)
    while True:
        for pid in _children():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        try:
            os.waitpid(-1, 0)  # as each one ends, its own children become ours: look again
        except ChildProcessError:
            return


def _children() -> list[int]:
    """Our children's process ids, as /proc/PID/stat has them; none where there is no /proc."""
    found = []
    for entry in os.listdir("/proc") if os.path.isdir("/proc/self") else []:
        if entry.isdigit():
            with suppress(OSError), open(f"/proc/{entry}/stat", "rb") as stat:
                # pid (name) state parent ...; the name may hold spaces and parentheses
                if int(stat.read().rpartition(b")")[2].split()[1]) == os.getpid():
                    found.append(int(entry))
    return found


def _prctl(option: int, value: int) -> None:
    """One Linux process attribute; elsewhere nothing."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
