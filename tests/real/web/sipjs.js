// A page with SIP.js, as the target's README says; it answers by itself. `window.phone` is for the test.
import { Inviter, Registerer, SessionState, UserAgent, Web } from "sip.js";
import { connected, obey } from "./codecs.js";

const account = window.softphoneAccount;
const { userAgentOptions, registererOptions, codecs } = account;
const uri = UserAgent.makeURI(userAgentOptions.uri);
const media = Web.defaultSessionDescriptionHandlerFactory();
const sessionDescriptionHandlerFactory = (session, options) => {
  const made = media(session, options);
  obey(made.peerConnection, codecs);
  return made;
};
let session;

function keep(one) {
  session = one;
  one.established = new Promise((resolve) =>
    one.stateChange.addListener((state) => state === SessionState.Established && resolve()),
  );
}

const delegate = { onInvite: (invitation) => (keep(invitation), invitation.accept()) };
const agent = new UserAgent({ ...userAgentOptions, uri, delegate, sessionDescriptionHandlerFactory });

function inform(digit) {
  const body = { contentDisposition: "render", contentType: "application/dtmf-relay" };
  return session.info({ requestOptions: { body: { ...body, content: `Signal=${digit}\r\nDuration=160` } } });
}

window.phone = {
  call(number) {
    keep(new Inviter(agent, UserAgent.makeURI(`sip:${number}@${uri.host}`)));
    session.invite();
  },
  async press(digits) {
    await session.established;
    const asEvents = account.sendDTMFUsingSessionDescriptionHandler;
    await connected(session.sessionDescriptionHandler.peerConnection, asEvents);
    if (asEvents) session.sessionDescriptionHandler.sendDtmf(digits);
    else for (const digit of digits) await inform(digit);
  },
  hangUp: () => session.bye(),
};
agent.start().then(() => new Registerer(agent, registererOptions).register());
