"""The server's side of netperf's control protocol, against clients who do not keep to it; and the listening process."""

import contextlib
import errno
import os
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from ipaddress import ip_network

import pytest

from pathgauge.errors import MachineError
from pathgauge.peers.netperf import datasocket, frames, netserver, plan, serving, session
from pathgauge.peers.netperf.frames import Flag, Frame, Kind, Value
from pathgauge.peers.netperf.netserver import Child, Server, Waiting
from pathgauge.peers.netperf.plan import Limits, Plan, Refused
from pathgauge.peers.netperf.server_options import ServerSettings
from pathgauge.peers.netperf.serving import Client
from pathgauge.peers.netperf.session import Rules

HERE, THIRD = "127.0.0.1", "127.0.0.66"  # the client, and somebody else
SHORT = 0.2
LIMITS = Limits(max_length=5.0)
NOBODY_HEARS = 1.0
Asked = dict[str, Value]


# --- one session ------------------------------------------------------------------------------------------------------


class Session:
    """A client's end of a control connection; at the other, a thread that serves."""

    def __init__(self, rules: Rules, client: str = HERE) -> None:
        self.log: list[str] = []
        with socket.create_server((HERE, 0)) as listener:
            self.control = socket.create_connection(listener.getsockname(), timeout=10, source_address=(client, 0))
            served, _ = listener.accept()
        self.thread = threading.Thread(target=self._serve, args=(served, rules), daemon=True)
        self.thread.start()

    def _serve(self, served: socket.socket, rules: Rules) -> None:
        with served:
            session.serve(served, rules, self.log.append)

    def send(self, kind: int, payload: bytes = b"", status: int = -1) -> None:
        self.control.sendall(Frame(kind, status, payload).pack())

    def receive(self) -> Frame | None:
        """The next message; None where the server has closed."""
        raw = b""
        while len(raw) < frames.FRAME_BYTES:
            try:
                part = self.control.recv(frames.FRAME_BYTES - len(raw))
            except ConnectionResetError:
                return None
            if not part:
                return None
            raw += part
        return Frame.unpack(raw)

    def ask(self, kind: int, payload: bytes = b"", status: int = -1) -> Frame:
        self.send(kind, payload, status)
        answer = self.receive()
        assert answer is not None
        return answer

    def ask_omni(self, **changed: Value) -> int:
        """Ask for a TCP_STREAM, but for what is changed; the data port."""
        answer = self.ask(Kind.OMNI, omni(changed))
        assert answer.status == 0, os.strerror(answer.status)
        port = frames.OMNI_RESPONSE.unpack(answer.payload)["port"]
        assert isinstance(port, int)
        return port

    def results(self) -> Asked:
        answer = self.receive()
        assert answer is not None
        assert (answer.kind, answer.status) == (Kind.OMNI + 2, 0)
        return frames.OMNI_RESULTS.unpack(answer.payload)

    def lives(self) -> bool:
        return self.ask(Kind.CALIBRATE).kind == Kind.CALIBRATE

    def ended(self, seconds: float = 3) -> bool:
        """Whether the server's side of it ends in that time."""
        self.thread.join(seconds)
        return not self.thread.is_alive()


def omni(changed: Asked) -> bytes:
    usual: Asked = {
        **dict.fromkeys(("send_buffer", "send_size", "request_size"), -1),
        **dict.fromkeys(("receive_buffer", "receive_size", "response_size", "priority", "tos"), -1),
        "flags": Flag.ROUTING,
        "length": 1,
        "family": frames.IPV4,
        "socket_type": frames.STREAM,
        "protocol": socket.IPPROTO_TCP,
        "direction": frames.RECEIVE,
    }
    return frames.OMNI_REQUEST.pack(usual | changed)


UDP: Asked = {"socket_type": frames.DATAGRAM, "protocol": socket.IPPROTO_UDP}
EXCHANGE: Asked = {"direction": frames.RECEIVE | frames.TRANSMIT, "request_size": 1, "response_size": 1}


@contextlib.contextmanager
def serving_one(rules: Rules = Rules(limits=LIMITS), client: str = HERE) -> Iterator[Session]:  # noqa: B008 - frozen
    made = Session(rules, client)
    try:
        yield made
    finally:
        made.control.close()
        assert made.ended(), "the session outlives its client"


