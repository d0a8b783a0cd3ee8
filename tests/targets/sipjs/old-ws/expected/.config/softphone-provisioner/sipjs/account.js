// Written by softphone-provisioner; see its README for how a page uses this.
window.softphoneAccount = {
  "userAgentOptions": {
    "uri": "sip:1997@acme.ucontactcloud.com",
    "authorizationUsername": "1997",
    "authorizationPassword": "agent-password",
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
