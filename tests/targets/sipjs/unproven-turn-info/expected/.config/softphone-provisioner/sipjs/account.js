// Written by softphone-provisioner; see its README for how a page uses this.
window.softphoneAccount = {
  "userAgentOptions": {
    "uri": "sip:1997@acme.ucontactcloud.com",
    "authorizationUsername": "1997",
    "authorizationHa1": "c923e031f6e32b9d1655bf76a1e3096c",
    "displayName": "Ana \\\"\u00d1\\\" \u003c/script\u003e \\\\ \ud83d\ude00",
    "transportOptions": {"server": "wss://sip.acme.example:443/asterisk/ws"},
    "sessionDescriptionHandlerFactoryOptions": {
      "peerConnectionConfiguration": {"iceServers": [{"urls": "stun:stun.acme.example"}, {"urls": "stun:stun2.acme.example:3479"}, {"urls": "turn:turn.acme.example:3478?transport=udp", "username": "phones", "credential": "turn-password"}, {"urls": "turns:turn.acme.example?transport=tcp", "username": "phones", "credential": "turn-password"}]}
    }
  },
  "registererOptions": {"expires": 600},
  "sendDTMFUsingSessionDescriptionHandler": false,
  "name": "Ana \"\u00d1\" \u003c/script\u003e \\ \ud83d\ude00",
  "codecs": ["audio/opus", "audio/PCMA", "video/VP8"],
  "language": "es"
};
