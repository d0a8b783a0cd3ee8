// Not the Browser Phone, which is in no package: a page that takes its settings where that one does (phone.js 0.3.29:
// localStorage, then `phoneOptions`; the hook before it connects) and gives them to the SIP.js that it uses.
// It answers by itself. `window.phone` is for the test.
import { Inviter, Registerer, SessionState, UserAgent } from "sip.js-0.20";
import { connected } from "./codecs.js";

function setting(name, otherwise) {
  const option = window.phoneOptions?.[name];
  return option !== undefined ? option : (localStorage.getItem(name) ?? otherwise);
}

const domain = setting("SipDomain", setting("wssServer", ""));
const peerConnectionConfiguration = { bundlePolicy: setting("BundlePolicy", "balanced") };
if (setting("IceStunServerJson", "")) {
  peerConnectionConfiguration.iceServers = JSON.parse(setting("IceStunServerJson", ""));
}
let session;

function keep(one) {
  session = one;
  one.established = new Promise((resolve) =>
    one.stateChange.addListener((state) => state === SessionState.Established && resolve()),
  );
}

function start() {
  const agent = new UserAgent({
    uri: UserAgent.makeURI(`sip:${setting("SipUsername", "")}@${domain}`),
    transportOptions: {
      server: `wss://${setting("wssServer", "")}:${setting("WebSocketPort", "")}${setting("ServerPath", "")}`,
    },
    sessionDescriptionHandlerFactoryOptions: { peerConnectionConfiguration, iceGatheringTimeout: 500 },
    displayName: setting("profileName", ""),
    authorizationUsername: setting("SipUsername", ""),
    authorizationPassword: setting("SipPassword", ""),
    hackIpInContact: true,
    contactParams: { transport: "wss" },
    delegate: { onInvite: (invitation) => (keep(invitation), invitation.accept()) },
  });
  window.web_hook_on_userAgent_created?.(agent);
  agent.start().then(() => new Registerer(agent, { expires: setting("RegisterExpires", 300) }).register());
  return agent;
}

// Without a profile it shows its form and starts nothing.
const agent = localStorage.getItem("profileUserID") ? start() : null;

window.phone = {
  call(number) {
    keep(new Inviter(agent, UserAgent.makeURI(`sip:${number}@${domain}`)));
    session.invite();
  },
  async press(digits) {
    await session.established;
    await connected(session.sessionDescriptionHandler.peerConnection, true);
    session.sessionDescriptionHandler.sendDtmf(digits);
  },
  hangUp: () => session.bye(),
};
