// Written by softphone-provisioner. Include it before phone.js; see its README.
window.phoneOptions = {
  "profileName": "Victor Cisneros",
  "wssServer": "acme.ucontactcloud.com",
  "WebSocketPort": 8089,
  "ServerPath": "/ws",
  "SipDomain": "acme.ucontactcloud.com",
  "SipUsername": "1997",
  "SipPassword": "agent-password",
  "RegisterExpires": 600,
  "Language": "es",
  "EnableAccountSettings": false
};
window.softphoneCredential = {"userId": "Vcisneros", "iceServers": [{"urls": "stun:stun.ucontactcloud.com:3478"}]};
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