def test_what_is_no_request_is_answered_and_the_session_goes_on() -> None:
    with serving_one() as one:
        for kind in (-(2**31), -1, 0, 4, 22, 65535, 65536, 2**31 - 1):
            answer = one.ask(kind)
            assert answer.status == frames.UNKNOWN_REQUEST
        assert one.ask(Kind.DEBUG_ON).kind == Kind.DEBUG_OK
        assert b"Deprecated" in one.ask(Kind.SYSINFO).payload
        one.send(Kind.PASSPHRASE, b"for nobody")
        assert one.lives()


@pytest.mark.parametrize("phrase", ["secret", "g\u00fcltig", "no utf-8: \udcff"])
def test_a_passphrase_lets_in_who_knows_it_alone(phrase: str) -> None:
    rules = Rules(passphrase=phrase)
    right = phrase.encode(errors="surrogateescape")
    with serving_one(rules) as one:
        one.send(Kind.PASSPHRASE, right + b"\0rest")
        assert one.lives()
    for kind, given in (
        (Kind.PASSPHRASE, right[:-1]),
        (Kind.PASSPHRASE, right + b"x"),
        (Kind.PASSPHRASE, b""),
        (Kind.PASSPHRASE, b"x" * frames.PAYLOAD_BYTES),
        (Kind.CALIBRATE, right),
        (Kind.OMNI, omni({})),
    ):
        with serving_one(rules) as one:
            one.send(kind, given)
            assert one.receive() is None
            assert one.ended()


@pytest.mark.parametrize("sent", [0, 1, 655])
def test_half_a_message_and_silence_end_the_session(sent: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "PASSPHRASE_SECONDS", SHORT)
    monkeypatch.setattr(session, "SILENCE_SECONDS", SHORT)
    monkeypatch.setattr(session, "FRAME_SECONDS", SHORT)
    with serving_one() as one:
        one.control.sendall(Frame(Kind.CALIBRATE).pack()[:sent])
        assert one.receive() is None
        assert one.ended()


def test_a_message_that_drips_has_one_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "FRAME_SECONDS", SHORT)
    with serving_one() as one:
        start = time.monotonic()
        with contextlib.suppress(OSError):
            for byte in Frame(Kind.CALIBRATE).pack():
                one.control.sendall(bytes([byte]))
                time.sleep(0.02)
        assert time.monotonic() - start < 5 * SHORT
        assert one.ended()


def test_who_does_not_read_its_answers_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "SEND_SECONDS", SHORT)
    with serving_one() as one:
        one.control.settimeout(5)
        with contextlib.suppress(OSError):
            while True:
                one.send(Kind.CALIBRATE)
        assert one.ended()


@pytest.mark.parametrize("number", [2**31 - 1, 1 << 20, 4095, -2, -(2**31)])
def test_a_cpu_that_does_not_exist_is_as_good_as_none(number: int) -> None:
    with serving_one() as one:
        start = time.monotonic()
        answer = one.ask(Kind.OMNI, omni({"protocol": 132}), number)
        assert answer.status == errno.EPROTONOSUPPORT
        assert time.monotonic() - start < SHORT


def test_who_never_connects_gets_empty_results_and_may_ask_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "BEGIN_SECONDS", SHORT)
    with serving_one() as one:
        for changed in ({}, UDP, {"flags": Flag.CONNECTION, "direction": 0}, {**UDP, **EXCHANGE}):
            one.ask_omni(**changed)
            assert one.results()["bytes_received"] == 0
        assert one.lives()


@pytest.mark.parametrize(
    "changed",
    [
        {"length": 0},
        {"length": -(2**31)},
        {"length": 0, **EXCHANGE},
        {"length": 0, "flags": Flag.CONNECTION | Flag.ROUTING, **EXCHANGE},
        {"length": 0, "direction": frames.TRANSMIT},
    ],
)
def test_a_test_that_names_no_time_has_an_end(changed: Asked) -> None:
    """The client connects, and then neither sends nor reads."""
    with serving_one(Rules(limits=Limits(max_length=2 * SHORT))) as one:
        start = time.monotonic()
        with socket.create_connection((HERE, one.ask_omni(**changed))):
            one.results()
        assert time.monotonic() - start < 2 * SHORT + 1
        assert one.lives()


def test_a_client_that_is_gone_in_mid_test_ends_the_session() -> None:
    with serving_one() as one, socket.create_connection((HERE, one.ask_omni(length=5))) as data:
        data.sendall(b"x" * 100)
        one.control.close()
        assert one.ended(1)


