"""Nothing of our own network is reached, and no server that misbehaves harms more than itself."""

import gzip
import socket
import struct
import time
from typing import Any

import pytest
from standardwebhooks import Webhook

from alliance.tenancy import Actor
from parcels.models import Parcel
from parcels.webhooks import addresses, sending
from parcels.webhooks.addresses import is_public, problem_of
from parcels.webhooks.sending import Answer, Message, Sender
from parcels.webhooks.signing import new_secret
from tests.parcels.webhooks.helpers import delivered, deliveries, endpoint, happen
from tests.parcels.webhooks.receiver import Receiver, receiving, status, talking

PRIVATE = [
    "0.0.0.0", "0.1.2.3", "10.1.2.3", "100.64.0.1", "100.127.255.255", "127.0.0.1", "127.9.9.9",
    "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.8", "192.0.2.1", "192.88.99.1",
    "192.168.1.1", "198.18.0.1", "198.51.100.7", "203.0.113.9", "224.0.0.1", "240.0.0.1",
    "255.255.255.255", "::", "::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254",
    "::7f00:1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "100::1", "2001::1",
    "2001:db8::1", "2002:7f00:1::", "2002:a9fe:a9fe::1", "3fff::1", "5f00::1", "fc00::1", "fd00::8",
    "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "4000::1", "localhost", "127.1",
    "0x7f000001", "2130706433", "017700000001", "300.1.1.1",
]  # fmt: skip
PUBLIC = [
    "1.1.1.1", "8.8.8.8", "47.96.0.1", "100.63.255.255", "172.32.0.1", "::ffff:8.8.8.8",
    "2606:4700::1111", "2400:3200::1",
]  # fmt: skip


@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_that_is_not_public_is_refused(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_not_refused(address: str) -> None:
    assert is_public(address)


@pytest.fixture
def closed(settings: Any) -> None:
    settings.WEBHOOKS_OVER_HTTP = settings.WEBHOOKS_TO_THIS_MACHINE = False


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example.com/in?key=1",
        "https://hooks.example.com:8443/in",
        "https://8.8.8.8/",
        "https://[2606:4700::1111]/",
        "https://xn--fiqs8s.example/",
        "https://HOOKS.Example.com",
    ],
)
def test_addresses_of_the_web_are_taken(closed: None, url: str) -> None:
    assert problem_of(url) == ""


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hooks.example.com",
        "http://hooks.example.com/",
        "ftp://hooks.example.com/",
        "file:///etc/passwd",
        "https://",
        "https:///in",
        "https://user:secret@hooks.example.com/",
        "https://hooks.example.com@127.0.0.1/",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://169.254.169.254/latest/meta-data",
        "https://2130706433/",
        "https://017700000001/",
        "https://0x7f.0.0.1/",
        "https://127.1/",
        "https://localhost/",
        "https://db.internal/",
        "https://printer.local/",
        "https://intranet/",
        "https://hooks.example.com:22/",
        "https://hooks.example.com:99999/",
        "https://hooks.example.com:x/",
        "https://hooks.example.com/#fragment",
        "https://hooks.example.com/a b",
        "https://hooks.example.com/\r\nX-Header: 1",
        "https://hooks.example.com\\@127.0.0.1/",
        "https://钩子.example/",
        "https://①②⑦.⓪.⓪.①/",
        "https://hooks.example.com/" + "x" * 600,
    ],
)
def test_other_addresses_are_refused_with_a_reason(closed: None, url: str) -> None:
    assert problem_of(url)


SIGNERS = [Webhook(new_secret())]


def sent(url: str, *, count: int = 1, seconds: float = 20.0) -> list[Answer]:
    messages = [Message((0, number), f"msg_{number}", "{}") for number in range(count)]
    with Sender() as sender:
        return sender.send(1, url, messages, SIGNERS, seconds=seconds).result(timeout=30)


def resolving(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """Let names resolve to these addresses, look-up after look-up; the last one stays."""
    asked: list[str] = []
    genuine = socket.getaddrinfo

    def look_up(host: Any, port: Any, *rest: Any, **named: Any) -> Any:
        if not str(host).endswith(".example.com"):
            return genuine(host, port, *rest, **named)
        asked.append(host)
        found = answers[min(len(asked), len(answers)) - 1]
        return [info for each in found for info in genuine(each, port, type=socket.SOCK_STREAM)]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return asked


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "::ffff:127.0.0.1", "169.254.169.254", "fd00::8", "0.0.0.0"]
)
def test_a_name_that_leads_to_us_is_not_connected_to(
    closed: None, monkeypatch: pytest.MonkeyPatch, receiver: Receiver, address: str
) -> None:
    resolving(monkeypatch, [address])
    port = receiver.url.split(":")[2]
    [answer] = sent(f"http://hooks.example.com:{port}")
    assert (answer.error, answer.status, receiver.received) == ("refused_address", None, [])


