"""The realm and the SIP password are proven by the hash, or said to be unproven."""

import hashlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from provisioner.core.account import Proof
from provisioner.core.peer import Peer
from provisioner.core.realm import credential_of, ha1, prove
from provisioner.core.secret import Secret


def md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()


def peer(hashed: str = "", secret: str = "") -> Peer:
    return Peer("1997", md5secret=Secret(hashed), secret=Secret(secret))


def test_the_ha1_is_the_one_of_the_standard():
    # RFC 2617 section 3.5.
    assert ha1("Mufasa", "testrealm@host.com", "Circle Of Life") == "939e7578ed9e3c518a452acee763bce9"


@pytest.mark.parametrize(
    ("hashed", "secret", "login_password", "realm", "password", "proof"),
    [
        (md5("1997:asterisk:pw"), "", "pw", "asterisk", "pw", Proof.PROVEN),
        (md5("1997:acme.example:pw"), "", "pw", "acme.example", "pw", Proof.PROVEN),
        (md5("1997:asterisk:sip"), "sip", "pw", "asterisk", "sip", Proof.PROVEN),
        (md5("1997:asterisk:pw"), "old", "pw", "asterisk", "pw", Proof.PROVEN),
        (md5("1997:asterisk:pw"), "", None, "first", None, Proof.ASSUMED),
        (md5("1997:asterisk:other"), "", "pw", "first", None, Proof.ASSUMED),
        (md5("1997:elsewhere:pw"), "", "pw", "first", None, Proof.ASSUMED),
        (md5("2001:asterisk:pw"), "", "pw", "first", None, Proof.ASSUMED),
        (md5("1997:asterisk:x"), "sip", "pw", "first", "sip", Proof.ASSUMED),
        (md5("1997:asterisk:x"), md5("1997:asterisk:x"), "pw", "first", None, Proof.ASSUMED),
        (md5("1997:asterisk:x"), f" {md5('1997:asterisk:x').upper()} ", None, "first", None, Proof.ASSUMED),
        (md5("1997:asterisk:pw"), md5("1997:asterisk:pw"), "pw", "asterisk", "pw", Proof.PROVEN),
        ("", "sip", "pw", "first", "sip", Proof.PASSWORD),
        ("", "sip", None, "first", "sip", Proof.PASSWORD),
    ],
)
def test_what_is_known_of_a_credential(hashed, secret, login_password, realm, password, proof):
    known = Secret(login_password) if login_password is not None else None
    credential = credential_of(peer(hashed, secret), known, ["first", "asterisk", "acme.example"])
    assert credential is not None
    assert (credential.user, credential.realm, credential.proof) == ("1997", realm, proof)
    assert (credential.password.reveal() if credential.password else None) == password
    assert (credential.ha1.reveal() if credential.ha1 else "") == hashed


@pytest.mark.parametrize("login_password", [None, "pw"])
def test_without_hash_and_password_from_the_server_there_is_no_credential(login_password):
    known = Secret(login_password) if login_password else None
    assert credential_of(peer(), known, ["asterisk"]) is None


def test_the_first_realm_that_fits_is_the_one():
    hashed = Secret(md5("1997:b:pw"))
    assert prove("1997", hashed, [Secret("no"), Secret("pw")], ["a", "b", "c"]) == ("b", Secret("pw"))
    assert prove("1997", hashed, [Secret("pw")], ["a", "B"]) is None
    assert prove("1997", hashed, [], ["b"]) is None


@given(st.text(), st.text(), st.text(), st.text())
@example("\ud800", "\udfff", "\udc80", "")
def test_no_text_raises(user, realm, password, other):
    hashed = Secret(ha1(user, realm, password))
    assert prove(user, hashed, [Secret(password)], [other, realm]) is not None