@pytest.mark.parametrize("changed", [{}, {"flags": Flag.CONNECTION | Flag.ROUTING, **EXCHANGE}])
def test_a_data_port_is_the_clients_alone(changed: Asked) -> None:
    """Somebody else who connects and says nothing would stand in the client's way."""
    with serving_one() as one, socket.socket() as other:
        port = one.ask_omni(**changed)
        other.bind((THIRD, 0))
        other.settimeout(SHORT)
        with pytest.raises(TimeoutError):
            other.connect((HERE, port))
        with socket.create_connection((HERE, port)) as data:
            data.sendall(b"x")
            data.shutdown(socket.SHUT_WR)
            while data.recv(1):
                pass
        assert one.results()["bytes_received"] == 1


@pytest.mark.parametrize(
    "changed",
    [
        {"client_ip": frames.pack_address(THIRD)},
        {"server_ip": frames.pack_address("127.0.0.9")},  # on another network the client's address is another, too
    ],
)
def test_a_data_connection_from_another_address_of_the_client(changed: Asked) -> None:
    with serving_one() as one:
        server = "127.0.0.9" if "server_ip" in changed else HERE
        port = one.ask_omni(**changed)
        with socket.create_connection((server, port), timeout=1, source_address=(THIRD, 0)) as data:
            data.sendall(b"xyz")
        assert one.results()["bytes_received"] == 3


def test_where_data_may_come_from_anywhere_it_is_from_where_clients_may() -> None:
    with serving_one(Rules(limits=LIMITS, allow=(ip_network("127.0.0.1"),))) as one:
        port = one.ask_omni(server_ip=frames.pack_address("127.0.0.9"))
        with socket.create_connection(("127.0.0.9", port), timeout=1, source_address=(THIRD, 0)) as other:
            assert other.recv(1) == b""
        with socket.create_connection(("127.0.0.9", port), timeout=1, source_address=(HERE, 0)) as data:
            data.sendall(b"xyz")
        assert one.results()["bytes_received"] == 3


def test_datagrams_of_others_neither_count_nor_end_the_test() -> None:
    with (
        serving_one() as one,
        socket.socket(type=socket.SOCK_DGRAM) as mine,
        socket.socket(type=socket.SOCK_DGRAM) as other,
    ):
        mine.bind((HERE, 0))
        other.bind((THIRD, 0))
        place = (HERE, one.ask_omni(**UDP))
        for _ in range(100):
            other.sendto(b"flood", place)
            other.sendto(b"", place)
        for _ in range(10):
            mine.sendto(b"x" * 7, place)
            other.sendto(b"flood", place)
            other.sendto(b"", place)
        time.sleep(SHORT)  # until it has its peer
        mine.sendto(b"", place)
        assert one.results()["bytes_received"] == 70
        other.setblocking(False)
        with pytest.raises(BlockingIOError):
            other.recv(1)


def test_a_flood_of_others_where_no_filter_is_to_be_had_does_not_hold_the_deadline_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(datasocket, "only_from", refuse)
    monkeypatch.setattr(serving, "BEGIN_SECONDS", 2 * SHORT)
    with serving_one() as one, socket.socket(type=socket.SOCK_DGRAM) as other:
        other.bind((THIRD, 0))
        place, start = (HERE, one.ask_omni(**UDP)), time.monotonic()
        one.control.setblocking(False)
        while time.monotonic() - start < 4 * SHORT:
            other.sendto(b"flood", place)
        one.control.settimeout(1)
        assert one.results()["bytes_received"] == 0


def test_a_port_that_a_service_may_have_is_not_taken() -> None:
    with serving_one() as one:
        assert one.ask_omni(port=80) >= serving.FIRST_PORT
    with socket.socket(type=socket.SOCK_DGRAM) as service:
        service.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        service.bind((HERE, 0))
        with serving_one() as one:
            assert one.ask_omni(**UDP, port=service.getsockname()[1]) != service.getsockname()[1]


def test_data_ports_are_of_the_range_and_used_up_with_it() -> None:
    low = free_port()
    rules = Rules(limits=Limits(data_ports=(low, low)))
    with serving_one(rules) as first, serving_one(rules) as second:
        assert first.ask_omni(port=low + 1) == low
        assert second.ask(Kind.OMNI, omni({"port": low + 1})).status == errno.EADDRINUSE
        assert second.ask_omni(**UDP) == low, "of the other transport it is free"


# --- who is sent datagrams --------------------------------------------------------------------------------------------


def asked_by(address: str, local: str = "192.0.2.1") -> Client:
    return Client(address, local, socket.AF_INET6 if ":" in address else socket.AF_INET, socket.socket())


