"""No value can inject: it is refused, or it comes back whole, and nothing else changes."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provisioner.core.account import Account, Credential, MediaEncryption, Proof, Transport, Turn
from provisioner.core.fit import Choice, fit
from provisioner.core.problem import ProvisionerError
from provisioner.core.relay_way import RelayMode, RelayWay, call_lacks
from provisioner.core.render import render
from provisioner.core.secret import Secret
from tests.targets.readers import READERS, Leaves, sip_unquoted
from tests.targets.stage import PAIRS, account, catalog, ha1, row, target
from tests.tries import TRIES

NASTY = [
    "\n", "\r", "\r\n", '"', "'", "\\", ";", "%", "%0A", "%22", "<", ">", "]]>", "</script>", "<!--", "\0", "\x1b",
    "\x7f", "\x85", "\u2028", "\u2029", "\u202e", "\u2066", "\ufeff", "\ufffe", "😀", "\U0001fffe", "\ud800",
    "\udfff", "é", "=", "#",
    "[", "]", "[x]", "&", "&amp;", "&#10;", "{{", "{% if", "}}", "${x}", "`", ",", "@", ":", "?", "/", " ", "\t", "(",
    ")", "\nscript_incoming_call=/bin/sh\n", ";auth_pass=x",
    ";answermode=auto", "\n[misc]\nconfig-uri=http://x/\n", '" --log-file x "',
    "--play-file", '">;outbound="sip:x"', "<sip:x@y>", '</entry><entry name="x">', "Q000xQ", "x" * 4096, "é" * 2048,
]  # fmt: skip
# Values as the harmless account has them: each is a word of its own, found again wherever it is written.
PLAIN = {
    "display_name": "Xdisplayx", "name": "Xnamex", "agent": "Xagentx", "realm": "Xrealmx", "password": "Xpasswordx",
    "turn_user": "Xturnuserx", "turn_password": "Xturnpasswordx", "folder": "/Xfolderx", "ca_file": "/Xcafilex",
    "domain": "Xdomainx", "server": "Xserverx", "outbound_proxy": "Xproxyx", "stun": "Xstunx", "language": "es",
}  # fmt: skip
Way = Transport | RelayWay
RELAYED = [(name, RelayWay(25060, mode)) for name, one in catalog().targets.items() if one.relay for mode in RelayMode]
WAYS: list[tuple[str, Way]] = [*PAIRS, *RELAYED]
OPTION = {"baresip": {"module_path": "/Xmodulesx"}}

texts = st.lists(st.sampled_from(NASTY) | st.text(max_size=8), min_size=1, max_size=5).map("".join).filter(bool)
values = st.dictionaries(st.sampled_from([*PLAIN, "option"]), texts, min_size=1, max_size=3)


def made(name: str, transport: Way, given_values: dict[str, str]) -> dict[str, str]:
    """The files of a target with these values in place of the harmless ones."""
    value = PLAIN | given_values
    options = {key: given_values.get("option", plain) for key, plain in OPTION.get(name, {}).items()}
    relay = transport if isinstance(transport, RelayWay) else None
    choice = Choice(value["folder"], options, value["ca_file"], relay)
    one = _account(Transport.WSS if isinstance(transport, RelayWay) else transport, value)
    if relay and call_lacks(target(name)):
        # Who insists gets the files of a phone that can only register.
        one = replace(one, media_encryption=MediaEncryption.NONE)
    fitted = fit(one, target(name), choice)
    return {str(one.file.path): one.file.content.decode() for one in render(target(name), fitted)}


def _account(transport: Transport, value: dict[str, str]) -> Account:
    base = account(row(str(transport), encryption="no"))
    turn = Turn("turn.acme.example", "udp", value["turn_user"], Secret(value["turn_password"]))
    known = {"ha1": Secret(ha1()), "password": Secret(value["password"])}
    login = Credential(value["name"], value["realm"], proof=Proof.PROVEN, **known)
    parts = {
        key: value[key] for key in ("display_name", "name", "agent", "domain", "server", "outbound_proxy", "language")
    }
    return replace(base, credential=login, stun=(value["stun"],), turn=(turn,), **parts)


def whole(name: str, harmless: Leaves, given_values: dict[str, str]) -> Leaves:
    """What the phone must read: the harmless leaves with each harmless word replaced."""
    words = {PLAIN[key]: value for key, value in given_values.items() if key in PLAIN and key != "language"}
    words |= {plain: given_values["option"] for plain in OPTION.get(name, {}).values() if "option" in given_values}
    result = {}
    for key, leaf in harmless.items():
        for word, value in words.items():
            leaf = leaf.replace(word, value)
        result[key] = leaf
    return result


def compare(name: str, transport: Way, given_values: dict[str, str]) -> bool:
    """Is it written? Then it was compared; else it was refused with a reason."""
    try:
        files = made(name, transport, given_values)
    except ProvisionerError as error:
        assert error.problems
        assert all(problem.what for problem in error.problems)
        return False
    read, harmless = READERS[name](files), _harmless(name, transport, given_values.get("language", "es"))
    if name == "sipjs":
        shown = [key for key in read if key.endswith("userAgentOptions.displayName")]
        read |= {key: sip_unquoted(read[key]) for key in shown}
    expected = whole(name, harmless, given_values)
    for key, leaf in read.items():
        # The address of record carries the user name with percent signs.
        text = unquote(leaf, errors="strict") if leaf.startswith("sip:") else leaf
        assert text == expected[key]
    assert set(read) == set(expected)
    return True


@cache
def _harmless(name: str, transport: Way, language: str) -> Leaves:
    # A language that is none is left out, with a remark: test_fit.py.
    told = language if re.fullmatch("[A-Za-z]{2,3}([-_][A-Za-z]{2,4})?", language) else ""
    return READERS[name](made(name, transport, {"language": told}))


def test_every_target_has_a_reader():
    assert set(READERS) == set(catalog().targets)


@pytest.mark.parametrize(("name", "transport"), WAYS)
def test_the_harmless_account_is_written_and_read(name, transport):
    assert compare(name, transport, {})
    read = READERS[name](made(name, transport, {}))
    assert any(PLAIN["display_name"] in leaf for leaf in read.values())


@pytest.mark.parametrize(("name", "transport"), WAYS)
@settings(max_examples=TRIES * 3 // 5)
@given(given_values=values)
def test_a_value_is_refused_or_comes_back_whole(name, transport, given_values):
    compare(name, transport, given_values)


@pytest.mark.parametrize("key", [*PLAIN, "option"])
@pytest.mark.parametrize("name", sorted(READERS))
def test_each_nasty_value_in_each_place(name, key):
    transport = next(iter(target(name).transports))
    for nasty in NASTY:
        compare(name, transport, {key: f"a{nasty}b"})


@pytest.mark.parametrize("nasty", ["\n", "\r", "\0", "\x1b", "\x7f", "\x85", "\u2028", "\u2029", "\ud800", "\ufffe"])
@pytest.mark.parametrize("name", sorted(READERS))
def test_what_no_file_can_hold_is_refused_by_code_point(name, nasty):
    transport = next(iter(target(name).transports))
    with pytest.raises(ProvisionerError) as caught:
        made(name, transport, {"display_name": f"Ana{nasty}Pérez"})
    assert f"U+{ord(nasty):04X}" in str(caught.value)
    assert "Pérez" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "display"),
    [
        ("jssip", '"Ñ" \\ </script> ]]> 😀 \u202e%0A;x'), ("sipjs", '"Ñ" \\ </script> ]]> 😀 \u202e%0A;x'),
        ("json", "é" * 2048), ("jssip", "x" * 4096), ("linphone", '"Ñ" \\ </entry> ]]> 😀 \u202e%0A;x'),
        ("linphone", "é" * 2048), ("baresip", '"Ñ" \\ <sip:x@y> 😀;x'), ("twinkle", '"Ñ" \\ # = ; 😀'),
        ("pjsua", "Ñandú \"x\" ;#"), ("pjsua", "O'Brien"), ("browser-phone", "O'Brien Ñ 😀 \u202e;%0A"),
    ],
)  # fmt: skip
def test_names_of_people_and_worse_are_not_refused(name, display):
    assert compare(name, next(iter(target(name).transports)), {"display_name": display})
