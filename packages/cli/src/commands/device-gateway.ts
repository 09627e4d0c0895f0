import { readFileSync } from 'node:fs';
import {
  enrollByTpm,
  FileStore,
  HoldfastRequests,
  HttpsClient,
  IdentityStore,
  MqttConnection,
  postJsonOver,
  Tpm,
  TpmIdentity,
  TpmKeyStore,
} from '@holdfast/device';
import { formatRfc3339, HoldfastError, systemClock, systemRandom } from '@holdfast/kernel';
import { decodePemBlocks } from '@holdfast/wire/pem';
import { type Command, InvalidArgumentError } from 'commander';
import type { CommandIo } from '../output/io.ts';
import { formatFacts } from '../output/table.ts';
import { list, wholeNumber } from './verb.ts';

interface GatewayOptions {
  readonly tpm: string;
  readonly folder: string;
  readonly server: string;
  readonly ca: string;
  readonly json?: true;
}

interface EnrollOptions extends GatewayOptions {
  readonly serial: string;
  readonly portEnroll: number;
  readonly intermediates?: string;
}

interface ProveOptions extends GatewayOptions {
  readonly portMqtt: number;
  readonly pcrs: readonly number[];
  readonly eventLog?: string;
}

type Facts = readonly (readonly [string, string])[];

/** What a gateway does with the TPM in it; the SDK offers the same to a program. */
export function registerGateway(noun: Command, io: CommandIo): void {
  addGatewayVerb(noun, 'enroll', 'get a certificate for a key made in the TPM, by what the TPM is')
    .requiredOption('--serial <serial>', 'what it asks to be called; the server decides')
    .option('--port-enroll <port>', 'enrollment listener', wholeNumber, 8444)
    .option('--intermediates <file>', "PEM certificates between the TPM's and its maker's that is trusted")
    .action((options: EnrollOptions) => run(options, io, enroll));
  addGatewayVerb(noun, 'prove', "send a quote of the TPM's registers, signed under a fresh nonce")
    .option('--port-mqtt <port>', 'MQTT listener', wholeNumber, 8883)
    .option('--pcrs <numbers>', 'registers of the SHA-256 bank, comma separated', registers, [0, 1, 2, 3, 4, 7])
    .option('--event-log <file>', 'the log of this start: /sys/kernel/security/tpm0/binary_bios_measurements')
    .action((options: ProveOptions) => run(options, io, prove));
}

function addGatewayVerb(noun: Command, name: string, words: string): Command {
  return noun
    .command(name)
    .description(words)
    .option('--tpm <address>', 'device:/dev/tpmrm0, or swtpm:host=HOST,port=PORT', 'device:/dev/tpmrm0')
    .requiredOption('--folder <folder>', 'where the gateway keeps its certificate and what its TPM can load')
    .option('--server <host>', 'name of the server, as in its certificate', 'localhost')
    .requiredOption('--ca <file>', 'the root the server is verified by, PEM')
    .option('--json', 'one JSON document');
}

interface Gateway {
  readonly tpm: TpmIdentity;
  readonly keys: TpmKeyStore;
  readonly identities: IdentityStore;
  readonly anchors: readonly string[];
}

async function run<O extends GatewayOptions>(
  options: O,
  io: CommandIo,
  work: (gateway: Gateway, options: O) => Promise<Facts>,
): Promise<void> {
  const anchors = [textOf(options.ca)];
  const tpm = await Tpm.open(options.tpm);
  try {
    const store = new FileStore(options.folder);
    const keys = new TpmKeyStore(tpm, store);
    const identity = new TpmIdentity(tpm, keys, systemRandom);
    const facts = await work({ tpm: identity, keys, identities: new IdentityStore(store, keys), anchors }, options);
    io.out(options.json ? `${JSON.stringify(Object.fromEntries(facts))}\n` : formatFacts(facts, io));
  } finally {
    await tpm.close();
  }
}

async function enroll({ anchors, ...parts }: Gateway, options: EnrollOptions): Promise<Facts> {
  const { serial, server, portEnroll, intermediates } = options;
  const https = new HttpsClient({ anchors }, systemClock);
  try {
    const chain = intermediates === undefined ? [] : decodePemBlocks(textOf(intermediates)).map(({ bytes }) => bytes);
    const post = postJsonOver(https, `https://${server}:${portEnroll}`);
    const { deviceId, certificate } = await enrollByTpm({ ...parts, serial, intermediates: chain }, post);
    return [
      ['device', deviceId],
      ['until', formatRfc3339(certificate.validity.notAfter)],
    ];
  } finally {
    https.close();
  }
}

/** TLS uses the key in the TPM through OpenSSL's provider; see docs/guides/tpm-gateway.md. */
async function prove({ tpm, identities, anchors }: Gateway, options: ProveOptions): Promise<Facts> {
  const identity = await identities.load();
  if (identity === undefined) throw new HoldfastError('device.not_enrolled');
  const { deviceId, certificatePem, key } = identity;
  const connection = await MqttConnection.open({
    host: options.server,
    port: options.portMqtt,
    credentials: { anchors, certificatePem, key },
    clientId: deviceId,
    version: 5,
    clock: systemClock,
  });
  try {
    const log = options.eventLog === undefined ? undefined : new Uint8Array(readFileSync(options.eventLog));
    const reply = await new HoldfastRequests(connection, deviceId).proveByQuote(tpm, options.pcrs, log);
    return [
      ['device', deviceId],
      ['posture', reply.posture],
      ...(reply.reasons.length === 0 ? [] : [['because', reply.reasons.join('; ')] as const]),
    ];
  } finally {
    connection.close();
  }
}

function registers(text: string): readonly number[] {
  const numbers = list(text).map(wholeNumber);
  const isRising = numbers.every((pcr, at) => pcr < 24 && (at === 0 || pcr > (numbers[at - 1] ?? 0)));
  if (numbers.length === 0 || !isRising) throw new InvalidArgumentError('rising numbers of 0-23 are expected.');
  return numbers;
}

/** @throws `cli.usage` when the file cannot be read */
function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new HoldfastError('cli.usage', { field: file, reason: 'the file cannot be read' }, { cause });
  }
}