def planned(**changed: Value) -> Plan:
    return plan.of_omni(omni({**UDP, **changed}).ljust(frames.PAYLOAD_BYTES, b"\0"), LIMITS)


def third(address: str = "192.0.2.99") -> Asked:
    return {"client_ip": frames.pack_address(address), "family": frames.IPV6 if ":" in address else frames.IPV4}


@pytest.mark.parametrize(
    ("changed", "address"),
    [
        ({"direction": frames.TRANSMIT, **third()}, "192.0.2.7"),
        ({**EXCHANGE, "response_size": 2, **third()}, "192.0.2.7"),
        ({"direction": frames.TRANSMIT, **third("127.0.0.5")}, "192.0.2.7"),
        ({"direction": frames.TRANSMIT, **third("2001:db8::9")}, "2001:db8::7"),
        ({"direction": frames.TRANSMIT, **third("255.255.255.255")}, "192.0.2.7"),
    ],
)
def test_nobody_else_is_flooded(changed: Asked, address: str) -> None:
    client = asked_by(address)
    with client.control, pytest.raises(Refused, match="which is not who asks") as refused:
        serving.prepare(planned(**changed), client, LIMITS)
    assert refused.value.number == errno.EACCES


@pytest.mark.parametrize(
    ("changed", "address"),
    [
        ({"direction": frames.TRANSMIT, **third("192.0.2.7")}, "192.0.2.7"),
        ({"direction": frames.TRANSMIT, **third("127.0.0.5")}, "127.0.0.1"),
        ({"direction": frames.TRANSMIT, **third("fe80::5")}, "fe80::5%lo"),
        ({**EXCHANGE, **third()}, "192.0.2.7"),  # as much as came from there
        ({"direction": frames.RECEIVE, **third()}, "192.0.2.7"),
    ],
)
def test_a_clients_own_addresses_are_served(changed: Asked, address: str) -> None:
    client = asked_by(address)
    with client.control:
        serving._refuse_reflection(planned(**changed), client)


def test_where_data_may_come_from() -> None:
    client = asked_by("192.0.2.7")
    with client.control:
        assert serving._sources(planned(), client) == ("192.0.2.7",)
        assert serving._sources(planned(**third()), client) == ("192.0.2.7", "192.0.2.99")
        assert serving._sources(planned(server_ip=frames.pack_address("192.0.2.1")), client) == ("192.0.2.7",)
        assert serving._sources(planned(server_ip=frames.pack_address("192.0.2.2")), client) == ()
        assert serving._sources(planned(family=frames.IPV6), client) == ()
    scoped = asked_by("fe80::7%eth0", "fe80::1%eth0")
    with scoped.control:
        assert serving._sources(planned(family=frames.IPV6), scoped) == ("fe80::7",)
        assert serving._scoped("fe80::1", scoped) == "fe80::1%eth0"
        assert serving._scoped("2001:db8::1", scoped) == "2001:db8::1"
        assert serving._scoped("", scoped) == ""


def test_a_scope_is_kept_and_given_back() -> None:
    assert datasocket.scoped(("fe80::1", 7, 0, 2)) == "fe80::1%2"
    assert datasocket.scoped(("fe80::1%eth0", 7, 0, 2)) == "fe80::1%eth0"
    assert datasocket.scoped(("2001:db8::1", 7, 0, 0)) == "2001:db8::1"
    assert datasocket.scoped(("::ffff:192.0.2.7", 7, 0, 0)) == "192.0.2.7"
    assert datasocket.scoped(("192.0.2.7", 7)) == "192.0.2.7"
    assert datasocket.place_of("fe80::1%2", 7) == ("fe80::1", 7, 0, 2)
    assert datasocket.place_of("fe80::1%lo", 7) == ("fe80::1", 7, 0, socket.if_nametoindex("lo"))
    assert datasocket.place_of("192.0.2.7", 7) == ("192.0.2.7", 7)


def test_answers_leave_from_where_they_were_asked() -> None:
    """The route to another address of the client's may prefer another of ours."""
    with serving_one() as one, socket.socket(type=socket.SOCK_DGRAM) as mine:
        mine.bind((THIRD, 0))
        mine.settimeout(1)
        port = one.ask_omni(**UDP, **EXCHANGE, client_ip=frames.pack_address(THIRD))
        with socket.socket(type=socket.SOCK_DGRAM) as same, pytest.raises(OSError, match="in use"):
            same.bind((HERE, port))
        for _ in range(3):
            mine.sendto(b"?", (HERE, port))
            assert mine.recvfrom(10)[1] == (HERE, port)


