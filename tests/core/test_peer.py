"""The server's row: lenient about types, exact about secrets."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.core.peer import as_text, caller, peer_from_row, token_of
from provisioner.core.problem import ProvisionerError

HA1 = "07a46a13aa5434e21e6a9aa870482720"
UUID = "2ade3601-3a28-48c7-a486-73567fb5d261"


def base64_of(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""), (True, "yes"), (False, "no"), (0, "0"), (1997, "1997"), (1997.0, "1997"), (-0.0, "0"),
        (0.5, "0.5"), ("1997", "1997"), (" a ", " a "), ("", ""), ([], ""), ({"a": 1}, ""), (float("inf"), "inf"),
    ],
)  # fmt: skip
def test_a_value_is_text_as_a_column_would_have_it(value, text):
    assert as_text(value) == text


@pytest.mark.parametrize(
    ("row", "name"),
    [
        ({"name": "1997", "defaultuser": "1", "callerid": "2"}, "1997"),
        ({"name": "", "defaultuser": "42"}, "42"),
        ({"name": " ", "defaultuser": " ", "callerid": "2001"}, "2001"),
        ({"callerid": '"Marta" <2001>'}, "2001"),
        ({"callerid": "Marta <2001"}, "2001"),
        ({"callerid": 2001.0}, "2001"),
    ],
)
def test_the_sip_user_is_the_name_or_what_stands_for_it(row, name):
    assert peer_from_row(row).name == name


@pytest.mark.parametrize(
    ("given", "kept"), [(["ulaw", "alaw"], "ulaw,alaw"), (["wss"], "wss"), ([], ""), ([None, 1, ["x"]], ",1,")]
)
@pytest.mark.parametrize("column", ["disallow", "allow", "transport"])
def test_a_json_list_of_words_is_the_list_that_it_looks_like(column, given, kept):
    assert getattr(peer_from_row({"name": "1997", column: given}), column) == kept


@pytest.mark.parametrize(
    "row", [{}, {"name": ""}, {"name": None}, {"name": []}, {"callerid": "Marta"}, {"callerid": "Marta <+34 91>"}]
)
def test_a_row_that_names_nobody_is_refused(row):
    with pytest.raises(ProvisionerError, match="names no SIP user"):
        peer_from_row(row)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (HA1, HA1), (HA1.upper(), HA1), (f" {HA1}\n", HA1), ("", ""), (" ", ""), (HA1[:-1], ""), (HA1 + "0", ""),
        ("g" * 32, ""), (base64_of(f"marta:{UUID}"), ""), (None, ""), (int("1" * 32), "1" * 32),
    ],
)  # fmt: skip
def test_only_32_hex_digits_are_an_ha1(given, kept):
    assert peer_from_row({"name": "1997", "md5secret": given}).md5secret.reveal() == kept


@pytest.mark.parametrize(
    ("given", "kept"),
    [("pw", "pw"), (" pw ", " pw "), (123456, "123456"), ("", ""), (" ", ""), (None, ""), ("a^3Bb;c", "a^3Bb;c")],
)
def test_a_password_is_kept_to_the_byte_and_a_blank_is_none(given, kept):
    assert peer_from_row({"name": "1997", "secret": given}).secret.reveal() == kept


@pytest.mark.parametrize("user", ["marta", "marta ruiz", "a:b", "ñ", "m"])
@pytest.mark.parametrize("padding", ["", "="])
def test_the_token_is_its_own_field_or_in_place_of_the_hash(user, padding):
    token = base64_of(f"{user}:{UUID}").rstrip("=") + padding
    assert token_of({"token": token, "md5secret": HA1}).reveal() == token
    assert token_of({"md5secret": token}).reveal() == token
    assert token_of({"token": "", "md5secret": token}).reveal() == token


@pytest.mark.parametrize(
    "row",
    [
        {},
        {"md5secret": HA1},
        {"token": None, "md5secret": ""},
        {"md5secret": base64_of(f"{UUID}")},
        {"md5secret": base64_of(f":{UUID}")},
        {"md5secret": base64_of("marta:2ade3601")},
        {"md5secret": "not base64 !"},
        {"md5secret": "/w=="},
        {"token": "abc\r\nX-Evil: 1"},
        {"token": "two words"},
        {"token": "ñ"},
        {"token": "\ud800"},
    ],
)
def test_what_is_no_token_is_not_sent_as_one(row):
    assert not token_of(row)


@pytest.mark.parametrize(
    ("callerid", "name", "number"),
    [
        ('"Marta Ruiz" <1997>', "Marta Ruiz", "1997"),
        ("Marta Ruiz <1997>", "Marta Ruiz", "1997"),
        ("Marta Ruiz <1997", "Marta Ruiz", "1997"),
        (' "Marta"  < 1997 > ', "Marta", "1997"),
        ("<1997>", "", "1997"),
        ("1997", "", "1997"),
        ('"1997"', "", "1997"),
        ("*98#", "", "*98#"),
        ("+34915551234", "", "+34915551234"),
        ("Marta", "Marta", ""),
        ('"Marta"', "Marta", ""),
        ("", "", ""),
        ("   ", "", ""),
        ('"a <b" <1997>', "a <b", "1997"),
    ],
)
def test_a_caller_id_has_a_name_and_a_number(callerid, name, number):
    assert caller(callerid) == (name, number)


def test_unknown_columns_are_kept_aside_but_no_secret_is():
    peer = peer_from_row({"name": "1", "record": "agent", "token": "t", "secret": "s", "md5secret": HA1, "limite": 0.0})
    assert dict(peer.extra) == {"record": "agent", "limite": "0"}


VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30) | st.lists(st.integers())


@given(
    st.dictionaries(
        st.sampled_from(["name", "defaultuser", "callerid", "md5secret", "secret", "token", "host"]), VALUES
    )
)
def test_no_row_does_worse_than_to_name_nobody(row):
    token_of(row)
    try:
        assert peer_from_row(row).name
    except ProvisionerError:
        assert not as_text(row.get("name")).strip()
