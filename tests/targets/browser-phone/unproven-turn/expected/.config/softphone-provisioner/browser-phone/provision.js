// Written by softphone-provisioner. Include it before phone.js; see its README.
window.phoneOptions = {
  "profileName": "Ana \u00d1and\u00fa \ud83d\ude00",
  "wssServer": "sip.acme.example",
  "WebSocketPort": 443,
  "ServerPath": "/asterisk/ws",
  "SipDomain": "acme.ucontactcloud.com",
  "SipUsername": "1997",
  "SipPassword": "",
  "RegisterExpires": 600,
  "Language": "es",
  "EnableAccountSettings": false
};
window.softphoneCredential = {"userId": "Vcisneros", "iceServers": [{"urls": "stun:stun.acme.example"}, {"urls": "stun:stun2.acme.example:3479"}, {"urls": "turn:turn.acme.example:3478?transport=udp", "username": "phones", "credential": "turn-password"}, {"urls": "turns:turn.acme.example?transport=tcp", "username": "phones", "credential": "turn-password"}], "ha1": "c923e031f6e32b9d1655bf76a1e3096c"};
// Without a user the page shows its account form and does not start.
if (!localStorage.getItem("profileUserID")) {
  localStorage.setItem("profileUserID", window.softphoneCredential.userId);
}
// This option is JSON inside a text.
window.phoneOptions.IceStunServerJson = JSON.stringify(window.softphoneCredential.iceServers);
// SIP.js takes the hash; the page has no setting for it.
window.web_hook_on_userAgent_created = function (ua) {
  if (window.softphoneCredential.ha1) {
    ua.configuration.authorizationHa1 = window.softphoneCredential.ha1;
  }
};
