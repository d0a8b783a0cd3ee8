// Written by softphone-provisioner; see its README for how a page uses this.
window.softphoneAccount = {
  "userAgentOptions": {
    "uri": "sip:1997@acme.ucontactcloud.com",
    "authorizationUsername": "1997",
    "authorizationHa1": "c923e031f6e32b9d1655bf76a1e3096c",
    "displayName": "Victor Cisneros",
    "transportOptions": {"server": "ws://acme.ucontactcloud.com:8088/ws"},
    "sessionDescriptionHandlerFactoryOptions": {
      "peerConnectionConfiguration": {"iceServers": [{"urls": "stun:stun.ucontactcloud.com:3478"}]}
    }
  },
  "registererOptions": {"expires": 600},
  "sendDTMFUsingSessionDescriptionHandler": true,
  "name": "Victor Cisneros",
  "codecs": ["audio/PCMA", "audio/PCMU"],
  "language": "es"
};
