"""The one line of a session description that is changed."""

from __future__ import annotations

import pytest

from provisioner.core.sip.sdp import named_for_dtls

DTLS = b"v=0\r\nm=audio 10000 RTP/SAVPF 0 8 101\r\na=fingerprint:SHA-256 AA:BB\r\na=setup:actpass\r\n"


def test_srtp_by_dtls_gets_its_name():
    assert named_for_dtls(DTLS) == DTLS.replace(b"RTP/SAVPF", b"UDP/TLS/RTP/SAVPF")
    plain = DTLS.replace(b"SAVPF", b"SAVP")
    assert named_for_dtls(plain) == plain.replace(b"RTP/SAVP", b"UDP/TLS/RTP/SAVP")


def test_every_media_line_gets_it_and_text_elsewhere_does_not():
    two = DTLS + b"m=video 10002 RTP/SAVPF 99\r\ns=m=audio 1 RTP/SAVPF 0\r\n"
    assert named_for_dtls(two).count(b"UDP/TLS/") == 2


def test_an_offer_of_video_passes_with_nothing_changed_but_the_name():
    video = b"a=group:BUNDLE 0 1\r\n" + DTLS + b"a=mid:0\r\nm=video 0 RTP/SAVPF 96 97\r\nb=AS:512\r\n"
    video += b"a=rtpmap:96 H264/90000\r\na=fmtp:96 profile-level-id=42e01f\r\na=rtcp-fb:96 nack pli\r\na=mid:1\r\n"
    assert named_for_dtls(video).replace(b"UDP/TLS/", b"") == video
    assert named_for_dtls(video).count(b"m=video 0 UDP/TLS/RTP/SAVPF 96 97\r\n") == 1
    plain = video.replace(b"RTP/SAVPF", b"RTP/AVP").replace(b"a=fingerprint", b"a=x")
    assert named_for_dtls(plain) == plain


@pytest.mark.parametrize(
    "body",
    [
        DTLS.replace(b"RTP/SAVPF", b"UDP/TLS/RTP/SAVPF"),
        DTLS.replace(b"RTP/SAVPF", b"RTP/AVP"),
        DTLS + b"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x\r\n",
        DTLS.replace(b"a=fingerprint", b"a=other"),
        b"",
    ],
)
def test_all_else_stays(body: bytes):
    assert named_for_dtls(body) == body
