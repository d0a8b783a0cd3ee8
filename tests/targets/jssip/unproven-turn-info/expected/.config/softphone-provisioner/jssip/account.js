// Written by softphone-provisioner; see its README for how a page uses this.
window.softphoneAccount = {
  "ua": {
    "uri": "sip:1997@acme.ucontactcloud.com",
    "authorization_user": "1997",
    "ha1": "c923e031f6e32b9d1655bf76a1e3096c",
    "realm": "asterisk",
    "display_name": "Ana \"\u00d1\" \u003c/script\u003e \\ \ud83d\ude00",
    "register": true,
    "register_expires": 600,
    "session_timers": false
  },
  "sockets": ["wss://sip.acme.example:443/asterisk/ws"],
  "pcConfig": {
    "iceServers": [{"urls": "stun:stun.acme.example"}, {"urls": "stun:stun2.acme.example:3479"}, {"urls": "turn:turn.acme.example:3478?transport=udp", "username": "phones", "credential": "turn-password"}, {"urls": "turns:turn.acme.example?transport=tcp", "username": "phones", "credential": "turn-password"}],
    "rtcpMuxPolicy": "require"
  },
  "dtmf": {"transportType": "INFO"},
  "codecs": ["audio/opus", "audio/PCMA", "video/VP8"],
  "language": "es"
};