# --- the listening process --------------------------------------------------------------------------------------------


@contextlib.contextmanager
def listening(monkeypatch: pytest.MonkeyPatch, **changed: object) -> Iterator[tuple[Server, tuple[str, int]]]:
    """A server without a process of its own, none of whose clients gets one; and where it listens."""
    monkeypatch.setattr(netserver, "TICK_SECONDS", 0.05)
    settings = ServerSettings(host=HERE, port=free_port(), **changed)  # type: ignore[arg-type]  # names of its fields
    (listener,) = netserver.listeners(settings)
    server = Server(settings, [listener], lambda text: None)
    monkeypatch.setattr(server, "_reap", lambda: None)
    try:
        yield server, listener.getsockname()
    finally:
        listener.close()
        server.selector.close()
        for waiting in server.waiting.values():
            waiting.control.close()


def free_port() -> int:
    with socket.create_server((HERE, 0)) as finder:
        return int(finder.getsockname()[1])


def turns(server: Server, number: int = 4) -> None:
    for _ in range(number):
        server.turn()


def connect(place: tuple[str, int], source: str = HERE) -> socket.socket:
    return socket.create_connection(place, timeout=1, source_address=(source, 0))


def test_who_has_most_connections_loses_the_oldest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(netserver, "MOST_WAITING", 4)
    with listening(monkeypatch) as (server, place), contextlib.ExitStack() as stack:
        first = stack.enter_context(connect(place, THIRD))
        turns(server)
        for _ in range(20):
            stack.enter_context(connect(place))
            turns(server, 1)
        turns(server)
        assert Counter(each.address for each in server.waiting.values()) == {HERE: 3, THIRD: 1}
        first.setblocking(False)
        with pytest.raises(BlockingIOError):
            first.recv(1)


