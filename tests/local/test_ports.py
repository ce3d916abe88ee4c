"""`free_ports` picks the preferred port if it is free, and never picks a port twice."""

import socket
import subprocess
import sys

from infra.local.stack import ROOT
from infra.local.supervision.ports import LOOPBACK, free_ports


def test_a_free_preferred_port_is_picked() -> None:
    port = free_ports({"any": 0})["any"]
    assert free_ports({"wanted": port}) == {"wanted": port}


def test_another_port_is_picked_when_the_preferred_one_is_taken() -> None:
    with socket.create_server((LOOPBACK, 0)) as listener:
        taken = listener.getsockname()[1]
        assert free_ports({"wanted": taken})["wanted"] != taken


def test_a_port_bound_on_all_addresses_is_not_picked() -> None:
    with socket.create_server(("0.0.0.0", 0)) as listener:
        listener.settimeout(0)  # this socket only occupies the port
        taken = listener.getsockname()[1]
        assert free_ports({"wanted": taken})["wanted"] != taken


def test_two_names_never_get_the_same_port() -> None:
    names = [str(number) for number in range(50)]
    assert len(set(free_ports(dict.fromkeys(names, 0)).values())) == 50
    shared = free_ports({"any": 0})["any"]
    ports = free_ports({"one": shared, "other": shared})
    assert ports["one"] == shared != ports["other"]


def test_picked_ports_can_be_bound_immediately() -> None:
    for port in free_ports({"one": 0, "other": 0}).values():
        socket.create_server((LOOPBACK, port)).close()


def test_picked_ports_are_in_the_order_of_the_names() -> None:
    assert list(free_ports({"b": 0, "a": 0, "c": 0})) == ["b", "a", "c"]


def test_a_port_reserved_by_another_process_is_picked_only_after_its_end() -> None:
    """A local stack whose server restarts keeps the server's port from a second stack."""
    code = (
        "from infra.local.supervision.ports import free_ports\n"
        "print(free_ports({'any': 0})['any'], flush=True)\n"
        "input()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with other:
        assert other.stdout is not None
        reserved = int(other.stdout.readline())
        assert free_ports({"wanted": reserved})["wanted"] != reserved
        other.communicate("\n")
    assert free_ports({"wanted": reserved}) == {"wanted": reserved}
