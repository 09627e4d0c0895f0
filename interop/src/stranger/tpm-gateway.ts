// One gateway that connects with the key in its TPM and proves itself, as a process of its own: OpenSSL reads its
// configuration, and with it the provider, when a process starts.
//
//   OPENSSL_CONF=... node tpm-gateway.ts TPM FOLDER ROOT.pem MQTT-PORT [EVENT-LOG]
import { readFileSync } from 'node:fs';
import {
  FileStore,
  HoldfastRequests,
  IdentityStore,
  MqttConnection,
  Tpm,
  TpmIdentity,
  TpmKeyStore,
} from '@holdfast/device';
import { systemClock, systemRandom } from '@holdfast/kernel';

const PCRS = [0, 1, 2, 3, 4, 7];

const [address = '', folder = '', rootFile = '', port = '', logFile] = process.argv.slice(2);
const tpm = await Tpm.open(address);
const store = new FileStore(folder);
const keys = new TpmKeyStore(tpm, store);
const identity = await new IdentityStore(store, keys).load();
if (identity === undefined) throw new Error('the gateway is not enrolled');
const connection = await MqttConnection.open({
  host: 'localhost',
  port: Number(port),
  credentials: {
    anchors: [readFileSync(rootFile, 'utf8')],
    certificatePem: identity.certificatePem,
    key: identity.key,
  },
  clientId: identity.deviceId,
  version: 5,
  clock: systemClock,
});
const log = logFile === undefined ? undefined : new Uint8Array(readFileSync(logFile));
const requests = new HoldfastRequests(connection, identity.deviceId);
const reply = await requests.proveByQuote(new TpmIdentity(tpm, keys, systemRandom), PCRS, log);
process.stdout.write(`${JSON.stringify(reply)}\n`);
process.exit(0);
