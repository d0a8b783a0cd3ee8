"""Messages of RFC 4475 that matter here, by the names that the RFC gives them."""

from __future__ import annotations


def wire(text: str, body: bytes = b"") -> bytes:
    return text.strip("\n").replace("\n", "\r\n").encode() + b"\r\n\r\n" + body


WSINV_BODY = (
    b"v=0\r\no=mhandley 29739 7272939 IN IP4 192.0.2.3\r\ns=-\r\nc=IN IP4 192.0.2.4\r\nt=0 0\r\n"
    b"m=audio 49217 RTP/AVP 0 12\r\nm=video 3227 RTP/AVP 31\r\na=rtpmap:31 LPC\r\n"
)
# 3.1.1.1: folded lines, compact names, odd blanks, comma-joined values, escaped quotes.
WSINV = wire(
    r"""
INVITE sip:vivekg@chair-dnrc.example.com;unknownparam SIP/2.0
TO :
 sip:vivekg@chair-dnrc.example.com ;   tag    = 1918181833n
from   : "J Rosenberg \\\""       <sip:jdrosen@example.com>
  ;
  tag = 98asjd8
MaX-fOrWaRdS: 0068
Call-ID: wsinv.ndaksdj@192.0.2.1
Content-Length   : {length}
cseq: 0009
  INVITE
Via  : SIP  /   2.0
 /UDP
    192.0.2.2;branch=390skdjuw
s :
NewFangledHeader:   newfangled value
 continued newfangled value
UnknownHeaderWithUnusualValue: ;;,,;;,;
Content-Type: application/sdp
Route:
 <sip:services.example.com;lr;unknownwith=value;unknown-no-value>
v:  SIP  / 2.0  / TCP     spindle.example.com   ;
  branch  =   z9hG4bK9ikj8  ,
 SIP  /    2.0   / UDP  192.168.255.111   ; branch=
 z9hG4bK30239
m:"Quoted string \"\"" <sip:jdrosen@example.com> ; newparam =
      newvalue ;
  secondparam ; q = 0.33
""".replace("{length}", str(len(WSINV_BODY))),
    WSINV_BODY,
)
# 3.1.1.2: every character that a method, a name or a URI may have.
INTMETH = wire(
    r"""
!interesting-Method0123456789_*+`.%indeed'~ sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,weird!*pas$wo~d_too.(doesn't-it)@example.com SIP/2.0
Via: SIP/2.0/TCP host1.example.com;branch=z9hG4bK-.!%66*_+`'~
To: "BEL:\\\a NUL:\\\b DEL:\\\c" <sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*@example.com>
From: token1~` token2'+_ token3*%!.- <sip:mundane@example.com>;fromParam''~+*_!.-%="работающий";tag=_token~1'+`*%!-.
Call-ID: intmeth.word%ZK-!.*_+'@word`~)(><:\/"][?}{
CSeq: 139122385 !interesting-Method0123456789_*+`.%indeed'~
Max-Forwards: 255
extensionHeader-!.%*+_`'~:大停電
Content-Length: 0
"""  # noqa: E501
)
# 3.1.1.4: escaped nulls stay escaped.
ESCNULL = wire(
    """
REGISTER sip:example.com SIP/2.0
To: sip:null-%00-null@example.com
From: sip:null-%00-null@example.com;tag=839923423
Max-Forwards: 70
Call-ID: escnull.39203ndfvkjdasfkq3w4otrq0adsfdfnavd
CSeq: 14398234 REGISTER
Via: SIP/2.0/UDP host5.example.com;branch=z9hG4bKkdjuw
Contact: <sip:%00@host5.example.com>
Contact: <sip:%00%00@host5.example.com>
L:0
"""
)
# 3.1.1.6: no blank between the display name and the bracket.
LWSDISP = wire(
    """
OPTIONS sip:user@example.com SIP/2.0
To: sip:user@example.com
From: caller<sip:caller@example.com>;tag=323
Max-Forwards: 70
Call-ID: lwsdisp.1234abcd@funky.example.com
CSeq: 60 OPTIONS
Via: SIP/2.0/UDP funky.example.com;branch=z9hG4bKkdjuw
l: 0
"""
)
DBLREQ_FIRST = wire(
    """
REGISTER sip:example.com SIP/2.0
To: sip:j.user@example.com
From: sip:j.user@example.com;tag=43251j3j324
Max-Forwards: 8
I: dblreq.0ha0isndaksdj99sdfafnl3lk233412
Contact: sip:j.user@host.example.com
CSeq: 8 REGISTER
Via: SIP/2.0/UDP 192.0.2.125;branch=z9hG4bKkdjuw23492
Content-Length: 0
"""
)
# 3.1.1.8: a datagram with a second request behind the first; blank lines before it are ours.
DBLREQ = b"\r\n\r\n" + DBLREQ_FIRST + DBLREQ_FIRST.replace(b"REGISTER", b"INVITE")
# 3.1.1.11: a body that is binary.
MPART_BODY = (
    b"--7a9cbec02ceef655\r\nContent-Type: text/plain\r\n\r\n\x30\x82\x01\x52\x00\xff\r\n\r\n--7a9cbec02ceef655--"
)
MPART01 = wire(
    f"""
MESSAGE sip:kumiko@example.org SIP/2.0
Via: SIP/2.0/UDP 127.0.0.1:5070;branch=z9hG4bK-d87543-4dade06d0bdb11ee-1--d87543-;rport
Max-Forwards: 70
Call-ID: mpart01.ec8yXZ
From: <sip:fluffy@example.com>;tag=2fb0dcc9
To: <sip:kumiko@example.org>
CSeq: 1 MESSAGE
Content-Type: multipart/mixed;boundary=7a9cbec02ceef655
Content-Length: {len(MPART_BODY)}
""",
    MPART_BODY,
)
# 3.1.1.12 and 3.1.1.13: a reason in Cyrillic, and none.
UNREASON = wire(
    """
SIP/2.0 200 = 2**3 * 5**2 но сто девяносто девять - простое
Via: SIP/2.0/UDP 192.0.2.198;branch=z9hG4bK1324923
Call-ID: unreason.1234ksdfak3j2erwedfsASdf
CSeq: 35 INVITE
From: sip:user@example.com;tag=11141343
To: sip:user@example.edu;tag=2229
Content-Length: 0
Contact: <sip:user@host198.example.com>
"""
)
NOREASON = b"SIP/2.0 100 \r\nVia: SIP/2.0/UDP 192.0.2.105;branch=z9hG4bK2398ndaoe\r\nCSeq: 35 INVITE\r\nl: 0\r\n\r\n"
# 3.3.7: a scheme of authentication that nobody knows.
REGAUT01 = wire(
    """
REGISTER sip:example.com SIP/2.0
To: sip:j.user@example.com
From: sip:j.user@example.com;tag=87321hj23128
Max-Forwards: 8
Call-ID: regaut01.0ha0isndaksdj
CSeq: 9338 REGISTER
Via: SIP/2.0/TCP 192.0.2.253;branch=z9hG4bKkdjuw
Authorization: NoOneKnowsThisScheme opaque-data=here
Content-Length:0
"""
)

