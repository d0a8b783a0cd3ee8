// Written by softphone-provisioner; see its README for how a page uses this.
window.softphoneAccount = {
  "ua": {
    "uri": "sip:1997@acme.ucontactcloud.com",
    "authorization_user": "1997",
    "ha1": "c923e031f6e32b9d1655bf76a1e3096c",
    "realm": "asterisk",
    "display_name": "Victor Cisneros",
    "register": true,
    "register_expires": 600,
    "session_timers": false
  },
  "sockets": ["ws://acme.ucontactcloud.com:8088/ws"],
  "pcConfig": {
    "iceServers": [{"urls": "stun:stun.ucontactcloud.com:3478"}],
    "rtcpMuxPolicy": "require"
  },
  "dtmf": {"transportType": "RFC2833"},
  "codecs": ["audio/PCMA", "audio/PCMU"],
  "language": "es"
};
