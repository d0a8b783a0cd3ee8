"""How each phone reads its files, written from the phones' sources and not from the program's own readers.

A reader takes the texts by file name and gives every leaf as ``{name: value}``, with what the phone undoes undone: a
SIP display name without its quotes, a user part without its percent signs.
"""

from __future__ import annotations

import configparser
import json
import re
from collections.abc import Callable, Mapping
from urllib.parse import unquote
from xml.etree import ElementTree

Leaves = dict[str, str]
Reader = Callable[[Mapping[str, str]], Leaves]


def webrtc(texts: Mapping[str, str]) -> Leaves:
    """Every file of JSON, and every assignment of a script; the rest of the script is one leaf."""
    leaves: Leaves = {}
    for name, text in texts.items():
        if name.endswith(".json"):
            _flatten(json.loads(text), name, leaves)
        else:
            _script(text, name, leaves)
    return leaves


def linphone(texts: Mapping[str, str]) -> Leaves:
    """libxml2's document and the INI file."""
    leaves: Leaves = {}
    root = ElementTree.fromstring(texts["provisioning.xml"])
    space = "{http://www.linphone.org/xsds/lpconfig.xsd}"
    for section in root:
        assert section.tag == f"{space}section"
        for entry in section:
            assert (entry.tag, len(entry), entry.attrib["overwrite"]) == (f"{space}entry", 0, "true")
            name = f"{section.attrib['name']}/{entry.attrib['name']}"
            assert name not in leaves
            leaves[name] = entry.text or ""
    _address("identity", leaves.pop("proxy_0/reg_identity"), leaves)
    parser = configparser.RawConfigParser(strict=True, delimiters=("=",), comment_prefixes=("#",), default_section="\0")
    parser.optionxform = str  # type: ignore[method-assign, assignment]
    parser.read_string(texts["linphonerc"])
    for part in parser.sections():
        leaves |= {f"rc/{part}/{key}": value for key, value in parser.items(part)}
    return leaves


def baresip(texts: Mapping[str, str]) -> Leaves:
    """One account a line, cut at 511 bytes; ``config`` by its words."""
    leaves: Leaves = {}
    lines = [line for line in texts["accounts"].split("\n") if line and line[0] != "#"]
    for number, line in enumerate(lines):
        address, parameters = _account(line.encode()[:511].decode(errors="replace"))
        _address(f"{number}", address, leaves)
        for key, value in parameters:
            assert f"{number};{key}" not in leaves
            leaves[f"{number};{key}"] = value
    for number, line in enumerate(texts["config"].split("\n")):
        if line.strip() and not line.lstrip().startswith("#"):
            key, value = re.match(r"\s*(\S+)\s+(\S+)", line).groups()  # type: ignore[union-attr]
            leaves[f"config {number} {key}"] = value
    return leaves


def twinkle(texts: Mapping[str, str]) -> Leaves:
    """``key=value``, trimmed; a line without ``=`` spoils the file."""
    leaves: Leaves = {}
    for line in texts["softphone.cfg"].split("\n"):
        if not line.strip() or line.strip().startswith("#"):
            continue
        assert "=" in line
        key, value = (part.strip(" \t\r") for part in line.split("=", 1))
        assert key not in leaves
        leaves[key] = value
    return leaves


def pjsua(texts: Mapping[str, str]) -> Leaves:
    """Words, as C reads them: 199 bytes a line, quotes only at the start of a word; an empty word is none, and one that
    begins with ``#``, with its quotes off, ends the line."""
    words: list[str] = []
    for line in texts["pjsua.conf"].split("\n"):
        assert len(line.encode()) < 199
        place = 0
        while place < len(line):
            if line[place] in " \t\r":
                place += 1
                continue
            if line[place] in "\"'":
                end = line.index(line[place], place + 1)
                word = line[place + 1 : end]
                place = end + 1
                assert place == len(line) or line[place] in " \t\r"
            else:
                found = re.compile(r"[^ \t\r\n]+").match(line, place)
                assert found is not None
                word = found[0]
                place = found.end()
            if word.startswith("#"):
                break
            words += [word] if word else []
    leaves = {f"{number}": word for number, word in enumerate(words)}
    _address("id", leaves.pop("1"), leaves)
    return leaves


