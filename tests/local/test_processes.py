"""The supervisor starts processes in order, reports failures, and always stops all processes."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from infra.local.supervision.ports import free_ports
from infra.local.supervision.processes import NotReady, Process, ProcessDied, Processes
from infra.local.supervision.ready import http_ok, port_open
from tests.local.family import family, forget, idle, pids, python, survivors

REPORTS_ITS_END = """
import signal, sys
def end(*_):
    with open(sys.argv[1], "a") as file:
        file.write(sys.argv[2])
    sys.exit()
signal.signal(signal.SIGTERM, end)
print("up")
signal.pause()
"""


def server(name: str, port: int, **settings: object) -> Process:
    argv = (sys.executable, "-S", "-m", "http.server", "--bind", "127.0.0.1", str(port))
    return Process(name=name, argv=argv, **settings)  # type: ignore[arg-type]


class TestStarting:
    async def test_processes_start_in_the_order_of_the_list(self, tmp_path: Path) -> None:
        ready: list[str] = []
        stack = [idle("first"), idle("second"), idle("third")]
        async with Processes(
            stack, run_dir=tmp_path, on_ready=lambda process: ready.append(process.name)
        ):
            assert ready == ["first", "second", "third"]

    async def test_a_process_starts_when_the_processes_it_names_are_ready(
        self, tmp_path: Path
    ) -> None:
        ready: list[str] = []

        async def after_the_others() -> bool:
            return {"quick", "last"} <= set(ready)

        stack = [
            idle("slow", ready=after_the_others),  # ready only after two later processes
            idle("quick", after=()),
            idle("last", after=("quick",)),
        ]
        async with Processes(
            stack, run_dir=tmp_path, on_ready=lambda process: ready.append(process.name)
        ):
            assert ready == ["quick", "last", "slow"]

    async def test_a_server_is_ready_when_it_answers(self, tmp_path: Path) -> None:
        ports = free_ports({"tcp": 0, "http": 0})
        stack = [
            server("tcp", ports["tcp"], ready=port_open(ports["tcp"])),
            server(
                "http",
                ports["http"],
                ready=http_ok(f"http://127.0.0.1:{ports['http']}/"),
                cwd=tmp_path,
            ),
        ]
        async with Processes(stack, run_dir=tmp_path):
            _, writer = await asyncio.open_connection("127.0.0.1", ports["tcp"])
            writer.close()

    async def test_a_process_has_its_own_environment_and_folder(self, tmp_path: Path) -> None:
        (tmp_path / "folder").mkdir()
        code = "import os, signal; print(os.environ['GREETING'], os.getcwd()); signal.pause()"
        log = tmp_path / "logs" / "greeter.txt"

        async def ready() -> bool:
            return "hello" in log.read_text()

        greeter = python(
            "greeter",
            code,
            env={"GREETING": "hello"},
            cwd=tmp_path / "folder",
            log_path=log,
            ready=ready,
        )
        async with Processes([greeter], run_dir=tmp_path):
            assert log.read_text() == f"hello {tmp_path / 'folder'}\n"

    def test_a_process_that_waits_for_an_unknown_or_later_process_is_refused(
        self, tmp_path: Path
    ) -> None:
        with pytest.raises(ValueError, match="two processes are named twin"):
            Processes([idle("twin"), idle("twin")], run_dir=tmp_path)
        with pytest.raises(ValueError, match="first starts after later, which"):
            Processes([idle("first", after=("later",)), idle("later")], run_dir=tmp_path)


class TestFailing:
    async def test_a_process_that_is_not_ready_in_time_is_an_error(self, tmp_path: Path) -> None:
        async def never() -> bool:
            return False

        mute = python(
            "mute",
            "import signal; print('said this'); signal.pause()",
            ready=never,
            ready_timeout_s=0.5,
        )
        with pytest.raises(
            NotReady, match=r"mute was not ready after 0.5 s(.|\n)*said this"
        ) as caught:
            async with Processes([mute], run_dir=tmp_path):
                pytest.fail("it counted as ready")
        assert caught.value.exit_code is None

    async def test_the_error_for_an_early_end_has_the_exit_code_and_the_log(
        self, tmp_path: Path
    ) -> None:
        broken = python("broken", "raise SystemExit('no such bucket')", ready=port_open(1))
        with pytest.raises(
            ProcessDied, match=r"broken ended by itself with exit code 1\b(.|\n)*no such bucket"
        ):
            async with Processes([broken], run_dir=tmp_path):
                pytest.fail("it counted as ready")

    async def test_the_error_names_a_command_that_does_not_exist(self, tmp_path: Path) -> None:
        absent = Process(name="absent", argv=("/nonexistent/java",), ready=port_open(1))
        with pytest.raises(
            ProcessDied, match=r"127(.|\n)*cannot start /nonexistent/java: No such file"
        ):
            async with Processes([absent], run_dir=tmp_path):
                pytest.fail("it counted as ready")

    async def test_a_failed_start_stops_the_processes_that_already_run(
        self, tmp_path: Path
    ) -> None:
        stack = [family(tmp_path), python("broken", "raise SystemExit(3)", ready=port_open(1))]
        with pytest.raises(ProcessDied, match="exit code 3"):
            async with Processes(stack, run_dir=tmp_path):
                pytest.fail("it counted as ready")
        assert not survivors(tmp_path)

    async def test_the_start_fails_when_a_started_process_ends(self, tmp_path: Path) -> None:
        async def never() -> bool:
            if mortal := pids(tmp_path):
                os.kill(mortal[1], signal.SIGKILL)
            return False

        with pytest.raises(ProcessDied, match="family ended by itself with exit code 137"):
            async with Processes(
                [family(tmp_path), idle("waiting", ready=never)], run_dir=tmp_path
            ):
                pytest.fail("it counted as ready")

    async def test_waiting_for_the_stack_fails_when_a_process_ends(self, tmp_path: Path) -> None:
        async with Processes([idle("other"), family(tmp_path)], run_dir=tmp_path) as stack:
            os.kill(int((tmp_path / "parent.pid").read_text()), signal.SIGKILL)
            with pytest.raises(ProcessDied, match="family ended by itself with exit code 137"):
                await stack.wait()
            assert stack.is_running("other")
            assert not stack.is_running("family")
            assert not survivors(tmp_path)  # the children of the killed process have ended too


class TestStopping:
    async def test_processes_stop_in_the_reverse_order_of_the_list(self, tmp_path: Path) -> None:
        order = tmp_path / "order"

        def up(name: str) -> Process:
            async def ready() -> bool:
                return "up" in (tmp_path / f"{name}.log").read_text()

            return python(name, REPORTS_ITS_END, str(order), name, ready=ready)

        async with Processes([up("a"), up("b"), up("c")], run_dir=tmp_path):
            pass
        assert order.read_text() == "cba"

    @pytest.mark.parametrize("deaf", ["no", "deaf"])
    async def test_grandchildren_are_stopped_too_even_in_another_session(
        self, tmp_path: Path, deaf: str
    ) -> None:
        async with Processes([family(tmp_path, deaf, grace_s=0.2)], run_dir=tmp_path):
            assert len(survivors(tmp_path)) == 3
        assert not survivors(tmp_path)

    async def test_an_exception_in_the_body_stops_all_processes_and_propagates(
        self, tmp_path: Path
    ) -> None:
        with pytest.raises(KeyError, match="mine"):
            async with Processes([family(tmp_path)], run_dir=tmp_path):
                raise KeyError("mine")
        assert not survivors(tmp_path)

    async def test_a_second_cancellation_during_the_stop_skips_the_grace_period(
        self, tmp_path: Path
    ) -> None:
        async def stack() -> None:
            async with Processes([family(tmp_path, "deaf", grace_s=3600)], run_dir=tmp_path):
                up.set()
                await asyncio.Event().wait()

        up = asyncio.Event()
        task = asyncio.create_task(stack())
        await up.wait()
        task.cancel()
        await asyncio.sleep(0)  # let the stop begin
        task.cancel()
        async with asyncio.timeout(10):
            await asyncio.wait({task})
        assert task.cancelled()
        assert not survivors(tmp_path)


class TestChaos:
    async def test_a_killed_process_can_be_started_again_and_keeps_its_log(
        self, tmp_path: Path
    ) -> None:
        async with Processes([family(tmp_path, "deaf", grace_s=0.2)], run_dir=tmp_path) as stack:
            await stack.kill("family")
            assert not stack.is_running("family")
            assert not survivors(tmp_path)
            killed = forget(tmp_path)
            (tmp_path / "family.log").write_text("from the first life\n")
            await stack.start("family")
            assert len(survivors(tmp_path)) == 3
            assert set(pids(tmp_path)).isdisjoint(killed)
            assert (tmp_path / "family.log").read_text().startswith("from the first life")
            with pytest.raises(ValueError, match="family is running"):
                await stack.start("family")
        assert not survivors(tmp_path)

    async def test_a_process_that_was_stopped_or_killed_on_purpose_is_not_reported(
        self, tmp_path: Path
    ) -> None:
        async with Processes([idle("one"), idle("two")], run_dir=tmp_path) as stack:
            waiting = asyncio.create_task(stack.wait())
            await stack.kill("one")
            await stack.stop("two")
            await stack.start("one")
            assert not waiting.done()
            waiting.cancel()
