// A page with JsSIP, as the target's README says; it answers by itself. `window.phone` is for the test.
import JsSIP from "jssip";
import { connected, obey } from "./codecs.js";

const { ua, sockets, pcConfig, dtmf, codecs } = window.softphoneAccount;
const options = { pcConfig, mediaConstraints: { audio: true, video: false } };
const phone = new JsSIP.UA({ ...ua, sockets: sockets.map((url) => new JsSIP.WebSocketInterface(url)) });
let session;

phone.on("newRTCSession", (event) => {
  session = event.session;
  session.confirmed = new Promise((resolve) => session.on("confirmed", resolve));
  session.on("peerconnection", ({ peerconnection }) => obey(peerconnection, codecs));
  if (event.originator === "remote") session.answer(options);
});

window.phone = {
  call: (number) => void phone.call(number, options),
  async press(digits) {
    await session.confirmed;
    await connected(session.connection, dtmf.transportType === "RFC2833");
    session.sendDTMF(digits, dtmf);
  },
  hangUp: () => session.terminate(),
};
phone.start();