# baresip, src/account.c, 1.0 to 4.10.
PARAMETERS = (
    "100rel", "answermode", "audio_codecs", "audio_player", "audio_source", "auth_pass", "auth_user", "autelev_pt",
    "call_transfer", "catchall", "cert", "check_origin", "dtmfmode", "extra", "inreq_allowed", "mediaenc", "medianat",
    "mwi", "natpinhole", "outbound", "outbound2", "ptime", "pubint", "regint", "regq", "rtcp_mux", "rwait",
    "sip_autoanswer", "sip_autoredirect", "sipnat", "stunpass", "stunserver", "stunuser", "tcpsrcport", "video_codecs",
    "video_display", "video_source",
)  # fmt: skip


READERS: Mapping[str, Reader] = {
    "jssip": webrtc,
    "sipjs": webrtc,
    "browser-phone": webrtc,
    "json": webrtc,
    "linphone": linphone,
    "baresip": baresip,
    "twinkle": twinkle,
    "pjsua": pjsua,
}


def sip_unquoted(text: str) -> str:
    """The text of a SIP quoted-string's inside."""
    assert re.fullmatch(r'(?:[^"\\]|\\.)*', text, re.DOTALL)
    return re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL)


def _address(name: str, text: str, leaves: Leaves) -> None:
    """``"Name" <sip:user@host…>``; exactly one ``@``, and nothing behind ``>``."""
    found = re.fullmatch(r'(?:"((?:[^"\\]|\\.)*)"|([A-Za-z0-9\-.!%*_+`\'~ ]*)) <sip:([^@<>"\s]*)@([^@<>"\s]*)>', text)
    assert found is not None, text
    leaves[f"{name} display"] = sip_unquoted(found[1]) if found[1] is not None else found[2]
    leaves[f"{name} user"] = unquote(found[3], errors="strict")
    leaves[f"{name} host"] = found[4]


def _account(line: str) -> tuple[str, list[tuple[str, str]]]:
    """baresip's line by hand: the address up to ``>`` outside quotes, then ``;key=value`` or ``;key="value"``."""
    quoted, place = False, 0
    while quoted or line[place] != ">":
        if quoted and line[place] == "\\":
            place += 1
        elif line[place] == '"':
            quoted = not quoted
        place += 1
    address, rest, parameters = line[: place + 1], line[place + 1 :], []
    while rest:
        found = re.match(r';(\w+)=(?:"([^"]*)"|([^;\s"]*))(?=;|$)', rest)
        assert found is not None, rest
        parameters.append((found[1], found[2] if found[2] is not None else found[3]))
        rest = rest[found.end() :]
    for name in PARAMETERS:
        # It does not take them apart at all: it looks for the first `;name=`, within quotes as well.
        found = re.search(rf';[ \t]*{name}[ \t]*=[ \t]*(?:"([^"]*)"|([^ \t;]+))', line[place + 1 :])
        assert (found and (found[1] or found[2] or "")) == dict(parameters).get(name)
    return address, parameters


def _script(text: str, name: str, leaves: Leaves) -> None:
    assert not set("<>\u2028\u2029") & set(re.sub("=>", "", text))
    assert text.isascii()
    code, place = [], 0
    for found in re.finditer(r"^(window\.\w+) = (?=\{)", text, re.MULTILINE):
        value, end = json.JSONDecoder().raw_decode(text, found.end())
        assert text[end] == ";"
        _flatten(value, f"{name} {found[1]}", leaves)
        code.append(text[place : found.start()])
        place = end
    leaves[f"{name} code"] = "".join(code) + text[place:]


def _flatten(value: object, path: str, leaves: Leaves) -> None:
    match value:
        case dict():
            for key, item in value.items():
                _flatten(item, f"{path}.{key}", leaves)
        case list():
            leaves[f"{path}.length"] = str(len(value))
            for number, item in enumerate(value):
                _flatten(item, f"{path}.{number}", leaves)
        case _:
            leaves[path] = value if isinstance(value, str) else json.dumps(value)
