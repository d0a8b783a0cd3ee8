"""A change in one header leaves all others as they came."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from provisioner.core.sip.headers import Headers
from provisioner.core.sip.message import parse_message, print_message
from tests.core.sip import torture

LINES = (
    b"v:  SIP/2.0/UDP a;branch=1 ,\r\n  SIP/2.0/UDP b\r\nVIA :SIP/2.0/UDP c\r\n"
    b"X-Odd :  folded\r\n\t value \r\nf: <sip:a@b>\r\n"
)
PACKET = b"OPTIONS sip:a SIP/2.0\r\n" + LINES + b"Content-Length: 0\r\n\r\n"


def headers() -> Headers:
    return parse_message(PACKET).headers


def printed(changed: Headers) -> bytes:
    request = parse_message(PACKET)
    return print_message(type(request)(request.method, request.uri, changed))  # type: ignore[union-attr]


def test_what_is_not_touched_comes_out_byte_for_byte():
    assert print_message(parse_message(PACKET)) == PACKET
    assert print_message(parse_message(torture.WSINV)).split(b"\r\nContent-Length:")[0] in torture.WSINV.replace(
        b"Content-Length   : 150\r\n", b""
    )


def test_the_first_of_joined_values_goes_alone():
    left = headers().without_first("Via")
    assert list(left.every("Via")) == ["SIP/2.0/UDP b", "SIP/2.0/UDP c"]
    assert b"v: SIP/2.0/UDP b\r\nVIA :SIP/2.0/UDP c\r\nX-Odd :  folded\r\n\t value \r\n" in printed(left)


def test_a_field_whose_last_value_goes_is_gone():
    assert b"f:" not in printed(headers().changed("From", lambda _: None))


def test_one_value_takes_the_place_of_all():
    assert list(headers().with_one("via", "x").every("Via")) == ["x"]
    assert headers().with_one("Via", "x").fields[0].name == "v"
    assert headers().with_one("To", "x").fields[-1].value == "x"


def test_an_empty_field_is_replaced_and_not_doubled():
    empty = parse_message(b"OPTIONS sip:a SIP/2.0\r\nt:\r\nl: 0\r\n\r\n").headers
    assert [(one.key, one.value) for one in empty.with_one("To", "x").fields] == [("to", "x")]


@given(st.lists(st.sampled_from(["a", "b", '"c,d"', "<e,f>"]), min_size=1), st.booleans())
def test_put_on_top_and_taken_off_again_is_nothing(values: list[str], joined: bool):
    lines = [", ".join(values)] if joined else values
    head = "".join(f"Route: {line}\r\n" for line in lines)
    before = parse_message(f"OPTIONS sip:a SIP/2.0\r\n{head}l: 0\r\n\r\n".encode()).headers
    assert before.on_top("Route", "x").without_first("Route") == before