def test_a_connection_that_speaks_when_it_gives_way_does_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both are told of in one turn."""
    monkeypatch.setattr(netserver, "MOST_WAITING", 1)
    with listening(monkeypatch) as (server, place), connect(place) as first:
        turns(server)
        with connect(place):
            first.sendall(b"x")
            time.sleep(0.05)
            turns(server)
            assert len(server.waiting) == 1


def test_without_descriptors_it_rests_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    with listening(monkeypatch) as (server, place), contextlib.ExitStack() as stack:
        controls = [stack.enter_context(connect(place)) for _ in range(10)]
        turns(server, 12)

        def full(listener: socket.socket) -> None:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

        with monkeypatch.context() as patch:
            patch.setattr(socket.socket, "accept", full)
            with connect(place):
                time.sleep(0.05)
                server.turn()
                assert server.closed_until
                assert len(server.waiting) == 9, "one has given its descriptor up"
                start = time.process_time()
                turns(server, 5)
                assert time.process_time() - start < 0.1
        controls[-1].sendall(b"x")
        turns(server, 10)
        assert not server.closed_until
        assert [bytes(each.raw) for each in server.waiting.values() if each.raw] == [b"x"]


def test_without_processes_it_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def full() -> int:
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    monkeypatch.setattr(os, "fork", full)
    with listening(monkeypatch) as (server, place), connect(place) as control:
        control.sendall(Frame(Kind.CALIBRATE).pack())
        turns(server)
        assert control.recv(1) == b""
        assert not server.waiting
        assert not server.children


def test_the_silent_and_the_gone_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(netserver, "SPEAK_SECONDS", SHORT)
    with listening(monkeypatch, max_tests=1) as (server, place), connect(place), connect(place) as gone:
        server.children[1] = Child(HERE, time.monotonic())  # the only place is taken
        gone.sendall(Frame(Kind.CALIBRATE).pack())
        with connect(place) as staying:
            staying.sendall(Frame(Kind.CALIBRATE).pack())
            turns(server)
            assert len(server.waiting) == 3
            gone.close()
            time.sleep(SHORT)
            turns(server)
            assert [each.complete for each in server.waiting.values()] == [True]
            monkeypatch.setattr(netserver, "PLACE_SECONDS", SHORT)
            turns(server)
            assert not server.waiting
            assert staying.recv(1) == b""


def started(monkeypatch: pytest.MonkeyPatch, server: Server) -> list[str]:
    """Who gets a place from now on."""
    found: list[str] = []

    def start(waiting: Waiting) -> None:
        server._take(waiting).close()
        server.children[1000 + len(server.children)] = Child(waiting.owner, time.monotonic())
        found.append(waiting.address)

    monkeypatch.setattr(server, "_start", start)
    return found


def test_one_address_has_half_of_the_places_and_the_next_goes_to_who_has_fewest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with listening(monkeypatch, max_tests=4) as (server, place), contextlib.ExitStack() as stack:
        found = started(monkeypatch, server)
        for source in (HERE, HERE, HERE, HERE, THIRD):
            stack.enter_context(connect(place, source)).sendall(Frame(Kind.CALIBRATE).pack())
            turns(server, 2)
        assert found == [HERE, HERE, THIRD]
        server.children.clear()
        turns(server)
        assert found == [HERE, HERE, THIRD, HERE, HERE]


@pytest.mark.parametrize("changed", [{"max_tests": 1}, {"serial": True}])
def test_the_only_place_is_nobodys_for_ever(changed: dict[str, object], monkeypatch: pytest.MonkeyPatch) -> None:
    killed: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda *what: killed.append(what))
    with listening(monkeypatch, max_length=10.0, **changed) as (server, place), connect(place, THIRD) as other:
        limit = 10 + netserver.GRACE_SECONDS
        server.children[4711] = Child(HERE, time.monotonic() - limit + 5)
        other.sendall(Frame(Kind.CALIBRATE).pack())
        turns(server)
        assert killed == [], "it may have as long as the longest test"
        server.children[4711] = replace(server.children[4711], since=time.monotonic() - limit - 1)
        turns(server, 1)
        assert killed == [(4711, signal.SIGKILL)]
        killed.clear()
        server.children[4711] = replace(server.children[4711], since=time.monotonic())
        server.idleness.note(0, testing=False)
        turns(server, 1)
        assert killed == []
        monkeypatch.setattr(netserver, "IDLE_SECONDS", 0.0)
        turns(server, 1)
        assert killed == [(4711, signal.SIGKILL)], "it has no test"
        killed.clear()
        server.idleness.note(0, testing=True)
        turns(server)
        assert killed == []
        server.children[4711] = Child(THIRD, time.monotonic() - limit - 1)
        turns(server)
        assert killed == [], "it is the same one's turn"


def test_whose_an_address_is() -> None:
    assert netserver.owner_of("192.0.2.7") == "192.0.2.7"
    assert netserver.owner_of("2001:db8::1") == netserver.owner_of("2001:db8::ffff:0:0:2")
    assert netserver.owner_of("2001:db8::1") != netserver.owner_of("2001:db8:0:1::1")


@pytest.mark.parametrize(
    ("peer", "networks", "welcome"),
    [
        (("192.0.2.7", 1), ["192.0.2.0/24"], True),
        (("198.51.100.7", 1), ["192.0.2.0/24"], False),
        (("::ffff:192.0.2.7", 1, 0, 0), ["192.0.2.0/24"], True),
        (("fe80::1%eth0", 1, 0, 2), ["fe80::/10"], True),
        (("2001:db8::1", 1, 0, 0), ["192.0.2.0/24", "::1"], False),
        (("2001:db8::1", 1, 0, 0), [], True),
    ],
)
def test_who_may_come(peer: tuple[object, ...], networks: list[str], welcome: bool) -> None:
    settings = ServerSettings(allow=tuple(ip_network(each) for each in networks))
    assert netserver.allowed(netserver.address_of(peer), settings) is welcome


@pytest.mark.parametrize("taken", [HERE, "::1"])
def test_a_port_that_one_family_uses_is_in_use(taken: str) -> None:
    family = socket.AF_INET6 if ":" in taken else socket.AF_INET
    with socket.create_server((taken, 0), family=family) as other:
        port = other.getsockname()[1]
        with pytest.raises(MachineError, match=f"port {port}: Address already in use"):
            netserver.listeners(ServerSettings(port=port))


def test_a_defect_of_ours_does_not_end_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    log: list[str] = []
    server = Server(ServerSettings(debug=1), [], log.append)
    failures: list[Callable[[], None]] = []

    def turn() -> None:
        failures.append(turn)
        if len(failures) == 3:
            raise KeyboardInterrupt
        raise ValueError("in a turn")

    monkeypatch.setattr(server, "turn", turn)
    before = signal.getsignal(signal.SIGCHLD)
    with pytest.raises(KeyboardInterrupt):
        server.run()
    signal.signal(signal.SIGCHLD, before)
    server.selector.close()
    assert log == ["a defect: ValueError('in a turn')"] * 2
