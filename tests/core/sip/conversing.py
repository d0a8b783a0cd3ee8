"""A phone, a relay's flow and a server, without sockets: what the one sends, the other hears."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace

from provisioner.core.account import Credential, Proof
from provisioner.core.secret import Secret
from provisioner.core.sip.flow import Flow
from provisioner.core.sip.headers import Header, Headers
from provisioner.core.sip.message import Message, Request, Response, parse_message, print_message
from provisioner.core.sip.rewrite import Ways
from provisioner.core.sip.sequences import Sequences
from provisioner.core.sip.sides import Output, Shared, ToPhone, ToServer
from provisioner.core.sip.signer import Signer
from tests.registrar import Registrar

WAYS = Ways("WSS ab12.invalid", "TCP 127.0.0.1:40001", "127.0.0.1:40001", "tcp")
PASSWORD, REALM, NAME = "pw-ana", "asterisk", "1001"
OFFER = b"v=0\r\nm=audio 10000 RTP/SAVPF 0 8\r\na=fingerprint:SHA-256 AA\r\n"


def credential(password: str = PASSWORD, realm: str = REALM) -> Credential:
    ha1 = hashlib.md5(f"{NAME}:{realm}:{password}".encode()).hexdigest()
    return Credential(NAME, realm, Secret(ha1), None, Proof.PROVEN)


@dataclass
class Handset:
    """Makes the requests of a phone that holds no credential."""

    user: str = NAME
    number: int = 0
    made: int = 0
    sent_by: str = "127.0.0.1:5062"

    def asks(self, method: str, *more: Header, call_id: str = "call-1", to: str = "", uri: str = "sip:server.example",
             branch: str = "", number: int = 0) -> Request:  # fmt: skip
        self.made += 1
        if not number:
            self.number = number = self.number + 1
        branch = branch or f"z9hG4bK-{call_id}-{self.made}"
        fields = [
            Header("Via", f"SIP/2.0/TCP {self.sent_by};rport;branch={branch}"),
            Header("Max-Forwards", "70"),
            Header("From", f'"Ana" <sip:{self.user}@server.example>;tag=phone'),
            Header("To", to or f"<sip:{self.user if method == 'REGISTER' else '600'}@server.example>"),
            Header("Call-ID", call_id),
            Header("CSeq", f"{number} {method}"),
            Header("Contact", f"<sip:{self.user}@{self.sent_by};transport=tcp>"),
        ]
        return Request(method, uri, Headers((*fields, *more)))

    def registers(self, expires: int = 60) -> Request:
        return self.asks("REGISTER", Header("Expires", str(expires)), call_id="reg")


def answers(request: Request, status: int, reason: str = "", *more: Header, body: bytes = b"") -> Response:
    """As an end does it: with a tag of its own."""
    names = ("via", "from", "to", "call-id", "cseq", "record-route")
    fields = [one for one in request.headers.fields if one.key in names]
    headers = Headers((*fields, *more)).changed("To", lambda to: to if ";tag" in to else f"{to};tag=far")
    return Response(status, reason, headers, body)


def server_asks(method: str, number: int = 102, call_id: str = "from-server", to: str = "") -> Request:
    fields = [
        Header("Via", f"SIP/2.0/WS 192.0.2.1:5060;branch=z9hG4bK{call_id}{number};rport"),
        Header("Max-Forwards", "70"),
        Header("From", '"Casa" <sip:601@192.0.2.1>;tag=far'),
        Header("To", to or f"<sip:{NAME}@127.0.0.1:5062;transport=ws>"),
        Header("Contact", "<sip:601@192.0.2.1:5060;transport=ws>"),
        Header("Call-ID", call_id),
        Header("CSeq", f"{number} {method}"),
        Header("Content-Type", "application/sdp"),
    ]
    return Request(method, f"sip:{NAME}@127.0.0.1:5062;transport=ws", Headers(tuple(fields)), OFFER)


@dataclass
class Talk:
    """Everything between one phone and one server. ``told`` is what the phone hears, ``heard`` what the server does."""

    registrar: Registrar = field(default_factory=lambda: Registrar(user=NAME, password=PASSWORD))
    signer: Signer = field(default_factory=lambda: Signer(NAME, credential()))
    told: list[Message] = field(default_factory=list)
    heard: list[Message] = field(default_factory=list)
    now: float = 0.0
    answering: bool = True

    def __post_init__(self) -> None:
        self.sequences = Sequences(0.0)
        self.flow = self.another_flow()

    def another_flow(self) -> Flow:
        return Flow(Shared(self.signer, self.sequences, b"key"), WAYS, "mark")

    def up(self) -> Talk:
        self._out(self.flow.up(self.now))
        return self

    def say(self, message: Message) -> list[Message]:
        """The phone says it; gives what it hears then."""
        before = len(self.told)
        self._out(self.flow.from_phone(over_the_wire(message), self.now))
        return self.told[before:]

    def server_says(self, message: Message) -> list[Message]:
        """The server says it; gives what the phone hears then."""
        before = len(self.told)
        self._out(self.flow.from_server(over_the_wire(message), self.now))
        return self.told[before:]

    def take(self, outputs: list[Output]) -> None:
        self._out(outputs)

    def requests(self, method: str) -> list[Request]:
        return [one for one in self.heard if isinstance(one, Request) and one.method == method]

    def statuses(self) -> list[int]:
        return [one.status for one in self.told if isinstance(one, Response)]

    def _out(self, outputs: list[Output]) -> None:
        for one in outputs:
            match one:
                case ToPhone(message):
                    self.told.append(over_the_wire(message))
                case ToServer(message):
                    self._server_hears(over_the_wire(message))

    def _server_hears(self, message: Message) -> None:
        self.heard.append(message)
        if self.answering and isinstance(message, Request) and message.method != "ACK":
            answer = self.registrar.hear("wss", message)
            if answer:
                self._out(self.flow.from_server(parse_message(answer), self.now))


def over_the_wire(message: Message) -> Message:
    return parse_message(print_message(message))


def numbers(messages: list[Request]) -> list[int]:
    return [int(one.headers.first("CSeq").split()[0]) for one in messages]


def sent_by_nobody(request: Request) -> Request:
    """The same without its Via's."""
    return replace(request, headers=request.headers.without("Via"))