def test_one_private_address_among_public_ones_spoils_the_name(
    closed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolving(monkeypatch, ["8.8.8.8", "10.0.0.1"])
    [answer] = sent("https://hooks.example.com/")
    assert answer.error == "refused_address"


def test_the_address_that_was_checked_is_the_one_connected_to(
    monkeypatch: pytest.MonkeyPatch, receiver: Receiver
) -> None:
    """The name is looked up once: a second answer, that of a rebinding, is never asked for."""
    checked: list[str] = []

    def public_at_first(address: str) -> bool:
        checked.append(address)
        return True

    monkeypatch.setattr(sending, "may_connect", public_at_first)
    asked = resolving(monkeypatch, ["127.0.0.1"], ["192.168.0.1"])
    port = receiver.url.rsplit(":")[2].split("/")[0]
    [answer] = sent(f"http://hooks.example.com:{port}/in")
    assert answer.status == 200
    assert (asked, checked) == (["hooks.example.com"], ["127.0.0.1"])
    assert receiver.received[0].headers["host"] == f"hooks.example.com:{port}"


def test_a_second_look_up_that_is_private_is_refused(
    closed: None, monkeypatch: pytest.MonkeyPatch, receiver: Receiver
) -> None:
    monkeypatch.setattr(addresses, "is_public", lambda address: address == "127.0.0.1")
    resolving(monkeypatch, ["127.0.0.1"], ["127.0.0.2"])
    port = receiver.url.rsplit(":")[2].split("/")[0]
    receiver.answer = status(200, Connection="close")
    url = f"http://hooks.example.com:{port}/in"
    with Sender() as sender:
        for expected in (200, None):
            message = [Message((0, 0), "msg_0", "{}")]
            [answer] = sender.send(1, url, message, SIGNERS, seconds=5).result(timeout=10)
            assert answer.status == expected
    assert answer.error == "refused_address"


def test_a_redirect_is_an_answer_and_is_not_followed(receiver: Receiver) -> None:
    with receiving() as elsewhere:
        receiver.answer = status(302, Location=elsewhere.url)
        [answer] = sent(receiver.url)
        assert (answer.status, answer.is_delivered, elsewhere.received) == (302, False, [])


def test_a_gzip_bomb_is_not_unpacked_and_not_read_to_its_end(receiver: Receiver) -> None:
    bomb = gzip.compress(b"\0" * 20_000_000) * 50
    receiver.answer = status(200, bomb, Content_Encoding="gzip")
    [answer] = sent(receiver.url)
    assert (answer.status, len(answer.body)) == (200, 2048)
    assert answer.body == bomb[:2048]


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> float:
    """A second stands for the fifteen."""
    monkeypatch.setattr(sending, "SECONDS", 1.0)
    return 1.0


def drip(connection: socket.socket) -> None:
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    for _byte in range(200):
        connection.sendall(b".")
        time.sleep(0.1)


def drip_headers(connection: socket.socket) -> None:
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    for number in range(200):
        connection.sendall(b"X-%d: 1\r\n" % number)
        time.sleep(0.1)


def hang(connection: socket.socket) -> None:
    connection.recv(65536)
    time.sleep(30)


@pytest.mark.parametrize("talk", [drip, drip_headers, hang])
def test_an_answer_that_does_not_end_ends_with_the_time(hasty: float, talk: Any) -> None:
    with talking(talk) as port:
        [answer] = sent(f"http://127.0.0.1:{port}/")
    assert (answer.error, answer.status) == ("timeout", None)
    assert hasty * 900 < answer.milliseconds < hasty * 3000


def half_handshake(connection: socket.socket) -> None:
    connection.recv(65536)
    connection.sendall(b"\x16\x03\x03\x00\x7a\x02")
    time.sleep(30)


def test_half_a_tls_handshake_ends_with_the_time(hasty: float) -> None:
    with talking(half_handshake) as port:
        [answer] = sent(f"https://127.0.0.1:{port}/")
    assert answer.error == "timeout"


def reset(connection: socket.socket) -> None:
    connection.recv(65536)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def babble(connection: socket.socket) -> None:
    connection.recv(65536)
    connection.sendall(b"220 mail.example.com ESMTP\r\n")
    connection.shutdown(socket.SHUT_WR)
    # What is left unread when it is closed would reset the connection, before anything else is read.
    while connection.recv(65536):
        pass


def endless_headers(connection: socket.socket) -> None:
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
    for _part in range(1000):
        connection.sendall(b"x" * 65536)


@pytest.mark.parametrize(
    ("talk", "scheme", "word"),
    [
        (reset, "http", "connection"),
        (babble, "http", "protocol"),
        (endless_headers, "http", "protocol"),
        (babble, "https", "tls"),
    ],
)
def test_what_is_no_answer_has_a_word(talk: Any, scheme: str, word: str) -> None:
    with talking(talk) as port:
        [answer] = sent(f"{scheme}://127.0.0.1:{port}/")
    assert (answer.error, answer.status) == (word, None)


def test_nobody_listens_and_nobody_is_called_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert sent(f"http://127.0.0.1:{port}/")[0].error == "connection"
    assert sent("http://nobody.invalid/")[0].error == "name"


def test_two_connections_at_most_and_they_are_used_again(receiver: Receiver) -> None:
    ports: set[int] = set()

    def slowly(handler: Any, number: int) -> None:
        ports.add(handler.client_address[1])
        time.sleep(0.02)
        status(200)(handler, number)

    receiver.answer = slowly
    assert len(sent(receiver.url, count=20)) == 20
    assert receiver.most_at_once == 2
    assert len(ports) == 2


def test_an_endpoint_that_does_not_answer_is_not_asked_for_each_message(hasty: float) -> None:
    with talking(hang) as port:
        answers = sent(f"http://127.0.0.1:{port}/", count=100)
    assert len(answers) <= 3


@pytest.mark.django_db
def test_a_slow_endpoint_keeps_no_other_waiting(merchant: Actor, parcel: Parcel, receiver: Receiver) -> None:
    """It answers once the other one has all of its messages: in time, as nobody waits for it."""

    def answer_last(connection: socket.socket) -> None:
        connection.recv(65536)
        while len(receiver.received) < 3:
            time.sleep(0.02)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    with talking(answer_last) as port:
        slow, _secret = endpoint(merchant, f"http://127.0.0.1:{port}/")
        quick, _secret = endpoint(merchant, receiver.url)
        happen(parcel, "picked_up", "in_transit", "delivered")
        delivered(seconds=30)
    assert deliveries(slow)[0].log[0]["status"] == 200
    assert [each.state for each in deliveries(quick)] == ["delivered"] * 3
