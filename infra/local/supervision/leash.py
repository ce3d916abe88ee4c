"""Runs one command, and kills all its processes when the launcher closes standard input or dies.

    python -I -S leash.py -- COMMAND [ARGUMENT ...]  < a pipe that the launcher keeps open

- End of file on standard input (the launcher closed the pipe, or was killed): the leash sends
  SIGKILL to the command and all its descendants.
- SIGTERM, SIGINT, SIGHUP: the leash forwards the signal to the command's process group; the
  launcher decides on any further step.
- The command ends: the leash kills its remaining descendants and exits with the command's exit code
  (128 + N after signal N, 127 when it cannot be started).

A separate process is needed, because PR_SET_PDEATHSIG in a preexec_fn is Linux only, covers the
child but not the grandchildren, and fires when the *thread* that forked ends, and because
preexec_fn may deadlock in a program with threads. In contrast, the kernel of every Unix closes a
pipe when the pipe's owner dies, for any cause. The cost is one process and 20 ms per command. To
keep it low, the leash runs with -I -S, has few imports, and does not import this package.

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
    """Run the command after the `--` and return its exit code."""
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
    """Return a file descriptor that receives each handled signal as one byte, the signal's number.

    select() can watch this pipe together with standard input. So no thread is needed, and no signal
    can be missed between looking and sleeping.
    """
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
    for number in (*FORWARDED, signal.SIGCHLD):
        # Signals that are ignored (nohup, a background job) are handled too, since the leash must
        # forward them.
        signal.signal(number, lambda *_: None)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())  # the command inherits the mask
    return read_end


def _start(command: list[str]) -> int:
    """Start the command in its own process group and return its process id.

    The command does not inherit the leash's standard input.
    """
    leash = os.getpid()
    child = os.fork()
    if child:
        # Both sides of the fork set the group, so that neither continues without the group. The
        # child may have become the command already (PermissionError), or may have ended.
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
    """Reset ignored signals to their default, so that the command does not ignore any signal.

    exec resets handlers but keeps signals ignored: SIGPIPE, which Python itself ignores, SIGHUP
    under nohup, and SIGINT in a background job of a script.
    """
    for number in signal.valid_signals():
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


def _wait(child: int, signals: int) -> int:
    """Wait until the command or standard input ends; return the exit code as a shell would."""
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
    """Reap the ended processes; return the command's exit code if the command has ended."""
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
    """Send SIGKILL to the command's group and to every child of the leash, until none is left."""
    # On macOS a signal to a group of zombies raises "not permitted".
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)
    while True:
        for pid in _children():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        try:
            os.waitpid(-1, 0)  # its children may have become the leash's
        except ChildProcessError:
            return


def _children() -> list[int]:
    """Return the leash's children (process ids in /proc/PID/stat); none if there is no /proc."""
    found = []
    for entry in os.listdir("/proc") if os.path.isdir("/proc/self") else []:
        if entry.isdigit():
            with suppress(OSError), open(f"/proc/{entry}/stat", "rb") as stat:
                # pid (name) state parent ...; the name may contain spaces and parentheses
                if int(stat.read().rpartition(b")")[2].split()[1]) == os.getpid():
                    found.append(int(entry))
    return found


def _prctl(option: int, value: int) -> None:
    """Set one Linux process attribute; do nothing on other systems."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
