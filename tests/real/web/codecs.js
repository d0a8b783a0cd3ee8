// The account's codecs, most wanted first, as the offer and the answer of a connection name them.
const telephoneEvent = "audio/telephone-event";

function prefer(connection, codecs) {
  const known = RTCRtpReceiver.getCapabilities("audio").codecs;
  const named = (name) => known.filter((codec) => codec.mimeType.toLowerCase() === name.toLowerCase());
  const wanted = [...codecs, telephoneEvent].flatMap(named);
  for (const transceiver of connection.getTransceivers()) transceiver.setCodecPreferences(wanted);
}

export function obey(connection, codecs) {
  for (const name of ["createOffer", "createAnswer"]) {
    const original = connection[name].bind(connection);
    connection[name] = (options) => {
      prefer(connection, codecs);
      return original(options);
    };
  }
}

const digitsCanGo = (connection, asEvents) =>
  connection.connectionState === "connected" &&
  (!asEvents || connection.getSenders().some(({ dtmf }) => dtmf?.canInsertDTMF));

// There is no event for it.
export async function connected(connection, asEvents) {
  while (!digitsCanGo(connection, asEvents)) await new Promise((resolve) => setTimeout(resolve, 10));
}