_PLAIN = """
{start}
Max-Forwards: 70
To: sip:j.user@example.com
From: sip:caller@example.net;tag=8814
Call-ID: plain.dkfj
CSeq: 8 INVITE
Via: SIP/2.0/UDP 192.0.2.99;branch=z9hG4bKkdjuw
{more}
"""


def plain(start: str = "INVITE sip:user@example.com SIP/2.0", more: str = "Content-Length: 0") -> bytes:
    return wire(_PLAIN.format(start=start, more=more))


# Sections 3.1.2 and 3.3: what must be refused.
REFUSED = {
    "clerr (3.1.2.2): more body announced than there is": plain(more="Content-Length: 9999") + b"v=0\r\n",
    "ncl (3.1.2.3): negative Content-Length": plain(more="Content-Length: -999"),
    "ltgtruri (3.1.2.7): Request-URI in brackets": plain("INVITE <sip:user@example.com> SIP/2.0"),
    "lwsruri (3.1.2.8): blanks in the Request-URI": plain("INVITE sip:user@example.com; lr SIP/2.0"),
    "lwsstart (3.1.2.9): several blanks between the parts": plain("INVITE  sip:user@example.com  SIP/2.0"),
    "trws (3.1.2.10): blanks behind the version": plain("INVITE sip:user@example.com SIP/2.0  "),
    "badvers (3.1.2.16): a version nobody knows": plain("OPTIONS sip:user@example.com SIP/7.0"),
    "bigcode (3.1.2.19): a status that is no status": plain("SIP/2.0 4294967301 better not break the receiver"),
    "mcl01 (3.3.9): two lengths that disagree": plain(more="Content-Length: 5\nl: 0") + b"abcde",
}
